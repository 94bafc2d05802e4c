"""R2: of several processes that hang one at a time is killed, and none while another is being started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
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
