"""The queue of a sale: does it move, who stands in its way, and who keeps active places for nothing?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from core import keys
from core.clock import from_millis, iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.diagnosis.jobs_redis import left_of
from core.process.lease_redis import DELETE_IF
from core.process.source_files import SourceFiles
from core.seats.board import SeatState
from core.sentences import said
from core.venue.event import Event, SaleState

#: Of the queue's head, which is let in next; one look costs Redis a millisecond.
_HEAD: Final = 1_000
#: A cap is renewed every few seconds and ends after six times that (core/upkeep/limits_redis.py).
_CAP_PERIODS: Final = 6

#: With fewer places one network is no proxy, but a few people.
_MANY_PLACES: Final = 100
_NEARLY_ALL: Final = 0.9

_LUA: Final = SourceFiles(__file__, "lua")
_GHOSTS: Final = _LUA["ghosts"]
_HEAR_GHOSTS: Final = _LUA["hear_ghosts"]
_KEPT: Final = _LUA["kept_places"]
_NOW: Final = _LUA["now"]


async def queue(
    client: Redis,
    slug: str,
    event: Event | None,
    now: datetime,
    *,
    cap_seconds: float,
    grace_seconds: float,
    payers: Collection[str] | None,
) -> AsyncIterator[Finding]:
    """`cap_seconds`: how often a cap is renewed where the limit follows the load; 0: it does not.

    `grace_seconds`: of the active. `payers`: who is paying by PostgreSQL's account; None: it is away. Raises what Redis
    raises.
    """
    async for finding in _cap(client, slug, cap_seconds):
        yield finding
    async for finding in _in_the_way(client, slug, grace_seconds, payers):
        yield finding
    async for finding in _one_network(client, slug):
        yield finding
    if event is None:
        return
    active = await client.zcard(keys.active_users(slug))
    waiting, cap = await client.zcard(keys.waiting_queue(slug)), await client.get(keys.active_cap(slug))
    limit = event.active_limit
    standing = said("queue.standing", active=active, limit=limit, waiting=waiting)
    if cap is not None and float(cap) < limit:
        capped = said("queue.capped", standing=standing, cap=int(float(cap)))
        yield warn("queue", Cause.ADMISSION_CAPPED, capped) if waiting else passed("queue", capped)
    elif active >= limit and waiting:
        yield warn("queue", Cause.QUEUE_FULL, standing)
    elif waiting and not event.paused and event.sale_state(now) is SaleState.OPEN:
        if await _nothing_left(client, slug):
            yield warn("queue", Cause.NOTHING_LEFT, said("queue.nothing_left", standing=standing))
            return
        if await _is_drawn(client, slug):
            # Nobody comes in before everybody has a number; of one that does not go on `draws_postgres` tells.
            yield passed("queue", said("queue.drawn", standing=standing))
            return
        yield fail("queue", Cause.ADMISSION_STALLED, said("queue.stalled", standing=standing), fix="sweep")
    else:
        yield passed("queue", standing)


async def _nothing_left(client: Redis, slug: str) -> bool:
    """Whether the board is there, and on it no seat that is free or in a basket (`admit` in
    core/waiting_room/lua/queue.lua).
    """
    states = await client.get(keys.board(slug))
    return states is not None and SeatState.AVAILABLE not in states and SeatState.HELD not in states


async def _is_drawn(client: Redis, slug: str) -> bool:
    """Whether a draw is due and not told: a beacon speaks ten seconds after the opening at the earliest (F2)."""
    state, draw_at = await client.hmget(keys.draw(slug), "state", "draw_at")
    if state is None or draw_at is None or _text(state) not in ("gathering", "frozen"):
        return False
    return _text(state) == "frozen" or float(draw_at) <= int(await client.eval(_NOW, 0))


async def _cap(client: Redis, slug: str, cap_seconds: float) -> AsyncIterator[Finding]:
    key = keys.active_cap(slug)
    cap, ttl = await client.get(key), await client.pttl(key)
    if cap is None:
        return
    longest = max(cap_seconds, 1.0) * _CAP_PERIODS * 2000
    if ttl == -1 or ttl > longest or not cap_seconds:
        left, most = left_of(ttl), cap.decode() if isinstance(cap, bytes) else cap
        told = (
            said("cap.left_behind", key=key, cap=most, left=left)
            if cap_seconds
            else said("cap.not_renewed", key=key, cap=most, left=left)
        )
        yield fail("admission cap", Cause.CAP_LEFT_BEHIND, told, "cap", key)


async def _in_the_way(
    client: Redis, slug: str, grace_seconds: float, payers: Collection[str] | None
) -> AsyncIterator[Finding]:
    ghosts = await client.eval(_GHOSTS, 2, keys.waiting_queue(slug), keys.waiting_beats(slug), _HEAD)
    if ghosts:
        told = said("queue.ghosts", number=len(ghosts), most=_HEAD, visitors=_first(ghosts))
        yield fail("queue head", Cause.QUEUE_GHOSTS, told, "ghosts")
    redis_now = int(await client.eval(_NOW, 0))
    amnesty = await client.hget(keys.pace(slug), "amnesty")
    # A sweep that follows a time without sweeps forgives for one grace.
    if amnesty is not None and float(amnesty) > redis_now + (grace_seconds + 60) * 1000:
        until = iso(from_millis(min(float(amnesty), 253_402_300_799_000)))
        yield fail("silence", Cause.SILENCE_FORGIVEN, said("queue.silence_forgiven", until=until), "amnesty")
    kept = await kept_places(client, slug, payers) if payers is not None else []
    if kept:
        told = said("queue.places_kept", number=len(kept), visitors=_first(kept))
        yield fail("paying places", Cause.PLACES_KEPT, told, "places")


async def _one_network(client: Redis, slug: str) -> AsyncIterator[Finding]:
    """A proxy whose word is not taken makes one visitor of all: they pay for each other's places and share limits."""
    places = await client.hlen(keys.places(slug))
    largest: Any = await client.zrevrange(keys.networks(slug), 0, 0, withscores=True)
    if not largest or places < _MANY_PLACES:
        return
    network, score = largest[0]
    count = int(float(score))
    detail = said("queue.network", number=count, places=places, network=_text(network))
    if count >= _NEARLY_ALL * places:
        yield warn("networks", Cause.ONE_NETWORK, detail)
    else:
        yield passed("networks", detail)


