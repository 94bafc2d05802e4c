"""A server process with one buyer, for the fault test to disturb: `run(task, socket, log)` in a process of its own.

It talks in lines over the socket: `at STEP` when it gets there for the first time, and then it waits for a line;
`answered ID` when the buyer has got an answer, `refused CODE` when the answer was no. Then it goes on like any server,
finishing payments that are due, until it is killed or the socket is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx

from core.booking.attempt import RETRIABLE, AttemptState
from core.booking.checkout import Checkout
from core.booking.comparing import Comparing
from core.booking.findings_postgres import FindingRows
from core.booking.mending import Mending
from core.booking.reservation import Change
from core.embedded import Engines
from core.errors import NotMended, OnsaleError, PaymentInProgress, PaymentUnavailable, StartupError, StoreUnavailable
from core.payments.gateway import ReturnRefused, WindowUrls
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event
from tests.waits import PATIENCE

#: What a buyer who reads "try again" does.
AGAIN = (StoreUnavailable, PaymentUnavailable, PaymentInProgress)
AGAIN_SECONDS = 0.15

#: Of the simulator on its own (`tests/payment_servers.py`).
OPERATOR = "operator-of-tests"

#: What the buyer, or an operator, does besides buying: gives the reservation back; closes the first window; is brought
#: back by a webhook, since the return is lost; finds what was given back in the provider's dashboard, and notes it.
Does = Literal["", "cancels", "closes", "webhook", "compares"]

Part = Callable[[Runtime], Any]
Say = Callable[[str], None]


class Addresses(TypedDict):
    database_url: str
    redis_url: str


class Task(TypedDict):
    """`step`: a name of `STEPS`, or ""; `bank`: where the buyer's browser finds the provider's windows."""

    settings: dict[str, Any]
    engines: Addresses
    slug: str
    visitor: str
    step: str
    does: Does
    bank: str


def _rows(runtime: Runtime) -> Any:
    return runtime.checkout._reservations


def _refunds(runtime: Runtime) -> Any:
    return runtime.checkout._refunds


def _seats(runtime: Runtime) -> Any:
    return runtime.checkout._seats


def _payments(runtime: Runtime) -> Any:
    return runtime.checkout._payments


def _findings(runtime: Runtime) -> Any:
    return runtime.findings


#: step -> (whose method, the method, before or after it, only for this change)
STEPS: dict[str, tuple[Part, str, str, Change | None]] = {
    "key looked up": (_rows, "find", "after", None),
    "basket paying in Redis": (_seats, "begin_payment", "after", None),
    "order made": (_rows, "begin", "after", None),
    "window opened": (_payments, "open_window", "after", None),
    "return to be bound": (_rows, "bind", "before", None),
    "return bound": (_rows, "bind", "after", None),
    "call to be noted": (_rows, "called", "before", None),
    "call noted": (_rows, "called", "after", None),
    "answer heard": (_payments, "confirm", "after", None),
    "end to be written": (_rows, "change", "before", None),
    "end written": (_rows, "change", "after", None),
    "board told": (_seats, "settle", "after", None),
    "browser told": (_rows, "leave", "before", None),
    "claim given back": (_rows, "leave", "after", None),
    "refund to be written": (_refunds, "ask", "before", None),
    "refund asked for": (_refunds, "ask", "after", None),
    "refund to be sent": (_payments, "cancel", "before", None),
    "refund heard": (_payments, "cancel", "after", None),
    "refund done": (_refunds, "done", "after", None),
    "attempt closed": (_rows, "end_attempt", "after", None),
    "next attempt to be made": (_rows, "next_attempt", "before", None),
    "next attempt made": (_rows, "next_attempt", "after", None),
    "webhook looked up": (_payments, "look_up", "after", None),
    "list read": (_findings, "booked", "after", None),
    "finding written": (_findings, "add", "after", None),
    "finding to be mended": (_refunds, "ask", "before", None),
    "finding mended": (_refunds, "ask", "after", None),
    "finding ended": (_findings, "end", "after", None),
}

#: The steps that only come where somebody does more than buy.
_OF: dict[Does, tuple[str, ...]] = {
    "cancels": ("refund to be written", "refund asked for", "refund to be sent", "refund heard", "refund done"),
    "closes": ("attempt closed", "next attempt to be made", "next attempt made"),
    "webhook": ("webhook looked up",),
    "compares": ("list read", "finding written", "finding to be mended", "finding mended", "finding ended"),
}


def does(step: str) -> Does:
    """What leads to a step."""
    return next((deed for deed, steps in _OF.items() if step in steps), "")


class Pause:
    """Stops the process's work at one step, once."""

    def __init__(self, name: str, say: Say) -> None:
        self.go_on = asyncio.Event()
        self._name = name
        self._say = say
        self._met = False

    def set_in(self, runtime: Runtime) -> None:
        part, method, when, change = STEPS[self._name]
        owner = part(runtime)
        real: Callable[..., Awaitable[Any]] = getattr(owner, method)

        @functools.wraps(real)
        async def paused(*arguments: Any, **named: Any) -> Any:
            ours = change is None or change in arguments
            if ours and when == "before":
                await self._here()
            answer = await real(*arguments, **named)
            if ours and when == "after":
                await self._here()
            return answer

        setattr(owner, method, paused)

    async def _here(self) -> None:
        if not self._met:
            self._met = True
            self._say(f"at {self._name}")
            await self.go_on.wait()


