"""This process's browsers that watch one event's board: a message is encoded once and no browser waits for another.

A write goes to the socket's buffer and returns. A browser that lets more than `buffer_limit` bytes pile up there is
closed with SLOW ("reconnect"): it comes back, gets a fresh board, and has cost the others nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from realtime import metrics
from realtime.connection import Connection
from realtime.frames import Frame
from realtime.wire import CloseCode

#: Sockets written to before other work of the process gets a turn: 100 writes take one to two milliseconds, and a call
#: that comes meanwhile waits for no more than that.
_TURN: Final = 100


class Hub:
    """The watching connections of one event. `buffer_limit` is in bytes."""

    def __init__(self, event: str, buffer_limit: int) -> None:
        self._limit = buffer_limit
        self._watching: dict[Connection, None] = {}
        self._gauge = metrics.WATCHERS.labels(event)

    def __len__(self) -> int:
        return len(self._watching)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._watching

    def add(self, connection: Connection) -> None:
        self._watching[connection] = None
        self._gauge.set(len(self._watching))

    def discard(self, connection: Connection) -> None:
        self._watching.pop(connection, None)
        self._gauge.set(len(self._watching))

    def send(self, connection: Connection, frame: Frame) -> None:
        """One frame to one browser, under the same bound."""
        if not connection.send_within(frame, self._limit):
            self._close_slow(connection)

    async def broadcast(self, frame: Frame) -> float:
        """To everybody who watches now; returns for how many seconds it kept the process busy. One broadcast of a hub
        at a time: its feed awaits the last one.
        """
        if not self._watching:
            return 0.0
        started = turn = time.perf_counter()
        busy = 0.0
        connections = list(self._watching)
        limit = self._limit
        for first in range(0, len(connections), _TURN):
            if first:
                busy += time.perf_counter() - turn
                await asyncio.sleep(0)
                turn = time.perf_counter()
            for connection in connections[first : first + _TURN]:
                # Looked at before the write, so that one large frame never makes a prompt browser "slow".
                if not connection.send_within(frame, limit):
                    self._close_slow(connection)
        ended = time.perf_counter()
        metrics.DELIVERIES.inc(len(connections))
        metrics.FANOUT.observe(ended - started)
        return busy + ended - turn

    def _close_slow(self, connection: Connection) -> None:
        self.discard(connection)
        metrics.SLOW_CLOSED.inc()
        connection.close(CloseCode.SLOW, "too slow: reconnect")
