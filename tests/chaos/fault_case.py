"""One case of the fault test: a process at a step of checkout, a fault, the recovery, and the books afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import multiprocessing
import secrets
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.booking.books_postgres import movements
from core.booking.checkout import Checkout
from core.booking.comparing import NO_LIST, Comparing
from core.booking.composition import open_checkout
from core.booking.findings_postgres import FindingRows
from core.booking.mending import Mending
from core.booking.reservation import Reason
from core.embedded import Engines
from core.errors import OnsaleError, StoreUnavailable
from core.payments.composition import open_payments
from core.payments.registry import PLAYED
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.settings import Settings
from core.venue.event import Event
from tests.booking import Entry, attempts, check_books, pass_time, rows, unfinished
from tests.chaos import cashier
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.payment_servers import SECRET_KEY, Simulator, simulator
from tests.waits import PATIENCE, until

#: How long a store or a provider is away: longer than the process waits for an answer.
AWAY_SECONDS = 1.0

#: The provider has charged, and its answer is on the way: seen in its ledger, not in the process.
CHARGING = "charge under way"

SALE_STEPS = tuple(step for step in cashier.STEPS if not cashier.does(step))
SALE_STEPS = (*SALE_STEPS[:8], CHARGING, *SALE_STEPS[8:])
OTHER_STEPS = tuple(step for step in cashier.STEPS if cashier.does(step))


class Fault(StrEnum):
    KILLED = "process killed"
    POSTGRES = "PostgreSQL away"
    REDIS = "Redis away"
    HANGS = "provider hangs"
    REFUSES = "provider says no"


#: NHN KCP has neither webhooks for cards nor a list of charges.
_NOT_AT = {"kcp": ("webhook", "compares")}


@dataclass(frozen=True)
class Case:
    provider: str
    step: str
    fault: Fault

    @property
    def does(self) -> cashier.Does:
        return cashier.does(self.step)

    @property
    def gives_back(self) -> bool:
        """Nothing of the sale is left at the end."""
        return self.does in ("cancels", "compares")

    def __str__(self) -> str:
        return f"{self.provider}, {self.step}, {self.fault}"


CASES = [
    Case(provider, step, fault)
    for provider in PLAYED
    for step in (*SALE_STEPS, *OTHER_STEPS)
    for fault in Fault
    if cashier.does(step) not in _NOT_AT.get(provider, ())
]

#: A server is a fork of one process that has everything imported: it begins at once, and can be killed like any other.
_SERVERS = multiprocessing.get_context("forkserver")
_SERVERS.set_forkserver_preload([cashier.__name__, *(f"core.payments.{name}.composition" for name in PLAYED)])


def start_servers() -> None:
    """Returns when that one process is there. To be called before the first case, which must not wait for it."""
    first = _SERVERS.Process(target=int)
    first.start()
    first.join()


@dataclass
class Told:
    """One line of the table."""

    case: Case
    end: str = "?"
    reason: str = ""
    charged: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    wrong: str = ""


class Ledger:
    """A simulator's books in the form of `check_books`."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.ledger: dict[str, Entry] = {}
        for line in lines:
            entry = self.ledger.setdefault(line["order_id"], Entry(line["amount"]))
            entry.charged += line["charged"]
            entry.refunded += line["amount"] if line["charged"] and line["cancelled"] else 0


class Process:
    """The cashier: a real process, that can be killed."""

    def __init__(self, child: BaseProcess, lines: asyncio.StreamReader, orders: asyncio.StreamWriter) -> None:
        self._child = child
        self._lines = lines
        self._orders = orders
        self._said: list[str] = []

    async def says(self, beginning: str) -> None:
        """Waits until it has said a line that begins so; `refused` is a failure of the test."""
        async with asyncio.timeout(PATIENCE):
            while not any(line.startswith(beginning) for line in self._said):
                line = (await self._lines.readline()).decode().strip()
                if line.startswith("refused ") or not line:
                    raise AssertionError(f"the buyer was {line or 'left by a dead process'}")
                self._said.append(line)

    def go(self) -> None:
        self._orders.write(b"go\n")

    async def kill(self) -> None:
        self._child.kill()
        await asyncio.to_thread(self._child.join)

    async def end(self) -> None:
        self._orders.close()
        await asyncio.to_thread(self._child.join, 15)
        if self._child.is_alive():
            await self.kill()


@dataclass
class Stage:
    """What a case is played on: proxies before the stores and the provider."""

    runtime: Runtime
    settings: dict[str, Any]
    engines: Engines
    postgres: StoreProxy
    redis: StoreProxy
    provider: StoreProxy
    books: Simulator

    async def start(self, event: Event, case: Case, log: Path) -> Process:
        task: cashier.Task = {
            "settings": self.settings,
            "slug": event.slug,
            "visitor": "buyer",
            "does": case.does,
            "bank": at_bank(self.books),
            "step": "" if case.step == CHARGING else case.step,
            "engines": {"database_url": self.engines.database_url, "redis_url": self.engines.redis_url},
        }
        ours, theirs = socket.socketpair()
        with theirs:
            child = _SERVERS.Process(target=cashier.run, args=(task, theirs, log), daemon=True)
            child.start()
        return Process(child, *await asyncio.open_connection(sock=ours))


