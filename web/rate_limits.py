"""How often a caller may call: so many API calls a visitor, so many wrong tokens an address. What a place
costs is another matter (`core/waiting_room/price.py`): visitors are made freely.

A caller's allowance is kept in the process, as one number (core/process/rate.py), in a table of bounded size. No store
is asked: the limits keep a single visitor from crowding out others, they are no guard that correctness rests on, and a
call to Redis for each API call would cost as much as the call itself. What that means with several processes is in
`docs/decisions/rate-limits.md`.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from core.clock import Clock
from core.errors import TooManyRequests
from core.process.rate import Rate

#: Callers remembered at once by one limit; the one not seen for longest is forgotten first. About 10 MB when full.
_MOST_CALLERS: Final = 100_000

#: Wrong operator tokens from one address: enough for typing errors, too few for guessing.
_WRONG_TOKENS_PER_MINUTE: Final = 10

_MOST_REFUSED: Final = 50
_REMEMBERED_SECONDS: Final = 60.0


class RateLimit:
    """`per_minute` calls a minute for each caller, all of which may come at once after a quiet minute."""

    def __init__(self, per_minute: int, clock: Clock, *, most_callers: int = _MOST_CALLERS) -> None:
        self._rate = Rate(per_minute)
        self._clock = clock
        self._most = most_callers
        self._due: OrderedDict[str, float] = OrderedDict()

    def take(self, who: str) -> None:
        """Counts one call. Raises TooManyRequests, which says when the next one would be accepted."""
        self.require(who)
        # A refused call is not counted: who waits as told is served.
        self._remember(who, self._rate.after(self._due.get(who, 0.0), self._clock.monotonic()))

    def require(self, who: str) -> None:
        """Like `take`, but counts nothing."""
        wait = self._rate.wait(self._due.get(who, 0.0), self._clock.monotonic())
        if wait:
            raise TooManyRequests(retry_after=wait)

    def _remember(self, who: str, due: float) -> None:
        self._due[who] = due
        self._due.move_to_end(who)
        if len(self._due) > self._most:
            self._due.popitem(last=False)

    def __len__(self) -> int:
        return len(self._due)


class Refusals:
    """Who was refused in the last minute, for `onsale diagnose`: of many only those refused last are remembered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def note(self, who: str) -> None:
        count, at = self._counts.get(who, (0, 0.0))
        now = self._clock.monotonic()
        self._counts[who] = (count + 1 if now - at < _REMEMBERED_SECONDS else 1, now)
        self._counts.move_to_end(who)
        if len(self._counts) > _MOST_REFUSED:
            self._counts.popitem(last=False)

    def recent(self) -> dict[str, int]:
        since = self._clock.monotonic() - _REMEMBERED_SECONDS
        return {who: count for who, (count, at) in self._counts.items() if at >= since}


class RateLimits:
    """The limits of one process; all of them let everything pass unless `on`."""

    def __init__(self, *, on: bool, calls_per_minute: int, clock: Clock) -> None:
        self._on = on
        self._calls = RateLimit(calls_per_minute, clock)
        self._wrong_tokens = RateLimit(_WRONG_TOKENS_PER_MINUTE, clock)
        self._refusals = Refusals(clock)

    def refused(self) -> dict[str, int]:
        """Visitors that were refused in the last minute, and how often."""
        return self._refusals.recent()

    def call(self, visitor: str) -> None:
        """One API call of a visitor. Raises TooManyRequests."""
        if self._on:
            try:
                self._calls.take(visitor)
            except TooManyRequests:
                self._refusals.note(visitor)
                raise

    def operator_call(self, address: str) -> None:
        """Before an operator token is looked at: raises TooManyRequests after too many wrong ones."""
        if self._on:
            self._wrong_tokens.require(network(address))

    def wrong_token(self, address: str) -> None:
        """One wrong operator token from an address. Raises TooManyRequests."""
        if self._on:
            self._wrong_tokens.take(network(address))


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 /64, which is what one subscriber is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
    return str(parsed)
