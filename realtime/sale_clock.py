"""What the pages of one event are told of an outage: what is away, and since when the sale's clock stands (R4).

Two hear of it: this process, which asks the stores itself, and the sweep, which stops the clock in Redis and gives the
time back. So the clock stands as soon as one of the two says so, and goes on when both agree that it is over: the new
ends of sessions and holds are told by then.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from core.clock import Clock, from_millis
from core.process.store_watch import StoreWatch
from realtime import wire

#: For how long, in seconds, a sweep is waited for after everything is back. A sale that is not open has none.
PATIENCE_SECONDS: Final = 10.0


class SaleClock:
    """`changed` and `swept` take the news; `message` is what pages are to be told now."""

    def __init__(
        self, stores: StoreWatch, clock: Clock, *, stop_seconds: float, patience: float = PATIENCE_SECONDS
    ) -> None:
        """`patience`: for how long a sweep is waited for."""
        self._patience = patience
        self._stores = stores
        self._clock = clock
        self._stop = timedelta(seconds=stop_seconds)
        #: Since when the clock stands; None while it goes.
        self._since: datetime | None = None
        #: When everything was back, by the monotonic clock.
        self._back_at: float | None = None
        self.changed()

    @property
    def away(self) -> tuple[str, ...]:
        return self._stores.away

    @property
    def since(self) -> datetime | None:
        return self._since

    @property
    def until(self) -> datetime | None:
        """When it goes on in any case."""
        return None if self._since is None else self._since + self._stop

    def changed(self) -> None:
        """The watch over the stores has news."""
        away_for = self._stores.away_for()
        if away_for is not None:
            self._back_at = None
            if self._since is None:
                self._since = self._clock.now() - timedelta(seconds=away_for)
        elif self._since is not None:
            self._back_at = self._clock.monotonic()

    def swept(self, stands_ms: float) -> None:
        """A sweep has told since when the clock stands; 0: it goes."""
        if stands_ms:
            self._since = from_millis(stands_ms)
            self._back_at = None if self._stores.away else self._clock.monotonic()
        elif not self._stores.away:
            self._since = self._back_at = None

    def look(self) -> None:
        """Now and then: no sweep may come."""
        if self._back_at is not None and self._clock.monotonic() - self._back_at > self._patience:
            self._since = self._back_at = None

    def message(self) -> bytes:
        """The `outage` message now."""
        return wire.encode("outage", away=self.away, since=self.since, until=self.until)

    @property
    def quiet(self) -> bool:
        """Nothing is away, and the clock goes."""
        return self._since is None and not self._stores.away
