"""`onsale worker`: a process without a web server, for the background work of a larger installation."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog

from cli.say import say
from core.embedded import Engines, engines
from core.process.cycle_collector import freeze_startup_objects
from core.process.ending import FAILED, end_process
from core.process.tasks import first_of
from core.secrets import resolve_secrets
from core.settings import Settings

if TYPE_CHECKING:
    from core.runtime import Runtime

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 20.0


def worker() -> None:
    """Relay, consumers, payments left over and periodic jobs, without a web server; Ctrl-C ends it in order.

    Waits until `onsale serve` or `onsale migrate` has brought the schema of the database up to date.

    Start as many as there are partitions to consume (3). Set KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL and REDIS_URL as for
    the web servers, and the same ONSALE_SECRET_KEY. With ONSALE_WORKER_PORT it answers /metrics and /actuator/health.
    """
    settings = Settings.load()
    from core.notifications.composition import mail_warnings

    warnings = mail_warnings(settings)
    settings = resolve_secrets(settings)
    for warning in warnings:
        say(f"warning: {warning}")
    with engines(settings) as started:
        _run(_work(settings, started))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """On the loop that web processes run on, where there is one for this platform."""
    if find_spec("uvloop"):
        import uvloop

        uvloop.run(work)
    else:
        asyncio.run(work)


async def _work(settings: Settings, started: Engines) -> None:
    from core.schema_postgres import until_migrated
    from core.signing_key_postgres import require_signing_key
    from web.composition import open_worker_app
    from web.worker_endpoint import worker_endpoint

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waited = await first_of(until_migrated(started.database_url, say), _stopped(stop))
    if stop.is_set() or waited is None:
        return
    waited.result()
    await require_signing_key(started.database_url, settings.secret_key.get_secret_value())
    freeze_startup_objects()
    given_up = False

    def give_up() -> None:
        nonlocal given_up
        given_up = True
        end_process()

    left = await run_worker(
        settings,
        started,
        stop=stop,
        end_process=give_up,
        beside=lambda runtime: worker_endpoint(open_worker_app(runtime), settings.host, settings.worker_port),
    )
    if left:
        print(f"{left} tasks were cut off; another process takes them over")
    if given_up:
        # So that whoever started it starts another one.
        raise SystemExit(FAILED)


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()


async def run_worker(
    settings: Settings,
    engines: Engines,
    *,
    stop: asyncio.Event,
    drain_seconds: float = _DRAIN_SECONDS,
    end_process: Callable[[], None] = lambda: None,
    beside: Callable[[Runtime], AbstractAsyncContextManager[None]] = lambda runtime: contextlib.nullcontext(),
) -> int:
    """Works until `stop` is set, then ends what is in hand; returns how many tasks had to be cut off (their work is
    claimed again by another process). The schema must be up to date. `beside` is open meanwhile. `end_process`: as in
    `open_runtime`. Raises StartupError, also when payments under way belong to an account that it has no keys for.
    """
    from core.payments.environments_postgres import check_environments
    from core.runtime import open_runtime

    async with open_runtime(settings, engines, consume=True, end_process=end_process) as runtime, beside(runtime):
        if runtime.payments.accounts():
            # It finishes payments as the web processes do, and gives money back: with the same keys, or not at all.
            await check_environments(runtime.database, runtime.payments)
        else:
            log.warning("no payment provider is set: others finish the payments that are left over")
        await runtime.start_jobs()
        log.info("worker started", process=runtime.process, kafka=settings.kafka_bootstrap_servers or "local bus")
        await stop.wait()
        return await runtime.stop_jobs(drain_seconds)