async def kept_places(client: Redis, slug: str, payers: Collection[str]) -> list[str]:
    """Who counts as paying, by neither store's account of a payment."""
    found = await client.eval(_KEPT, 2, keys.active_paying(slug), keys.baskets(slug))
    return [name for name in map(_text, found) if name not in payers]


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _first(visitors: Sequence[bytes | str]) -> str:
    return ", ".join(map(_text, visitors[:5])) + (" ..." if len(visitors) > 5 else "")


async def hear_ghosts(client: Redis, slug: str) -> bool:
    return bool(await client.eval(_HEAR_GHOSTS, 2, keys.waiting_queue(slug), keys.waiting_beats(slug)))


async def end_amnesty(client: Redis, slug: str) -> bool:
    return bool(await client.hdel(keys.pace(slug), "amnesty"))


async def free_places(client: Redis, slug: str, payers: Collection[str]) -> bool:
    kept = await kept_places(client, slug, payers)
    return bool(kept) and bool(await client.eval(_KEPT, 2, keys.active_paying(slug), keys.baskets(slug), *kept))


async def delete_unchanged(client: Redis, key: str) -> bool:
    """Deletes a key, unless it has another value by the time. Raises what Redis raises."""
    value = await client.get(key)
    return value is not None and bool(await client.eval(DELETE_IF, 1, key, value))
