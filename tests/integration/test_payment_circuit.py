"""Processes share a provider's circuit through Redis, and do without it while it is away (S24)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from core import keys
from core.clock import SystemClock
from core.embedded import Engines
from core.errors import StoreUnavailable
from core.payments.breaker import BreakerConfig, Mode
from core.payments.breaker_redis import SharedBreaker
from core.payments.gateway import CallHealth
from core.process.store_redis import redis_client
from tests.manual_clock import ManualClock
from tests.waits import PATIENCE

#: Half open after a moment; then for long, whatever a busy machine does meanwhile.
SOON = BreakerConfig(wait_duration_in_open_state=0.3)
OK, BAD, LATE = CallHealth.SUCCESS, CallHealth.FAILURE, CallHealth.TIMEOUT


@pytest.fixture
async def redis(stores: Engines, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    # A process that a busy machine makes late would take Redis for away, and count by itself.
    monkeypatch.setattr("core.payments.breaker_redis._PATIENCE_SECONDS", PATIENCE)
    client = redis_client(stores.redis_url, 16)
    yield client
    await client.aclose()


@pytest.fixture
def provider() -> str:
    """A provider of its own for each test, so that circuits do not meet."""
    return f"test{secrets.token_hex(4)}"


def process(provider: str, redis: Redis | None, config: BreakerConfig | None = None) -> SharedBreaker:
    """What one server process has."""
    return SharedBreaker(provider=provider, config=config or BreakerConfig(), redis=redis, clock=SystemClock())


async def call(breaker: SharedBreaker, health: CallHealth) -> bool:
    permit = await breaker.admit()
    if permit is not None:
        await breaker.record(permit, health, 0.1)
    return permit is not None


async def test_failures_of_all_processes_add_up(provider: str, redis: Redis) -> None:
    """Four workers do not each need ten failures: the tenth call of any of them opens the circuit for all."""
    processes = [process(provider, redis) for _ in range(4)]
    for number in range(10):
        assert await call(processes[number % 4], BAD)
    for one in processes:
        assert await one.admit() is None
        assert one.view().mode is Mode.OPEN


async def test_without_sharing_each_needs_ten(provider: str) -> None:
    """The negative control: the same calls to circuits that are not shared open none."""
    processes = [process(provider, None) for _ in range(4)]
    for number in range(10):
        await call(processes[number % 4], BAD)
    assert [one.view().mode for one in processes] == [Mode.CLOSED] * 4


async def test_no_outcome_is_lost_when_all_tell_at_once(provider: str, redis: Redis) -> None:
    """Swaps that lose the race are computed again from the winner's state."""
    config = BreakerConfig(sliding_window_size=200, minimum_number_of_calls=200)
    processes = [process(provider, redis, config) for _ in range(4)]
    await asyncio.gather(*(call(one, BAD if number % 4 == 0 else OK) for number in range(40) for one in processes))
    await processes[0].refresh()
    view = processes[0].view()
    assert (view.calls, view.failure_rate) == (160, 25.0)


async def test_probes_are_counted_across_processes(provider: str, redis: Redis) -> None:
    """Half open lets three calls through in the installation, not three in each process."""
    processes = [process(provider, redis, SOON) for _ in range(4)]
    await asyncio.gather(*(call(processes[0], LATE) for _ in range(3)))
    granted: list[tuple[SharedBreaker, int]] = []
    asking = [one for one in processes for _ in range(3)]
    # How late it is at Redis a process knows from its last answer: a little too early where that took long.
    async with asyncio.timeout(PATIENCE):
        while len(granted) < 3:
            permits = await asyncio.gather(*(one.admit() for one in asking))
            granted += [(one, permit) for one, permit in zip(asking, permits, strict=True) if permit is not None]
    assert len(granted) == 3
    for one, permit in granted:
        await one.record(permit, OK, 0.1)
    assert await processes[3].admit() is not None
    assert processes[3].view().mode is Mode.CLOSED


