"""One visitor over the live channel, as a browser does it: places, seats and results are pushed, holds are commands.

`LiveChannel` is the connection: it comes back when it is told to, keeps the board by the rules of `realtime/wire.py`,
and beats. `ChannelVisitor` is a visitor of a rush on top of it; paying has no command and goes over HTTP.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from cli.load.client import Client, Failed, RateLimited, Refused
from cli.load.measures import Durations
from cli.load.proof import solved
from cli.load.visitor import Hope, HttpVisitor, NotLetIn, Sale
from core.process.backoff import Backoff
from core.process.tasks import awaited, cancelled, end
from core.seats.board import Board, BoardSnapshot, SeatState

_OPEN: Final = "channel open"
_JOIN: Final = "channel join"
_HOLD: Final = "channel hold"
_ANSWER_SECONDS: Final = 30.0
#: How often a lost channel is opened again, and the pause before it.
_RETURNS: Final = 5
_PAUSES: Final = Backoff(first=0.5, longest=2.5, jitter=0.3)
#: A pushed result that has not come after this long is asked for.
_PUSH_SECONDS: Final = 5.0
#: A seat that was refused is drawn as taken by then.
_TAKEN_SECONDS: Final = 2.0
#: How long who waits listens before looking whether anything is left.
_LOOK_SECONDS: Final = 1.0
#: Close codes from here on say: do not come back.
_FINAL: Final = 4100
_TOO_MANY: Final = (4100, 4103)


class LiveChannel:
    """`async with`; then `state`, `board` and `results` are kept, and `until` waits for something to become true."""

    def __init__(self, client: Client, sale: Sale, token: str) -> None:
        #: none, waiting, active; `out` after the server ended the session.
        self.state = "none"
        self.board: Board | None = None
        #: Reservations that the server pushed the result of.
        self.results: dict[str, dict[str, Any]] = {}
        #: How often a change did not follow on from the board: a resync was asked for.
        self.gaps = 0
        self._client = client
        self._sale = sale
        self._token = token
        self._ticket: str | None = None
        self._wants_in = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._waiting: set[asyncio.Event] = set()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._broken: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sent = 0

    async def open(self) -> None:
        """Raises Failed, RateLimited, Refused."""
        self._socket = await self._connect()
        self._tasks = [awaited("channel reader", self._read()), awaited("channel beat", self._beat())]
        await self.until(lambda: self.state != "none" or self.board is not None, _ANSWER_SECONDS, _OPEN)

    async def close(self) -> None:
        await end(*self._tasks)
        if self._socket is not None:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._socket.close()

    async def join(self, **paid: str) -> None:
        """Asks to be let in; the answer changes `state`. `paid`: the `proof` that was asked for."""
        self._wants_in = True
        await self._send("join", **({"ticket": self._ticket} if self._ticket else {}), **paid)

    async def leave(self) -> None:
        self._wants_in = False
        if self.state in ("waiting", "active"):
            await self._send("leave")
            await self.until(lambda: self.state not in ("waiting", "active"), _ANSWER_SECONDS, "channel leave")

    async def ask(self, kind: str, call: str, **fields: Any) -> dict[str, Any]:
        """A command with an id, and its answer. Raises Refused, Failed."""
        self._sent += 1
        id_ = str(self._sent)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[id_] = answer
        began = time.perf_counter()
        try:
            await self._send(kind, id=id_, **fields)
            async with asyncio.timeout(_ANSWER_SECONDS):
                message = await answer
        except TimeoutError:
            raise self._failed(call, "timeout") from None
        finally:
            del self._answers[id_]
        self._client.calls.answered(call, time.perf_counter() - began)
        if message["type"] == "held":
            return message
        if message["type"] == "problem":
            raise self._failed(call, message["code"])
        self._client.calls.refused(call, message["code"])
        raise Refused(0, message["code"], message, 0.0)

    async def until(self, true: Callable[[], bool], patience: float, call: str) -> None:
        """Returns once `true()`. Raises Failed (`timeout`) after `patience` seconds, or when the channel is lost."""
        if not await self.waited(true, patience):
            raise self._failed(call, "timeout")

    async def waited(self, true: Callable[[], bool], patience: float) -> bool:
        """True once `true()`; False after `patience` seconds. Raises Failed when the channel is lost for good."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            async with asyncio.timeout(patience):
                while not true():
                    if self._broken is not None:
                        raise self._broken
                    await news.wait()
                    news.clear()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(news)
        return True

    # The connection.

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        began = time.perf_counter()
        url = self._client.base.join(URL(f"ws/events/{self._sale.slug}"))
        try:
            socket = await self._client.session.ws_connect(
                url,
                headers={"Authorization": f"Bearer {self._token}"},
                max_msg_size=0,
                compress=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=5.0),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._failed(_OPEN, _shake_kind(error)) from error
        self._client.calls.answered(_OPEN, time.perf_counter() - began)
        return socket

    async def _read(self) -> None:
        returns = 0
        while self._socket is not None:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._take(orjson.loads(message.data))
                    returns = 0
            code = self._socket.close_code or 1006
            if code in _TOO_MANY:
                self._lose(RateLimited())
                return
            returns += 1
            if code >= _FINAL or returns > _RETURNS:
                self._lose(self._failed("channel", f"closed with {code}"))
                return
            self._client.calls.failed("channel", f"closed with {code}, opened again")
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Failed("channel", f"closed with {code}"))
            await asyncio.sleep(_PAUSES.seconds(returns))
            try:
                self._socket = await self._connect()
            except Failed as failed:
                if returns >= _RETURNS:
                    self._lose(failed)
                    return

    def _lose(self, error: Exception) -> None:
        self._broken = error
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)
        self._tell()

    async def _beat(self) -> None:
        while not cancelled():
            await asyncio.sleep(self._sale.beat_seconds * random.uniform(0.8, 1.0))
            if self.state in ("waiting", "active"):
                with contextlib.suppress(Failed):
                    await self._send("beat")

    async def _send(self, kind: str, **fields: Any) -> None:
        if self._broken is not None:
            raise self._broken
        assert self._socket is not None  # noqa: S101 - `open` was called
        try:
            await self._socket.send_str(orjson.dumps({"type": kind, **fields}).decode())
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(f"channel {kind}", "connection closed") from error

    # Messages.

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "welcome":
                if message["state"] == "none" and self._wants_in:
                    await self.join()
                elif message["state"] == "none":
                    self.state = "none"
            case "queue":
                self.state = "waiting"
                self._ticket = message.get("ticket", self._ticket)
            case "admitted":
                self.state = "active"
            case "expired":
                if message["reason"] != "hold":
                    self.state = "out"
            case "board":
                states = base64.b64decode(message["states"])
                self.board = Board(BoardSnapshot(message["epoch"], message["version"], states))
            case "seats":
                await self._changes(message)
            case "problem" if message["code"] == "proof_required":
                try:
                    await self.join(proof=await solved(message))
                except RateLimited as limited:
                    self._lose(limited)
            case "held" | "refused" | "problem":
                answer = self._answers.get(message.get("id", ""))
                if answer is not None and not answer.done():
                    answer.set_result(message)
                elif message["type"] == "problem":
                    self._client.calls.failed("channel", message["code"])
            case "reservation":
                self.results[message["id"]] = message
        self._tell()

    async def _changes(self, message: dict[str, Any]) -> None:
        if self.board is None:
            return
        if not self.board.apply(message["epoch"], message["version"], message["changes"]):
            self.gaps += 1
            with contextlib.suppress(Failed):
                await self._send("sync", epoch=self.board.epoch, version=self.board.version)

    def _tell(self) -> None:
        for news in self._waiting:
            news.set()

    def _failed(self, call: str, kind: str) -> Failed:
        self._client.calls.failed(call, kind)
        return Failed(call, kind)


