"""What operators do to a sale over HTTP. Each call that changed something leaves a row in `audit`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response

from core import audit_postgres as audit
from core.errors import CurrencyNotTaken, EventNotFound, NoSuchSeat, ReopenTooLate, StoreUnavailable
from core.venue.event import Event, SaleStatus
from core.venue.event_store_postgres import EventStore
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.audit import note, tell_sale_changed
from web.schemas import BlockedSeats, BlockSeats, SaleControl, SeatLeft

Control = Callable[[EventStore, Event], Awaitable[Event]]


async def _open(events: EventStore, event: Event) -> Event:
    return await events.set_status(event.slug, SaleStatus.OPEN)


async def _close(events: EventStore, event: Event) -> Event:
    return await events.set_status(event.slug, SaleStatus.CLOSED)


async def _pause(events: EventStore, event: Event) -> Event:
    return await events.update(event.slug, paused=True)


async def _resume(events: EventStore, event: Event) -> Event:
    return await events.update(event.slug, paused=False)


def _control(name: str, change: Control, summary: str) -> Endpoint:
    async def handle(call: Call[None]) -> Response:
        event = await call.event()
        changed = await change(call.parts.events, event)
        await tell_sale_changed(call.parts, changed)
        await audit.record(call.parts.database, actor=call.actor, action=f"sale.{name}", subject=event.slug)
        state = changed.sale_state(call.parts.clock.now()).value
        return answer(
            SaleControl(slug=changed.slug, status=state, paused=changed.paused, reopen_until=changed.reopen_until)
        )

    return Endpoint(
        "POST",
        f"/api/operator/events/{{slug}}/{name}",
        handle,
        summary,
        "operator",
        answer=SaleControl,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, CurrencyNotTaken, ReopenTooLate) if name == "open" else (EventNotFound,),
    )


async def block(call: Call[BlockSeats]) -> Response:
    event = await call.event()
    unknown = [ordinal for ordinal in call.body.seats if ordinal >= event.seat_count]
    if unknown:
        raise NoSuchSeat(seats=unknown)
    action = "seats.block" if call.body.blocked else "seats.unblock"
    try:
        changed = await call.parts.seats.block(event, call.body.seats, call.body.blocked)
    except StoreUnavailable:
        # Tried, and perhaps done after all: the answer of a store may have been lost.
        await note(call.parts.database, call.actor, action, event.slug, seats=call.body.seats, finished=False)
        raise
    await note(call.parts.database, call.actor, action, event.slug, seats=changed)
    left = sorted(set(call.body.seats).difference(changed))
    return answer(
        BlockedSeats(
            slug=event.slug, seats=sorted(changed), unchanged=await _left(call, event, left), blocked=call.body.blocked
        )
    )


async def _left(call: Call[BlockSeats], event: Event, ordinals: list[int]) -> list[SeatLeft]:
    """What is done is done, whether or not it can still be learnt why the rest was not."""
    known: Mapping[int, str] = {}
    if ordinals:
        with contextlib.suppress(StoreUnavailable):
            known = await call.parts.seats.statuses(event, ordinals)
    return [SeatLeft(seat=ordinal, status=known.get(ordinal)) for ordinal in ordinals]


ENDPOINTS = (
    _control("open", _open, "Open the sale now"),
    _control("close", _close, "Close the sale; it can be opened again until `reopen_until`"),
    _control("pause", _pause, "Let nobody in from the queue"),
    _control("resume", _resume, "Let visitors in again"),
    Endpoint(
        "POST",
        "/api/operator/events/{slug}/blocks",
        block,
        "Take seats out of the sale, or put them back",
        "operator",
        answer=BlockedSeats,
        body=BlockSeats,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, NoSuchSeat),
    ),
)