class Gate:
    """A Redis client that stops at one of its calls, before it is sent or before its answer is heard."""

    def __init__(self, redis: Redis, stop_at: str) -> None:
        self._redis = redis
        self._stop_at = stop_at
        self._calls = 0
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def evalsha(self, *arguments: object) -> object:
        self._calls += 1
        call = self._calls
        await self._stop(f"{call} sent")
        answer = await self._redis.evalsha(*arguments)  # type: ignore[arg-type]
        await self._stop(f"{call} done")
        return answer

    async def eval(self, *arguments: object) -> object:
        return await self._redis.eval(*arguments)  # type: ignore[arg-type]

    async def _stop(self, moment: str) -> None:
        if moment == self._stop_at:
            self.reached.set()
            await self.open.wait()


@pytest.mark.parametrize("moment", ["1 sent", "1 done", "2 sent", "2 done"])
@pytest.mark.parametrize("cancelled", [(0,), (1,), (0, 1, 2)])
async def test_a_cancelled_charge_loses_no_probe(redis: Redis, moment: str, cancelled: tuple[int, ...]) -> None:
    """Three ask in one turn: call 1 reads, call 2 swaps. Who is cancelled meanwhile takes no permit along (S24)."""
    config = replace(SOON, wait_duration_in_open_state=0.01)
    provider = f"test{secrets.token_hex(4)}"
    other = process(provider, redis, config)
    for _ in range(3):
        await call(other, LATE)
    await asyncio.sleep(0.02)
    gate = Gate(redis, moment)
    breaker = process(provider, gate, config)  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE):
        asking = [asyncio.create_task(breaker.admit()) for _ in range(3)]
        await gate.reached.wait()
        for one in cancelled:
            asking[one].cancel()
        await asyncio.sleep(0)
        gate.open.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        await breaker.aclose()
    assert [isinstance(answer, int) for answer in answers] == [n not in cancelled for n in range(3)]
    free = [await other.admit() is not None for _ in range(4)]
    assert free.count(True) == len(cancelled)


async def test_probes_of_a_process_that_died_do_not_block_the_rest(provider: str, redis: Redis) -> None:
    patient = replace(SOON, max_wait_duration_in_half_open_state=3600)
    dead, alive = process(provider, redis, patient), process(provider, redis, patient)
    for _ in range(3):
        await call(dead, LATE)
    out = 0
    async with asyncio.timeout(PATIENCE):
        while out < 3:
            out += await dead.admit() is not None
    assert await alive.admit() is None
    # They have been out for longer than this one waits for a verdict.
    alive = process(provider, redis, replace(SOON, max_wait_duration_in_half_open_state=0.1))
    async with asyncio.timeout(PATIENCE):
        while await alive.admit() is None:
            await asyncio.sleep(0.05)


async def test_an_operator_forces_it_for_all(provider: str, redis: Redis) -> None:
    first, second = process(provider, redis), process(provider, redis)
    await first.force(Mode.FORCED_OPEN)
    assert await second.admit() is None
    await second.force(Mode.DISABLED)
    for _ in range(20):
        assert await call(first, LATE)
    await first.force(Mode.CLOSED)
    assert await call(second, OK)


async def test_available_learns_behind_the_caller(provider: str, redis: Redis) -> None:
    """`require_available` is synchronous: it answers from a copy at most a second old."""
    clock = ManualClock()
    watching = SharedBreaker(provider=provider, config=BreakerConfig(), redis=redis, clock=clock)
    other = process(provider, redis, BreakerConfig())
    assert watching.available()
    async with asyncio.timeout(PATIENCE):
        while watching._read_at < 0:
            await asyncio.sleep(0.01)
    await other.force(Mode.FORCED_OPEN)
    assert watching.available(), "the copy is fresh: Redis is not asked again"
    clock.advance(1.5)
    async with asyncio.timeout(PATIENCE):
        while watching.available():
            await asyncio.sleep(0.01)
    await watching.aclose()