class ChannelVisitor(HttpVisitor):
    """Implements `Visitor`: what the channel can do goes over the channel."""

    def __init__(self, client: Client, sale: Sale, steps: Durations) -> None:
        super().__init__(client, sale, steps)
        self._channel: LiveChannel | None = None

    async def enter(self, patience: float, linger: float) -> None:
        began = time.monotonic()
        hope = Hope(self, linger)
        channel = self._channel = LiveChannel(self._client, self._sale, self.token)
        await channel.open()
        asked = time.perf_counter()
        await channel.join()
        await channel.until(lambda: channel.state in ("waiting", "active"), _ANSWER_SECONDS, _JOIN)
        self._client.calls.answered(_JOIN, time.perf_counter() - asked)
        while not await channel.waited(
            lambda: channel.state == "active" and channel.board is not None,
            min(_LOOK_SECONDS, max(0.0, began + patience - time.monotonic())),
        ):
            if time.monotonic() - began >= patience:
                raise NotLetIn
            await hope.look()
        self._steps.note("queue", time.monotonic() - began)

    async def board(self) -> bytes:
        board = self._open_channel.board
        assert board is not None  # noqa: S101 - `enter` has waited for it
        return bytes(board.states)

    async def look_away(self) -> None:
        channel = self._open_channel
        board = channel.board
        seen = (board.epoch, board.version) if board else None
        await channel.waited(lambda: (b := channel.board) is not None and (b.epoch, b.version) != seen, 5.0)

    async def hold(self, seats: list[int]) -> None:
        channel = self._open_channel
        try:
            await channel.ask("hold", _HOLD, seats=seats)
        except Refused as refused:
            if refused.code == "seat_taken":
                # "Just taken": the board says so a moment later.
                await channel.waited(lambda: not _free(channel.board, seats), _TAKEN_SECONDS)
            raise

    async def result(self, reservation: dict[str, Any], patience: float) -> dict[str, Any]:
        channel, began = self._open_channel, time.monotonic()
        id_ = reservation["id"]
        seen: dict[str, Any] | None = None
        while reservation["status"] == "PAYING" and time.monotonic() - began < patience:
            if (moved := await self.pay(reservation)) is not None:
                reservation = moved
                continue
            # Something new, not the news of an attempt before.
            await channel.waited(lambda: channel.results.get(id_) is not seen, _PUSH_SECONDS)  # noqa: B023
            seen = channel.results.get(id_)
            # What the push said is what counts here only if the API says the same.
            reservation = await self.reservation(id_)
        if reservation["status"] != "PAYING":
            self._steps.note("payment", time.monotonic() - began)
        return reservation

    async def leave(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None:
            return
        try:
            await channel.leave()
        finally:
            await channel.close()

    @property
    def _open_channel(self) -> LiveChannel:
        if self._channel is None:
            raise RuntimeError("`enter` first")
        return self._channel


def _free(board: Board | None, seats: list[int]) -> bool:
    return board is not None and all(board.states[seat] == SeatState.AVAILABLE for seat in seats)


def _shake_kind(error: BaseException) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"handshake refused with {error.status}"
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__
