"""The comparison with the providers' own lists of charges: what it found, another one now, and the button that mends a
finding (P6).
"""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from core.booking.comparing import Comparison
from core.booking.findings_postgres import FindingRows, Found
from core.errors import FindingNotFound, InvalidRequest, NotMended
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.audit import note
from web.ops.money_schemas import (
    ComparePayments,
    ComparisonMade,
    ComparisonsMade,
    MendFinding,
    PaymentFinding,
    PaymentFindings,
    ProviderList,
)

#: Findings that are shown, at most: the open ones first.
MOST_SHOWN = 200


async def findings(call: Call[None]) -> Response:
    return answer(await _findings(call.parts.findings))


async def compare(call: Call[ComparePayments]) -> Response:
    since, until = call.body.since, call.body.until
    if since is not None and until is not None and since >= until:
        raise InvalidRequest("since: it is not before until")
    made = await call.parts.comparing.compare(since, until)
    await note(call.parts.database, call.actor, "payments.compare", "-", new=sum(one.new for one in made))
    shown = await _findings(call.parts.findings)
    return answer(ComparisonsMade(comparisons=[_made(one) for one in made], findings=shown.findings, lists=shown.lists))


async def mend(call: Call[MendFinding]) -> Response:
    try:
        id = UUID(call.request.path_params["id"])
    except ValueError:
        raise FindingNotFound() from None
    found = await call.parts.mending.mend(id, call.actor, by_hand=call.body.by_hand)
    await note(
        call.parts.database,
        call.actor,
        "payments.mend",
        "-",
        finding=str(found.id),
        kind=found.kind,
        order=found.order,
        by_hand=call.body.by_hand,
    )
    return answer(_finding(found))


async def _findings(findings: FindingRows) -> PaymentFindings:
    latest, lists = await findings.latest(MOST_SHOWN), await findings.compared()
    return PaymentFindings(
        findings=[_finding(one) for one in latest],
        lists=[
            ProviderList(
                provider=one.provider,
                environment=one.environment,
                compared_until=one.compared_until,
                tried_at=one.tried_at,
                charges=one.charges,
                code=one.code,
            )
            for one in lists
        ],
    )


def _made(one: Comparison) -> ComparisonMade:
    return ComparisonMade(
        provider=one.provider,
        environment=one.environment,
        since=one.since,
        until=one.until,
        charges=one.charges,
        differing=one.differing,
        new=one.new,
        code=one.code,
    )


def _finding(one: Found) -> PaymentFinding:
    return PaymentFinding(
        id=one.id,
        kind=one.kind.value,
        provider=one.provider,
        environment=one.environment,
        order=one.order,
        provider_key=one.provider_key,
        reservation=one.reservation_id,
        currency=one.currency,
        amount_there=one.amount_there,
        left_there=one.left_there,
        amount_here=one.amount_here,
        left_here=one.left_here,
        charged_at=one.charged_at,
        state=one.state,
        found_at=one.found_at,
        ended_at=one.ended_at,
        ended_by=one.ended_by,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/payments/findings",
        findings,
        "What differs between a provider's own list of charges and the books, and how far each list was compared",
        "operator",
        answer=PaymentFindings,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/payments/compare",
        compare,
        "Compare the providers' lists with the books now: the last hours, or a time that is named",
        "operator",
        answer=ComparisonsMade,
        body=ComparePayments,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/payments/findings/{id}/mend",
        mend,
        "Mend one finding: give the charge back, or note what was given back in the provider's dashboard",
        "operator",
        answer=PaymentFinding,
        body=MendFinding,
        caller=Caller.OPERATOR,
        refusals=(FindingNotFound, NotMended),
    ),
)