@contextlib.asynccontextmanager
async def stage(runtime: Runtime, database_url: str, case: Case, folder: Path) -> AsyncIterator[Stage]:
    engines = Engines(database_url, runtime.settings.redis_url)
    async with behind_proxies(engines) as (proxied, postgres, redis), simulator(folder / "books.sqlite") as books:
        address = urlsplit(books.url)
        provider = StoreProxy((address.hostname or "", address.port or 0))
        await provider.open()
        settings = {
            "return_seconds": 0,
            "data": str(folder),
            "secret_key": SECRET_KEY,
            "operator_token": "chaos",
            "payment": f"simulator:{case.provider}",
            "simulator_url": f"http://127.0.0.1:{provider.port}/paysim",
            # Only a provider that hangs must be given up soon; a machine that is busy is no fault of the case.
            "payment_read_seconds": 0.6 if case.fault is Fault.HANGS else 5,
            "payment_connect_seconds": 1,
            "claim_seconds": 1.2,
            "resolver_seconds": 0.2,
            "payment_deadline_seconds": 40,
            "payment_retries": 0,
            "breaker_timeouts": 1000,
            "breaker_window": 1000,
            "breaker_minimum_calls": 1000,
            "log_level": "warning",
        }
        try:
            yield Stage(runtime, settings, proxied, postgres, redis, provider, books)
        finally:
            await provider.cut()


async def play(at: Stage, event: Event, case: Case, folder: Path) -> Told:
    """Plays one case on an open event of its own and returns what came of it; `wrong` says what must not be."""
    told, began, fault = Told(case), time.monotonic(), case.fault
    await at.books.behave(case.provider, latency_seconds=0.3 if case.step == CHARGING else 0.0)
    await until(lambda: _holds(at, event))
    process = await at.start(event, case, folder / "cashier.log")
    supervisor = Supervisor()
    payments = open_payments(settings=Settings.load(**at.settings), redis=None, clock=at.runtime.clock)
    other = open_checkout(
        Settings.load(**at.settings),
        database=at.runtime.database,
        redis=at.runtime.redis,
        seats=at.runtime.seats,
        events=at.runtime.events,
        payments=payments,
        access=at.runtime.access,
        supervisor=supervisor,
        clock=at.runtime.clock,
        process=f"other-{secrets.token_hex(3)}",
    )
    findings = FindingRows(at.runtime.database)
    comparing = Comparing(rows=findings, payments=payments, days=1)
    mending = Mending(rows=findings, payments=payments, giving_back=other)
    try:
        if case.step == CHARGING:
            await until(lambda: at.books.ledger(case.provider))
        else:
            await process.says(f"at {case.step}")
        away = await _break(at, case, process)
        if fault is Fault.KILLED:
            # The buyer's browser repeats the call, and another server answers.
            refusals: list[str] = []
            id = await cashier.buy(other, event, "buyer", refusals.append, at_bank(at.books), case.does)
            assert id is not None, refusals
        else:
            process.go()
            answer = asyncio.create_task(process.says("answered"))
            await asyncio.sleep(AWAY_SECONDS)
            await away()
            await answer

        async def nothing_left() -> bool:
            await other.finish_due()
            return not await unfinished(at.runtime, event)

        await until(nothing_left)
        for row in await rows(
            at.runtime, "SELECT id FROM reservations WHERE event_id = $1 AND status = 'PAYING'", event.id
        ):
            # Declined, or its provider was away: the buyer goes home, and the time to pay ends.
            await pass_time(at.runtime, row["id"], 600)
            await until(lambda: _over(at, other, event))
        await until(nothing_left)
        if fault is Fault.KILLED and case.gives_back:
            (row,) = await rows(at.runtime, "SELECT id FROM reservations WHERE event_id = $1", event.id)
            if case.does == "cancels":
                await other.cancel(row["id"], "buyer")
            else:
                async with asyncio.timeout(PATIENCE):
                    await cashier.in_dashboard(other, row["id"], "buyer", at_bank(at.books))
                    await cashier.compare(comparing, mending, findings)
            await until(nothing_left)
        await _examine(at, event, told)
        await _books_agree(at, event, told, comparing)
    except (AssertionError, TimeoutError, OnsaleError) as error:
        told.wrong = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        await process.end()
        await supervisor.drain(5)
        await payments.aclose()
        told.seconds = time.monotonic() - began
    return told