async def test_nothing_is_kept_for_ever(provider: str, redis: Redis) -> None:
    """Rule 8: the key has a TTL, renewed by looking."""
    breaker = process(provider, redis)
    await call(breaker, BAD)
    assert 0 < await redis.ttl(keys.breaker(provider)) <= 7 * 24 * 3600
    await redis.expire(keys.breaker(provider), 5)
    await breaker.refresh()
    assert await redis.ttl(keys.breaker(provider)) > 3600


async def test_what_cannot_be_read_is_started_afresh(provider: str, redis: Redis) -> None:
    await redis.hset(keys.breaker(provider), mapping={"version": "7", "state": "from another world"})
    breaker = process(provider, redis)
    assert await call(breaker, OK)
    assert breaker.view().calls == 1


class Switch:
    """A Redis client that can be away: calls fail as they do when the server is gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.away = False

    async def evalsha(self, *arguments: object) -> object:
        if self.away:
            raise ConnectionError("Redis is away")
        return await self._redis.evalsha(*arguments)  # type: ignore[arg-type]

    async def eval(self, *arguments: object) -> object:
        return await self._redis.eval(*arguments)  # type: ignore[arg-type]


async def test_without_redis_a_process_goes_on_by_itself_and_tells_later(provider: str, redis: Redis) -> None:
    """A lost Redis must not stop payments, nor make a process forget what it learnt meanwhile."""
    switch = Switch(redis)
    lonely = process(provider, switch)  # type: ignore[arg-type]
    other = process(provider, redis)
    await call(lonely, BAD)
    switch.away = True
    for _ in range(6):
        assert await call(lonely, BAD)
    assert not lonely.view().shared
    assert REGISTRY.get_sample_value("onsale_payment_circuit_shared", {"provider": provider}) == 0
    for _ in range(2):
        assert await call(other, BAD)
    switch.away = False
    lonely._away_until = float("-inf")
    await lonely.refresh()
    assert lonely.view().shared
    # One before, six alone, two of the other: nine. The tenth opens it, whoever makes it.
    assert lonely.view().calls == 9
    assert await call(other, BAD)
    assert await lonely.admit() is None


async def test_alone_it_opens_by_its_own_window(provider: str, redis: Redis) -> None:
    switch = Switch(redis)
    switch.away = True
    lonely = process(provider, switch)  # type: ignore[arg-type]
    for _ in range(10):
        assert await call(lonely, BAD)
    assert await lonely.admit() is None
    with pytest.raises(StoreUnavailable):
        await lonely.force(Mode.CLOSED)
    assert await lonely.admit() is not None, "it does as it was told, although it could not tell the others"


async def test_a_redis_that_lost_everything_is_told_again(provider: str, redis: Redis) -> None:
    breaker, other = process(provider, redis), process(provider, redis)
    for _ in range(3):
        await call(breaker, LATE)
    await redis.delete(keys.breaker(provider))
    assert await breaker.admit() is None
    assert await other.admit() is None


async def test_a_hanging_redis_delays_a_payment_once(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.payments.breaker_redis._PATIENCE_SECONDS", 0.2)

    asked = 0

    class Hanging:
        async def evalsha(self, *arguments: object) -> object:
            nonlocal asked
            asked += 1
            return await asyncio.get_running_loop().create_future()

    breaker = process(provider, Hanging())  # type: ignore[arg-type]
    for _ in range(10):
        assert await breaker.admit() is not None
    assert asked == 1


async def test_changes_are_counted_once_and_the_state_is_shown(provider: str, redis: Redis) -> None:
    """S30: the process that moves the circuit counts the change; every process shows the state it sees."""
    first, second = process(provider, redis), process(provider, redis)
    for _ in range(3):
        await call(first, LATE)
    await second.refresh()
    labels = {"provider": provider, "from_state": "CLOSED", "to_state": "OPEN"}
    assert REGISTRY.get_sample_value("onsale_payment_circuit_changes_total", labels) == 1
    for mode, shown in ((Mode.OPEN, 1), (Mode.CLOSED, 0)):
        value = REGISTRY.get_sample_value("onsale_payment_circuit_state", {"provider": provider, "state": mode})
        assert value == shown
