"""R7: every key of Redis that can be wrong is looked at; networks that are kept out; a proxy that is not believed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core import keys
from core.diagnosis import keys_redis
from core.diagnosis.finding import Cause, Finding, Level
from core.diagnosis.question import Diagnosis, Question
from core.process.successes_redis import Successes
from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_room.price import Bidder
from core.waiting_room.removals_postgres import network_of
from tests.conftest import MakeEvent

#: Looked at otherwise, or what cannot be wrong for long.
BESIDES: dict[Any, str] = {
    keys.seat_state: "the seat's own step, and the comparison with PostgreSQL",
    keys.seat_lock: "the seat's own step; without an end the janitor deletes it",
    keys.board_lock: "the board's step",
    keys.job_lease: "the jobs' step",
    keys.proof_prefix: "of strings with an end that only say `shown`",
    keys.seat_state_prefix: "as `seat_state`",
    keys.breaker: "one for each provider, with the keys of all sales",
    keys.mail_turn: "with the keys of all sales",
    **dict.fromkeys((keys.seats_channel, keys.queue_channel, keys.reservations_channel), "a channel keeps nothing"),
}

pytestmark = pytest.mark.usefixtures("patient_diagnosis")


def test_no_key_is_forgotten() -> None:
    builders = {
        made for name, made in vars(keys).items() if callable(made) and getattr(made, "__module__", "") == keys.__name__
    }
    assert builders == {*keys_redis.OF_A_SALE, *BESIDES}
    names = {getattr(keys, name) for name in ("VITALS", "JOBS", "LOAD", "ALERTS")}
    assert names | {keys.mail_turn()} == set(keys_redis.OF_ALL)


async def _damage(redis: Any, key: str, kind: str) -> None:
    """Another program's: of another type."""
    await redis.delete(key)
    await (redis.set(key, "not ours") if kind != "string" else redis.rpush(key, "not ours"))


async def test_each_key_of_another_kind_is_named_and_set_aside(runtime: Runtime, make_event: MakeEvent) -> None:
    event, redis = await make_event(), runtime.redis
    circuit = keys.breaker("toss")
    common = {**keys_redis.OF_ALL, circuit: "hash"}
    of_sale = {make(event.slug): kind for make, kind in keys_redis.OF_A_SALE.items()}

    async def damaged() -> list[Finding]:
        found = [one async for one in keys_redis.sale_keys(redis, event.slug)]
        found += [one async for one in keys_redis.common_keys(redis, ["toss"])]
        return [one for one in found if one.level is Level.FAIL]

    for key in common:
        await redis.delete(key)
    assert not await damaged()
    for key, kind in {**of_sale, **common}.items():
        await _damage(redis, key, kind)
        (one,) = await damaged()
        assert (one.cause, one.about, one.fix) == (Cause.KEY_DAMAGED, key, "key"), key
        assert await keys_redis.set_aside(redis, key), key
        assert not await damaged()
        aside = f"{key}:damaged" if "{" in key else f"{{{key}}}:damaged"
        assert 0 < await redis.pttl(aside) <= 24 * 3600 * 1000, "kept for a day, and no longer"
        await redis.delete(aside)


async def ask(runtime: Runtime, event: Event, *, fix: bool = False, **question: Any) -> Diagnosis:
    return await runtime.diagnose.run(Question(event=event.slug, **question), fix=fix)