async def _holds(at: Stage, event: Event) -> bool:
    """Before any fault: a machine that is busy with other cases may take its time."""
    try:
        await at.runtime.waiting_room.join(event, "buyer")
        await at.runtime.seats.hold(event, "buyer", [3, 4])
    except StoreUnavailable:
        return False
    return True


async def _break(at: Stage, case: Case, process: Process) -> Any:
    """Makes the fault happen; returns what ends it."""
    match case.fault:
        case Fault.KILLED:
            await process.kill()
        case Fault.POSTGRES:
            await at.postgres.cut()
            return at.postgres.restore
        case Fault.REDIS:
            await at.redis.cut()
            return at.redis.restore
        case Fault.HANGS:
            at.provider.mute()
            return at.provider.restore
        case Fault.REFUSES:
            await at.books.behave(case.provider, success_rate=0.0)

    async def nothing() -> None:
        return None

    return nothing


async def _examine(at: Stage, event: Event, told: Told) -> None:
    """Rules 1, 2 and 3 on the books of both sides."""
    case = told.case
    reservations = await rows(at.runtime, "SELECT id, status, reason FROM reservations WHERE event_id = $1", event.id)
    assert len(reservations) == 1, f"{len(reservations)} reservations"
    told.end, told.reason = reservations[0]["status"], reservations[0]["reason"] or ""
    books = Ledger(await at.books.ledger(case.provider))
    told.charged = sum(entry.charged for entry in books.ledger.values())
    told.cancelled = sum(
        entry.charged * entry.amount == entry.refunded and entry.charged for entry in books.ledger.values()
    )
    counts = await check_books(at.runtime, event, books)
    # The equation of the money side.
    assert told.charged == counts.get("CONFIRMED", 0) + told.cancelled
    assert set(books.ledger) <= {row["order_no"] for row in await attempts(at.runtime, event)}, (
        "an order that nobody knows"
    )
    if case.gives_back:
        assert told.end == "CANCELLED"
    elif case.fault in (Fault.POSTGRES, Fault.REDIS):
        # NHN KCP cannot be asked for an order by its number: a charge whose answer outlives the lease is net-cancelled.
        lost = case.provider == "kcp" and told.reason == Reason.CANCELLED_AT_PROVIDER
        assert told.end == "CONFIRMED" or lost, "a store's absence must not lose a sale"


async def _books_agree(at: Stage, event: Event, told: Told, comparing: Comparing) -> None:
    """The provider's ledger = our database = the export of the books; and the provider's list has nothing to add."""
    orders = await attempts(at.runtime, event)
    lines = [line for one in orders for line in await at.books.payments(one["order_no"], told.case.provider)]
    ledger = sum(line["balance"] for line in lines)
    (row,) = await rows(
        at.runtime,
        "SELECT (SELECT coalesce(sum(amount), 0) FROM payment_attempts WHERE state = 'APPROVED') - "
        "(SELECT coalesce(sum(f.amount), 0) FROM refunds f JOIN payment_attempts a ON a.order_no = f.order_no "
        "WHERE f.kind = 'refund' AND f.state = 'DONE' AND a.state = 'APPROVED') AS left",
    )
    pieces = [piece async for piece in movements(at.runtime.database, event_id=None, since=None, before=None)]
    exported = sum(int(one["amount"]) for one in csv.DictReader(io.StringIO("".join(pieces))) if one["state"] == "DONE")
    assert ledger == int(row["left"]) == exported, f"ledger {ledger}, database {row['left']}, export {exported}"
    # On a busy machine the list may take longer than the reading time of this world: it is asked for again.
    async with asyncio.timeout(PATIENCE):
        while (made := (await comparing.compare())[0]).code == "read_timeout":
            await asyncio.sleep(0.1)
    assert made.differing == 0, "the provider's list differs from our books"
    assert made.code == (NO_LIST if told.case.provider == "kcp" else None), made.code


async def _over(at: Stage, other: Checkout, event: Event) -> bool:
    await other.finish_due()
    return not await rows(at.runtime, "SELECT id FROM reservations WHERE event_id = $1 AND status = 'PAYING'", event.id)


def at_bank(books: Simulator) -> str:
    """Where a browser finds the windows: nothing is between it and the provider."""
    return books.url


def table(lines: Sequence[Told]) -> str:
    """The cases as text, in the order of checkout."""
    order = {case: number for number, case in enumerate(CASES)}
    head = f"{'':<8}{'step':<24}{'fault':<18}{'end':<11}{'reason':<27}{'charged':>8}{'given back':>11}{'s':>6}"
    out = [head]
    for told in sorted(lines, key=lambda told: order[told.case]):
        out.append(
            f"{told.case.provider:<8}{told.case.step:<24}{told.case.fault:<18}{told.end:<11}{told.reason:<27}"
            f"{told.charged:>8}{told.cancelled:>11}{told.seconds:>6.1f}{'  WRONG: ' + told.wrong if told.wrong else ''}"
        )
    return "\n".join(out)
