"""That a web process's event loop runs: it writes a tick a second into a pipe, and `onsale serve` listens (R2)."""

from __future__ import annotations

import asyncio
import contextlib
import os

TICK_SECONDS = 1.0

# Whoever listens looks this often; a look that comes later than this after the last one was not on time.
LOOK_SECONDS = 0.5
_LATE_SECONDS = 2.0


class Ticker:
    """The web process's side: ticks from `start` until `stop`, which says that silence is meant from now on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._next: asyncio.TimerHandle | None = None
        # A listener that does not read must not hold up the loop: what does not fit is as good as said.
        os.set_blocking(descriptor, False)

    def start(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._descriptor, b".")
        self._next = asyncio.get_running_loop().call_later(TICK_SECONDS, self.start)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
            os.close(self._descriptor)


class Listener:
    """The side of `onsale serve`: whether a tick came since it was last asked; over when the other end is closed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        self.over = False

    def heard(self) -> bool:
        """Reads what has come, so that ticks that came while we could not read count as well."""
        if self.over:
            return False
        try:
            received = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return False
        if not received:
            self.close()
        return bool(received)

    def close(self) -> None:
        if not self.over:
            self.over = True
            os.close(self._descriptor)


class Silence:
    """How long a process has been silent while the listener itself ran on time, in seconds.

    A machine that was suspended, or that is too busy to run even the listener, proves nothing about a process: after
    a look that came late the count begins anew.
    """

    def __init__(self) -> None:
        self._looked: float | None = None
        self.seconds = 0.0

    def look(self, now: float, *, heard: bool) -> None:
        """`now`: a monotonic clock's seconds."""
        since = None if self._looked is None else now - self._looked
        self._looked = now
        if heard or since is None or since > _LATE_SECONDS:
            self.seconds = 0.0
        else:
            self.seconds += since
