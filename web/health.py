"""`GET /actuator/health`: every store, the queue and the background work in one call; and what a load balancer asks.

The checks run at once and each is given one second, so the answer comes within two whatever hangs. UP: all is well.
DEGRADED: sales go on, something waits (e-mails, events). DOWN (503): nobody can buy. Liveness and readiness ask no
store: a process is not better for being restarted, or its pages for being hidden, because a store is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Literal

from redis.exceptions import RedisError
from starlette.responses import Response

from core.database import raw
from core.errors import OnsaleError
from core.messaging.outbox_postgres import Lag, Outbox
from core.payments.faults_postgres import shops_faults
from core.process.once import Once
from core.runtime import Runtime
from core.venue.event import SaleState
from core.waiting_room.sizes_redis import sizes
from realtime.live import Live
from web.endpoint import Call, Endpoint, answer
from web.schemas import ComponentHealth, Health

Status = Literal["UP", "DEGRADED", "DOWN"]
Check = Callable[[Runtime], Coroutine[Any, Any, ComponentHealth]]

#: What one check may take, in seconds.
LIMIT: Final = 1.0
#: The oldest event not handed over may be this old, in seconds, before the installation is called degraded.
_LATE: Final = 60.0
#: A feed that has lost touch with Redis is back in step within two seconds; after this many it stands still.
_FEED_SECONDS: Final = 5.0
#: Components without which nobody can buy; without the others the installation is degraded.
_VITAL: Final = frozenset({"database", "redis", "jobs"})


async def database(runtime: Runtime) -> ComponentHealth:
    async with raw(runtime.database) as connection:
        version = await connection.fetchval("SHOW server_version")
    return ComponentHealth(status="UP", detail={"version": str(version).split(" ")[0]})


async def redis(runtime: Runtime) -> ComponentHealth:
    await runtime.redis.ping()
    return ComponentHealth(status="UP")


async def kafka(runtime: Runtime) -> ComponentHealth:
    """The way events leave: Kafka's brokers answer, or the local bus; and how far the relay is behind."""
    servers = runtime.settings.kafka_bootstrap_servers
    lag = await Outbox(runtime.database, process=runtime.process).lag()
    detail = {"bus": "kafka" if servers else "local", "unsent": lag.unsent, "oldest_seconds": round(lag.seconds, 1)}
    if servers and not await _any_answers(servers):
        return ComponentHealth(status="DOWN", detail={**detail, "error": "no broker can be reached"})
    return ComponentHealth(status=_of_lag(lag), detail=detail)


def _of_lag(lag: Lag) -> Status:
    return "DEGRADED" if lag.seconds > _LATE else "UP"


async def queue(runtime: Runtime) -> ComponentHealth:
    now = runtime.clock.now()
    slugs = [event.slug for event in await runtime.events.list() if event.sale_state(now) is SaleState.OPEN]
    counts = dict(zip(slugs, await sizes(runtime.redis, slugs), strict=True))
    return ComponentHealth(
        status="UP",
        detail={
            "waiting": sum(waiting for waiting, _ in counts.values()),
            "active": sum(active for _, active in counts.values()),
            "events": {slug: {"waiting": waiting, "active": active} for slug, (waiting, active) in counts.items()},
        },
    )


async def payment(runtime: Runtime) -> ComponentHealth:
    """DOWN while payments fail for a reason that is the shop's to mend (P9); the sale itself goes on."""
    found = await shops_faults(runtime.database)
    detail: dict[str, Any] = {"providers": list(runtime.payments.names)}
    if not found:
        return ComponentHealth(status="UP", detail=detail)
    faults = [{"provider": one.provider, "code": one.code, "failed": one.failed, "of": one.of} for one in found]
    return ComponentHealth(status="DOWN", detail={**detail, "faults": faults})


async def jobs(runtime: Runtime) -> ComponentHealth:
    """Whether the periodic jobs succeed, in whichever process; one that this process only just watches is well."""
    late = runtime.job_watch.late()
    if not late:
        return ComponentHealth(status="UP")
    return ComponentHealth(
        status="DOWN" if any(job.vital for job in late) else "DEGRADED",
        detail={
            "error": ", ".join(f"{job.name}: no success for {job.seconds:.0f} s" for job in late),
            "late": {job.name: round(job.seconds, 1) for job in late},
        },
    )


