"""What `GET /actuator/health` asks: the stores, the queue and the background work, all at once, each for a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

import databases
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock
from core.database import raw
from core.diagnosis import clocks_postgres
from core.errors import OnsaleError
from core.messaging.outbox_postgres import Lag, Outbox
from core.payments.faults_postgres import shops_faults
from core.payments.payments import Payments
from core.process.job_health import LateJob
from core.process.once import Once
from core.process.supervisor import Supervisor
from core.venue.event import SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.sizes_redis import sizes
from realtime.live import Live
from web.schemas import ComponentHealth, Health

Status = Literal["UP", "DEGRADED", "DOWN"]
#: One component's own check. May raise what its store raises.
Check = Callable[[], Coroutine[Any, Any, ComponentHealth]]

#: What one check may take, in seconds.
LIMIT: Final = 1.0
#: The oldest event not handed over may be this old, in seconds, before the installation is called degraded.
_LATE: Final = 60.0
#: A feed that has lost touch with Redis is back in step within two seconds; after this many it stands still.
_FEED_SECONDS: Final = 5.0
#: Components without which nobody can buy; without the others the installation is degraded.
_VITAL: Final = frozenset({"database", "redis", "jobs"})


def checks_of(
    *,
    database: databases.Database,
    redis: Redis,
    events: EventStore,
    clock: Clock,
    ahead: Callable[[], float],
    outbox: Outbox,
    kafka_servers: str,
    payments: Payments,
    late: Callable[[], Sequence[LateJob]],
    supervisor: Supervisor,
    live: Live | None,
) -> Mapping[str, Check]:
    """Of what all processes share, and of this one's own tasks, and feeds where it serves channels.

    `kafka_servers` is empty without Kafka; `late` names the jobs that do not succeed; `ahead`: seconds by which this
    machine's own clock is ahead of Redis'.
    """
    checks: dict[str, Check] = {
        "database": partial(_database, database),
        "redis": partial(_redis, redis),
        "kafka": partial(_kafka, kafka_servers, outbox),
        "clock": partial(_clock, database, clock, ahead),
        "queue": partial(_queue, events, redis, clock),
        "payment": partial(_payment, database, payments),
        "jobs": partial(_jobs, late),
        "tasks": partial(_tasks, supervisor),
    }
    return checks if live is None else {**checks, "feeds": partial(_feeds, live)}


async def _database(database: databases.Database) -> ComponentHealth:
    async with raw(database) as connection:
        version = await connection.fetchval("SHOW server_version")
    return ComponentHealth(status="UP", detail={"version": str(version).split(" ")[0]})


async def _clock(database: databases.Database, clock: Clock, ahead: Callable[[], float]) -> ComponentHealth:
    """DEGRADED where this machine's clock, or PostgreSQL's, is not that of Redis, which decides (R3)."""
    found = {"this process": ahead(), "PostgreSQL": await clocks_postgres.ahead_of(database, clock)}
    wrong = {who: seconds for who, seconds in found.items() if clocks_postgres.is_wrong(seconds)}
    detail = {"ahead_seconds": {who: round(seconds, 3) for who, seconds in found.items()}}
    if not wrong:
        return ComponentHealth(status="UP", detail=detail)
    error = ", ".join(clocks_postgres.off(who, seconds).in_words() for who, seconds in wrong.items())
    return ComponentHealth(status="DEGRADED", detail={**detail, "error": f"{error} of Redis"})


async def _redis(redis: Redis) -> ComponentHealth:
    await redis.ping()
    return ComponentHealth(status="UP")


async def _kafka(servers: str, outbox: Outbox) -> ComponentHealth:
    """The way events leave: Kafka's brokers answer, or the local bus; and how far the relay is behind."""
    lag = await outbox.lag()
    detail = {"bus": "kafka" if servers else "local", "unsent": lag.unsent, "oldest_seconds": round(lag.seconds, 1)}
    if servers and not await _any_answers(servers):
        return ComponentHealth(status="DOWN", detail={**detail, "error": "no broker can be reached"})
    return ComponentHealth(status=_of_lag(lag), detail=detail)


def _of_lag(lag: Lag) -> Status:
    return "DEGRADED" if lag.seconds > _LATE else "UP"


async def _queue(events: EventStore, redis: Redis, clock: Clock) -> ComponentHealth:
    now = clock.now()
    slugs = [event.slug for event in await events.list() if event.sale_state(now) is SaleState.OPEN]
    counts = dict(zip(slugs, await sizes(redis, slugs), strict=True))
    return ComponentHealth(
        status="UP",
        detail={
            "waiting": sum(waiting for waiting, _ in counts.values()),
            "active": sum(active for _, active in counts.values()),
            "events": {slug: {"waiting": waiting, "active": active} for slug, (waiting, active) in counts.items()},
        },
    )


async def _payment(database: databases.Database, payments: Payments) -> ComponentHealth:
    """DOWN while payments fail for a reason that is the shop's to mend (P9), and while none can begin at any provider
    because of open circuits (S24); the sale itself goes on. A process without providers has no circuit to tell of.
    """
    found = await shops_faults(database)
    detail: dict[str, Any] = {"providers": list(payments.names)}
    if found:
        faults = [{"provider": one.provider, "code": one.code, "failed": one.failed, "of": one.of} for one in found]
        detail["faults"] = faults
    if payments.names and not payments.can_begin_anywhere():
        detail["circuits"] = {one.provider: one.mode.value for one in payments.circuits()}
    return ComponentHealth(status="DOWN" if len(detail) > 1 else "UP", detail=detail)


async def _jobs(late: Callable[[], Sequence[LateJob]]) -> ComponentHealth:
    """Whether the periodic jobs succeed, in whichever process; one that this process only just watches is well."""
    found = late()
    if not found:
        return ComponentHealth(status="UP")
    return ComponentHealth(
        status="DOWN" if any(job.vital for job in found) else "DEGRADED",
        detail={
            "error": ", ".join(f"{job.name}: no success for {job.seconds:.0f} s" for job in found),
            "late": {job.name: round(job.seconds, 1) for job in found},
        },
    )


async def _tasks(supervisor: Supervisor) -> ComponentHealth:
    """Whether what runs for ever in this process (feeds, relay, consumers, loops of jobs) runs, or ends by itself."""
    failing = [service for service in supervisor.services if service.failing]
    if not failing:
        return ComponentHealth(status="UP")
    return ComponentHealth(
        status="DEGRADED",
        detail={
            "error": ", ".join(sorted(service.name for service in failing)),
            "failing": {service.name: service.failures for service in failing},
        },
    )


async def _feeds(live: Live) -> ComponentHealth:
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


async def examine(probes: Once[Any], checks: Mapping[str, Check], *, limit: float = LIMIT) -> Health:
    """All checks at once; one that fails or takes too long is DOWN and says why."""
    asked = [_timed(partial(probes, name, check, limit=limit), limit) for name, check in checks.items()]
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
