"""Putting visitors out, and keeping a visitor or a network out of a sale for a while (R9)."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from core.clock import iso
from core.errors import EventNotFound, InvalidRequest, NetworkTooWide, NotFound, PaymentInProgress
from core.waiting_room.removals_postgres import REASON, Network, network_of
from web.endpoint import Call, Caller, Endpoint, answer, nothing
from web.ops.audit import note
from web.ops.schemas import RemovalDone, RemovalInForce, RemovalList, Remove


async def remove(call: Call[Remove]) -> Response:
    """Rule 5: who is paying is not cut off."""
    event, asked = await call.event(), call.body
    network = _network(asked.network)
    until = call.parts.clock.now() + timedelta(minutes=asked.minutes) if asked.minutes else None
    seats, removed = [], None
    if asked.visitor is not None:
        basket = await call.parts.seats.basket(event, asked.visitor)
        if basket is not None and basket.paying:
            raise PaymentInProgress("This visitor is paying: wait for the result")
        seats = list(basket.seats) if basket else []
    made = None
    if until is not None:
        made = await call.parts.removals.add(
            event, visitor=asked.visitor, network=network, until=until, actor=call.actor
        )
    if asked.visitor is not None:
        removed = await call.parts.waiting_room.leave(event, asked.visitor, REASON)
    whom = (
        {"visitor": asked.visitor, "removed": removed, "seats": seats} if asked.visitor else {"network": str(network)}
    )
    lasting = {"until": iso(made.until), "id": made.id} if made else {}
    await note(call.parts.database, call.actor, "visitor.remove", event.slug, **whom, **lasting)
    return answer(
        RemovalDone(
            slug=event.slug,
            visitor=asked.visitor,
            network=str(network) if network else None,
            removed=removed,
            id=made.id if made else None,
            until=until,
        )
    )


def _network(text: str | None) -> Network | None:
    """Raises InvalidRequest, NetworkTooWide."""
    if text is None:
        return None
    try:
        return network_of(text)
    except ValueError:
        raise InvalidRequest("network: an address or a CIDR network, such as 203.0.113.0/24") from None


async def removals(call: Call[None]) -> Response:
    event = await call.event()
    found = await call.parts.removals.in_force(event)
    return answer(
        RemovalList(
            removals=[
                RemovalInForce(
                    id=one.id,
                    visitor=one.visitor,
                    network=str(one.network) if one.network else None,
                    until=one.until,
                    actor=one.actor,
                    created_at=one.created_at,
                )
                for one in found
            ]
        )
    )


async def end(call: Call[None]) -> Response:
    event, id = await call.event(), call.request.path_params["id"]
    number = int(id) if id.isascii() and id.isdigit() and len(id) < 19 else 0
    if not await call.parts.removals.end(event, number):
        raise NotFound("There is no such removal, or it is over")
    await note(call.parts.database, call.actor, "removal.end", event.slug, id=number)
    return nothing()


_REMOVALS = "/api/operator/events/{slug}/removals"

ENDPOINTS = (
    Endpoint(
        "POST",
        _REMOVALS,
        remove,
        "Put a visitor out, held seats come free; or keep a visitor or a network out for a while",
        "operator",
        answer=RemovalDone,
        body=Remove,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, PaymentInProgress, NetworkTooWide),
    ),
    Endpoint(
        "GET",
        _REMOVALS,
        removals,
        "Who is kept out of the sale",
        "operator",
        answer=RemovalList,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "DELETE",
        f"{_REMOVALS}/{{id}}",
        end,
        "Let them in again",
        "operator",
        success=204,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, NotFound),
    ),
)
