"""Single flight: one call for all who ask meanwhile, which goes on whoever goes away."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from core.process.once import Once


class Store:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, key: str) -> str:
        self.asked.append(key)
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return f"{key} {len(self.asked)}"


async def turns() -> None:
    """All that can go on without an answer has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_meanwhile_gets_the_same_answer_and_who_asks_later_a_new_one() -> None:
    store, once = Store(), Once[str]("test")
    asking = [asyncio.create_task(once(key, partial(store.read, key))) for key in ("a", "a", "b")]
    await turns()
    assert len(once.open) == 2
    store.answers.set()
    assert await asyncio.gather(*asking) == ["a 2", "a 2", "b 2"]
    assert await once("a", partial(store.read, "a")) == "a 3"
    assert once.open == []


async def test_who_gives_up_or_goes_away_takes_it_from_nobody() -> None:
    store, once = Store(), Once[str]("test")
    gone = asyncio.create_task(once("a", partial(store.read, "a")))
    patient = asyncio.create_task(once("a", partial(store.read, "a")))
    await turns()
    gone.cancel()
    with pytest.raises(TimeoutError):
        await once("a", partial(store.read, "a"), limit=0.01)
    store.answers.set()
    assert await patient == "a 1"
    assert gone.cancelled()
    assert store.asked == ["a"]


async def test_a_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    store, once = Store(), Once[str]("test")
    store.error = ValueError("no")
    asking = [asyncio.create_task(once("a", partial(store.read, "a"))) for _ in range(2)]
    await turns()
    store.answers.set()
    assert [type(found) for found in await asyncio.gather(*asking, return_exceptions=True)] == [ValueError] * 2
    store.error = None
    assert await once("a", partial(store.read, "a")) == "a 2"


async def test_what_is_forgotten_answers_those_who_wait_and_nobody_else() -> None:
    store, once = Store(), Once[str]("test")
    first = asyncio.create_task(once("a", partial(store.read, "a")))
    await turns()
    once.forget("a")
    second = asyncio.create_task(once("a", partial(store.read, "a")))
    await turns()
    assert store.asked == ["a", "a"]
    store.answers.set()
    await asyncio.gather(first, second)
    assert once.open == []
