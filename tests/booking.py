"""A provider with a ledger, desks (processes) that sell, and what must be true when all is over: for checkout tests."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from core import keys
from core.booking.checkout import Checkout
from core.booking.reservation import Reservation, ReservationStatus
from core.database import raw
from core.errors import PaymentUnavailable
from core.payments.gateway import Charge, ChargeOutcome, ChargeResult
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.venue.event import Event
from tests.waits import until as until

T = TypeVar("T")
BeforeCall = Callable[[str], Awaitable[None]]

_BOARD_BYTE = {"AVAILABLE": 0, "PAYING": 1, "SOLD": 2, "BLOCKED": 3}


class Killed(BaseException):
    """The process died here: nothing after this line ran."""


@dataclass
class Entry:
    """What the provider's books say of one order."""

    amount: int
    charged: int = 0
    cancelled: int = 0


@dataclass
class Bank:
    """A payment provider that keeps its books whatever happens to its answers.

    `says`: approve, decline, hang (charges, the answer is lost), lost (does not charge, the answer is lost),
    unavailable, parked. `reachable=False`: nothing that it is asked afterwards is answered. `refunds=False`: asked
    to give money back, it says no. `gate`: charges wait for it.
    """

    says: str = "approve"
    reachable: bool = True
    refunds: bool = True
    open: bool = True
    ledger: dict[str, Entry] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    after_charge: Callable[[], None] | None = None
    calls: int = 0
    asked: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0

    def require_available(self, payment_key: str | None = None) -> None:
        if not self.open:
            raise PaymentUnavailable()

    async def charge(self, charge: Charge, *, before_call: BeforeCall) -> ChargeResult:
        if self.says in ("unavailable", "parked"):
            code = "parked" if self.says == "parked" else "circuit_open"
            return ChargeResult(ChargeOutcome.NOT_CHARGED, "bank", code=code)
        await before_call("bank")
        self.calls += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            says = self.says
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            entry = self.ledger.setdefault(charge.order_id, Entry(charge.amount))
            if says in ("approve", "hang"):
                entry.charged += 1
            if self.after_charge is not None:
                self.after_charge()
        finally:
            self._at_once -= 1
        if says == "approve":
            return ChargeResult(ChargeOutcome.APPROVED, "bank", f"key-{charge.order_id}")
        if says == "decline":
            return ChargeResult(ChargeOutcome.DECLINED, "bank", code="REJECT_CARD_PAYMENT")
        return ChargeResult(ChargeOutcome.UNKNOWN, "bank", code="read_timeout")

    async def look_up(self, provider: str, charge: Charge) -> ChargeResult:
        assert provider == "bank"
        self.asked.append(charge.order_id)
        entry = self.ledger.get(charge.order_id)
        if not self.reachable:
            return ChargeResult(ChargeOutcome.UNKNOWN, provider, code="read_timeout")
        if entry is None or not entry.charged:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, provider, code="NOT_FOUND_PAYMENT")
        outcome = ChargeOutcome.CANCELLED if entry.cancelled else ChargeOutcome.APPROVED
        return ChargeResult(outcome, provider, f"key-{charge.order_id}")

    async def cancel(self, provider: str, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult:
        if not self.reachable:
            return ChargeResult(ChargeOutcome.UNKNOWN, provider, code="read_timeout")
        if not self.refunds:
            return ChargeResult(ChargeOutcome.UNKNOWN, provider, code="NOT_CANCELABLE_PAYMENT", refused=True)
        entry = self.ledger.get(charge.order_id)
        if entry is None or not entry.charged:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, provider)
        entry.cancelled = entry.charged
        return ChargeResult(ChargeOutcome.CANCELLED, provider)


@dataclass
class Desk:
    """One server process's checkout."""

    runtime: Runtime
    checkout: Checkout
    supervisor: Supervisor

    async def basket(self, event: Event, visitor: str, *seats: int) -> None:
        await self.runtime.waiting_room.join(event, visitor)
        await self.runtime.seats.hold(event, visitor, seats)

    async def submit(self, event: Event, visitor: str, key: str = "key", **changes: str) -> Reservation:
        fields = {"email": "kim@example.org", "payment_key": "pay-1", "language": "en"} | changes
        return await self.checkout.submit(event, visitor, idempotency_key=key, **fields)

    async def buy(self, event: Event, visitor: str, *seats: int, key: str = "key") -> Reservation:
        await self.basket(event, visitor, *seats)
        return await self.submit(event, visitor, key)

    async def ended(self, reservation: Reservation) -> Reservation:
        """The reservation once it is not PAYING any more."""

        async def over() -> Reservation | None:
            now = await self.checkout.get(reservation.id, reservation.visitor)
            return now if now.status is not ReservationStatus.PAYING else None

        return await until(over)


