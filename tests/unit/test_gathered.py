"""Calls made together: each has its own answer and its own error, and none waits that need not (E1)."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import OutcomeUnknown, StoreUnavailable
from core.process.gathered import Gathered


class Store:
    """Answers with ten times what it is asked; `-1` spoils the whole round, as a failing statement does."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.open = asyncio.Event()
        self.away = False

    async def together(self, asked: list[int]) -> list[int]:
        self.rounds.append(asked)
        await self.open.wait()
        if self.away:
            raise StoreUnavailable(retry_after=2)
        if -1 in asked:
            raise ValueError("spoilt")
        return [10 * one for one in asked]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_first_leaves_at_once_and_what_comes_meanwhile_leaves_together() -> None:
    store = Store()
    gathered = Gathered("test", store.together, most=3)
    first = asyncio.create_task(gathered(1, key=1))
    await turns()
    assert store.rounds == [[1]]
    rest = [asyncio.create_task(gathered(n, key=n)) for n in range(2, 7)]
    await turns()
    assert store.rounds == [[1]], "one round at a time"
    store.open.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40, 50, 60]
    assert store.rounds == [[1], [2, 3, 4], [5, 6]]
    assert await gathered(7, key=7) == 70


async def test_one_that_spoils_a_round_fails_alone() -> None:
    store = Store()
    store.open.set()
    gathered = Gathered("test", store.together)
    answers = await asyncio.gather(*(gathered(n, key=n) for n in (1, -1, 2)), return_exceptions=True)
    assert (answers[0], answers[2]) == (10, 20)
    assert isinstance(answers[1], ValueError)
    assert store.rounds == [[1, -1, 2], [1], [-1], [2]]


async def test_all_hear_of_a_store_that_is_away_and_the_next_is_asked_anew() -> None:
    store = Store()
    store.open.set()
    store.away = True
    gathered = Gathered("test", store.together)
    answers = await asyncio.gather(*(gathered(n, key=n) for n in (1, 2)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert store.rounds == [[1, 2]], "an answer that was lost is never asked for again by itself"


async def test_after_a_lost_round_each_is_made_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a lock of somebody else's takes its neighbours along once, not each time they come back."""
    store = Store()
    gathered = Gathered("test", store.together)
    store.open.set()
    store.away = True
    await asyncio.gather(*(gathered(n, key=n) for n in (1, 2)), return_exceptions=True)
    store.away = False
    store.open.clear()
    stuck = asyncio.create_task(gathered(1, key=1))
    await turns()
    neighbour = asyncio.create_task(gathered(2, key=2))
    await turns()
    assert store.rounds[1:] == [[1], [2]]
    store.open.set()
    assert [await stuck, await neighbour] == [10, 20]
    monkeypatch.setattr("core.process.gathered._ALONE_SECONDS", 0.0)
    gathered = Gathered("test", store.together)
    store.away = True
    await asyncio.gather(*(gathered(n, key=n) for n in (1, 2)), return_exceptions=True)
    store.away = False
    store.rounds.clear()
    await asyncio.gather(*(gathered(n, key=n) for n in (3, 4)))
    assert store.rounds == [[3, 4]], "and together again"


async def test_the_same_key_never_leaves_twice_in_a_round_and_places_are_an_order() -> None:
    store = Store()
    store.open.set()
    gathered = Gathered("test", store.together)
    calls = [(1, "a", "z"), (2, "a", "a"), (3, "b", "m"), (4, "c", "b")]
    await asyncio.gather(*(gathered(n, key=key, place=place) for n, key, place in calls))
    assert store.rounds == [[4, 3, 1], [2]]


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    store = Store()
    gathered = Gathered("test", store.together)
    first = asyncio.create_task(gathered(1, key=1))
    await turns()
    gone, left = asyncio.create_task(gathered(2, key=2)), asyncio.create_task(gathered(3, key=3))
    await turns()
    first.cancel()
    gone.cancel()
    await asyncio.gather(first, gone, return_exceptions=True)
    store.open.set()
    assert await left == 30
    assert store.rounds == [[1], [3]], "not asked any more: nobody waits for it"


async def test_a_round_that_is_cut_off_is_told_to_those_who_wait() -> None:
    store = Store()
    gathered = Gathered("test", store.together)
    first = asyncio.create_task(gathered(1, key=1))
    await turns()
    second = asyncio.create_task(gathered(2, key=2))
    await turns()
    assert gathered._sender is not None
    gathered._sender.cancel()
    for task in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await task
    store.open.set()
    assert await gathered(3, key=3) == 30


async def test_each_caller_of_a_lost_round_hears_of_it_by_an_exception_of_its_own() -> None:
    """One for all would grow by the traceback of each who raises it, and keep what all of them had at hand."""

    async def lost(asked: list[int]) -> list[int]:
        raise OutcomeUnknown(retry_after=3, until_ms=7) from TimeoutError("silence")

    gathered: Gathered[int, int] = Gathered("test", lost)
    errors = await asyncio.gather(*(gathered(n, key=n) for n in range(3)), return_exceptions=True)
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, OutcomeUnknown)
        assert (error.retry_after, error.until_ms, str(error.__cause__)) == (3, 7, "silence")


async def test_of_a_round_that_failed_a_few_at_a_time_are_made_again() -> None:
    at_work = [0, 0]

    async def together(asked: list[int]) -> list[int]:
        if len(asked) > 1:
            raise ValueError("one of them waits")
        at_work[0] += 1
        at_work[1] = max(at_work)
        await turns()
        at_work[0] -= 1
        return asked

    gathered = Gathered("test", together)
    assert await asyncio.gather(*(gathered(n, key=n) for n in range(20))) == list(range(20))
    assert at_work == [0, 8]
