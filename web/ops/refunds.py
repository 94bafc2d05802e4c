"""Money back, by an operator: of a reservation, of single seats, an amount, or of a whole event that is cancelled
(P7).
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.responses import Response

from core.booking.accounts_postgres import account_of
from core.booking.event_refunds_postgres import EventRefund
from core.booking.giving_back import release_of
from core.booking.refund import RefundAsked
from core.errors import (
    EventNotFound,
    InvalidRequest,
    KeyReused,
    NotRefundable,
    PaymentInProgress,
    RefundChanged,
    RefundTooLarge,
    ReservationNotFound,
)
from web.api_reservations import reservation_id, reservation_state
from web.endpoint import Call, Caller, Endpoint, answer
from web.idempotency import IDEMPOTENCY_PARAMETER, idempotency_key
from web.ops.audit import note, note_look_up, tell_sale_changed
from web.ops.money_schemas import (
    AccountAttempt,
    AccountRefund,
    AccountSeat,
    EventRefundReport,
    EventRefundReports,
    RefundEvent,
    RefundMade,
    RefundReservation,
    ReservationAccount,
    UnmadeRefund,
)


async def account(call: Call[None]) -> Response:
    found = await account_of(call.parts.database, reservation_id(call.request.path_params["id"]))
    if found is None:
        raise ReservationNotFound()
    id = str(found.id)
    await note_look_up(call.parts, call.actor, "buyer.account", "-", whom=id, reservation=id)
    shown = ReservationAccount(
        id=found.id,
        event=found.slug,
        event_name=found.event_name,
        status=found.status.value,
        reason=found.reason,
        amount=found.amount,
        currency=found.currency,
        refunded=found.attempts[-1].refunded if found.attempts else 0,
        created_at=found.created_at,
        seats=[AccountSeat(**asdict(one)) for one in found.seats],
        attempts=[AccountAttempt(**asdict(one)) for one in found.attempts],
        refunds=[AccountRefund(**asdict(one)) for one in found.refunds],
    )
    return answer(shown)


async def refund(call: Call[RefundReservation]) -> Response:
    body, key = call.body, idempotency_key(call.request)
    if body.amount is not None and body.fee:
        raise InvalidRequest("fee: an amount is given back as it is; leave the fee out, or the amount")
    asked = RefundAsked(
        key=f"operator:{key}",
        reason=body.reason,
        asked_by=call.actor,
        seats=sorted(body.seats) if body.seats is not None else None,
        amount=body.amount,
        refunded_before=body.refunded_before,
        fee=body.fee,
        release=release_of(seats=body.seats, amount=body.amount, release=body.release),
    )
    reservation, made = await call.parts.checkout.refund(reservation_id(call.request.path_params["id"]), asked)
    await note(
        call.parts.database,
        call.actor,
        "refund",
        reservation.slug,
        reservation=str(reservation.id),
        amount=made.amount,
        fee=made.fee,
        seats=body.seats,
        reason=body.reason,
    )
    shown = RefundMade(
        id=made.id,
        amount=made.amount,
        fee=made.fee,
        state=made.state.value,
        reservation=reservation_state(reservation, call.parts.links, call.parts.clock.now()),
    )
    return answer(shown, status=201, exclude_none=True)


async def refund_event(call: Call[RefundEvent]) -> Response:
    event, key = await call.event(), idempotency_key(call.request)
    report = await call.parts.event_refunds.start(event.id, key=key, reason=call.body.reason, asked_by=call.actor)
    call.parts.events.forget(event.slug)
    await tell_sale_changed(call.parts, await call.parts.events.fresh(event.slug))
    await note(call.parts.database, call.actor, "refund.event", event.slug, reason=call.body.reason)
    return answer(_report(report), status=202)


async def reports(call: Call[None]) -> Response:
    event = await call.event()
    found = await call.parts.event_refunds.of_event(event.id)
    return answer(EventRefundReports(refunds=[_report(one) for one in found]))


def _report(one: EventRefund) -> EventRefundReport:
    return EventRefundReport(
        id=one.id,
        key=one.key,
        state=one.state,
        reason=one.reason,
        asked_by=one.asked_by,
        created_at=one.created_at,
        done_at=one.done_at,
        done=one.done,
        amount=one.amount,
        pending=one.pending,
        refused=one.refused,
        people=one.people,
        left=one.left,
        paying=one.paying,
        code=one.code,
        unmade=[UnmadeRefund(**asdict(refund)) for refund in one.unmade],
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/reservations/{id}",
        account,
        "A reservation's seats, payments and refunds",
        "operator",
        answer=ReservationAccount,
        caller=Caller.OPERATOR,
        refusals=(ReservationNotFound,),
    ),
    Endpoint(
        "POST",
        "/api/operator/reservations/{id}/refunds",
        refund,
        "Give money back: all of it, single seats, or an amount",
        "operator",
        success=201,
        answer=RefundMade,
        body=RefundReservation,
        caller=Caller.OPERATOR,
        refusals=(
            ReservationNotFound,
            NotRefundable,
            RefundChanged,
            RefundTooLarge,
            KeyReused,
            PaymentInProgress,
        ),
        parameters=(IDEMPOTENCY_PARAMETER,),
    ),
    Endpoint(
        "POST",
        "/api/operator/events/{slug}/refunds",
        refund_event,
        "Cancel the event: close its sale and give everybody's money back; the same key goes on with what had stopped",
        "operator",
        success=202,
        answer=EventRefundReport,
        body=RefundEvent,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, KeyReused),
        parameters=(IDEMPOTENCY_PARAMETER,),
    ),
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/refunds",
        reports,
        "How giving an event's money back stands",
        "operator",
        answer=EventRefundReports,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
