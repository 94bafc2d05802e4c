"""A visitor in doubt is asked about until the answer is known, whatever happens to the calls (R1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import StoreUnavailable
from core.process.supervisor import Supervisor
from realtime import look_ups
from realtime.look_ups import LookUps
from realtime.resync import PAUSES
from tests.waits import until


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_ups, "_PAUSES", PAUSES)


@asynccontextmanager
async def running(look_up: Callable[[str], Awaitable[object]]) -> AsyncIterator[LookUps]:
    doubts = LookUps("test", look_up)
    service = Supervisor().run_forever("look-ups", doubts.run, backoff=PAUSES)
    try:
        yield doubts
    finally:
        await service.end()


@pytest.mark.parametrize("fault", [StoreUnavailable(), RuntimeError("a bug"), asyncio.CancelledError()])
async def test_who_could_not_be_looked_up_is_asked_about_again(fault: BaseException) -> None:
    known: set[str] = set()
    asked: Counter[str] = Counter()

    async def look_up(visitor: str) -> None:
        asked[visitor] += 1
        if asked[visitor] < 3 and visitor != "easy":
            raise fault
        known.add(visitor)

    async with running(look_up) as doubts:
        for visitor in ("easy", "hard", "harder"):
            doubts.doubt(visitor)
        await until(lambda: known == {"easy", "hard", "harder"} and len(doubts) == 0)
    assert asked["easy"] == 1


async def test_one_answer_that_never_comes_keeps_nobody_else_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_ups, "_ANSWER_SECONDS", 0.1)
    known: Counter[str] = Counter()

    async def look_up(visitor: str) -> None:
        if visitor == "hangs":
            await asyncio.Event().wait()
        known[visitor] += 1

    async with running(look_up) as doubts:
        doubts.doubt("hangs")
        await asyncio.sleep(0.02)
        for n in range(100):
            doubts.doubt(f"v{n}")
        await until(lambda: len(known) == 100)
        doubts.forget("hangs")


async def test_a_doubt_that_comes_while_the_answer_is_on_its_way_is_asked_about_again() -> None:
    asked = 0
    answer = asyncio.Event()

    async def look_up(visitor: str) -> None:
        nonlocal asked
        asked += 1
        await answer.wait()

    async with running(look_up) as doubts:
        doubts.doubt("v")
        await until(lambda: asked == 1)
        doubts.doubt("v")
        answer.set()
        await until(lambda: asked == 2)
        await until(lambda: len(doubts) == 0)
        await asyncio.sleep(0.05)
    assert asked == 2
