"""uvicorn's WebSocket protocol with three things that the live channel needs and ASGI has no message for.

1. Writing a frame that was built once to each of a thousand sockets, without a task switch and a new frame for each
   (measured: 1.5 times the deliveries a second of ASGI's `send`, docs/decisions/frames-written-once.md).
2. How much of it the browser has not taken yet, and closing a browser that takes nothing: ASGI's `send` would wait.
3. Pongs as signs of life: a background tab answers pings while its timers sleep (S9).

uvicorn hands the protocol to the application in the scope's `extensions`; `web/sockets.py` works without it as well.

What somebody sends us that is no text, or no handshake of ours, leaves no line in the log: it would fill it (R8).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode as CloseReason
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from core.process.rate import Allowance, Rate
from core.waiting_room.visit_times import VisitTimes
from realtime.frames import Frame as SharedFrame
from realtime.wire import MAX_MESSAGE, CloseCode
from web.http_protocol import LimitedProtocol
from web.slim import Gate, Mailbox

#: The extension's name in the scope: `scope["extensions"][EXTENSION]["protocol"]` is the `FrameProtocol`.
EXTENSION: Final = "onsale.frames"

#: A browser that does not answer the closing handshake, or takes no bytes, is cut off after this long.
_CLOSE_SECONDS: Final = 5.0
#: Control frames and fragments of one browser, besides its answers to our pings: browsers send none.
_CONTROL_FRAMES_PER_MINUTE: Final = 60
#: Frames of one message: browsers send one.
_MOST_FRAGMENTS: Final = 16
#: So much is parsed at once, in bytes, before it is counted: 300 of the smallest frames.
_PORTION: Final = 2048
#: What may still come, in bytes, from a browser that has been told goodbye: its own, and what was on its way.
_MOST_AFTER_CLOSE: Final = 16 * 1024


def socket_options(
    times: VisitTimes, messages_per_minute: int | None = None, goodbye_seconds: float = 1.0
) -> dict[str, Any]:
    """What `uvicorn.Config` is given for connections and the live channel; without `messages_per_minute` frames are not
    counted. When the server stops, browsers are told so one after the other within `goodbye_seconds`.
    """
    return {
        # Not to be guessed: our layers return what is to be awaited instead of waiting themselves.
        "interface": "asgi3",
        "http": LimitedProtocol,
        "ws": functools.partial(
            FrameProtocol,
            messages_per_minute=messages_per_minute,
            goodbye_seconds=goodbye_seconds,
            # A pong each beat, and twice as many for a browser that sends pings of its own.
            controls_per_minute=_CONTROL_FRAMES_PER_MINUTE + round(180 / times.beat),
        ),
        "ws_max_size": MAX_MESSAGE,
        # A pong must come within each beat, or a background tab would look dead.
        "ws_ping_interval": times.beat,
        "ws_ping_timeout": times.active_grace,
        # Frames are shared by all browsers, so they cannot be compressed for one; and no zip bombs.
        "ws_per_message_deflate": False,
    }


class FrameProtocol(WebSocketsSansIOProtocol):
    """One connection. None of the additional methods waits or raises, whatever has become of the connection."""

    def __init__(
        self,
        *given: Any,
        messages_per_minute: int | None = None,
        controls_per_minute: int = 0,
        goodbye_seconds: float = 1.0,
        **named: Any,
    ) -> None:
        """Without `messages_per_minute` nothing is counted."""
        super().__init__(*given, **named)
        # One task reads, and one writes.
        self.queue = Mailbox()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]
        #: Of a frame that there is packed as well, that form is written.
        self.takes_packed = False
        self._pong: Callable[[], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._most_waiting = messages_per_minute
        self._controls = Allowance(Rate(controls_per_minute)) if messages_per_minute is not None else None
        self._goodbye_seconds = goodbye_seconds
        self._after_close = 0
        self._early = 0
        self._open_fragments = 0

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Called once, when the connection is over."""
        self._lost = callback

    async def send(self, message: Any) -> None:
        """uvicorn takes a handshake that was refused with a body for one that nobody answered, and logs a fault."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def forget_handshake(self) -> None:
        """What browser and server said to open the channel is needed no more: 7 KiB for each that stays open."""
        if self.handshake_complete:
            for said in (self.request, self.response):
                if said is not None:
                    said.headers.clear()  # the parser, which waits in the middle of it, holds the request too
            self.request = self.response = None  # type: ignore[assignment]
            headers = self.scope["headers"]
            if isinstance(headers, list):
                headers.clear()  # in place: the application's WebSocket holds the same list

    def write_frame(self, frame: SharedFrame) -> None:
        """Dropped before the handshake and after the close."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.transport.write(frame.packed[1] if self.takes_packed and frame.packed else frame.wire)

    def write_within(self, frame: SharedFrame, most: int) -> bool:
        """False: more than `most` bytes are `buffered`, and it was not written."""
        transport = self.transport
        if transport.get_write_buffer_size() > most:
            return False
        if self.handshake_complete and not self.close_sent and not transport.is_closing():
            transport.write(frame.packed[1] if self.takes_packed and frame.packed else frame.wire)
        return True

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

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._lost is not None:
            self._lost()

    def data_received(self, data: bytes) -> None:
        """In portions, so that who sends thousands of frames at once is met before all of them are parsed."""
        if not self.handshake_complete:
            # Nobody speaks before the answer to the handshake.
            self._early += len(data) if self.handshake_initiated else 0
            if self._early > MAX_MESSAGE:
                self.transport.abort()
            else:
                super().data_received(data)
            return
        for start in range(0, len(data), _PORTION):
            if self.close_sent and self._is_over(len(data) - start):
                return
            super().data_received(data[start : start + _PORTION])
            if self._most_waiting is not None and self.queue.qsize() > self._most_waiting:
                self.close_with(CloseCode.TOO_MANY_MESSAGES, "too many messages")

    def _is_over(self, more: int) -> bool:
        """After the goodbye only the browser's own is of interest: who goes on sending is cut off."""
        self._after_close += more
        if self._after_close > _MOST_AFTER_CLOSE or self.transport.is_closing():
            self.transport.abort()
            return True
        return False

    def _counts(self) -> bool:
        """One more control frame or fragment; False: too many, and it is being closed."""
        if self.close_sent or self._controls is None:
            return not self.close_sent
        if self._controls.take(self.loop.time()):
            return True
        self.close_with(CloseCode.TOO_MANY_MESSAGES, "too many frames")
        return False

    def send_receive_event_to_app(self) -> None:
        """Text that is not UTF-8 ends the channel (RFC 6455 section 8.1); uvicorn would log a trace as well."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(self.frames):
            self.frames = []
            self.close_with(CloseReason.INVALID_DATA, "text is UTF-8")
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self._counts():
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        self._open_fragments = 0 if event.fin else self._open_fragments + 1
        if not self._counts():
            return
        if self._open_fragments > _MOST_FRAGMENTS:
            self.close_with(CloseCode.BAD_MESSAGE, "a message in too many pieces")
            return
        super().handle_cont(event)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application's task was created, and starts after this.
            self.scope["extensions"][EXTENSION] = {"protocol": self}

    def handle_pong(self, event: Frame) -> None:
        if not self._counts():
            return
        super().handle_pong(event)
        if self._pong is not None:
            self._pong()

    def shutdown(self) -> None:
        """The server stops: tell the browser to come back, to another process or to the next one."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.stop_keepalive()
            pause = random.uniform(0, self._goodbye_seconds)
            self.loop.call_later(pause, self.close_with, CloseCode.GOING_AWAY, "the server restarts: reconnect")
        else:
            super().shutdown()


def _is_utf8(pieces: Sequence[bytes | bytearray | memoryview]) -> bool:
    text = bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
