"""uvicorn's HTTP protocol with limits on what comes before a request: how long it takes, how large and how much it is.

What is wrong with a connection is answered in one problem response and closed, and leaves no line in the log: whoever
sends nonsense would fill it.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from web.connection_limits import MOST_HEAD, Peer, Peers, TooMany
from web.problems import MEDIA_TYPE, TYPE_PREFIX

#: Requests that a client may send before the first of them is answered.
_MOST_PIPELINED: Final = 32
#: Headers of a request: browsers send twenty. Each costs a call, and 64 KB have room for 12,000.
_MOST_HEADERS: Final = 100
#: `peers` of the process, in uvicorn's `app_state`, by this name: what makes a protocol gets nothing else of ours.
PEERS: Final = "onsale.peers"

_TITLES: Final = {
    400: ("invalid_request", "The request is not valid"),
    408: ("request_timeout", "The request did not arrive in time"),
    431: ("headers_too_large", "The request's headers are too large"),
}


class _Refused(Exception):
    """Ends the parser in the middle of what it was fed."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class LimitedProtocol(HttpToolsProtocol):
    """One connection; implements `connection_limits.Limited`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._peers: Peers = self.app_state.get(PEERS) or _NOBODY
        self._peer: Peer | None = None
        self._address = ""
        self._counted = False
        #: Bytes of the head that is being read; None while none is.
        self._head: int | None = None
        #: Bytes that are being parsed; those since the request began, at most; how many of its headers are `Host`.
        self._portion = 0
        self._came = 0
        self._hosts = 0
        self._refused: _Refused | None = None

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        try:
            self._peer = self._peers.come(self._address)
        except TooMany:
            self._refused = _Refused(400, "too many connections")
            super().connection_made(transport)
            transport.abort()
            return
        self._counted = True
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._head = 0
        self._peers.begin(self, self._peer, self.loop.time())

    def _leave(self) -> None:
        if self._counted:
            self._counted = False
            self._peers.complete(self, self._peer)
            self._peers.gone(self._address, self._peer)

    def give_up(self) -> None:
        if self.transport.is_closing():
            return
        if self._head is None:
            self.transport.abort()  # in the middle of a body
        elif self._head:
            self._answer(_Refused(408, "the request did not arrive in time"))
        else:
            self.transport.close()  # a browser that connected to be quick, and had nothing to ask

    def data_received(self, data: bytes) -> None:
        if self._refused is not None:
            return  # it is being closed
        self._unset_keepalive_if_required()
        if self._head is None and self._is_between():
            self._expect()
        self._portion = len(data)
        self._came += self._portion
        if self._head is not None:
            self._head += self._portion
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            return
        except httptools.HttpParserError:
            self._answer(self._refused or _Refused(400, "this is not HTTP"))
            return
        if self._refused is None and self._head is not None and self._head > MOST_HEAD:
            self._answer(_Refused(431, f"at most {MOST_HEAD // 1024} KB of headers"))

    def _is_between(self) -> bool:
        """Whether the last request is there as a whole, so that what comes now is the next one."""
        return self.cycle is None or not self.cycle.more_body

    # What the parser says. An exception in here ends it, as a `HttpParserCallbackError`.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._came = self._portion
        self._hosts = 0
        if self._head is None:
            self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= _MOST_HEADERS:
            self._refuse(431, f"at most {_MOST_HEADERS} headers")
        super().on_header(name, value)
        if self.headers[-1][0] == b"host":
            self._hosts += 1

    def on_headers_complete(self) -> None:
        # What came is no smaller than the head, but for what may be left out between a name and its value.
        if self._came + _MOST_HEADERS > MOST_HEAD and self._size() > MOST_HEAD:
            self._refuse(431, f"at most {MOST_HEAD // 1024} KB of headers")
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() == "1.1"):
            # Two names of a site are two sites for two programs in a row (RFC 9112 section 3.2).
            self._refuse(400, "send one Host")
        if not self.url.isascii():
            self._refuse(400, "an address is ASCII: encode what is not")
        if len(self.pipeline) >= _MOST_PIPELINED:
            self._refuse(400, f"wait for an answer: at most {_MOST_PIPELINED} requests at once")
        self._head = None
        self._peers.head_is_there(self)
        super().on_headers_complete()

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_message_complete(self) -> None:
        self._peers.complete(self, self._peer)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The connection counts as its peer's until it ends, and that is told to the protocol that has it now.
        self._peers.complete(self, self._peer)
        protocol = self.transport.get_protocol()
        if self._counted and hasattr(protocol, "when_lost"):
            self._counted = False
            # Nothing of this protocol goes along: it would be kept for as long as the channel is open, 5 KiB each.
            protocol.when_lost(functools.partial(self._peers.gone, self._address, self._peer))
        else:
            self._leave()

    def _refuse(self, status: int, detail: str) -> None:
        self._refused = _Refused(status, detail)
        raise self._refused

    def _answer(self, refused: _Refused) -> None:
        self._refused = refused
        self._peers.complete(self, self._peer)
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # in the middle of another answer nothing can be said
            return
        code, title = _TITLES[refused.status]
        body = orjson.dumps(
            {
                "type": TYPE_PREFIX + code,
                "title": title,
                "status": refused.status,
                "detail": refused.detail,
                "code": code,
            }
        )
        head = (
            STATUS_LINE[refused.status]
            + f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n".encode()
            + b"cache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head + body)
        self.transport.close()


#: Where nobody is counted: tests that make no peers, and other servers' protocols.
_NOBODY: Final = Peers(most=None)
