"""Buyers of the crash runs: they hold, let go and buy a few seats that all want, and note what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import random
import time
import uuid
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from cli.load.client import Client, Failed, RateLimited, Refused
from cli.load.window import go_through
from tests.hold_history import ANYBODY, BOARD_SECONDS, Call, Told

EMAIL = "kim@example.org"
#: A write that said so has changed nothing; of any other fault nobody knows.
NOTHING_CHANGED = "503 store_unavailable"


class Notes:
    """What all buyers were told: calls by seat, and every answer that no fault excuses."""

    def __init__(self) -> None:
        self.seats: defaultdict[int, list[Call]] = defaultdict(list)
        self.faults: list[str] = []
        self.answers: Counter[str] = Counter()
        self.confirmed: dict[str, str] = {}
        """Reservations that the API called confirmed, and their visitors."""

    def failed(self, error: Failed) -> None:
        self.answers[error.kind] += 1
        if error.kind.startswith("500"):
            self.faults.append(str(error))

    def may_end(self, visitor: str) -> None:
        """From now on no hold of this visitor is sure any more."""
        for calls in self.seats.values():
            for number, call in enumerate(calls):
                if call.visitor == visitor and call.told is Told.HELD:
                    calls[number] = dataclasses.replace(call, until=min(call.until, time.time()))

    def bought(self, visitor: str, seat: int) -> None:
        """The visitor's last hold of this seat never ends."""
        calls = self.seats[seat]
        for number in range(len(calls) - 1, -1, -1):
            if calls[number].visitor == visitor and calls[number].told is Told.HELD:
                calls[number] = dataclasses.replace(calls[number], until=math.inf)
                return


class Buyer:
    """One buyer after the other on one line of work; `seats` are those that all want."""

    def __init__(self, client: Client, slug: str, seats: int, notes: Notes, dice: random.Random) -> None:
        self._client = client
        self._base = f"/api/events/{slug}"
        self._seats = seats
        self._notes = notes
        self._dice = dice

    async def run(self, until: float) -> None:
        while time.time() < until:
            try:
                await self._one(until)
            except Refused as error:
                self._notes.answers[error.code] += 1
            except Failed as error:
                self._notes.failed(error)
            except RateLimited:
                self._notes.answers["429"] += 1
            await asyncio.sleep(0.05)

    async def _one(self, until: float) -> None:
        made = await self._call("POST", "/api/visitors", "")
        visitor, token = str(made["visitor"]), str(made["token"])
        await self._call("POST", f"{self._base}/queue", token, {})
        try:
            await self._at_the_map(visitor, token, until)
        finally:
            # Who stays would take a place from the next; whose leave gets lost takes it until the session's end.
            self._notes.may_end(visitor)
            with contextlib.suppress(Refused, Failed):
                await self._call("DELETE", f"{self._base}/queue", token)

    async def _at_the_map(self, visitor: str, token: str, until: float) -> None:
        for _ in range(12):
            if time.time() > until:
                return
            await asyncio.sleep(self._dice.uniform(0, 0.1))
            held = await self._hold(visitor, token, self._dice.randrange(self._seats))
            step = self._dice.random()
            if held and step < 0.4:
                await self._let_go(visitor, token, held)
            elif held and step < 0.7:
                await self._buy(visitor, token)
                return
        await self._let_go(visitor, token, [])

    async def _hold(self, visitor: str, token: str, seat: int) -> list[int]:
        """The basket after it; nothing when the seat was not held."""
        sent = time.time()
        try:
            body = await self._call("POST", f"{self._base}/holds", token, {"seats": [seat]})
        except Refused as error:
            if error.code != "seat_taken":
                raise
            self._notes.answers[error.code] += 1
            by_board = (
                "board" in error.body
            )  # which may be from before, and may have had the seat as this visitor's own
            asked, by = (sent - BOARD_SECONDS, ANYBODY) if by_board else (sent, visitor)
            self._notes.seats[seat].append(Call(by, Told.TAKEN, asked, time.time()))
            return []
        except Failed as error:
            if error.kind != NOTHING_CHANGED:
                self._notes.seats[seat].append(Call(visitor, Told.LOST_HOLD, sent, math.inf, until=sent))
            raise
        until = datetime.fromisoformat(body["until"]).timestamp()
        self._notes.seats[seat].append(Call(visitor, Told.HELD, sent, time.time(), until))
        return [int(one) for one in body["seats"]]

    async def _let_go(self, visitor: str, token: str, seats: list[int]) -> None:
        """All of the basket when none is named."""
        sent = time.time()
        try:
            await self._call("DELETE", f"{self._base}/holds", token, {"seats": seats} if seats else {})
        except Failed as error:
            if error.kind != NOTHING_CHANGED:
                self._freed(visitor, seats, Told.LOST_RELEASE, sent, math.inf)
            raise
        self._freed(visitor, seats, Told.FREED, sent, time.time())

    def _freed(self, visitor: str, seats: list[int], told: Told, sent: float, answered: float) -> None:
        """Of a seat that the visitor does not hold it says nothing: noted is what may have been in the basket."""
        for seat in seats or range(self._seats):
            if any(call.visitor == visitor for call in self._notes.seats[seat]):
                self._notes.seats[seat].append(Call(visitor, told, sent, answered))

    async def _buy(self, visitor: str, token: str) -> None:
        """Where it ends otherwise than with tickets, its seats may be free from now on; `test_crash_runs` ends those
        that were bought by what the database says.
        """
        self._notes.may_end(visitor)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        path = f"{self._base}/reservations"
        made = await self._again("POST", path, token, {"email": EMAIL}, key)
        await self._paid(made)
        where = f"/api/reservations/{made['id']}"
        for _ in range(200):
            state = await self._again("GET", where, token)
            if state["status"] != "PAYING":
                self._notes.answers[state["status"]] += 1
                if state["status"] == "CONFIRMED":
                    self._notes.confirmed[str(state["id"])] = visitor
                return
            await asyncio.sleep(0.2)

    async def _paid(self, made: dict[str, Any]) -> None:
        """Through the window; who is cut off on the way leaves it to the timers."""
        try:
            await go_through(
                self._client, made["payment"], self._dice.choice(("approve", "approve", "approve", "close"))
            )
        except Failed as error:
            self._notes.failed(error)
        except Refused as error:
            self._notes.answers[error.code] += 1

    async def _again(self, method: str, path: str, token: str, body: Any = None, headers: Any = None) -> Any:
        """The same call until it has an answer: what a page does."""
        for _ in range(40):
            try:
                return await self._call(method, path, token, body, headers)
            except Failed as error:
                self._notes.failed(error)
                await asyncio.sleep(0.25)
        raise Failed(f"{method} {path}", "no answer in forty tries")

    async def _call(self, method: str, path: str, token: str, body: Any = None, headers: Any = None) -> Any:
        return await self._client.call(method, path, path, token=token, body=body, headers=headers)
