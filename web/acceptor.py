"""Takes new connections from the one listening socket that all web processes share, a few at a time.

A process that takes all that wait keeps them: of 300 channels that came at once one of two processes got 287, and
served them for the rest of the sale while the other one idled. Here a process that has taken a few looks away for a
moment, in which the others wake up and take theirs; a busy process looks less often and so gets fewer.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

import structlog

from core.process.watched_tasks import watched

log = structlog.get_logger(__name__)

#: Connections taken at once: 300 go evenly to a few each, and a process still takes more than it can serve.
BATCH: Final = 4
#: How long a process looks away after that, in seconds: enough for another one to wake up.
PAUSE_SECONDS: Final = 0.001
#: Without a free file or memory for one more connection there is nothing to be done but to wait for one that ends.
_FULL_SECONDS: Final = 0.5
_FULL: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """From `start` until `close`. `make_protocol` gives the asyncio protocol of one connection."""

    def __init__(self, listening: socket.socket, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listening = listening
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._listening.setblocking(False)
        self._look()

    def close(self) -> None:
        """Takes no more. What was taken goes on; the socket stays open for the other processes."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: uvicorn ends the connections themselves."""

    def _look(self) -> None:
        self._later = None
        self._loop.add_reader(self._listening, self._take)

    def _look_away(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._later = self._loop.call_later(seconds, self._look)

    def _take(self) -> None:
        for _ in range(BATCH):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # another process was faster, or the browser has gone
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                log.error("no connection can be taken", reason=error.strerror)
                self._look_away(_FULL_SECONDS)
                return
            connection.setblocking(False)
            watched("connection", self._connect(connection))
        self._look_away(PAUSE_SECONDS)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            # As asyncio's own servers do: a frame leaves when it is written.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:
            connection.close()  # gone before it was answered
