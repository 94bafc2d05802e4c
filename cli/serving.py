"""What runs while `onsale serve` runs: web processes, engines, the crowd. It is there for as long as the sale is, so it
loads nothing that only they need.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Sequence

from cli.preparation import DEMO_SLUG, REFUSED
from cli.say import say
from cli.web_processes import WebProcesses
from core.embedded import Engines
from core.errors import StartupError
from core.process.tasks import awaited, cancelled, end, first_of
from core.settings import Settings

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
        say(f"warning: {warning}")
    port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="onsale-metrics-") as metrics:
        environment = _environment(settings, started, port, metrics, crowd)
        processes = WebProcesses(
            settings.workers,
            listening,
            environment,
            say,
            settings.hang_seconds,
            settings.goodbye_seconds,
            standby=settings.standby == "on",
        )
        running: list[asyncio.Task[None]] = []
        try:
            if not await _unless(stopping, _start(processes, environment, demo)):
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


async def _start(processes: WebProcesses, environment: dict[str, str], demo: bool) -> None:
    """What is done once before anybody serves, while the web processes load their modules. Raises StartupError."""
    starting = awaited("start of the web processes", processes.start())
    try:
        # `starting` goes on when the other one is done first. Before `go` it ends only with why nothing can start.
        first = await first_of(_prepare(environment, demo), asyncio.shield(starting))
        if first is not None:
            first.result()
        processes.go()
        await starting
    finally:
        await end(starting, within=_END_SECONDS)


async def _prepare(environment: dict[str, str], demo: bool) -> None:
    """By a process that ends: what it loads is needed once, and this one is there for as long as the sale is."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.preparation",
        *(["demo"] if demo else []),
        env=environment,
        start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    lines = said.decode(errors="replace").splitlines()
    reason = lines.pop() if process.returncode == REFUSED and lines else None
    for line in lines:
        say(line)
    if process.returncode:
        raise StartupError(reason or f"the start could not be prepared (exit code {process.returncode})")


def _stop_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first signal to end, and by the second."""
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def received() -> None:
        if stopping.is_set():
            hurry.set()
        else:
            stopping.set()
            say("ending; once more to end at once")

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
    while not cancelled():
        await asyncio.sleep(_ENGINES_CHECK_SECONDS)
        try:
            for name in await asyncio.to_thread(started.revive):
                say(f"the embedded {name} had ended: started again")
        except Exception as error:  # whatever it is: the server goes on, and so do we
            say(f"{str(error) or type(error).__name__}; trying again in {_ENGINES_CHECK_SECONDS:.0f} s")


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
        say(f"the crowd has gone home (exit code {code}); the server goes on")
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
