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


class Made(Response):
    """An answer whose headers are there in the form in which they are sent: Starlette makes them anew for each."""

    def __init__(self, status: int, raw_headers: RawHeaders, body: bytes) -> None:
        # Not Starlette's own, which does nothing else.
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = list(raw_headers)


def write_whole(send: Send, response: Response, more: bytes) -> bool:
    """`more`: header lines that are known to be good, each with its end. False: not written, it is to be sent."""
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or type(response).__call__ is not Response.__call__:
        return False
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused or response.background is not None:
        return False
    status, body = response.status_code, response.body
    if cycle.scope["method"] == "HEAD":
        return False
    pieces = [STATUS_LINE[status]]
    for name, value in cycle.default_headers:
        pieces += (name, b": ", value, b"\r\n")
    length = None
    for name, value in response.raw_headers:
        if name in _FRAMING or HEADER_VALUE_RE.search(value):
            return False
        if name == b"content-length":
            length = value
        pieces += (name, b": ", value, b"\r\n")
    if length != (b"%d" % len(body) if body or status not in _NO_BODY else length):
        return False
    pieces.append(more)
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
