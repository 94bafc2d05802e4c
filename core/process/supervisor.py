"""The one way to run a background task: named, watched, restarted, drained.

`Supervisor.spawn(name, coroutine)` runs one thing to its end (a payment, a submit): an exception is logged and
counted, and `drain` waits for it.

`Supervisor.run_forever(name, factory)` runs what must never stop (a feed, a job's loop, the relay). `factory` makes a
fresh coroutine. When it raises, or returns although nobody asked it to, that is logged and counted, and after a pause
that grows (`Backoff`, half a second to half a minute) it is made anew. The `Service` that comes back says how it is
(`failing`, `failures`), is made anew at once by `restart()`, and is ended by `await service.end()`.
With `until_return` a return is the wanted end: for what has an orderly stop of its own.

`services` are all of them, which is what health reads; `closing` is True once the drain has begun. Every wait for an
end has a limit (tasks.py). Nothing else in the product makes tasks: tests/unit/test_tasks.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import Counter

from core.process.backoff import Backoff
from core.process.tasks import awaited, cancelled, end, first_of
from core.process.watched_tasks import FAILURES, first_word, watched

log = structlog.get_logger(__name__)

T = TypeVar("T")

RESTARTS = Counter("onsale_task_restarts", "Background services that were started anew", ["task"])

#: Pauses before a service is made anew.
RESTART: Final = Backoff(first=0.5, longest=30.0, jitter=0.1)
#: A service that has run this long, in seconds, is well again: its next failure is the first one.
WELL_SECONDS: Final = 30.0


class EndedByItself(Exception):
    """A service returned although it was to run for ever."""


class Service:
    """One coroutine that is made anew whenever it ends. Made by `Supervisor.run_forever`."""

    def __init__(
        self, name: str, factory: Callable[[], Coroutine[Any, Any, Any]], *, backoff: Backoff, until_return: bool
    ) -> None:
        self.name = name
        self.failures = 0
        """In a row: since it was last well."""
        self.restarts = 0
        self._factory = factory
        self._backoff = backoff
        self._until_return = until_return
        self._began = 0.0
        self._wanted = True
        self._anew = asyncio.Event()
        self._run: asyncio.Task[Any] | None = None
        self._keeping = watched(name, self._keep())

    @property
    def failing(self) -> bool:
        """It ended without being asked to, and has not run for half a minute since."""
        return self.failures > 0 and not self.done and not self._is_well()

    @property
    def done(self) -> bool:
        """It was ended, or came to its wanted end."""
        return self._keeping.done()

    def restart(self) -> None:
        """What runs now is cancelled, and made anew as soon as it has ended, or has shown that it will not."""
        self._anew.set()

    async def end(self, within: float | None = None) -> bool:
        """Cancels; False when it goes on in spite of that for longer than `within` (`END_SECONDS`)."""
        self._wanted = False
        self._anew.set()
        return await end(self._run, self._keeping, within=within) == 0

    async def finished(self) -> None:
        """Waits until it is `done`."""
        await asyncio.wait({self._keeping})

    def _is_well(self) -> bool:
        return self._run is not None and not self._run.done() and self._age() >= WELL_SECONDS

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def _keep(self) -> None:
        while self._wanted and not cancelled():
            self._anew.clear()
            self._began = asyncio.get_running_loop().time()
            # Not `watched`: what it raises is told below, together with what is done about it.
            run = self._run = awaited(self.name, self._factory())
            try:
                await first_of(asyncio.wait({run}), self._anew.wait())
            finally:
                was_well = self._age() >= WELL_SECONDS
                await end(run)
            if self._anew.is_set():
                self._count_restart()
                continue
            error = self._error(run)
            if error is None:
                return
            self.failures = 1 if was_well else self.failures + 1
            await self._report_and_pause(error)
            self._count_restart()

    def _count_restart(self) -> None:
        if self._wanted:
            self.restarts += 1
            RESTARTS.labels(first_word(self.name)).inc()

    def _error(self, run: asyncio.Task[Any]) -> BaseException | None:
        """Why it has to be made anew; None at its wanted end."""
        if run.cancelled():
            return EndedByItself("it was cancelled from within")
        error = run.exception()
        if error is None and not self._until_return:
            return EndedByItself("it returned")
        return error

    async def _report_and_pause(self, error: BaseException) -> None:
        pause = self._backoff.seconds(self.failures)
        FAILURES.labels(first_word(self.name)).inc()
        log.error(
            "background service ended: made anew",
            task=self.name,
            failures=self.failures,
            again_in_seconds=round(pause, 2),
            exc_info=error,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._anew.wait()


class Supervisor:
    """`spawn`, `run_forever`, and at the end `drain`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._services: list[Service] = []
        self._closing = False

    @property
    def closing(self) -> bool:
        """True once the drain has begun: nothing new is to be taken on."""
        return self._closing

    @property
    def services(self) -> tuple[Service, ...]:
        """Those that are not done."""
        self._services = [service for service in self._services if not service.done]
        return tuple(self._services)

    def spawn(self, name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs a coroutine in the background. `name` may carry an id after a space; metrics use the first word."""
        task = watched(name, coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_forever(
        self,
        name: str,
        factory: Callable[[], Coroutine[Any, Any, Any]],
        *,
        backoff: Backoff = RESTART,
        until_return: bool = False,
    ) -> Service:
        """Runs `factory()`, and again whenever it ends. `name` as in `spawn`."""
        service = Service(name, factory, backoff=backoff, until_return=until_return)
        self._services = [*self.services, service]
        return service

    async def drain(self, seconds: float) -> int:
        """Waits for what was spawned, cancels what is left of it, then ends the services.

        Returns how many spawned tasks had to be cancelled.
        """
        self._closing = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # A task may spawn another one while it ends (a submit spawns its payment): all of them are waited for.
        while self._tasks and loop.time() < deadline:
            await asyncio.wait(set(self._tasks), timeout=deadline - loop.time())
        left = set(self._tasks)
        await asyncio.gather(end(*left), *(service.end() for service in self.services))
        return len(left)