async def through_the_window(checkout: Checkout, id: UUID, visitor: str, bank: str, deed: Does = "") -> None:
    """Opens the window, approves, and loads the return; a buyer who has been there before goes on where it stands."""
    reservation = await checkout.get(id, visitor)
    if reservation.status != "PAYING":
        return
    attempt = reservation.payment
    if attempt is not None and attempt.state in RETRIABLE:
        attempt = (await checkout.next_attempt(id))[0].payment
    if attempt is None or attempt.state is not AttemptState.OPEN:
        return
    shop = f"http://shop.test/pay/{attempt.provider}"
    urls = WindowUrls(f"{shop}/return/{attempt.order}?s=s", f"{shop}/closed/{attempt.order}?s=s")
    window = await checkout.open_window(attempt.order, device="phone", urls=urls)
    async with httpx.AsyncClient(base_url=f"{bank}/{attempt.provider}", trust_env=False, timeout=30) as browser:
        opened = (await browser.post("/windows", json=dict(window.fields))).raise_for_status().json()["window"]
        if deed == "closes" and attempt.number == 1:
            (await browser.post(f"/windows/{opened}/close")).raise_for_status()
            await checkout.closed(attempt.order, None)
            await through_the_window(checkout, id, visitor, bank, deed)
            return
        ended = (await browser.post(f"/windows/{opened}/approve")).raise_for_status().json()["return"]
    if deed == "webhook":
        await checkout.hint(attempt.provider, attempt.order)
        if await _brought_back(checkout, id, visitor):
            return
        # It did not help: the buyer's browser comes back after all.
    query = dict(parse_qsl(urlsplit(ended).query))
    query.pop("s", None)
    while True:
        # A browser that reads "try again" loads the return again.
        try:
            await checkout.returned(attempt.order, query, {})
        except StoreUnavailable:
            await asyncio.sleep(AGAIN_SECONDS)
        except ReturnRefused:
            return
        else:
            return


async def _brought_back(checkout: Checkout, id: UUID, visitor: str) -> bool:
    for _ in range(40):
        with contextlib.suppress(StoreUnavailable):
            payment = (await checkout.get(id, visitor)).payment
            if payment is None or payment.state is not AttemptState.OPEN:
                return True
        await asyncio.sleep(AGAIN_SECONDS)
    return False


async def buy(checkout: Checkout, event: Event, visitor: str, say: Say, bank: str, deed: Does = "") -> UUID | None:
    """Submits until there is an answer, always with the same key, and pays. None: refused, and said so."""
    while True:
        try:
            email = f"{visitor}@example.org"
            begun = await checkout.submit(event, visitor, email=email, idempotency_key="key", language="ko")
            await through_the_window(checkout, begun.id, visitor, bank, deed)
        except AGAIN:
            await asyncio.sleep(AGAIN_SECONDS)
        except OnsaleError as refusal:
            say(f"refused {refusal.code}")
            return None
        else:
            return begun.id


