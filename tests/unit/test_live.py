"""The live channels of a process: which events it keeps, and which it lets go."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from core.process.tasks import end
from realtime import live as module
from realtime.live import Live
from realtime.live_event import LiveEvent
from tests.waits import until


class Watched:
    """What `Live` asks of an event's live side."""

    def __init__(self) -> None:
        self.empty = True
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def close(self) -> None:
        self.closing.set()
        await self.may_close.wait()


async def test_who_comes_while_another_event_is_let_go_keeps_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feeds of a channel that was just opened were closed under it, and its page stood still."""
    monkeypatch.setattr(module, "_LINGER_SECONDS", 0.0)
    live = Live(**cast(Any, dict.fromkeys(PARTS)), stores=cast(Any, Stores()))
    both = {"one": Watched(), "other": Watched()}
    live._live.update(cast(dict[str, LiveEvent], both))
    letting_go = asyncio.create_task(live._let_go())
    try:
        left = await until(lambda: next((slug for slug, one in both.items() if one.closing.is_set()), None))
        (back,) = set(both) - {left}
        both[back].empty = False
        for one in both.values():
            one.may_close.set()
        later = Watched()
        later.may_close.set()
        live._live["later"] = cast(LiveEvent, later)
        await until(lambda: "later" not in live._live, "the next look")
        assert list(live._live) == [back]
        assert not both[back].closing.is_set()
    finally:
        await end(letting_go)


class Stores:
    def follow(self, changed: object) -> None:
        pass


PARTS = ("times", "limits", "clock", "supervisor", "redis", "events", "waiting_room", "seats", "removals")
