"""What an operator does to a running sale, beyond opening, closing, pausing and blocking (`web/api_operator.py`)."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from core.errors import EventNotFound, NoSuchSeat, PaymentInProgress, SeatNotHeld
from core.seats.holder_redis import holder_of
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.audit import note, tell_sale_changed
from web.ops.schemas import ChangeLimit, NewLimit, Reconcile, Reconciled, ReleasedSeat, ReleaseSeat, SeatMismatch


async def limit(call: Call[ChangeLimit]) -> Response:
    event = await call.event()
    changed = await call.parts.events.update(event.slug, active_limit=call.body.active_limit)
    await tell_sale_changed(call.parts, changed)
    await note(
        call.parts.database, call.actor, "sale.limit", event.slug, before=event.active_limit, after=changed.active_limit
    )
    return answer(NewLimit(slug=event.slug, active_limit=changed.active_limit, before=event.active_limit))


async def release(call: Call[ReleaseSeat]) -> Response:
    """A seat that is being paid for is not released: its money may be on the way."""
    event, ordinal = await call.event(), call.body.seat
    if ordinal >= event.seat_count:
        raise NoSuchSeat(seats=[ordinal])
    holder = await holder_of(call.parts.redis, event.slug, ordinal)
    if holder is None:
        raise SeatNotHeld()
    if holder.paying:
        raise PaymentInProgress("The seat is being paid for: it comes free by itself when that fails")
    left = await call.parts.seats.release(event, holder.visitor, [ordinal])
    await note(call.parts.database, call.actor, "seat.release", event.slug, seat=ordinal, visitor=holder.visitor)
    return answer(
        ReleasedSeat(slug=event.slug, seat=ordinal, visitor=holder.visitor, left=list(left.seats) if left else [])
    )


async def reconcile(call: Call[Reconcile]) -> Response:
    """Answers when it is done: a large hall takes half a minute, in pages with pauses between."""
    event, dry_run = await call.event(), call.body.dry_run
    within = timedelta(minutes=call.body.minutes) if call.body.minutes else None
    report = await call.parts.reconcile.run(event, changed_within=within, dry_run=dry_run)
    await note(
        call.parts.database,
        call.actor,
        "sale.reconcile",
        event.slug,
        dry_run=dry_run,
        seats=report.seats,
        found=len(report.found),
        mended=report.mended,
    )
    return answer(
        Reconciled(
            slug=event.slug,
            dry_run=dry_run,
            seats=report.seats,
            mended=report.mended,
            found=[
                SeatMismatch(seat=m.ordinal, kind=m.kind, redis=m.redis, database=m.database, since=m.since)
                for m in report.found
            ],
        )
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/operator/events/{slug}/limit",
        limit,
        "Change how many visitors may be in at once",
        "operator",
        answer=NewLimit,
        body=ChangeLimit,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "POST",
        "/api/operator/events/{slug}/releases",
        release,
        "Free a seat that somebody holds",
        "operator",
        answer=ReleasedSeat,
        body=ReleaseSeat,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, NoSuchSeat, SeatNotHeld, PaymentInProgress),
    ),
    Endpoint(
        "POST",
        "/api/operator/events/{slug}/reconcile",
        reconcile,
        "Compare Redis with PostgreSQL now, and mend Redis",
        "operator",
        answer=Reconciled,
        body=Reconcile,
        body_required=False,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
