"""One visitor over HTTP: the calls of each step, at the pace of a patient browser.

A visitor who waits asks for the place the more often the nearer it is, and beats as often as the event asks for.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from cli.load.client import Client, Failed, Refused
from cli.load.measures import Durations
from cli.load.proof import solved
from cli.load.window import Ending, go_through
from core.seats.board import SeatState

T = TypeVar("T")

#: How often a call that may be repeated is tried when the server fails.
_TRIES: Final = 4
_PAUSE_SECONDS: Final = (0.2, 3.0)
#: Between two looks at a place, at a board without a free seat, at a payment under way.
_PLACE_SECONDS: Final = (0.5, 5.0)
_BOARD_SECONDS: Final = 0.5
_PAYMENT_SECONDS: Final = (0.25, 1.0)


#: Windows that one visitor opens, at most: whatever brings them back to an open one must have an end.
_WINDOWS: Final = 6


#: Between two looks, of who waits, at whether there is anything left to be let in to.
_LEFT_SECONDS: Final = 5.0


class NotLetIn(Exception):
    """The patience for the queue is over."""


class NothingLeft(NotLetIn):
    """Nobody is let in any more: no seat is free, and none is in a basket, or for too long."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What a visitor knows of the event; `beat_seconds` is the pause between two heartbeats."""

    slug: str
    seats: int
    active_limit: int
    max_seats: int
    beat_seconds: float

    @classmethod
    def of(cls, details: dict[str, Any]) -> Sale:
        """From `GET /api/events/{slug}`."""
        return cls(
            slug=details["slug"],
            seats=details["seats"],
            active_limit=details["active_limit"],
            max_seats=details["max_seats"],
            beat_seconds=details["beat_seconds"],
        )


class Visitor(Protocol):
    """What a journey needs, whichever way it goes. All calls raise Refused, Failed and RateLimited."""

    id: str
    token: str

    async def arrive(self) -> None:
        """Becomes a visitor, with a token."""
        ...

    async def enter(self, patience: float, linger: float) -> None:
        """Joins, and returns when let in. Raises NotLetIn after `patience` seconds, NothingLeft when every seat is sold
        or none was free for `linger` seconds.
        """
        ...

    async def board(self) -> bytes:
        """One byte a seat, as the visitor sees it now."""
        ...

    async def look_away(self) -> None:
        """Until it is worth looking at the board again."""
        ...

    async def hold(self, seats: list[int]) -> None: ...

    async def reserve(self, key: str) -> dict[str, Any]:
        """Begins to pay for what is held, and tells the reservation as it is. `key` makes repeats harmless."""
        ...

    async def result(self, reservation: dict[str, Any], patience: float) -> dict[str, Any]:
        """Pays; the reservation once it is not PAYING any more, or as it is after `patience` seconds."""
        ...

    async def give_back(self, reservation: dict[str, Any]) -> dict[str, Any]:
        """Gives the seats of an order back that is not paid for yet; the reservation as it is then."""
        ...

    async def leave(self) -> None: ...


