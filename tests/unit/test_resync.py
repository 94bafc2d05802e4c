"""Register, fetch, apply, whatever fails on the way: a feed comes back into step by itself (rule 6, R1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import StoreUnavailable
from core.process.supervisor import Supervisor
from realtime.resync import Resync
from tests.waits import until


class Counter:
    """What is kept in step: a number that grows by one with each message. Fails as often as it is told."""

    def __init__(self) -> None:
        self.redis = 10
        self.mine = -1
        self.fetches = 0
        self.faults: list[BaseException] = []
        self.poison: int | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    async def fetch(self) -> int:
        self.fetches += 1
        if self.faults:
            raise self.faults.pop()
        answer = self.redis
        self.meanwhile()
        await asyncio.sleep(0)
        return answer

    def load(self, state: int) -> None:
        self.mine = state

    def take(self, message: int) -> bool:
        if message == self.poison:
            raise ValueError("a message that cannot be taken")
        if message > self.mine + 1:
            return False
        self.mine = max(self.mine, message)
        return True

    def withdraw(self) -> list[int]:
        return []

    async def current(self) -> tuple[int, ...]:
        return (self.redis,)

    @property
    def head(self) -> tuple[int, ...]:
        return (self.mine,)


@asynccontextmanager
async def running(counter: Counter, audit_seconds: float = 100) -> AsyncIterator[Resync[int, int]]:
    resync = Resync("test", "night", counter, most_held=100, audit_seconds=audit_seconds)
    services = resync.start(Supervisor())
    try:
        yield resync
    finally:
        await asyncio.gather(*(service.end() for service in services))


async def test_what_comes_while_the_state_is_fetched_is_taken_on_top_of_it() -> None:
    counter = Counter()
    async with running(counter) as resync:

        def hear() -> None:
            for n in (9, 10, 11, 12):
                resync.hear(n)

        counter.meanwhile = hear
        resync.begin("start")
        await until(resync.ready.is_set)
    assert (counter.mine, counter.fetches) == (12, 1)
    assert resync.behind_for() == 0


@pytest.mark.parametrize("fault", [StoreUnavailable(), RuntimeError("a bug"), TimeoutError(), asyncio.CancelledError()])
async def test_a_fetch_that_fails_is_made_again(fault: BaseException) -> None:
    counter = Counter()
    counter.faults = [fault, fault]
    async with running(counter) as resync:
        resync.begin("start")
        await until(resync.ready.is_set)
        assert resync.behind_for() == 0
    assert (counter.mine, counter.fetches) == (10, 3)


async def test_a_message_that_cannot_be_taken_does_not_stop_those_after_it() -> None:
    counter = Counter()
    counter.poison = 11
    async with running(counter) as resync:
        for n in (11, 12):
            resync.hear(n)
        resync.begin("start")
        await until(lambda: counter.fetches >= 1)
        counter.redis = 12
        await until(lambda: counter.mine == 12 and resync.behind_for() == 0)
        counter.poison = 13
        with pytest.raises(ValueError):
            resync.hear(13)


async def test_a_gap_leads_to_a_fetch() -> None:
    counter = Counter()
    async with running(counter) as resync:
        resync.begin("start")
        await until(resync.ready.is_set)
        counter.redis = 13
        resync.hear(13)
        assert resync.behind_for() > 0
        await until(lambda: counter.mine == 13 and resync.behind_for() == 0)


async def test_a_state_of_before_the_last_loss_is_not_taken() -> None:
    """The subscription was made anew while the answer was on its way: what came in between is in neither."""
    counter = Counter()
    async with running(counter) as resync:

        def lose() -> None:
            counter.meanwhile = lambda: None
            counter.redis = 20
            resync.begin("subscribed")

        counter.meanwhile = lose
        resync.begin("start")
        await until(resync.ready.is_set)
    assert (counter.mine, counter.fetches) == (20, 2)


async def test_the_audit_finds_a_message_that_never_came() -> None:
    counter = Counter()
    async with running(counter, audit_seconds=0.05) as resync:
        resync.begin("start")
        await until(resync.ready.is_set)
        counter.redis = 11
        await until(lambda: counter.mine == 11)


async def test_how_long_a_feed_is_behind_is_told() -> None:
    counter = Counter()
    counter.faults = [StoreUnavailable()] * 1_000
    async with running(counter) as resync:
        resync.begin("start")
        await asyncio.sleep(0.05)
        assert resync.behind_for() >= 0.05
        counter.faults.clear()
        await until(resync.ready.is_set)
        assert resync.behind_for() == 0
