"""Boards for callers without a channel: never older than the question, and few reads however many ask."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.errors import StoreUnavailable
from core.seats.board import BoardSnapshot
from core.venue.event import Event
from tests.waits import PATIENCE
from web.boards import Boards
from web.caching import Body, is_known
from web.encodings import CODINGS


class FakeEvent:
    slug = "summer"


EVENT = cast(Event, FakeEvent())


class Store:
    """A board whose version is the time it was read at; reads can be held up."""

    def __init__(self) -> None:
        self.version = 0
        self.reads = 0
        self.most_at_once = 0
        self._at_once = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    async def read(self, event: Any) -> BoardSnapshot:
        self.reads += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        version = self.version
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
        finally:
            self._at_once -= 1
        return BoardSnapshot(1, version, bytes([0, 1]))


def boards(store: Store, pause: float = 0.0) -> Boards:
    return Boards(store.read, SystemClock(), pause_seconds=pause)


def version(body: Body) -> int:
    return int(orjson.loads(body.content)["version"])


async def test_who_asks_during_a_read_gets_the_next_one() -> None:
    """The read under way may have begun before the caller's own hold."""
    store = Store()
    store.gate = asyncio.Event()
    shared = boards(store)
    first = asyncio.create_task(shared.body(EVENT))
    while not store.reads:
        await asyncio.sleep(0)
    store.version = 7
    late = [asyncio.create_task(shared.body(EVENT)) for _ in range(50)]
    await asyncio.sleep(0)
    store.gate.set()
    assert version(await first) == 0
    assert {version(await one) for one in late} == {7}
    assert store.reads == 2
    assert store.most_at_once == 1


async def test_reads_of_one_event_keep_a_pause_when_many_ask() -> None:
    store = Store()
    shared = boards(store, pause=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(4):
        await asyncio.gather(*(shared.body(EVENT) for _ in range(2_000)))
    assert store.reads == 4
    assert loop.time() - began >= 0.15


async def test_who_asks_alone_waits_for_no_pause() -> None:
    """One after the other, with nobody else there: there is nothing to share."""
    store = Store()
    shared = boards(store, pause=PATIENCE)
    for _ in range(4):
        assert version(await shared.body(EVENT)) == 0
    assert store.reads == 4


async def test_a_caller_who_goes_away_takes_nobodys_answer() -> None:
    store = Store()
    store.gate = asyncio.Event()
    shared = boards(store)
    impatient = asyncio.create_task(shared.body(EVENT))
    patient = asyncio.create_task(shared.body(EVENT))
    await asyncio.sleep(0.01)
    impatient.cancel()
    store.gate.set()
    assert version(await patient) == 0


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    store = Store()
    store.error = StoreUnavailable()
    shared = boards(store)
    answers = await asyncio.gather(*(shared.body(EVENT) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, StoreUnavailable) for one in answers)
    # Each its own: one that many raise would gather the tracebacks of them all.
    assert len({id(one) for one in answers}) == len(answers)
    store.error = None
    assert version(await shared.body(EVENT)) == 0


async def test_an_unchanged_board_is_encoded_once() -> None:
    shared = boards(Store())
    assert await shared.body(EVENT) is await shared.body(EVENT)


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.sampled_from(["ask", "change", "turn"]), max_size=60))
async def test_an_answer_is_never_older_than_its_question(steps: list[str]) -> None:
    store = Store()
    shared = boards(store)
    asked: list[tuple[int, asyncio.Task[Body]]] = []
    for step in steps:
        if step == "ask":
            asked.append((store.version, asyncio.create_task(shared.body(EVENT))))
        elif step == "change":
            store.version += 1
        else:
            await asyncio.sleep(0)
    for at_least, task in asked:
        assert version(await task) >= at_least


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (None, False),
        ("", False),
        ('"x"', False),
        ('"tag"', True),
        ('W/"tag"', True),
        ('"a", W/"tag"', True),
        ("*", True),
        ('"tagged"', False),
    ],
)
def test_tags_are_compared_weakly(header: str | None, known: bool) -> None:
    assert is_known(header, "tag") is known


def test_what_compression_does_not_shorten_is_sent_plain() -> None:
    import os

    for coding in CODINGS:
        assert Body(os.urandom(5000), "t", "x").coded(coding) is None
        assert Body(b"short", "t", "x").coded(coding) is None
        assert len(Body(b"a" * 5000, "t", "x").coded(coding) or b"") < 100
