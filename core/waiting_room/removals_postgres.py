"""Removals: visitors and networks that an operator keeps out of a sale until a time (R9).

PostgreSQL has them; every process reads those in force once a second and asks nobody after that: a call of a visitor
costs a look into a dict. What is being paid for is left alone (rule 5): its visitor is out when the payment is over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import databases

from core.clock import Clock
from core.database import raw
from core.errors import NetworkTooWide, Removed
from core.seats.seats import Seats
from core.venue.event import Event
from core.waiting_room.queue_redis import WaitingRoom

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: How often each process reads the removals, in seconds: how long one that another process made takes to be felt.
FRESH_SECONDS: Final = 1.0
#: The reason that a removed visitor's browser is given.
REASON: Final = "removed"
#: A wider network is half of a city: what has to be kept out of there is not a buyer's neighbour.
_WIDEST: Final = {4: 16, 6: 32}

_FIELDS = "id, event_id, visitor, network, until, actor, created_at"
_IN_FORCE = f"SELECT {_FIELDS} FROM removals WHERE ended_at IS NULL AND until > now() ORDER BY id"  # noqa: S608
_ADD = f"""
INSERT INTO removals (event_id, visitor, network, until, actor) VALUES ($1, $2, $3, $4, $5) RETURNING {_FIELDS}
"""  # noqa: S608 - constants
_END = "UPDATE removals SET ended_at = now() WHERE event_id = $1 AND id = $2 AND ended_at IS NULL AND until > now()"


@dataclass(frozen=True, slots=True)
class Removal:
    """One in force. Exactly one of `visitor` and `network` is there; `actor` is who made it."""

    id: int
    event_id: int
    visitor: str | None
    network: Network | None
    until: datetime
    actor: str
    created_at: datetime


@dataclass(slots=True)
class _OfEvent:
    visitors: dict[str, Removal] = field(default_factory=dict)
    networks: list[tuple[Network, Removal]] = field(default_factory=list)


def network_of(text: str) -> Network:
    """`203.0.113.7`, `203.0.113.0/24`, `2001:db8::/48`. Raises ValueError (no network) or NetworkTooWide."""
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and (mapped := network.network_address.ipv4_mapped) is not None:
        network = ipaddress.ip_network(f"{mapped}/{max(network.prefixlen - 96, 0)}", strict=False)
    if network.prefixlen < _WIDEST[network.version]:
        raise NetworkTooWide(widest=f"/{_WIDEST[network.version]}")
    return network


class Removals:
    """`refresh` is called once a second; `of` and `require` know what it read. All others raise StoreUnavailable."""

    def __init__(self, *, database: databases.Database, waiting_room: WaitingRoom, seats: Seats, clock: Clock) -> None:
        self._database = database
        self._waiting_room = waiting_room
        self._seats = seats
        self._clock = clock
        self._known: dict[int, _OfEvent] = {}

    @property
    def any(self) -> bool:
        return bool(self._known)

    async def refresh(self) -> None:
        """Those of before stay in force when PostgreSQL does not answer."""
        known: dict[int, _OfEvent] = {}
        for removal in await self.in_force():
            of_event = known.setdefault(removal.event_id, _OfEvent())
            if removal.visitor is not None:
                of_event.visitors[removal.visitor] = removal
            elif removal.network is not None:
                of_event.networks.append((removal.network, removal))
        self._known = known

    async def in_force(self, event: Event | None = None) -> Sequence[Removal]:
        """Of a sale, or of all; the oldest first."""
        async with raw(self._database) as connection:
            found = [Removal(*row.values()) for row in await connection.fetch(_IN_FORCE)]
        return [one for one in found if event is None or one.event_id == event.id]

    def of(self, event: Event, visitor: str, address: str) -> Removal | None:
        """What keeps this visitor, who comes from `address`, out of the sale."""
        of_event = self._known.get(event.id)
        if of_event is None:
            return None
        found = of_event.visitors.get(visitor)
        if found is None and of_event.networks:
            found = _of_network(of_event.networks, address)
        return found if found is not None and found.until > self._clock.now() else None

    def require(self, event: Event, visitor: str, address: str) -> None:
        """Raises Removed, with `until`."""
        removal = self.of(event, visitor, address)
        if removal is not None:
            raise Removed(until=removal.until)

    async def add(
        self, event: Event, *, visitor: str | None = None, network: Network | None = None, until: datetime, actor: str
    ) -> Removal:
        """In force at once here, in other processes within `FRESH_SECONDS`."""
        async with raw(self._database, writes=True) as connection:
            (row,) = await connection.fetch(_ADD, event.id, visitor, network, until, actor)
        await self.refresh()
        return Removal(*row.values())

    async def end(self, event: Event, id: int) -> bool:
        """False where there is none in force."""
        async with raw(self._database, writes=True) as connection:
            done: str = await connection.execute(_END, event.id, id)
        await self.refresh()
        return done == "UPDATE 1"

    async def put_out(self, event: Event, visitor: str) -> bool:
        """Place and holds are given up. False for who is paying: that is not cut off."""
        basket = await self._seats.basket(event, visitor)
        if basket is not None and basket.paying:
            return False
        await self._waiting_room.leave(event, visitor, REASON)
        return True


def _of_network(networks: Sequence[tuple[Network, Removal]], address: str) -> Removal | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return next((removal for network, removal in networks if parsed in network), None)
