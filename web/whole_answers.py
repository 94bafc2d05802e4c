"""An answer that is there as a whole goes into uvicorn's connection in one piece.

Otherwise it goes there as two ASGI messages, each header is looked at twice, and what every answer has is put together
and taken apart again for each: of a short call that was a tenth. Whatever is not plain (a stream, a `HEAD`, a browser
that takes nothing, another server) is sent as ASGI says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Send
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

#: What says how an answer is framed, and is for the server to say.
_FRAMING: Final = frozenset({b"connection", b"transfer-encoding"})
_NO_BODY: Final = frozenset({204, 304})


RawHeaders = Sequence[tuple[bytes, bytes]]


class Head:
    """Headers of answers, looked at once: `lines` as they are written, None where only ASGI can send them."""

    __slots__ = ("length", "lines", "names", "raw")

    def __init__(self, raw: RawHeaders) -> None:
        self.raw = raw
        self.names = frozenset([name for name, _ in raw])
        #: What `content-length` says; None where there is none.
        self.length: bytes | None = None
        self.lines: bytes | None = None
        pieces: list[bytes] = []
        for name, value in raw:
            if name in _FRAMING or HEADER_VALUE_RE.search(value):
                return
            if name == b"content-length":
                self.length = value
            pieces += (name, b": ", value, b"\r\n")
        self.lines = b"".join(pieces)


class Made(Response):
    """An answer whose headers are there in the form in which they are sent: Starlette makes them anew for each.

    `head` is without a `content-length`: that is the body's. Whoever asks for `headers` or `raw_headers` may change
    them: from then on it is an answer like others.
    """

    def __init__(self, status: int, head: Head, body: bytes) -> None:
        # Not Starlette's own, which does nothing else.
        self.status_code = status
        self.background = None
        self.body = body
        self.head: Head | None = head
        self._raw: list[tuple[bytes, bytes]] | None = None

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        if self._raw is None:
            assert self.head is not None  # noqa: S101
            self._raw = [(b"content-length", b"%d" % len(self.body)), *self.head.raw]
            self.head = None
        return self._raw


def head_of(response: Response) -> Head:
    """Its headers, as they are at this moment."""
    head = response.head if isinstance(response, Made) else None
    return Head(response.raw_headers) if head is None else head


def write_whole(send: Send, response: Response, head: Head, more: bytes) -> bool:
    """`head`: of `head_of`; `more`: header lines that are known to be good, each with its end. False: not written, it
    is to be sent.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or type(response).__call__ is not Response.__call__:
        return False
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused or response.background is not None:
        return False
    status, body = response.status_code, response.body
    if cycle.scope["method"] == "HEAD" or head.lines is None:
        return False
    pieces = [STATUS_LINE[status]]
    for name, value in cycle.default_headers:
        pieces += (name, b": ", value, b"\r\n")
    size = b"%d" % len(body)
    if isinstance(response, Made) and response.head is head:
        pieces.append(b"content-length: %b\r\n" % size)
    elif head.length != (size if body or status not in _NO_BODY else head.length):
        return False
    pieces += (head.lines, more)
    pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    pieces.append(body if isinstance(body, bytes) else bytes(body))
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(pieces))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def is_whole(receive: Receive) -> bool:
    """Whether all of the request's body has arrived, so that nobody need wait for it."""
    cycle = getattr(receive, "__self__", None)
    return type(cycle) is RequestResponseCycle and not cycle.more_body
