"""`GET /api/outage`: the channel's `outage` message for pages that have no channel. Asks no store (R4)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from core.process.store_watch import DATABASE, PAYMENT, REDIS
from web.endpoint import Call, Endpoint, answer
from web.schemas import OutageAnswer

_WHAT: Final = (DATABASE, REDIS, PAYMENT)


async def get_outage(call: Call[None]) -> Response:
    clock = call.parts.sale_clock
    clock.look()
    return answer(
        OutageAnswer(away=[name for name in _WHAT if name in clock.away], since=clock.since, until=clock.until)
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/outage",
        get_outage,
        "What is away, and since when the clocks of sessions and holds stand",
        "events",
        answer=OutageAnswer,
        uses_stores=False,
    ),
)