class HttpVisitor:
    """Implements `Visitor` with nothing but HTTP calls."""

    def __init__(self, client: Client, sale: Sale, steps: Durations, *, mail: str = "rush.example") -> None:
        self.id = ""
        self.token = ""
        self._client = client
        self._sale = sale
        self._steps = steps
        self._mail = mail
        self._ticket: str | None = None
        self._beat_at = 0.0
        self._windows = 0

    async def arrive(self) -> None:
        made = await persistent(lambda: self._client.call("POST", "/api/visitors", "/api/visitors"))
        self.id, self.token = made["visitor"], made["token"]

    async def enter(self, patience: float, linger: float) -> None:
        began = time.monotonic()
        hope = Hope(self, linger)
        place = await self._join()
        while place["state"] != "active":
            if time.monotonic() - began > patience:
                raise NotLetIn
            await asyncio.sleep(_place_pause(place["ahead"], self._sale) * random.uniform(0.8, 1.2))
            await hope.look()
            try:
                place = await self._place()
            except Refused as refused:
                if refused.code != "not_in_queue":
                    raise
                place = await self._join()
        self._steps.note("queue", time.monotonic() - began)

    async def board(self) -> bytes:
        return await self.board_asked_for()

    async def board_asked_for(self) -> bytes:
        """By a call: who waits is sent no board."""
        answer = await persistent(lambda: self._of_event("GET", "/board"))
        return base64.b64decode(answer["states"])

    async def look_away(self) -> None:
        await asyncio.sleep(_BOARD_SECONDS * random.uniform(0.8, 1.2))
        await self._alive()

    async def hold(self, seats: list[int]) -> None:
        await persistent(lambda: self._of_event("POST", "/holds", {"seats": seats}))

    async def release(self) -> None:
        """Lets go of all that is held."""
        await persistent(lambda: self._of_event("DELETE", "/holds"))

    async def stay(self, seconds: float) -> None:
        """Does nothing for a while but give signs of life."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self._sale.beat_seconds))
            await self._alive()

    async def reserve(self, key: str) -> dict[str, Any]:
        body = {"email": f"{self.id.replace('_', '-').lower()}@{self._mail}"}
        answer: dict[str, Any] = await persistent(
            lambda: self._of_event("POST", "/reservations", body, {"Idempotency-Key": key})
        )
        return answer

    async def result(self, reservation: dict[str, Any], patience: float) -> dict[str, Any]:
        began = time.monotonic()
        pause = _PAYMENT_SECONDS[0]
        while reservation["status"] == "PAYING" and time.monotonic() - began < patience:
            if (moved := await self.pay(reservation)) is not None:
                reservation = moved
                continue
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(1.5 * pause, _PAYMENT_SECONDS[1])
            await self._alive()
            reservation = await self.reservation(reservation["id"])
        if reservation["status"] != "PAYING":
            self._steps.note("payment", time.monotonic() - began)
        return reservation

    async def pay(self, reservation: dict[str, Any]) -> dict[str, Any] | None:
        """What the buyer has to do now: the window of an open attempt, or another try after a declined or closed one.

        The reservation as it is then; None when there is nothing to do but wait.
        """
        payment, call = reservation.get("payment"), self._client.call
        state = payment["state"] if payment else None
        id_ = reservation["id"]
        if payment is not None and state == "OPEN" and self._windows < _WINDOWS:
            self._windows += 1
            began = time.monotonic()
            await persistent(lambda: go_through(self._client, payment, self.ending()))
            self._steps.note("window", time.monotonic() - began)
            return await self.reservation(id_)
        if state in ("DECLINED", "CLOSED") and reservation.get("attempts_left", 0) > 0:
            try:
                pattern = "/api/reservations/{id}/payments"
                again: dict[str, Any] = await persistent(
                    lambda: call("POST", pattern, f"/api/reservations/{id_}/payments", token=self.token, body={})
                )
            except Refused as refused:
                if refused.code not in ("window_over", "no_attempts_left"):
                    raise
                return None
            return again
        return None

    async def give_back(self, reservation: dict[str, Any]) -> dict[str, Any]:
        pattern, id_ = "/api/reservations/{id}/cancel", reservation["id"]
        call = self._client.call
        # Refused: the money is on its way, and what becomes of it is told afterwards.
        with contextlib.suppress(Refused):
            await persistent(
                lambda: call("POST", pattern, f"/api/reservations/{id_}/cancel", token=self.token, body={})
            )
        return await self.reservation(id_)

    def ending(self) -> Ending:
        """How this visitor ends a window."""
        return "approve"

    async def reservation(self, id: str) -> dict[str, Any]:
        call = self._client.call
        answer: dict[str, Any] = await persistent(
            lambda: call("GET", "/api/reservations/{id}", f"/api/reservations/{id}", token=self.token)
        )
        return answer

    async def leave(self) -> None:
        await persistent(lambda: self._of_event("DELETE", "/queue"))

    async def _join(self) -> dict[str, Any]:
        body = {"ticket": self._ticket} if self._ticket else {}
        while True:
            try:
                place: dict[str, Any] = await persistent(lambda: self._of_event("POST", "/queue", body))
                break
            except Refused as refused:
                if refused.code != "proof_required":
                    raise
                body["proof"] = await solved(refused.body)
        self._ticket = place["ticket"]
        self._beat_at = time.monotonic()
        return place

    async def _place(self) -> dict[str, Any]:
        """Asks, or beats when it is time: the answer is the same."""
        if time.monotonic() - self._beat_at < self._sale.beat_seconds:
            place: dict[str, Any] = await persistent(lambda: self._of_event("GET", "/queue"))
            return place
        return await self._beat()

    async def _beat(self) -> dict[str, Any]:
        place: dict[str, Any] = await persistent(lambda: self._of_event("POST", "/heartbeat"))
        self._beat_at = time.monotonic()
        return place

    async def _alive(self) -> None:
        """A beat when one is due. Being out is told by the call that needs to be in."""
        if time.monotonic() - self._beat_at < self._sale.beat_seconds:
            return
        try:
            await self._beat()
        except Refused:
            self._beat_at = time.monotonic()

    async def _of_event(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return await self._client.call(
            method,
            f"/api/events/{{slug}}{path}",
            f"/api/events/{self._sale.slug}{path}",
            token=self.token,
            body=body,
            headers=headers,
        )


def new_key() -> str:
    """An `Idempotency-Key`."""
    return secrets.token_urlsafe(16)


async def persistent(call: Callable[[], Awaitable[T]]) -> T:
    """Tries again after a fault of the server: for calls that may be repeated, as all of the sale's may."""
    pause, longest = _PAUSE_SECONDS
    for _ in range(_TRIES - 1):
        try:
            return await call()
        except Failed as failed:
            await asyncio.sleep(max(pause, min(failed.retry_after, longest)) * random.uniform(0.8, 1.2))
            pause = min(3 * pause, longest)
    return await call()


def _place_pause(ahead: int, sale: Sale) -> float:
    """Seconds until the place is worth asking for again: the active limit leaves about once in some seconds."""
    least, most = _PLACE_SECONDS
    return min(most, sale.beat_seconds, max(least, ahead / sale.active_limit))


class Hope:
    """What keeps somebody in the queue: a free seat, or, for `linger` seconds, one in a basket that may come free."""

    def __init__(self, visitor: HttpVisitor, linger: float) -> None:
        self._visitor = visitor
        self._linger = linger
        self._looked_at = self._free_at = time.monotonic()

    async def look(self) -> None:
        """Looks when it is time. Raises NothingLeft."""
        if time.monotonic() - self._looked_at < _LEFT_SECONDS:
            return
        states = await self._visitor.board_asked_for()
        now = self._looked_at = time.monotonic()
        if SeatState.AVAILABLE in states:
            self._free_at = now
        elif SeatState.HELD not in states:
            raise NothingLeft
        elif now - self._free_at > self._linger:
            raise NothingLeft("held by others to the end")
