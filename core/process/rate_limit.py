"""How often each of many callers may do something, within one process."""

from __future__ import annotations

import ipaddress
from typing import Final

from core.clock import Clock
from core.errors import TooManyRequests
from core.process.bounded import Bounded
from core.process.rate import Rate

#: Callers remembered at once by one limit; the one not seen for longest is forgotten first. About 10 MB when full.
_MOST_CALLERS: Final = 100_000


class RateLimit:
    """`per_minute` calls a minute for each caller, all of which may come at once after a quiet minute."""

    def __init__(self, per_minute: int, clock: Clock, *, most_callers: int = _MOST_CALLERS) -> None:
        self._rate = Rate(per_minute)
        self._clock = clock
        self._due: Bounded[str, float] = Bounded(most_callers)

    def take(self, who: str) -> None:
        """Counts one call. Raises TooManyRequests, which says when the next one would be accepted."""
        self.require(who)
        # A refused call is not counted: who waits as told is served.
        self._due.keep(who, self._rate.after(self._due.get(who, 0.0), self._clock.monotonic()))

    def require(self, who: str) -> None:
        """Like `take`, but counts nothing."""
        wait = self._rate.wait(self._due.get(who, 0.0), self._clock.monotonic())
        if wait:
            raise TooManyRequests(retry_after=wait)

    def __len__(self) -> int:
        return len(self._due)


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
