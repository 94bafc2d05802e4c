"""Places, active visitors and held seats by network, the largest first (F4). To keep one out: `removals` (R9)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from core.errors import EventNotFound
from core.figures.networks_redis import network_shares
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.schemas import NetworkList, NetworkOfSale

_MOST: Final = 50


async def networks(call: Call[None]) -> Response:
    event = await call.event()
    found = await network_shares(call.parts.redis, event.slug, _MOST)
    return answer(
        NetworkList(
            networks=[
                NetworkOfSale(network=one.network, places=one.places, active=one.active, seats_held=one.seats_held)
                for one in found
            ]
        )
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/networks",
        networks,
        "Places, active visitors and held seats by network, the largest first",
        "operator",
        answer=NetworkList,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
)
