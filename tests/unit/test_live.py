"""The live channels of a process: which events it keeps, and which it lets go."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.process.tasks import end
from realtime import live as module
from realtime.arrivals import Arrivals, come_back_after
from realtime.connection import Connection
from realtime.live import Live
from realtime.live_event import LiveEvent
from realtime.wire import CloseCode
from tests.manual_clock import ManualClock
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


class Crowded(Arrivals):
    """Takes one at a time, and notes what becomes of it."""

    def __init__(self) -> None:
        super().__init__(most=1)
        self.ends: list[str] = []

    def opened(self, now: float) -> None:
        self.ends.append("opened")
        super().opened(now)

    def left(self) -> None:
        self.ends.append("left")
        super().left()


class Socket:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.closed: tuple[int, str] | None = None

    def send(self, frame: object) -> None:
        self.told.append(str(frame))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


async def test_a_store_that_is_away_is_no_turn_and_who_is_lost_no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage thousands wait for their welcome: who comes then hears of the outage, not of a moment (R4, E1)."""
    stores, limits = Stores(), SimpleNamespace(per_process=9, per_visitor=None)
    parts = dict.fromkeys(PARTS) | {"limits": limits, "clock": ManualClock()}
    live = Live(**cast(Any, parts), stores=cast(Any, stores))
    arrivals = live._arrivals = Crowded()
    event = SimpleNamespace(slug="one")
    live._live["one"] = cast(LiveEvent, SimpleNamespace(clock=SimpleNamespace(message=lambda: b"outage")))
    monkeypatch.setattr(module, "text_frame", lambda message: message)

    async def come(connection: Socket) -> Socket:
        await live.serve(cast(Any, connection), cast(Any, event), "v", cast(Any, SimpleNamespace(address="")))
        return connection

    welcomes, end_of_first = True, asyncio.Event()

    async def serve(connection: Connection, *rest: object) -> None:
        if welcomes:
            live._welcomed(connection)
        await end_of_first.wait()

    monkeypatch.setattr(live, "_serve", serve)
    end_of_first.set()
    await come(Socket())
    assert arrivals.ends == ["opened"]
    welcomes = False
    end_of_first.clear()
    first = asyncio.create_task(come(Socket()))
    await until(lambda: arrivals.full)
    try:
        sent_away = await come(Socket())
        assert sent_away.closed == (CloseCode.RECONNECT, come_back_after(1))
        stores.away = ("database",)
        assert (await come(Socket())).closed == sent_away.closed, "a channel opens without it"
        stores.away = ("redis",)
        told = await come(Socket())
        assert told.closed is not None
        assert told.closed[0] == CloseCode.STORE_LOST
        assert ["outage" in told.told[0], "store_unavailable" in told.told[1]] == [True, True]
    finally:
        end_of_first.set()
        await first
    assert arrivals.ends == ["opened", "left"]


class Stores:
    away: tuple[str, ...] = ()

    def follow(self, changed: object) -> None:
        pass


PARTS = ("times", "limits", "clock", "supervisor", "redis", "events", "waiting_room", "seats", "removals")
