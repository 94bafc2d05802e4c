"""Who has the places of a sale, by network: for the operator who looks for a program among the buyers (F4, R9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, cast

from redis.asyncio import Redis

from core import keys
from core.process.calls import redis_call

#: Active visitors that are looked up, at most: their networks are fetched one by one.
_MOST_ACTIVE: Final = 20_000
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class NetworkShare:
    """`places` of a network's visitors: entered, waiting, active, or silent and still welcome back; `active` of them,
    and the seats that those hold or pay for.
    """

    network: str
    places: int
    active: int
    seats_held: int


async def network_shares(redis: Redis, slug: str, most: int) -> list[NetworkShare]:
    """The networks with the most places, the largest first. Raises StoreUnavailable."""
    active: Counter[str] = Counter()
    held: Counter[str] = Counter()
    with redis_call:
        largest = cast(
            list[tuple[bytes, float]],
            await redis.zrange(keys.networks(slug), 0, most - 1, desc=True, withscores=True),
        )
        visitors = cast(list[bytes], await redis.zrange(keys.active_users(slug), 0, _MOST_ACTIVE - 1))
        for first in range(0, len(visitors), _PAGE):
            page = visitors[first : first + _PAGE]
            networks = await redis.hmget(keys.places(slug), page)
            baskets = await redis.hmget(keys.baskets(slug), page)
            for network, basket in zip(networks, baskets, strict=True):
                if network is None:
                    continue
                name = cast(bytes, network).decode()
                active[name] += 1
                held[name] += _seats(cast(bytes | None, basket))
    names = [(network.decode(), int(places)) for network, places in largest]
    return [NetworkShare(name, places, active[name], held[name]) for name, places in names]


def _seats(basket: bytes | None) -> int:
    """Of `fence|until|extensions left|mode|ordinal,ordinal|...` (lua/seats.lua)."""
    ordinals = (basket or b"||||").split(b"|")[4]
    return ordinals.count(b",") + 1 if ordinals else 0