def desk(
    runtime: Runtime,
    payments: Any,
    *,
    name: str = "",
    seats: Any = None,
    wake: Callable[[], None] = lambda: None,
    **settings: Any,
) -> Desk:
    """A process of its own on the runtime's stores; lease 0.6 s, first pause 0.05 s unless `settings` say otherwise."""
    fast = {"claim_seconds": 0.6, "resolver_seconds": 0.05, "payment_deadline_seconds": 60.0} | settings
    supervisor = Supervisor()
    checkout = Checkout(
        database=runtime.database,
        redis=runtime.redis,
        seats=seats or runtime.seats,
        events=runtime.events,
        payments=payments,
        supervisor=supervisor,
        settings=runtime.settings.model_copy(update=fast),
        clock=runtime.clock,
        process=name or f"desk-{secrets.token_hex(3)}",
        wake=wake,
    )
    _supervisors.append(supervisor)
    return Desk(runtime, checkout, supervisor)


_supervisors: list[Supervisor] = []


async def retire(runtime: Runtime) -> None:
    """What earlier tests have left to do is nobody's business any more."""
    await rows(
        runtime,
        "UPDATE payments SET next_attempt_at = 'infinity' WHERE status IN ('NEW', 'CALLED', 'REFUNDING') OR untold",
    )


async def close_desks() -> None:
    """Ends all that desks still do."""
    while _supervisors:
        await _supervisors.pop().drain(0)


async def rows(runtime: Runtime, query: str, *values: Any) -> Sequence[Any]:
    async with raw(runtime.database) as connection:
        return list(await connection.fetch(query, *values))


async def open_payments(runtime: Runtime, event: Event) -> list[Any]:
    return list(
        await rows(
            runtime,
            "SELECT p.* FROM payments p JOIN reservations r ON r.id = p.reservation_id WHERE r.event_id = $1 "
            "AND (p.status IN ('NEW', 'CALLED', 'REFUNDING') OR p.untold)",
            event.id,
        )
    )


async def finish_all(at: Desk, event: Event) -> None:
    """Another process does what is left until nothing is."""

    async def nothing_left() -> bool:
        await at.checkout.finish_due()
        return not await open_payments(at.runtime, event)

    await until(nothing_left)


async def check_books(runtime: Runtime, event: Event, bank: Any) -> dict[str, int]:
    """Rules 1 and 2, and that each reservation was told once. Returns how many reservations ended in which status."""
    reservations = await rows(runtime, "SELECT * FROM reservations WHERE event_id = $1", event.id)
    for row in reservations:
        entry = bank.ledger.get(str(row["id"]), Entry(row["amount"]))
        assert entry.charged <= 1, "charged twice"
        if row["status"] == "CONFIRMED":
            assert (entry.charged, entry.cancelled, entry.amount) == (1, 0, row["amount"])
            assert row["ticket_code"]
        else:
            assert row["status"] in ("FAILED", "CANCELLED"), "left under way"
            assert entry.charged == entry.cancelled, "charged and not given back"
            assert row["reason"]
    live = await rows(
        runtime,
        "SELECT l.ordinal, r.status FROM reservation_seats l JOIN reservations r ON r.id = l.reservation_id "
        "WHERE r.event_id = $1 AND l.live",
        event.id,
    )
    assert {row["status"] for row in live} <= {"CONFIRMED"}
    taken = [row["ordinal"] for row in live]
    assert len(taken) == len(set(taken)), "sold twice"
    seats = await rows(runtime, "SELECT ordinal, status FROM seats WHERE event_id = $1 ORDER BY ordinal", event.id)
    for row in seats:
        assert row["status"] == ("SOLD" if row["ordinal"] in taken else "AVAILABLE"), row["ordinal"]
    board = await runtime.seats.board(event)
    assert list(board.states) == [_BOARD_BYTE[row["status"]] for row in seats], "the board tells something else"
    told = await rows(
        runtime,
        "SELECT o.reservation_id, array_agg(o.type ORDER BY o.id) AS types FROM outbox o "
        "JOIN reservations r ON r.id = o.reservation_id WHERE r.event_id = $1 GROUP BY 1",
        event.id,
    )
    types = {row["reservation_id"]: [name.removeprefix("reservation.") for name in row["types"]] for row in told}
    counts: dict[str, int] = {}
    for row in reservations:
        status = row["status"].lower()
        paths = [["paying", status]] + ([["paying", "confirmed", "cancelled"]] if status == "cancelled" else [])
        assert types[row["id"]] in paths, "not told once"
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    return counts


@contextlib.asynccontextmanager
async def results(runtime: Runtime, event: Event) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """What is pushed to browsers: call it for the next message."""
    async with runtime.redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.reservations_channel(event.slug))

        async def next_message() -> dict[str, Any]:
            async with asyncio.timeout(10):
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                    if message is not None:
                        return dict(orjson.loads(message["data"]))

        await pubsub.get_message(timeout=5)  # the subscription itself
        yield next_message
