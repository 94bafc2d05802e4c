"""What the pages of one event are told of an outage: what is away, and since when the sale's clock stands (R4).

Two hear of it: this process, which asks the stores itself, and the sweep, which stops the clock in Redis and gives the
time back. So the clock stands as soon as one of the two says so, and goes on when both agree that it is over, and this
process has told the new ends of sessions and holds.
"""

from __future__ import annotations

from collections.abc import Callable
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
        self,
        stores: StoreWatch,
        clock: Clock,
        *,
        stop_seconds: float,
        patience: float = PATIENCE_SECONDS,
        told: Callable[[], bool] = lambda: True,
    ) -> None:
        """`patience`: for how long a sweep is waited for. `told`: whether all news of the visitors here are told."""
        self._patience = patience
        self._told = told
        self._given = False
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
        if self._since is None and self._stores.away:
            self.changed()  # the watch has seen it, and tells once all its questions are answered
        return self._since

    @property
    def until(self) -> datetime | None:
        """When it goes on in any case."""
        since = self.since
        return None if since is None else since + self._stop

    def changed(self) -> None:
        """The watch over the stores has news."""
        away_for = self._stores.away_for()
        if away_for is not None:
            self._back_at, self._given = None, False
            if self._since is None:
                self._since = self._clock.now() - timedelta(seconds=away_for)
        elif self._since is not None:
            self._back_at = self._clock.monotonic()

    def swept(self, stands_ms: float) -> None:
        """A sweep has told since when the clock stands; 0: it goes."""
        if stands_ms:
            self._since, self._given = from_millis(stands_ms), False
            self._back_at = None if self._stores.away else self._clock.monotonic()
        elif self._since is not None and not self._stores.away:
            self._given = True

    def look(self) -> None:
        """Now and then: whether it goes on."""
        if self._stores.away or self._since is None:
            return
        waited = self._back_at is not None and self._clock.monotonic() - self._back_at > self._patience
        if waited or (self._given and self._told()):
            self._since = self._back_at = None
            self._given = False

    @property
    def ends_soon(self) -> bool:
        """Everything is back, and it goes on as soon as everybody is told."""
        return self._given

    def message(self) -> bytes:
        """The `outage` message now."""
        return wire.encode("outage", away=self.away, since=self.since, until=self.until)

    @property
    def quiet(self) -> bool:
        """Nothing is away, and the clock goes."""
        return self._since is None and not self._stores.away