async def give_back(checkout: Checkout, id: UUID, visitor: str) -> None:
    """Waits for the confirmation, then cancels until there is an answer."""
    while True:
        try:
            if (await checkout.get(id, visitor)).status != "PAYING":
                await checkout.cancel(id, visitor)
                return
        except AGAIN:
            pass
        await asyncio.sleep(AGAIN_SECONDS)


async def in_dashboard(checkout: Checkout, id: UUID, visitor: str, bank: str) -> bool:
    """Waits for the end; what was charged is given back in the provider's own dashboard. False: nothing was."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            reservation = await checkout.get(id, visitor)
            if reservation.status != "PAYING":
                break
        await asyncio.sleep(AGAIN_SECONDS)
    payment = reservation.payment
    if reservation.status != "CONFIRMED" or payment is None:
        return False
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    async with httpx.AsyncClient(
        base_url=f"{bank}/{payment.provider}", headers=headers, trust_env=False, timeout=30
    ) as desk:
        lines = (await desk.get("/payments", params={"order_id": payment.order})).raise_for_status().json()
        for line in lines:
            if line["balance"]:
                (await desk.post(f"/payments/{line['payment_key']}/refund", json={})).raise_for_status()
    return True


async def compare(comparing: Comparing, mending: Mending, findings: FindingRows) -> None:
    """An operator compares and mends until the provider's list and the books agree."""
    while True:
        try:
            made = await comparing.compare()
            open_now = [one for one in await findings.latest(100) if one.state == "OPEN"]
            for one in open_now:
                await mending.mend(one.id, "kim")
            if not open_now and all(one.code is None for one in made):
                return
        except (*AGAIN, NotMended):
            pass
        await asyncio.sleep(AGAIN_SECONDS)


async def work(runtime: Runtime) -> None:
    """The job that finishes what is due."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            await runtime.checkout.finish_due(wait=False)
        await asyncio.sleep(0.2)


async def _opened(stack: contextlib.AsyncExitStack, task: Task) -> Runtime:
    """The process as whoever starts servers would start it: again, where a busy machine kept it from its stores."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                opening = open_runtime(Settings.load(**task["settings"]), Engines(**task["engines"]))
                return await stack.enter_async_context(opening)
            except StartupError:
                await asyncio.sleep(AGAIN_SECONDS)


async def _found(runtime: Runtime, slug: str) -> Event:
    """As a browser that reads "try again" loads the sale again: nothing of the case has begun yet."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await runtime.events.get(slug)
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)


async def main(task: Task, talk: socket.socket) -> None:
    lines, answers = await asyncio.open_connection(sock=talk)

    def say(line: str) -> None:
        answers.write(f"{line}\n".encode())

    async with contextlib.AsyncExitStack() as stack:
        runtime = await _opened(stack, task)
        event = await _found(runtime, task["slug"])
        pause = Pause(task["step"], say)
        if task["step"]:
            pause.set_in(runtime)
        buying = asyncio.create_task(_be_the_buyer(runtime, event, task, say))
        working = asyncio.create_task(work(runtime))
        while await lines.readline():
            pause.go_on.set()
        working.cancel()
        buying.cancel()


async def _be_the_buyer(runtime: Runtime, event: Event, task: Task, say: Say) -> None:
    deed = task["does"]
    id = await buy(runtime.checkout, event, task["visitor"], say, task["bank"], deed)
    if id is not None:
        if deed == "cancels":
            await give_back(runtime.checkout, id, task["visitor"])
        if deed == "compares":
            await in_dashboard(runtime.checkout, id, task["visitor"], task["bank"])
            await compare(runtime.comparing, runtime.mending, runtime.findings)
        say(f"answered {id}")


def run(task: Task, talk: socket.socket, log: Path) -> None:
    """The process's whole life. What it would print goes to `log`."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    asyncio.run(main(task, talk))
