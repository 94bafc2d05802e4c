"""The waiting list of a sale, for its operator: how long it is, what is on offer, what came of it (F10). No addresses:
whose place it is is looked up by `inspect`, which leaves a trace.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from core.errors import EventNotFound
from web.endpoint import Call, Caller, Endpoint, answer
from web.schemas import ResponseBody, UtcTime


class PlaceOfSale(ResponseBody):
    id: UUID
    state: Literal["waiting", "offered"]
    count: int
    category: str | None
    joined_at: UtcTime
    offered: list[int] = Field(description="seats on offer now")
    until: UtcTime | None = Field(description="end of that offer")


class WaitingListOfSale(ResponseBody):
    waiting: int
    offered: int
    seats: int = Field(description="seats that all of them wish for")
    kept: int = Field(description="seats that were given back and are not on the map")
    taken: int = Field(description="offers that were taken so far")
    lapsed: int = Field(description="offers whose time ended without an answer")
    time_zone: str = Field(description="the event's, in which its operator thinks")
    places: list[PlaceOfSale] = Field(description="those that wait or have an offer, in their order, the first 200")


async def waiting_list(call: Call[None]) -> Response:
    event = await call.event()
    wishes = call.parts.waiting_list.wishes
    places = []
    for wish in await wishes.of_event(event.id):
        offer = wish.offer if wish.state == "OFFERED" else None
        places.append(
            PlaceOfSale(
                id=wish.id,
                state="offered" if offer is not None else "waiting",
                count=wish.seats,
                category=wish.category,
                joined_at=wish.joined_at,
                offered=list(offer.seats) if offer is not None else [],
                until=offer.until if offer is not None else None,
            )
        )
    return answer(WaitingListOfSale(**await wishes.figures(event.id), time_zone=event.time_zone, places=places))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/returns",
        waiting_list,
        "The waiting list: how long it is, what is on offer, what came of it",
        "operator",
        answer=WaitingListOfSale,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
