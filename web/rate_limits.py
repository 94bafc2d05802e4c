"""How often a caller may call: so many API calls a visitor, so many wrong tokens an address. What a place
costs is another matter (`core/waiting_room/price.py`): visitors are made freely.

A caller's allowance is kept in the process, as one number (core/process/rate.py), in a table of bounded size. No store
is asked: the limits keep a single visitor from crowding out others, they are no guard that correctness rests on, and a
call to Redis for each API call would cost as much as the call itself. What that means with several processes is in
`docs/decisions/rate-limits.md`.
"""

from __future__ import annotations

from typing import Final

from core.clock import Clock
from core.errors import TooManyRequests
from core.process.bounded import Bounded
from core.process.rate_limit import RateLimit as RateLimit
from core.process.rate_limit import network as network

#: Wrong operator tokens from one address: enough for typing errors, too few for guessing.
_WRONG_TOKENS_PER_MINUTE: Final = 10

_MOST_REFUSED: Final = 50
_REMEMBERED_SECONDS: Final = 60.0


class Refusals:
    """Who was refused in the last minute, for `onsale diagnose`: of many only those refused last are remembered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Bounded[str, tuple[int, float]] = Bounded(_MOST_REFUSED)

    def note(self, who: str) -> None:
        count, at = self._counts.get(who, (0, 0.0))
        now = self._clock.monotonic()
        self._counts.keep(who, (count + 1 if now - at < _REMEMBERED_SECONDS else 1, now))

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
