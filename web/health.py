"""`GET /actuator/health`: every store, the queue and the background work in one call; and what a load balancer asks.

The checks run at once and each is given one second, so the answer comes within two whatever hangs. UP: all is well.
DEGRADED: sales go on, something waits (e-mails, events). DOWN (503): nobody can buy. Liveness and readiness ask no
store: a process is not better for being restarted, or its pages for being hidden, because a store is away.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from web.endpoint import Call, Endpoint, answer
from web.health_checks import examine
from web.schemas import Health

_UNCACHED: Final = {"Cache-Control": "no-store"}


async def health(call: Call[None]) -> Response:
    found = await examine(call.parts.probes, call.parts.checks)
    return answer(found, status=503 if found.status == "DOWN" else 200, headers=_UNCACHED)


async def liveness(call: Call[None]) -> Response:
    """The event loop turns."""
    return answer(Health(status="UP"), headers=_UNCACHED, exclude_defaults=True)


async def readiness(call: Call[None]) -> Response:
    """Send browsers here; not any more once the process is going down."""
    closing = call.parts.supervisor.closing
    found = Health(status="DOWN" if closing else "UP")
    return answer(found, status=503 if closing else 200, headers=_UNCACHED, exclude_defaults=True)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/actuator/health",
        health,
        "Every store, the queue and the background work",
        "operations",
        answer=Health,
        also={503: Health},
        uses_stores=False,
    ),
    Endpoint(
        "GET",
        "/actuator/health/liveness",
        liveness,
        "Is the process alive?",
        "operations",
        answer=Health,
        uses_stores=False,
    ),
    Endpoint(
        "GET",
        "/actuator/health/readiness",
        readiness,
        "Should this process get requests?",
        "operations",
        answer=Health,
        also={503: Health},
        uses_stores=False,
    ),
)
