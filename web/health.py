"""`GET /actuator/health`: every store, the queue and the background work in one call; and what a load balancer asks.

The checks run at once and each is given one second, so the answer comes within two whatever hangs. UP: all is well.
DEGRADED: sales go on, something waits (e-mails, events). DOWN (503): nobody can buy. Liveness and readiness ask no
store: a process is not better for being restarted, or its pages for being hidden, because a store is away.

Without the operator token the answer has each component's status, totals and kind of fault; versions, sales, jobs and
providers are for operators. It is made once a second, however many ask: 32 readers made holds 300 times slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from core.errors import Forbidden, TooManyRequests
from web.endpoint import Call, Endpoint, answer
from web.health_checks import examine
from web.schemas import ComponentHealth, Health

_UNCACHED: Final = {"Cache-Control": "no-store"}


#: What everybody may know of a component besides its status: figures, and the kind of a fault.
_PUBLIC: Final[Mapping[str, frozenset[str]]] = {
    "database": frozenset({"error"}),
    "redis": frozenset({"error"}),
    "kafka": frozenset({"bus", "unsent", "oldest_seconds", "error"}),
    "queue": frozenset({"waiting", "active", "error"}),
}


async def health(call: Call[None]) -> Response:
    operator = await call.parts.gate.allowed(call.request)

    async def everything() -> bytes:
        found = await examine(call.parts.probes, call.parts.checks)
        return found.model_dump_json().encode()

    async def public() -> bytes:
        found = Health.model_validate_json(await call.parts.kept.get("health", everything))
        return public_part(found).model_dump_json().encode()

    name, make = ("health", everything) if operator else ("health.public", public)
    body = await call.parts.kept.get(name, make)
    down = body.startswith(b'{"status":"DOWN"')
    return Response(body, 503 if down else 200, headers=_UNCACHED, media_type="application/json")


def public_part(found: Health) -> Health:
    return Health(
        status=found.status,
        components={
            name: ComponentHealth(status=one.status, latency_ms=one.latency_ms, detail=_told(name, one.detail))
            for name, one in found.components.items()
        },
    )


def _told(name: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    told = _PUBLIC.get(name, frozenset())
    return {key: value for key, value in detail.items() if key in told}


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
        "Every store, the queue and the background work; more of each with the operator token",
        "operations",
        answer=Health,
        also={503: Health},
        uses_stores=False,
        refusals=(Forbidden, TooManyRequests),
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
