"""One case of the fault test: a process at a step of checkout, a fault, the recovery, and the books afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.booking.checkout import Checkout
from core.embedded import Engines
from core.errors import OnsaleError
from core.payments.composition import open_payments
from core.runtime import Runtime
from core.settings import Settings
from core.upkeep.supervisor import Supervisor
from core.venue.event import Event
from tests.booking import Entry, check_books, rows, until
from tests.booking import open_payments as payments_left
from tests.chaos import cashier
from tests.contract.store_proxy import StoreProxy, behind_proxies
from tests.payment_servers import Simulator, simulator

#: How long a store or a provider is away.
AWAY_SECONDS = 1.5
PATIENCE_SECONDS = 60.0

#: The provider has charged, and its answer is on the way: seen in its ledger, not in the process.
CHARGING = "charge under way"

SALE_STEPS = tuple(step for step in cashier.STEPS if not step.startswith(("cancel", "refund")))
SALE_STEPS = (*SALE_STEPS[:5], CHARGING, *SALE_STEPS[5:])
REFUND_STEPS = tuple(step for step in cashier.STEPS if step.startswith(("cancel", "refund")))


class Fault(StrEnum):
    KILLED = "process killed"
    POSTGRES = "PostgreSQL away"
    REDIS = "Redis away"
    HANGS = "provider hangs"
    REFUSES = "provider says no"


CASES = [(step, fault) for step in (*SALE_STEPS, *REFUND_STEPS) for fault in Fault]


@dataclass
class Told:
    """One line of the table."""

    step: str
    fault: Fault
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
            entry.cancelled += line["cancelled"]


class Process:
    """The cashier: a real process, that can be killed."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._said: list[str] = []

    async def says(self, beginning: str) -> None:
        """Waits until it has said a line that begins so; `refused` is a failure of the test."""
        assert self._child.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(line.startswith(beginning) for line in self._said):
                line = (await self._child.stdout.readline()).decode().strip()
                if line.startswith("refused ") or not line:
                    raise AssertionError(f"the buyer was {line or 'left by a dead process'}")
                self._said.append(line)

    def go(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(b"go\n")

    async def kill(self) -> None:
        self._child.send_signal(signal.SIGKILL)
        await self._child.wait()

    async def end(self) -> None:
        if self._child.returncode is None:
            assert self._child.stdin is not None
            self._child.stdin.close()
            try:
                async with asyncio.timeout(15):
                    await self._child.wait()
            except TimeoutError:
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

    async def start(self, event: Event, step: str, *, cancels: bool, log: Path) -> Process:
        task = {
            "settings": self.settings, "slug": event.slug, "visitor": "buyer", "cancels": cancels,
            "step": "" if step == CHARGING else step,
            "engines": {"database_url": self.engines.database_url, "redis_url": self.engines.redis_url},
        }  # fmt: skip
        with log.open("ab") as errors:
            return Process(
                await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tests.chaos.cashier", json.dumps(task), stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE, stderr=errors,
                )
            )  # fmt: skip


@contextlib.asynccontextmanager
async def stage(runtime: Runtime, database_url: str, folder: Path) -> AsyncIterator[Stage]:
    engines = Engines(database_url, runtime.settings.redis_url)
    async with behind_proxies(engines) as (proxied, postgres, redis), simulator(folder / "books.sqlite") as books:
        address = urlsplit(books.url)
        provider = StoreProxy((address.hostname or "", address.port or 0))
        await provider.open()
        settings = {
            "data": str(folder), "secret_key": "chaos", "operator_token": "chaos", "payment_providers": "toss",
            "simulator_url": f"http://127.0.0.1:{provider.port}/paysim", "payment_read_seconds": 0.8,
            "payment_connect_seconds": 1, "claim_seconds": 1.5, "resolver_seconds": 0.2, "payment_deadline_seconds": 40,
            "payment_retries": 0, "breaker_timeouts": 1000, "breaker_window": 1000, "breaker_minimum_calls": 1000,
            "log_level": "warning",
        }  # fmt: skip
        try:
            yield Stage(runtime, settings, proxied, postgres, redis, provider, books)
        finally:
            await provider.cut()


