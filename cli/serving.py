"""What runs while `onsale serve` runs: web processes, engines, the crowd. It takes the place of the command itself, as
`python -m cli.serving TOLD LISTENING`; the arguments are descriptors (`cli/handover.py`).

It is there for as long as the sale is, so it loads nothing that only they need: no settings, no command line, no log.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable

from cli.ends import begin, told_in_one_line
from cli.handover import SIGNALS, Handover, taken_over
from cli.preparation import DEMO_SLUG, REFUSED
from cli.say import say
from cli.web_processes import WebProcesses
from core.embedded import Engines, engines
from core.errors import StartupError
from core.process.tasks import awaited, cancelled, end, first_of

# An engine that died is up again within this, and what it takes itself.
_ENGINES_CHECK_SECONDS = 1.0
# The crowd is asked to go home, and killed after ten seconds.
_END_SECONDS = 12.0


def main() -> None:
    begin()
    told_in_one_line(_serve, long_lived="serve")


def _serve() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # one that came in between ends it now
    handover, listening = taken_over(*(int(argument) for argument in sys.argv[1:3]))
    for warning in handover.warnings:
        say(f"warning: {warning}")
    with listening, engines(handover) as started:
        asyncio.run(serve_until_signalled(handover, started, listening))


async def serve_until_signalled(handover: Handover, started: Engines, listening: socket.socket) -> None:
    """Migrates, starts the web processes, and stops them in order at the first SIGINT, SIGTERM or SIGHUP; the second
    one kills them. Raises StartupError.
    """
    stopping, hurry = _stop_signals()
    with tempfile.TemporaryDirectory(prefix="onsale-metrics-") as metrics:
        stores = {"DATABASE_URL": started.database_url, "REDIS_URL": started.redis_url}
        environment = {**os.environ, **handover.environment, **stores}
        if handover.workers > 1:
            environment["PROMETHEUS_MULTIPROC_DIR"] = metrics
        processes = WebProcesses(
            handover.workers,
            listening,
            environment,
            say,
            handover.hang_seconds,
            handover.goodbye_seconds,
            standby=handover.standby,
        )
        running: list[asyncio.Task[None]] = []
        try:
            if not await _unless(stopping, _start(processes, environment, handover.demo)):
                return
            print(handover.announcement, flush=True)
            running.append(awaited("web processes", processes.watch()))
            running.append(awaited("engines", _keep_engines(started)))
            if handover.crowd:
                running.append(awaited("crowd", _crowd(handover.crowd, handover.crowd_url, environment)))
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

    for number in SIGNALS:
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


if __name__ == "__main__":
    main()
