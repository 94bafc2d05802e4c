"""What runs while `onsale serve` runs: web processes, the demonstration event, the crowd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Sequence
from functools import partial

from cli.web_processes import WebProcesses
from core.clock import SystemClock
from core.database import close_database, open_database
from core.embedded import Engines
from core.errors import EventExists, StoreUnavailable
from core.payments.composition import open_payments, takes
from core.payments.environments_postgres import check_environments
from core.process.store_redis import open_redis
from core.process.tasks import awaited, end, first_of
from core.schema_postgres import migrate
from core.settings import Settings
from core.signing_key_postgres import require_signing_key
from core.upkeep.memory_redis import memory
from core.venue.demo_plan import DEMO_PLAN, DEMO_PRICES
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent

DEMO_SLUG = "demo"

# An engine that died is up again within this, and what it takes itself.
_ENGINES_CHECK_SECONDS = 1.0
# The crowd is asked to go home, and killed after ten seconds.
_END_SECONDS = 12.0


async def serve_until_signalled(
    settings: Settings,
    started: Engines,
    listening: socket.socket,
    *,
    demo: bool,
    crowd: int,
    new_token: bool,
    warnings: Sequence[str] = (),
) -> None:
    """Migrates, starts the web processes, and stops them in order at the first SIGINT, SIGTERM or SIGHUP; the second
    one kills them. `settings` have their secrets; an operator token that is new is shown, once. Raises StartupError.
    """
    stopping, hurry = _stop_signals()
    for warning in warnings:
        _say(f"warning: {warning}")
    await migrate(started.database_url)
    await require_signing_key(started.database_url, settings.secret_key.get_secret_value())
    await _check_payments(started.database_url, settings)
    await _check_redis(started.redis_url)
    if demo:
        await _make_demo_event(started.database_url, settings)
    port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="onsale-metrics-") as metrics:
        environment = _environment(settings, started, port, metrics, crowd)
        processes = WebProcesses(
            settings.workers, listening, environment, _say, settings.hang_seconds, settings.goodbye_seconds
        )
        running: list[asyncio.Task[None]] = []
        try:
            if not await _unless(stopping, processes.start()):
                return
            _print_addresses(settings, port, demo, new_token)
            running.append(awaited("web processes", processes.watch()))
            running.append(awaited("engines", _keep_engines(started)))
            if crowd:
                running.append(awaited("crowd", _crowd(crowd, _local_url(settings, port), environment)))
            await _unless(stopping, asyncio.gather(*running))
        finally:
            await end(*running, within=_END_SECONDS)
            await processes.stop(hurry)


def _stop_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first signal to end, and by the second."""
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def received() -> None:
        if stopping.is_set():
            hurry.set()
        else:
            stopping.set()
            print("onsale: ending; once more to end at once", file=sys.stderr, flush=True)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, received)
    return stopping, hurry


async def _unless(stopping: asyncio.Event, work: Awaitable[object]) -> bool:
    """Runs `work` to its end, or until it is time to stop; True when it came to its end. Its errors are raised."""

    async def worked() -> bool:
        await work
        return True

    async def stopped() -> bool:
        await stopping.wait()
        return False

    first = await first_of(worked(), stopped())
    return first is not None and first.result()


def _environment(settings: Settings, started: Engines, port: int, metrics: str, crowd: int) -> dict[str, str]:
    """What the web processes get: this environment, with everything decided here filled in."""
    environment = {
        **os.environ,
        "DATABASE_URL": started.database_url,
        "REDIS_URL": started.redis_url,
        "PORT": str(port),
        "WORKERS": str(settings.workers),
        "ONSALE_DATA": str(settings.data.expanduser().absolute()),
        "ONSALE_SECRET_KEY": settings.secret_key.get_secret_value(),
        "ONSALE_OPERATOR_TOKEN": settings.operator_token.get_secret_value(),
        "ONSALE_PAYMENT": settings.payment,
        "ONSALE_SIMULATOR_URL": settings.simulator_url or f"{_local_url(settings, port)}/paysim",
    }
    if settings.workers > 1:
        environment["PROMETHEUS_MULTIPROC_DIR"] = metrics
    if crowd:
        # All of the crowd comes from one address; and what it does is to be seen in the browser, not in log lines.
        environment.setdefault("ONSALE_RATE_LIMITS", "off")
        environment.setdefault("ONSALE_LOG_LEVEL", "warning")
    return environment


