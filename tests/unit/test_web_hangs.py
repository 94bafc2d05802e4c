"""R2: of several processes that hang one at a time is killed, and none while another is being started."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from cli import web_processes
from cli.web_processes import WebProcesses, _Watched
from tests.waits import until


@dataclass
class Process:
    """Until it is killed it does not end."""

    pid: int
    ended: Callable[[], None]
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    def send_signal(self, number: int) -> None: ...

    def kill(self) -> None:
        self.killed.set()
        self.ended()

    async def wait(self) -> int:
        await self.killed.wait()
        return -9


class Listener:
    """Hears nothing."""

    over = False

    def heard(self) -> bool:
        return False

    def close(self) -> None:
        self.over = True


async def test_one_at_a_time_and_none_while_another_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_processes, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(web_processes, "_STACKS_SECONDS", 0.0)
    listening: Any = None
    processes = WebProcesses(3, listening, {}, lambda line: None, 0.05)

    def is_replaced() -> None:
        """As who watches over it begins to, at once."""
        processes._starting = 1

    made = [Process(pid, is_replaced) for pid in range(3)]
    listeners = [Listener() for _ in made]
    for index, process in enumerate(made):
        silent: Any = process, listeners[index]
        processes._watched[index] = _Watched(*silent)
    listeners[2].over = True  # it drains: its silence is meant
    processes._starting = 1
    watching = asyncio.create_task(processes._end_what_hangs())
    try:
        await until(lambda: all(one.silence.seconds > 0.2 for one in processes._watched.values()))
        assert not [one for one in made if one.killed.is_set()], "another one is being started"
        processes._starting = 0

        def killed() -> list[Process]:
            return [one for one in made if one.killed.is_set()]

        (first,) = await until(killed)
        await asyncio.sleep(0.1)
        assert killed() == [first], "the other one goes on hanging until this one is replaced"
        processes._starting = 0
        await until(lambda: made[0].killed.is_set() and made[1].killed.is_set())
        assert not made[2].killed.is_set()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@dataclass
class Looks:
    """The clock and the ears of a watch: before each look so many seconds go by, and a tick has come or not."""

    seconds_and_ticks: Iterable[tuple[float, bool]]
    now: float = 100.0
    over: bool = False
    ticked: bool = False
    done: int = 0

    def __post_init__(self) -> None:
        self._each = iter(self.seconds_and_ticks)

    def monotonic(self) -> float:
        seconds, self.ticked = next(self._each)
        self.now += seconds
        self.done += 1
        return self.now

    def heard(self) -> bool:
        return self.ticked

    def close(self) -> None:
        self.over = True


ON_TIME = [(0.5, False)] * 8
LATE, TICK = [(2.5, False)], [(0.5, True)]


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        # Four seconds of silence between two late looks, or between one and a tick: of five that it takes.
        ([*ON_TIME, *LATE, *ON_TIME, *TICK, *ON_TIME, *LATE], False),
        (LATE, False),
        ([*ON_TIME, *TICK], False),
        (ON_TIME, True),
    ],
    ids=["late looks and a tick", "late looks only", "ticks only", "silence"],
)
async def test_a_watch_that_is_late_itself_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[float, bool]], ends: bool
) -> None:
    """A machine with too much to do makes `onsale serve` late as well: that proves nothing about a web process (R2)."""
    watch = Looks(itertools.cycle(looks))
    monkeypatch.setattr(web_processes, "time", SimpleNamespace(monotonic=watch.monotonic))
    monkeypatch.setattr(web_processes, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(web_processes, "_STACKS_SECONDS", 0.0)
    listening: Any = None
    processes = WebProcesses(1, listening, {}, lambda line: None, 5.0)
    silent: Any = Process(7, lambda: None), watch
    processes._watched[0] = _Watched(*silent)
    watching = asyncio.create_task(processes._end_what_hangs())
    try:
        await until(lambda: watch.done > 200 or silent[0].killed.is_set())
        assert silent[0].killed.is_set() is ends
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
