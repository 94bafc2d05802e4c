"""Seats that this process knows are taken: who asks for one of them is refused without a call to Redis.

In the minute when everybody wants the same seats most holds are refused, and each would keep Redis from one that is
not. What must be known for that, here and now:

* the board, by a mirror that is in step with Redis (`realtime/seat_feed.py`), without changes that are on their way;
* that the visitor is in, because `not_active` comes first, and which seats are the visitor's own, which are no refusal:
  Redis said so when it refused the visitor's last hold, at most `KNOWN_SECONDS` ago, and nothing of this visitor was
  heard since, from Redis' channels or in this process. Of who has bought it says nothing: `too_many_seats`, which
  comes first, counts what was bought.

Whatever is not known is Redis' to say. A refusal is all that can come of what is. Rules only, no I/O.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from core.clock import Clock
from core.errors import SeatTaken
from core.venue.event import Event

#: How long Redis' word on a visitor counts. A payment that begins in another process is not heard of here.
KNOWN_SECONDS: Final = 2.0
#: Before a session's end, by this process' clock, it is Redis' to say whether it is over.
_MARGIN: Final = timedelta(seconds=1)
#: Visitors remembered at once; the one not heard of for longest is forgotten first.
_MOST: Final = 20_000


class Taken(NamedTuple):
    """Which of the seats asked about are taken, and the board's version at which it was so."""

    ordinals: list[int]
    epoch: int
    version: int


class Mirror(Protocol):
    """The board of one event as this process has it."""

    def taken(self, ordinals: Sequence[int]) -> Taken | None:
        """None while it may have missed something."""
        ...


class _Known(NamedTuple):
    """`ends` None: something changed at that moment, and what Redis was asked before it does not count."""

    at: float
    ends: datetime | None
    own: frozenset[int]


_UNKNOWN: Final[frozenset[int]] = frozenset()


class KnownTaken:
    """`follow` a mirror; `note` what Redis says of a visitor, `forget` it when it may have changed; then `refusal`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mirrors: dict[str, Mirror] = {}
        self._standing: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        #: When something was missed last: an answer to what was asked before may have missed it too.
        self._missed: dict[str, float] = {}

    def follow(self, slug: str, mirror: Mirror) -> None:
        self._mirrors[slug] = mirror
        self._missed[slug] = self._clock.monotonic()

    def unfollow(self, slug: str, mirror: Mirror) -> None:
        if self._mirrors.get(slug) is mirror:
            del self._mirrors[slug]
            self._missed.pop(slug, None)

    def asked(self) -> float:
        """To be kept until Redis has answered, for `note`."""
        return self._clock.monotonic()

    def note(self, slug: str, visitor: str, ends: datetime, own: Iterable[int], asked: float) -> None:
        """Redis, asked then, says that the visitor is in until `ends` at least, is not paying, has bought nothing, and
        has these seats until then.
        """
        known = self._standing.get((slug, visitor))
        if self._missed.get(slug, asked) < asked and (known is None or known.at < asked):
            self._keep(slug, visitor, _Known(self._clock.monotonic(), ends, frozenset(own)))

    def forget(self, slug: str, visitor: str) -> None:
        """Something of this visitor changed, or may have."""
        if slug in self._mirrors:
            self._keep(slug, visitor, _Known(self._clock.monotonic(), None, _UNKNOWN))

    def forget_all(self, slug: str) -> None:
        """Something was missed: of whom is not known."""
        now = self._missed[slug] = self._clock.monotonic()
        for key in [key for key in self._standing if key[0] == slug]:
            self._standing[key] = _Known(now, None, _UNKNOWN)

    @contextlib.contextmanager
    def changing(self, slug: str, visitor: str) -> Iterator[None]:
        """While something of this visitor changes nothing is known."""
        self.forget(slug, visitor)
        try:
            yield
        finally:
            self.forget(slug, visitor)

    def _keep(self, slug: str, visitor: str, standing: _Known) -> None:
        if slug not in self._mirrors:
            return
        key = (slug, visitor)
        # `Bounded` by hand: each hold comes by here, and a call more is a call more.
        self._standing[key] = standing
        self._standing.move_to_end(key)
        if len(self._standing) > _MOST:
            self._standing.popitem(last=False)

    def refusal(self, event: Event, visitor: str, ordinals: Sequence[int]) -> SeatTaken | None:
        """What Redis would say to these seats; None: ask it."""
        standing, mirror = self._standing.get((event.slug, visitor)), self._mirrors.get(event.slug)
        if standing is None or standing.ends is None or mirror is None:
            return None
        if self._clock.monotonic() - standing.at > KNOWN_SECONDS or self._clock.now() + _MARGIN > standing.ends:
            return None
        others = [ordinal for ordinal in ordinals if ordinal not in standing.own]
        if len(standing.own) + len(others) > event.max_seats:
            return None  # too many, which comes first
        taken = mirror.taken(others)
        if taken is None or not taken.ordinals:
            return None
        return SeatTaken(taken.ordinals, board=(taken.epoch, taken.version))
