"""An answer that is written in one piece is, byte for byte, the one that ASGI's two messages would make (E1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import uvicorn
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from core.errors import SeatTaken
from tests.waits import PATIENCE
from web.caching import Body
from web.call_table import CallTable
from web.encodings import CODINGS
from web.endpoint import Call, Endpoint, json_response
from web.http_protocol import LimitedProtocol
from web.problems import Problems
from web.requests import Requests
from web.whole_answers import Made


class Wire:
    """A transport that keeps what is written to it, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: bytes) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def pieces(asked: bytes, answer: Callable[[], Response]) -> Wire:
    """What a connection of ours writes, asked so, when the call's handler gives this answer."""

    async def handle(call: Call[Any]) -> Response:
        return answer()

    path = "/api/x" if b" /api/x" in asked else "/x"
    endpoint = Endpoint("GET", path, handle, "x", "x")
    requests = Requests(nothing, Problems(lambda request, error: Response()), CallTable([endpoint]))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = SimpleNamespace(state=SimpleNamespace(parts=None))
        await requests(scope, receive, send)

    config = uvicorn.Config(app, http=LimitedProtocol, log_config=None, proxy_headers=False)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Thu, 26 Nov 2026 08:00:00 GMT")]
    wire: Any = Wire()
    protocol = LimitedProtocol(config=config, server_state=state, app_state={})
    protocol.connection_made(wire)
    protocol.data_received(asked)
    async with asyncio.timeout(PATIENCE):
        while not (protocol.cycle.response_complete or wire.closed):
            await asyncio.sleep(0)
    if protocol.timeout_keep_alive_task is not None:
        protocol.timeout_keep_alive_task.cancel()
    return wire  # type: ignore[no-any-return]


def test_prebuilt_headers_are_everybodys_and_stay_as_they_are() -> None:
    first = changed(KEPT.answered(None, 200, {"Vary": "Cookie"}))
    second = KEPT.answered(None, 200, {"Vary": "Cookie"})
    assert "set-cookie" in first.headers
    assert isinstance(second, Made)
    assert second.head is not None
    assert not {b"set-cookie", b"cache-control"} & second.head.names
    assert second.headers["content-length"] == "5003"


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, ["POST"]), (logging.DEBUG, ["GET", "POST"])])
async def test_reads_leave_a_line_only_where_details_are_told(level: int, lines: list[str]) -> None:
    """S34. A line that is not written is not put together either."""
    found = structlog.testing.LogCapture()
    kept = structlog.get_config()
    structlog.configure(processors=[found], wrapper_class=structlog.make_filtering_bound_logger(level))
    try:
        requests = Requests(nothing, Problems(lambda request, error: Response()), CallTable([]))
        for method in ("GET", "POST"):
            requests._told({"method": method, "path": "/api/x", "state": {"route": "/api/x"}}, 200, 0.001)
    finally:
        structlog.configure(**kept)
    assert [line["method"] for line in found.entries if line["event"] == "request"] == lines


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("no other application is asked")


async def some() -> AsyncIterator[bytes]:
    yield b"piece"


def request(line: str = "GET /api/x HTTP/1.1", *headers: str) -> bytes:
    return "\r\n".join([line, "Host: h", "X-Request-ID: abcdefgh", *headers, "", ""]).encode()


#: Another answer from the same prebuilt headers must not have what one was changed to.
KEPT = Body(b"<p>" + b"a" * 5_000, "1", "text/html")


def changed(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "private"
    answer.set_cookie("a", "b")
    return answer


def refused() -> Response:
    raise SeatTaken([7], board=(1, 2))


WHOLE: dict[str, tuple[bytes, Callable[[], Response]]] = {
    "json": (request(), lambda: Response(b'{"a":1}', media_type="application/json")),
    "refused": (request(), refused),
    "nothing": (request(), lambda: Response(status_code=204)),
    "not modified": (
        request(),
        lambda: Response(status_code=304, headers={"ETag": 'W/"1"', "Vary": "Accept-Encoding"}),
    ),
    "empty": (request(), lambda: Response(b"", 200)),
    "kept": (request(), lambda: Response(b"x", headers={"Cache-Control": "public, max-age=60"})),
    "page": (request("GET /x HTTP/1.1"), lambda: HTMLResponse("<p>가</p>")),
    "elsewhere": (request("GET /x HTTP/1.1"), lambda: RedirectResponse("/y", status_code=303)),
    "view": (request(), lambda: Response(memoryview(b"abc"))),
    "prebuilt": (request(), lambda: json_response(b'{"a":1}', status=201)),
    "prebuilt, then changed": (request(), lambda: changed(json_response(b'{"a":1}'))),
    "kept, then changed": (request("GET /x HTTP/1.1"), lambda: changed(KEPT.answered(None, 200, {"Vary": "Cookie"}))),
    "kept and compressed": (request(), lambda: KEPT.answered(CODINGS[0], 200, {"ETag": KEPT.etag})),
    "last of its connection": (request("GET /api/x HTTP/1.1", "Connection: close"), lambda: Response(b"x")),
    "old": (request("GET /api/x HTTP/1.0"), lambda: Response(b"x")),
}
OTHERS: dict[str, tuple[bytes, Callable[[], Response]]] = {
    "without a body": (request("HEAD /api/x HTTP/1.1"), lambda: Response(b"x")),
    "stream": (request(), lambda: StreamingResponse(some())),
    "its own policy": (request(), lambda: Response(b"x", headers={"X-Frame-Options": "SAMEORIGIN"})),
    "closes": (request(), lambda: Response(b"x", headers={"Connection": "close"})),
    "then more": (request(), lambda: Response(b"x", background=BackgroundTask(lambda: None))),
    "another line": (request(), lambda: Response(b"x", headers={"X-A": "a\r\nX-B: b"})),
    "wrong length": (request(), lambda: Response(b"xyz", headers={"Content-Length": "2"})),
}


@pytest.mark.parametrize("name", [*WHOLE, *OTHERS])
async def test_it_is_the_same_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = {**WHOLE, **OTHERS}[name]
    whole = await pieces(asked, answer)
    monkeypatch.setattr("web.requests.write_whole", lambda *given: False)
    sent = await pieces(asked, answer)
    # In another order: what every answer has stands at its end, or before its body.
    assert (lines_of(whole), body_of(whole), whole.closed) == (lines_of(sent), body_of(sent), sent.closed)
    if name in WHOLE:
        assert len(whole.pieces) == 1
        assert b"x-request-id: abcdefgh" in whole.pieces[0]
        assert b"content-security-policy" in whole.pieces[0]


def lines_of(wire: Wire) -> list[bytes]:
    head = b"".join(wire.pieces).partition(b"\r\n\r\n")[0].split(b"\r\n")
    return [head[0], *sorted(head[1:])]


def body_of(wire: Wire) -> bytes:
    return b"".join(wire.pieces).partition(b"\r\n\r\n")[2]
