"""What happens around every request: its id, its log line, its metrics, the security headers, and the last catch.

The id is the proxy's (`X-Request-ID`) when it looks like one, else ours; it is in every log line written while the
request runs, in the answer's header and in problem responses. Reads are logged at `debug`, what changes something
or was refused at `info`, faults at `error`: a rush of reads or of beats must not cost a line each (S34).
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Mapping
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from core.errors import OnsaleError
from web import metrics
from web.call_table import Answering, CallTable
from web.given import GivenRequest
from web.problems import Problems
from web.refusal_log import RefusalLog
from web.security import SECURITY_HEADERS, STRICT_TRANSPORT
from web.sockets import channel, slug_of
from web.whole_answers import Head, head_of, write_whole

log = structlog.get_logger(__name__)

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a line tells of an address: more is nonsense, and a line each would fill a disk.
_LONGEST_PATH: Final = 200
#: Every visitor, every few seconds: no news.
_BEATS: Final = frozenset({"/api/events/{slug}/heartbeat"})


def request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if _GIVEN_ID.fullmatch(given):
                return given
    return secrets.token_hex(8)


# On every answer, so in the form in which they are sent: the names are in lower case, as in ASGI messages.
_ALWAYS: Final = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_HTTPS: Final = (b"strict-transport-security", STRICT_TRANSPORT.encode())
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_ALWAYS_NAMES: Final = frozenset(name for name, _ in _ALWAYS)
_ALWAYS_LINES: Final = b"".join(b"%b: %b\r\n" % header for header in _ALWAYS)
_HTTPS_LINE: Final = b"%b: %b\r\n" % _HTTPS
_NOT_KEPT_LINE: Final = b"%b: %b\r\n" % _NOT_KEPT


def _complete_lines(head: Head, scope: Scope, given: str) -> bytes | None:
    """What `_complete` would add, as lines; None for an answer that has said some of it in its own way."""
    said = head.names
    if not _ALWAYS_NAMES.isdisjoint(said):
        return None
    lines = b"x-request-id: %b\r\n%b" % (given.encode(), _ALWAYS_LINES)
    if scope.get("scheme") == "https":
        lines += _HTTPS_LINE
    if _NOT_KEPT[0] not in said and scope["path"].startswith("/api/"):
        lines += _NOT_KEPT_LINE
    return lines


def _complete(headers: list[tuple[bytes, bytes]], scope: Scope, given: str) -> None:
    """Adds what an answer must have and has not said itself."""
    said = {name for name, _ in headers}
    headers.append((b"x-request-id", given.encode()))
    headers.extend(header for header in _ALWAYS if header[0] not in said)
    if scope.get("scheme") == "https":
        headers.append(_HTTPS)
    if _NOT_KEPT[0] not in said and scope["path"].startswith("/api/"):
        headers.append(_NOT_KEPT)


class Requests:
    """ASGI middleware, outermost. `scope["state"]` collects what the log line tells: visitor, event, code, route.

    A declared call or page is answered from here: what Starlette does between (patterns, layers that catch) costs more
    than most calls. Everything else goes on to the application.
    """

    def __init__(self, app: ASGIApp, problems: Problems, calls: CallTable, channels: bool = False) -> None:
        """`channels`: the live channel is served."""
        self._channels = channels
        self._app = app
        self._problems = problems
        self._calls = calls
        self._refusals = RefusalLog(time.monotonic)
        #: Where reads leave no line, none is put together for them: they are most of what is asked.
        self._tells_reads: bool = log.is_enabled_for(logging.DEBUG)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        if scope["type"] == "websocket":
            # In the task's own context, which ends with the channel: a block around it would be kept for as long.
            structlog.contextvars.bind_contextvars(request_id=request_id(scope))
            slug = None if scope.get("root_path") or not self._channels else slug_of(scope["path"])
            if slug is not None:
                # Each layer between would be kept for as long as the channel is open, half a KiB each.
                scope["path_params"] = {"slug": slug}
                return channel(WebSocket(scope, receive, send))
        return self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        given = request_id(scope)
        state = scope["state"] = {**scope.get("state", {}), "request_id": given}
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message["headers"], scope, given)
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=given)
        try:
            found = None if scope.get("root_path") else self._calls.find(scope["method"], scope["path"])
            if found is None:
                await self._app(scope, receive, send_with_headers)
            else:
                response = await self._called(*found, scope, receive, send)
                head = head_of(response)
                more = _complete_lines(head, scope, given)
                if more is not None and write_whole(send, response, head, more):
                    status = response.status_code
                else:
                    await response(scope, receive, send_with_headers)
        except ClientDisconnect:
            state["code"] = "client_gone"
        except Exception as error:
            response = self._problems.unexpected(Request(scope), error)
            if status == 0:
                await response(scope, receive, send_with_headers)
            # A started answer cannot be mended: the server closes the connection, and the client sees it cut.
        finally:
            self._told(scope, status, time.perf_counter() - started)
            structlog.contextvars.reset_contextvars(**bound)

    async def _called(
        self, endpoint: Answering, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> Response:
        scope["path_params"] = parameters
        request = GivenRequest(scope, receive, send)
        try:
            return await endpoint.respond(request)
        except OnsaleError as error:
            return await self._problems.refused(request, error)
        except HTTPException as error:
            return await self._problems.framework(request, error)

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        method, route = scope["method"], state.get("route", "-")
        metrics.request_seen(method, route, status, seconds)
        if 400 <= status < 500 and not self._refusals.take(f"{route} {status} {state.get('code', '')}"):
            return
        quiet = status < 400 and (method in _READS or route in _BEATS)
        if quiet and not self._tells_reads:
            return
        level = log.error if status >= 500 else log.debug if quiet else log.info
        level(
            "request",
            method=method,
            path=scope["path"][:_LONGEST_PATH],
            status=status,
            ms=round(seconds * 1000, 1),
            **{name: state[name] for name in ("visitor", "slug", "code") if name in state},
        )
