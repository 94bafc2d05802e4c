"""What the live channel needs of one browser's socket. `web/sockets.py` gives it; nothing here knows of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime.frames import Frame


class Connection(Protocol):
    """An accepted WebSocket. Sending and closing never wait and never raise: a socket that is gone swallows both."""

    def send(self, frame: Frame) -> None:
        """Writes after everything sent before."""
        ...

    def send_within(self, frame: Frame, most: int) -> bool:
        """`send`; False, and nothing is sent, where more than `most` bytes were `buffered` before: one call for both,
        because a broadcast makes it for each browser.
        """
        ...

    def buffered(self) -> int:
        """Bytes sent and not yet taken by the operating system: how far behind the browser is."""
        ...

    async def receive(self) -> str | bytes | None:
        """The next text (str) or binary (bytes) message; None once the connection is over."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake; `receive` gives None soon after."""
        ...

    def on_pong(self, callback: Callable[[], None]) -> None:
        """Calls back for each WebSocket pong: a browser that throttles its timers still answers pings."""
        ...
