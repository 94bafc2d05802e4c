"""uvicorn's WebSocket protocol with three things that the live channel needs and ASGI has no message for.

1. Writing a frame that was built once to each of a thousand sockets, without a task switch and a new frame for each
   (measured: 1.5 times the deliveries a second of ASGI's `send`, docs/decisions/frames-written-once.md).
2. How much of it the browser has not taken yet, and closing a browser that takes nothing: ASGI's `send` would wait.
3. Pongs as signs of life: a background tab answers pings while its timers sleep (S9).

uvicorn hands the protocol to the application in the scope's `extensions`; `web/sockets.py` works without it as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from core.waiting_room.visit_times import VisitTimes
from realtime.wire import MAX_MESSAGE, CloseCode

#: The extension's name in the scope: `scope["extensions"][EXTENSION]["protocol"]` is the `FrameProtocol`.
EXTENSION: Final = "onsale.frames"

#: A browser that does not answer the closing handshake, or takes no bytes, is cut off after this long.
_CLOSE_SECONDS: Final = 5.0
#: Goodbyes of a stopping server are spread over this long, so that the browsers do not come back all at once.
_GOODBYE_SECONDS: Final = 1.0


def socket_options(times: VisitTimes) -> dict[str, Any]:
    """What `uvicorn.Config` is given for the live channel."""
    return {
        "ws": FrameProtocol,
        "ws_max_size": MAX_MESSAGE,
        # A pong must come within each beat, or a background tab would look dead.
        "ws_ping_interval": times.beat,
        "ws_ping_timeout": times.active_grace,
        # Frames are shared by all browsers, so they cannot be compressed for one; and no zip bombs.
        "ws_per_message_deflate": False,
    }


class FrameProtocol(WebSocketsSansIOProtocol):
    """One connection. None of the additional methods waits or raises, whatever has become of the connection."""

    _pong: Callable[[], None] | None = None

    def write_frame(self, wire: bytes) -> None:
        """`wire`: one complete, unmasked frame. Dropped before the handshake and after the close."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.transport.write(wire)

    def buffered(self) -> int:
        """Bytes that the operating system has not taken yet."""
        return self.transport.get_write_buffer_size()

    def on_pong(self, callback: Callable[[], None]) -> None:
        self._pong = callback

    def close_with(self, code: int, reason: str) -> None:
        """The closing handshake, without waiting for room in the buffer."""
        if self.close_sent or self.disconnected or self.transport.is_closing() or self.conn.state is not State.OPEN:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # `transport.close()` would wait until the last byte is taken: a browser that takes none would stay for ever.
        self.close_timer = self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    # uvicorn's own hooks.

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application's task was created, and starts after this.
            self.scope["extensions"][EXTENSION] = {"protocol": self}

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._pong is not None:
            self._pong()

    def shutdown(self) -> None:
        """The server stops: tell the browser to come back, to another process or to the next one."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.stop_keepalive()
            pause = random.uniform(0, _GOODBYE_SECONDS)
            self.loop.call_later(pause, self.close_with, CloseCode.GOING_AWAY, "the server restarts: reconnect")
        else:
            super().shutdown()