def _local_url(settings: Settings, port: int) -> str:
    """Where this machine reaches the server: the loopback address when it listens on all."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(settings.host)  # noqa: S104
    if host is None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


async def _check_payments(url: str, settings: Settings) -> None:
    """Raises StartupError when the books speak of accounts that this installation has no keys for (P1, P5)."""
    payments = open_payments(settings=settings, redis=None, clock=SystemClock())
    database = await open_database(url, 2)
    try:
        await check_environments(database, payments)
    finally:
        await close_database(database)
        await payments.aclose()


async def _check_redis(url: str) -> None:
    """Raises StartupError when it cannot be reached; warns of one that would lose holds (S11)."""
    redis = await open_redis(url, 4)
    try:
        for node in await memory(redis):
            if node.evicts:
                _say(
                    f"warning: when Redis is full it throws holds and boards away (maxmemory-policy {node.policy}): "
                    "set maxmemory-policy to noeviction, see docs/memory.md"
                )
    except StoreUnavailable:
        pass  # it answers, but may not be asked about itself
    finally:
        await redis.aclose()


async def _make_demo_event(database_url: str, settings: Settings) -> None:
    database = await open_database(database_url, 2)
    try:
        events = EventStore(database, SystemClock(), partial(takes, settings))
        if await events.list():
            return
        new = NewEvent(
            slug=DEMO_SLUG,
            name="Opening night at Onsale Hall",
            prices=DEMO_PRICES,
            status=SaleStatus.OPEN,
            active_limit=settings.active_limit,
            hold_seconds=round(settings.hold_seconds),
            max_seats=settings.max_seats,
        )
        with contextlib.suppress(EventExists):  # another process was first
            await events.create(new, DEMO_PLAN.read_bytes())
    finally:
        await database.disconnect()


def _print_addresses(settings: Settings, port: int, demo: bool, new_token: bool) -> None:
    url = settings.base_url.rstrip("/") or _local_url(settings, port)
    lines = [
        f"Onsale runs at {url}",
        *([f"  sale page       {url}/events/{DEMO_SLUG}"] if demo else [f"  events          {url}/"]),
        f"  operators       {url}/ops",
        # Whoever can read the log of a later start should not be an operator for that.
        *([f"  operator token  {settings.operator_token.get_secret_value()}"] if new_token else []),
        f"  data folder     {settings.data.expanduser().absolute()}",
        *(["  payment         SIMULATED: no money moves (ONSALE_PAYMENT)"] if settings.simulated_payment else []),
        "Ctrl-C ends it.",
    ]
    print("\n".join(lines), flush=True)


async def _keep_engines(started: Engines) -> None:
    """An embedded engine that died (out of memory, killed) comes back by itself, as a web process does."""
    while True:
        await asyncio.sleep(_ENGINES_CHECK_SECONDS)
        try:
            for name in await asyncio.to_thread(started.revive):
                _say(f"the embedded {name} had ended: started again")
        except Exception as error:  # whatever it is: the server goes on, and so do we
            _say(f"{str(error) or type(error).__name__}; trying again in {_ENGINES_CHECK_SECONDS:.0f} s")


async def _crowd(visitors: int, url: str, environment: dict[str, str]) -> None:
    """`onsale crowd` against this server; it ends with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        "crowd",
        DEMO_SLUG,
        "--visitors",
        str(visitors),
        "--url",
        url,
        env=environment,
        start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        code = await process.wait()
        _say(f"the crowd has gone home (exit code {code}); the server goes on")
        await asyncio.Event().wait()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _say(text: str) -> None:
    print(f"onsale: {text}", file=sys.stderr, flush=True)
