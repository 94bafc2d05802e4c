"""What the state machines of Hypothesis run on: one loop and one runtime for all examples, in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import hypothesis
from hypothesis import HealthCheck
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from core.embedded import Engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from tests.patient_stores import patient_stores

T = TypeVar("T")

#: Nobody is out because an example took long: only what a machine does ends anything.
PATIENT: dict[str, Any] = {
    "active_grace_seconds": 3_600.0,
    "waiting_grace_seconds": 3_600.0,
    "session_seconds": 7_200.0,
    "session_after_purchase_seconds": 7_200.0,
}


class World:
    """`run` a coroutine on the loop; only in the world's own thread, since pytest's loop is running in the other."""

    def __init__(self, settings: Settings, stores: Engines, thread: concurrent.futures.ThreadPoolExecutor) -> None:
        self._thread = thread
        self._runner = asyncio.Runner()
        self._context = open_runtime(settings, stores)
        self.runtime: Runtime = self.run(self._context.__aenter__())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def do(self, work: Callable[..., None], *arguments: Any, **named: Any) -> None:
        """In the world's thread. Raises what it raised."""
        self._thread.submit(work, *arguments, **named).result()

    def check(self, machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
        """Runs the machine's examples. Raises what an example raised."""
        self.do(
            run_state_machine_as_test,
            machine,
            settings=hypothesis.settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def close(self) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self._runner.close()


@contextmanager
def opened_world(settings: Settings, stores: Engines) -> Iterator[World]:
    with patient_stores(), concurrent.futures.ThreadPoolExecutor(1) as thread:
        world = thread.submit(World, settings, stores, thread).result()
        try:
            yield world
        finally:
            thread.submit(world.close).result()
