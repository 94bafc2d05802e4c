"""`/ws/events/{slug}`: who may open the live channel, and the connection that `realtime` works with.

Who cannot be a buyer's page (no identity, another site's Origin, an address that no sale has) is refused before the
handshake: an open channel costs thirty times as much as a refusal. What a buyer's page may meet is told after it, by a
close code, because browsers hide the reason of a refused handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from core.errors import CrossSite, EventNotFound, NotFound, OnsaleError
from core.process.tasks import cancelled, end, first_of
from core.process.watched_tasks import watched
from core.venue.new_event import SLUG
from realtime.connection import Connection
from realtime.frames import Frame
from realtime.wire import CloseCode
from web import problems
from web.app_state import app_state_of
from web.visitors import Visitor
from web.ws_protocol import EXTENSION, FrameProtocol


async def channel(websocket: WebSocket) -> None:
    """The endpoint."""
    try:
        visitor = _caller(websocket)
    except OnsaleError as refusal:
        await _refuse(websocket, refusal)
        return
    try:
        await websocket.accept()
    except WebSocketDisconnect:
        return  # gone before it was answered
    connection = _connection(websocket, packed=websocket.query_params.get("board") == _PACKED)
    try:
        serving = await _admitted(websocket, connection, visitor)
        if serving is not None:
            # Of how it was opened an open channel keeps nothing.
            del websocket
            await serving
    finally:
        if isinstance(connection, AsgiConnection):
            await connection.finish()


#: What a page asks for that draws nothing before it is in, and reads boards of two bits a seat.
_PACKED: Final = "packed"
#: What a page asks for that has nothing to tell with its `join`: its place comes with the welcome.
_NOW: Final = "now"


def slug_of(path: str) -> str | None:
    """The event whose channel an address is; None for another address."""
    before, found, slug = path.partition("/ws/events/")
    return slug if found and slug and not before and "/" not in slug else None


async def _nowhere(websocket: WebSocket) -> None:
    await _refuse(websocket, NotFound())


async def _refuse(websocket: WebSocket, refusal: OnsaleError) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone before it was answered
        await websocket.send_denial_response(problems.response(refusal, websocket.scope))


#: Added to the application's routes when a live channel is served.
ROUTE: Final = WebSocketRoute("/ws/events/{slug}", channel, name="channel")
#: The last of the routes: Starlette answers what is at none of them without a word.
NOWHERE: Final = WebSocketRoute("/{path:path}", _nowhere, name="no channel")


def _caller(websocket: WebSocket) -> Visitor:
    """The visitor; asks no store. Raises EventNotFound, NoVisitor, CrossSite."""
    parts = app_state_of(websocket)
    if not SLUG.fullmatch(websocket.path_params["slug"]):
        raise EventNotFound()
    visitor = parts.visitors.require(websocket.headers)
    # Browsers always send an Origin and no page can forge it: another site cannot use a visitor's cookie. Programs
    # send none, and need a bearer token, which no browser adds by itself.
    origin = websocket.headers.get("origin")
    if (origin is None and visitor.by == "cookie") or (
        origin is not None and not parts.origins.is_ours(origin, websocket)
    ):
        raise CrossSite()
    return visitor


async def _admitted(websocket: WebSocket, connection: Connection, visitor: Visitor) -> Coroutine[Any, Any, None] | None:
    """What serves the channel; None: a close code has said why not."""
    parts = app_state_of(websocket)
    try:
        event = await parts.events.get(websocket.path_params["slug"])
    except EventNotFound:
        connection.close(CloseCode.NO_SUCH_EVENT, "there is no such event")
        return None
    except OnsaleError:
        connection.close(CloseCode.STORE_LOST, "the sale is interrupted: reconnect")
        return None
    if parts.live is None:
        return None
    # A page that will ask for a place needs no board before it has one: 80 kB of a large hall, twice.
    early = websocket.query_params.get("board") not in ("admitted", _PACKED)
    joins = websocket.query_params.get("join") == _NOW
    bidder = parts.networks.bidder(websocket, visitor)
    if isinstance(connection, FrameConnection):
        connection.forget_handshake()
    return parts.live.serve(connection, event, visitor.id, bidder, early_board=early, joins=joins)


def _connection(websocket: WebSocket, *, packed: bool) -> Connection:
    extension = websocket.scope.get("extensions", {}).get(EXTENSION)
    if extension is not None:
        return FrameConnection(extension["protocol"], packed=packed)
    return AsgiConnection(websocket, packed=packed)


async def _receive(websocket: WebSocket) -> str | bytes | None:
    if websocket.client_state is not WebSocketState.CONNECTED:
        return None
    return _told(await websocket.receive())


def _told(message: Mapping[str, Any]) -> str | bytes | None:
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return text if text is not None else bytes(message.get("bytes") or b"")


class FrameConnection:
    """Over `FrameProtocol`: a frame goes straight into the transport's buffer."""

    __slots__ = ("_received", "buffered", "close", "forget_handshake", "on_pong", "send", "send_within")

    def __init__(self, protocol: FrameProtocol, *, packed: bool = False) -> None:
        """`packed`: the browser takes a board packed."""
        protocol.takes_packed = packed
        self._received = protocol.receive
        self.send = protocol.write_frame
        self.send_within = protocol.write_within
        self.buffered = protocol.buffered
        self.close = protocol.close_with
        self.on_pong = protocol.on_pong
        self.forget_handshake = protocol.forget_handshake

    async def receive(self) -> str | bytes | None:
        return _told(await self._received())


class AsgiConnection:
    """Over any ASGI server: messages wait in a queue of this connection's own. No pongs are seen."""

    #: The last messages have this long to leave before the server cuts the connection.
    _FINISH_SECONDS = 1.0

    def __init__(self, websocket: WebSocket, *, packed: bool = False) -> None:
        self._websocket = websocket
        self._packed = packed
        self._queue: asyncio.Queue[Frame | tuple[int, str]] = asyncio.Queue()
        self._bytes = 0
        self._closed = asyncio.Event()
        self._closing = False
        self._writer = watched("socket writer", self._write())

    def send(self, frame: Frame) -> None:
        if not self._closing:
            self._bytes += len(frame.wire)
            self._queue.put_nowait(frame)

    def send_within(self, frame: Frame, most: int) -> bool:
        if self._bytes > most:
            return False
        self.send(frame)
        return True

    def buffered(self) -> int:
        return self._bytes

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            self._queue.put_nowait((code, reason))
            self._closed.set()

    def on_pong(self, callback: Callable[[], None]) -> None:
        pass

    async def receive(self) -> str | bytes | None:
        if self._closing:
            return None
        first = await first_of(_receive(self._websocket), self._closing_down())
        return first.result() if first is not None else None

    async def _closing_down(self) -> None:
        await self._closed.wait()

    async def finish(self) -> None:
        """Gives the last messages a moment."""
        if self._closing:
            await asyncio.wait({self._writer}, timeout=self._FINISH_SECONDS)
        await end(self._writer)

    async def _write(self) -> None:
        # A socket that is gone is met by `receive` as well.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            while not cancelled():
                item = await self._queue.get()
                if isinstance(item, Frame):
                    if self._packed and item.packed is not None:
                        await self._websocket.send_bytes(item.packed[0])
                    else:
                        await self._websocket.send_text(item.payload.decode())
                    self._bytes -= len(item.wire)
                else:
                    await self._websocket.close(*item)
                    return