async def play(at: Stage, event: Event, step: str, fault: Fault, folder: Path) -> Told:
    """Plays one case on an open event of its own and returns what came of it; `wrong` says what must not be."""
    told, began = Told(step, fault), time.monotonic()
    cancels = step in REFUND_STEPS
    await at.books.behave(latency_seconds=0.4 if step == CHARGING else 0.0)
    await at.runtime.waiting_room.join(event, "buyer")
    await at.runtime.seats.hold(event, "buyer", [3, 4])
    process = await at.start(event, step, cancels=cancels, log=folder / "cashier.log")
    supervisor = Supervisor()
    payments = open_payments(settings=Settings.load(**at.settings), redis=None, clock=at.runtime.clock)
    other = Checkout(
        database=at.runtime.database, redis=at.runtime.redis, seats=at.runtime.seats, events=at.runtime.events,
        payments=payments, supervisor=supervisor, settings=Settings.load(**at.settings), clock=at.runtime.clock,
        process=f"other-{secrets.token_hex(3)}",
    )  # fmt: skip
    try:
        if step == CHARGING:
            await until(at.books.ledger, PATIENCE_SECONDS)
        else:
            await process.says(f"at {step}")
        away = await _break(at, fault, process)
        if fault is Fault.KILLED:
            # The buyer's browser repeats the call, and another server answers.
            id = await cashier.buy(other, event, "buyer")
            assert id is not None
        else:
            process.go()
            answer = asyncio.create_task(process.says("answered"))
            await asyncio.sleep(AWAY_SECONDS)
            await away()
            await answer

        async def nothing_left() -> bool:
            await other.finish_due()
            return not await payments_left(at.runtime, event)

        await until(nothing_left, PATIENCE_SECONDS)
        if fault is Fault.KILLED and cancels:
            (row,) = await rows(at.runtime, "SELECT id FROM reservations WHERE event_id = $1", event.id)
            await other.cancel(row["id"], "buyer")
            await until(nothing_left, PATIENCE_SECONDS)
        await _examine(at, event, told, cancels=cancels)
    except (AssertionError, TimeoutError, OnsaleError) as error:
        told.wrong = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        await process.end()
        await supervisor.drain(5)
        await payments.aclose()
        told.seconds = time.monotonic() - began
    return told


async def _break(at: Stage, fault: Fault, process: Process) -> Any:
    """Makes the fault happen; returns what ends it."""
    match fault:
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
            await at.books.behave(success_rate=0.0)

    async def nothing() -> None:
        return None

    return nothing


async def _examine(at: Stage, event: Event, told: Told, *, cancels: bool) -> None:
    """Rules 1, 2 and 3 on the books of both sides."""
    reservations = await rows(at.runtime, "SELECT id, status, reason FROM reservations WHERE event_id = $1", event.id)
    assert len(reservations) == 1, f"{len(reservations)} reservations"
    told.end, told.reason = reservations[0]["status"], reservations[0]["reason"] or ""
    books = Ledger(await at.books.ledger())
    told.charged = sum(entry.charged for entry in books.ledger.values())
    told.cancelled = sum(entry.cancelled for entry in books.ledger.values())
    counts = await check_books(at.runtime, event, books)
    # The equation of the money side.
    assert told.charged == counts.get("CONFIRMED", 0) + told.cancelled
    assert set(books.ledger) <= {str(reservations[0]["id"])}, "an order that no reservation knows"
    if cancels:
        assert told.end == "CANCELLED"
    elif told.fault in (Fault.POSTGRES, Fault.REDIS):
        assert told.end == "CONFIRMED", "a store's absence must not lose a sale"


def table(lines: list[Told]) -> str:
    """The cases as text, in the order of checkout."""
    order = {case: number for number, case in enumerate(CASES)}
    lines = sorted(lines, key=lambda told: order[told.step, told.fault])
    out = [f"{'step':<24}{'fault':<18}{'end':<11}{'reason':<27}{'charged':>8}{'given back':>11}{'s':>6}"]
    for told in lines:
        out.append(
            f"{told.step:<24}{told.fault:<18}{told.end:<11}{told.reason:<27}{told.charged:>8}{told.cancelled:>11}"
            f"{told.seconds:>6.1f}{'  WRONG: ' + told.wrong if told.wrong else ''}"
        )
    return "\n".join(out)
