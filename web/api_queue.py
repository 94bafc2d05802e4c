"""The waiting room over HTTP: join, ask, beat, leave. The live channel does the same with less."""

from __future__ import annotations

from starlette.responses import Response

from core.errors import (
    CodeNotValid,
    CodeRequired,
    CodeUsed,
    EventNotFound,
    NotInQueue,
    ProofRequired,
    Removed,
    SaleClosed,
    SaleNotOpen,
)
from core.venue.event import Event
from core.waiting_room.place import Out, Place, PlaceState
from core.waiting_room.queue_redis import WaitingRoom
from web.endpoint import Call, Caller, Endpoint, address_of, answer, nothing
from web.schemas import JoinQueue, QueueAnswer, QueueEntry, QueuePlace, WaitBand, WaitOfOne, Waits


def _answer(waiting_room: WaitingRoom, event: Event, visitor: str, place: Place) -> Response:
    ticket = waiting_room.ticket_of(event, visitor, place)
    if place.entry is not None:
        entry = place.entry
        return answer(
            QueueEntry(
                state="entered",
                receipt=entry.receipt,
                salt=entry.salt,
                entered=entry.entered,
                draw_at=entry.draw_at,
                ticket=ticket,
            )
        )
    return answer(
        QueuePlace(
            state="active" if place.state is PlaceState.ACTIVE else "waiting",
            number=place.number,
            ahead=place.ahead,
            waiting=place.waiting,
            wait=WaitBand(low=place.wait.low, high=place.wait.high) if place.wait else None,
            eta_seconds=place.eta_seconds,
            until=place.until,
            ticket=ticket,
        )
    )


async def join(call: Call[JoinQueue]) -> Response:
    event, body = await call.event_to_enter(), call.body
    caller = call.parts.visitors.require(call.request.headers)
    bidder = call.parts.networks.bidder(call.request, caller, body.proof)
    place = await call.parts.waiting_room.join(event, call.visitor, body.ticket, body.nonce, bidder, code=body.code)
    return _answer(call.parts.waiting_room, event, call.visitor, place)


async def get_place(call: Call[None]) -> Response:
    event = await call.event()
    return _place_answer(call, event, await call.parts.waiting_room.place_or_out(event, call.visitor))


async def beat(call: Call[None]) -> Response:
    event = await call.event()
    removals = call.parts.removals
    if removals.of(event, call.visitor, address_of(call.request)) and await removals.put_out(event, call.visitor):
        removals.require(event, call.visitor, address_of(call.request))
    return _place_answer(call, event, await call.parts.waiting_room.heard(event, call.visitor))


async def leave(call: Call[None]) -> Response:
    event = await call.event()
    await call.parts.waiting_room.leave(event, call.visitor)
    return nothing()


def _place_answer(call: Call[None], event: Event, place: Place | Out) -> Response:
    if isinstance(place, Out):
        raise _not_in(place.reason)
    return _answer(call.parts.waiting_room, event, call.visitor, place)


def _not_in(reason: str) -> NotInQueue:
    return NotInQueue(reason=reason) if reason else NotInQueue()


async def waits(call: Call[None]) -> Response:
    """Nothing about anybody: when somebody joined, what was promised, what it was."""
    event = await call.event()
    past = await call.parts.waiting_room.past_waits(event)
    return answer(
        Waits(
            waits=[
                WaitOfOne(
                    joined_at=one.joined_at,
                    promised=WaitBand(low=one.promised.low, high=one.promised.high),
                    actual=one.actual,
                    kept=one.kept,
                )
                for one in past
            ],
            kept=sum(one.kept for one in past),
        )
    )


_QUEUE = "/api/events/{slug}/queue"

ENDPOINTS = (
    Endpoint(
        "POST",
        _QUEUE,
        join,
        "Take a place in the queue, or the same place again",
        "waiting room",
        answer=QueueAnswer,
        body=JoinQueue,
        body_required=False,
        caller=Caller.VISITOR,
        refusals=(EventNotFound, SaleNotOpen, SaleClosed, Removed, ProofRequired, CodeRequired, CodeNotValid, CodeUsed),
    ),
    Endpoint(
        "GET",
        _QUEUE,
        get_place,
        "My place; asking changes nothing",
        "waiting room",
        answer=QueueAnswer,
        caller=Caller.VISITOR,
        refusals=(EventNotFound, NotInQueue),
    ),
    Endpoint(
        "DELETE",
        _QUEUE,
        leave,
        "Give up the place and the seats",
        "waiting room",
        success=204,
        caller=Caller.VISITOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/waits",
        waits,
        "Promised and actual waits of those who came in last",
        "waiting room",
        answer=Waits,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "POST",
        "/api/events/{slug}/heartbeat",
        beat,
        "A sign of life",
        "waiting room",
        answer=QueueAnswer,
        caller=Caller.VISITOR,
        refusals=(EventNotFound, NotInQueue, Removed),
    ),
)
