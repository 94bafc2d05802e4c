"""What a visitor and its network have held without buying, and the pause after too much of it (F5); the code that a
place was taken with (F7).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from redis.asyncio import Redis

from core import keys
from core.clock import Clock, iso
from core.diagnosis.finding import Cause, Finding, fail, passed
from core.seats.hoarding import HoardingBudget
from core.sentences import said
from core.venue.event import Event


async def may_hold(
    client: Redis, clock: Clock, event: Event, visitor: str, budget: HoardingBudget, extensions: int
) -> AsyncIterator[Finding]:
    """By the accounts as `core/seats/lua/share.lua` keeps them."""
    network = await network_of(client, event, visitor)
    own, of_network, bought = await client.hmget(
        keys.shares(event.slug), [f"u|{visitor}", f"n|{network}", f"b|{visitor}"]
    )
    limits = budget.pauses(event.hold_seconds, extensions, event.max_seats)
    # Who has bought does not answer for the neighbours.
    accounts = [(visitor, own, limits[0])] + ([(network, of_network, limits[1])] if network and not bought else [])
    for who, account, most in accounts:
        spent, _, last = _text(account).partition("|")
        held, until = int(spent or 0) / 1000, int(last or 0) / 1000 + budget.pause_seconds
        seen = said("hoarding.held", who=who, seconds=f"{held:,.0f}", most=f"{most:,.0f}")
        if held >= most and clock.now().timestamp() < until:
            ends = iso(datetime.fromtimestamp(until, UTC))
            yield fail("hoarding", Cause.COOL_DOWN, said("hoarding.paused", standing=seen, time=ends))
        elif held:
            yield passed("hoarding", seen)


async def network_of(client: Redis, event: Event, visitor: str) -> str | None:
    """The network that the visitor's place counts in; None where there is no place."""
    return _text(await client.hget(keys.places(event.slug), visitor)) or None


async def code_of(client: Redis, event: Event, visitor: str) -> bytes | None:
    """The digest of the access code that the visitor's place was taken with; None without one, and where it is named
    without a group that it lets in."""
    code, _, group = _text(await client.hget(keys.visitor_codes(event.slug), visitor)).partition("|")
    return bytes.fromhex(code) if code and group else None


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