@pytest.fixture
async def event(runtime: Runtime, make_event: MakeEvent) -> Event:
    """A sale that is served, with nothing else wrong."""
    event = await make_event(active_limit=200)
    await runtime.seats.ensure_board(event)
    for job in ("sweep", "payments"):
        await Successes(runtime.redis).note(job, 600)
    await runtime.vitals.publish()
    await runtime.database.execute("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    return event


async def test_what_the_jobs_tell_of_themselves_is_mended_by_the_whole_walk(runtime: Runtime, event: Event) -> None:
    await _damage(runtime.redis, keys.JOBS, "hash")
    try:
        found = await ask(runtime, event)
        assert found.cause is Cause.KEY_DAMAGED, found.findings
        assert Cause.REDIS_AWAY not in {one.cause for one in found.findings}
        mended = await ask(runtime, event, fix=True)
        assert [one.fixed for one in mended.findings if one.about == keys.JOBS] == [True]
        assert await runtime.redis.type(keys.JOBS) == b"none"
    finally:
        await runtime.redis.delete(keys.JOBS, f"{{{keys.JOBS}}}:damaged")


async def test_a_boards_lock_without_an_end(runtime: Runtime, event: Event) -> None:
    """Nobody can build the board while it is there."""
    name = keys.board_lock(event.slug)
    await runtime.redis.set(name, "gone")
    found = await ask(runtime, event)
    assert found.cause is Cause.LOCK_WITHOUT_TTL, found.findings
    assert await runtime.redis.exists(name), "looking changes nothing"
    await runtime.redis.delete(keys.board(event.slug))
    mended = await ask(runtime, event, fix=True)
    assert {one.cause for one in mended.findings if one.fixed} == {Cause.LOCK_WITHOUT_TTL, Cause.BOARD_LOST}
    assert await runtime.redis.exists(keys.board(event.slug))
    assert not await runtime.redis.exists(name)


async def test_a_network_that_is_kept_out(runtime: Runtime, event: Event) -> None:
    room, until = runtime.waiting_room, runtime.clock.now() + timedelta(hours=1)
    await room.join(event, "in", bidder=Bidder("203.0.113.0/24", None, "203.0.113.7", True))
    await room.join(event, "beside", bidder=Bidder("198.51.100.0/24", None, "198.51.100.9", True))
    await runtime.removals.add(event, network=network_of("203.0.113.0/24"), until=until, actor="kim")
    found = await ask(runtime, event, visitor="in")
    assert found.cause is Cause.VISITOR_REMOVED, found.findings
    (told,) = [one.detail for one in found.findings if one.cause is Cause.VISITOR_REMOVED]
    assert "203.0.113.0/24" in told
    assert "kim" in told
    causes = {one.cause for one in (await ask(runtime, event, visitor="beside")).findings}
    assert not causes & {Cause.VISITOR_REMOVED, Cause.NETWORKS_REMOVED}
    # Who has no place any more: only the customer knows the address.
    assert (await ask(runtime, event, visitor="out")).cause is Cause.NETWORKS_REMOVED
    # A part of the network that places count in.
    await runtime.removals.add(event, network=network_of("198.51.100.200"), until=until, actor="kim")
    narrow = await ask(runtime, event, visitor="beside")
    assert [one.level for one in narrow.findings if one.cause is Cause.NETWORKS_REMOVED] == [Level.WARN]


async def test_a_proxy_that_is_not_believed(runtime: Runtime, event: Event) -> None:
    """Everybody is one address: they pay for each other's places."""
    places = {f"v{number}": "10.0.0.0/24" for number in range(95)}
    redis: Any = runtime.redis
    await redis.hset(keys.places(event.slug), mapping=places)
    await redis.zadd(keys.networks(event.slug), {"10.0.0.0/24": 95})
    assert Cause.ONE_NETWORK not in {one.cause for one in (await ask(runtime, event)).findings}, "a few people"
    await redis.hset(keys.places(event.slug), mapping={f"w{number}": "192.0.2.0/24" for number in range(5)})
    await redis.zadd(keys.networks(event.slug), {"192.0.2.0/24": 5})
    found = await ask(runtime, event)
    assert found.cause is Cause.ONE_NETWORK, found.findings
    await redis.hset(keys.places(event.slug), mapping={f"x{number}": "192.0.2.0/24" for number in range(50)})
    await redis.zadd(keys.networks(event.slug), {"192.0.2.0/24": 55})
    assert (await ask(runtime, event)).cause is Cause.NOTHING_FOUND