async def tasks(runtime: Runtime) -> ComponentHealth:
    """Whether what runs for ever in this process (feeds, relay, consumers, loops of jobs) runs, or ends by itself."""
    failing = [service for service in runtime.supervisor.services if service.failing]
    if not failing:
        return ComponentHealth(status="UP")
    return ComponentHealth(
        status="DEGRADED",
        detail={
            "error": ", ".join(sorted(service.name for service in failing)),
            "failing": {service.name: service.failures for service in failing},
        },
    )


CHECKS: Final[Mapping[str, Check]] = {
    "database": database,
    "redis": redis,
    "kafka": kafka,
    "queue": queue,
    "payment": payment,
    "jobs": jobs,
    "tasks": tasks,
}


def checks_of(live: Live | None) -> Mapping[str, Check]:
    """All of a process: those of what all processes share, and its own feeds where it serves channels."""
    return CHECKS if live is None else {**CHECKS, "feeds": partial(feeds, live)}


async def feeds(live: Live, _: Runtime) -> ComponentHealth:
    """Whether the maps and queues that this process shows are those of Redis (R1)."""
    behind = live.behind(_FEED_SECONDS)
    if not behind:
        return ComponentHealth(status="UP")
    return ComponentHealth(
        status="DEGRADED",
        detail={
            "error": ", ".join(f"{feed}: not in step for {seconds:.0f} s" for feed, seconds in sorted(behind.items())),
            "behind": {feed: round(seconds, 1) for feed, seconds in behind.items()},
        },
    )


async def examine(
    runtime: Runtime, probes: Once[Any], checks: Mapping[str, Check] = CHECKS, *, limit: float = LIMIT
) -> Health:
    """All checks at once; one that fails or takes too long is DOWN and says why."""
    asked = [
        _timed(partial(probes, name, partial(check, runtime), limit=limit), limit) for name, check in checks.items()
    ]
    found = await asyncio.gather(*asked)
    components = dict(zip(checks, found, strict=True))
    return Health(status=overall(components), components=components)


def overall(components: Mapping[str, ComponentHealth]) -> Status:
    if any(one.status == "DOWN" and name in _VITAL for name, one in components.items()):
        return "DOWN"
    return "UP" if all(one.status == "UP" for one in components.values()) else "DEGRADED"


async def _timed(ask: Callable[[], Awaitable[ComponentHealth]], limit: float) -> ComponentHealth:
    began = time.perf_counter()
    try:
        found = await ask()
    except TimeoutError:
        found = ComponentHealth(status="DOWN", detail={"error": f"no answer within {limit:g} s"})
    except (OnsaleError, RedisError, OSError) as error:
        found = ComponentHealth(status="DOWN", detail={"error": _cause(error)})
    return found.model_copy(update={"latency_ms": round((time.perf_counter() - began) * 1000, 2)})


def _cause(error: BaseException) -> str:
    """The kind of fault only: a driver's text may name hosts and users, and this page is open."""
    return type(error.__cause__ or error).__name__


async def _any_answers(servers: str) -> bool:
    """True when one of the brokers accepts a connection."""

    async def connects(server: str) -> bool:
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(LIMIT * 0.8):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, ValueError, TimeoutError):
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return any(await asyncio.gather(*(connects(server) for server in servers.split(","))))


_UNCACHED: Final = {"Cache-Control": "no-store"}


async def health(call: Call[None]) -> Response:
    found = await examine(call.runtime, call.parts.probes, checks_of(call.parts.live))
    return answer(found, status=503 if found.status == "DOWN" else 200, headers=_UNCACHED)


async def liveness(call: Call[None]) -> Response:
    """The event loop turns."""
    return answer(Health(status="UP"), headers=_UNCACHED, exclude_defaults=True)


async def readiness(call: Call[None]) -> Response:
    """Send browsers here; not any more once the process is going down."""
    closing = call.runtime.supervisor.closing
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
