"""What was done and by whom; what could not be delivered."""

from __future__ import annotations

from starlette.responses import Response

from core import audit_postgres as audit
from core.errors import InvalidRequest
from core.messaging.dead_letters_postgres import DeadLetter
from web.endpoint import Call, Caller, Endpoint, Parameter, answer
from web.ops.audit import note
from web.ops.inspect import number
from web.ops.schemas import (
    AuditEntry,
    AuditPage,
    DeadLetterAnswer,
    DeadLetterList,
    DiscardDeadLetters,
    Discarded,
    Retried,
    RetryDeadLetters,
)

_PAGE = 50
_LETTERS = 200


async def trail(call: Call[None]) -> Response:
    before = number(call.request, "before", most=2**63 - 1)
    subject = call.request.query_params.get("subject")
    if subject is not None and not subject.isprintable():
        raise InvalidRequest("subject: printable characters only")
    entries = await audit.page(call.parts.database, before=before, subject=subject, limit=_PAGE + 1)
    shown = entries[:_PAGE]
    return answer(
        AuditPage(
            entries=[
                AuditEntry(id=e.id, at=e.at, actor=e.actor, action=e.action, subject=e.subject, detail=dict(e.detail))
                for e in shown
            ],
            next=shown[-1].id if len(entries) > _PAGE else None,
        )
    )


async def letters(call: Call[None]) -> Response:
    found = await call.parts.dead_letters.list(limit=_LETTERS)
    waiting = await call.parts.dead_letters.count()
    return answer(DeadLetterList(letters=[_letter(one) for one in found], waiting=waiting))


def _letter(one: DeadLetter) -> DeadLetterAnswer:
    payload = one.payload or {}
    return DeadLetterAnswer(
        id=one.id,
        consumer=one.consumer,
        source=one.source,
        reservation=one.reservation_id,
        type=one.type,
        event=payload.get("event") if isinstance(payload.get("event"), str) else None,
        error=one.error,
        attempts=one.attempts,
        failed_at=one.failed_at,
        retried_at=one.retried_at,
    )


async def retry(call: Call[RetryDeadLetters]) -> Response:
    retried = await call.parts.dead_letters.retry(call.body.ids)
    call.parts.wake_relay()
    await note(call.parts.database, call.actor, "dead_letters.retry", "-", ids=call.body.ids, retried=retried)
    return answer(Retried(retried=retried))


async def discard(call: Call[DiscardDeadLetters]) -> Response:
    discarded = await call.parts.dead_letters.discard(call.body.ids)
    await note(call.parts.database, call.actor, "dead_letters.discard", "-", ids=call.body.ids, discarded=discarded)
    return answer(Discarded(discarded=discarded))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/audit",
        trail,
        "Who did what, the newest first",
        "operator",
        answer=AuditPage,
        caller=Caller.OPERATOR,
        refusals=(InvalidRequest,),
        parameters=(
            Parameter("before", "query", "`next` of the page before", {"type": "integer", "minimum": 0}),
            Parameter("subject", "query", "only what was done to this (an event's slug)", {"type": "string"}),
        ),
    ),
    Endpoint(
        "GET",
        "/api/operator/dead-letters",
        letters,
        "Messages that were given up",
        "operator",
        answer=DeadLetterList,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/dead-letters/retries",
        retry,
        "Send messages that were given up again",
        "operator",
        answer=Retried,
        body=RetryDeadLetters,
        body_required=False,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/dead-letters/discards",
        discard,
        "Let go of messages that were given up: nobody sends them again",
        "operator",
        answer=Discarded,
        body=DiscardDeadLetters,
        caller=Caller.OPERATOR,
    ),
)
