"""Desks (processes) that sell, with a provider that keeps its books (`bank.py`), and what must be true when all is
over: for tests of checkout.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import orjson

from core import keys
from core.booking.attempt import AttemptState
from core.booking.checkout import Checkout
from core.booking.composition import open_checkout
from core.booking.reservation import Reservation, ReservationStatus
from core.database import raw
from core.errors import StoreUnavailable
from core.payments.breaker import BreakerConfig
from core.payments.breaker_redis import SharedBreaker
from core.payments.gateway import (
    WindowUrls,
)
from core.payments.links import PaymentLinks
from core.payments.payments import Payments, Provider, WhenOpen
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.venue.event import Event
from tests.bank import Bank as Bank
from tests.bank import Entry as Entry
from tests.waits import PATIENCE
from tests.waits import until as until

T = TypeVar("T")

_BOARD_BYTE = {"AVAILABLE": 0, "PAYING": 1, "SOLD": 2, "BLOCKED": 3}
URLS = WindowUrls("http://127.0.0.1/return", "http://127.0.0.1/closed")


class Killed(BaseException):
    """The process died here: nothing after this line ran."""


async def all_free(runtime: Runtime, event: Event) -> bool:
    """On the board: PostgreSQL's word comes there a moment later."""
    return not any((await runtime.seats.board(event)).states)


def way_back(bank: Bank, order: str, secret: str = "test-secret") -> str:
    """Where the buyer's browser is sent from the window when the order was approved there."""
    return f"{PaymentLinks(secret).returned(bank.name, order)}&paymentKey={bank.authorise(order)}"


def payments_of(
    runtime: Runtime, *banks: Bank, when_open: WhenOpen = "fail_fast", former: Sequence[Bank] = ()
) -> Payments:
    """The banks in order of preference, each with a circuit of this process's own."""
    return Payments(
        providers=[
            Provider(bank, SharedBreaker(provider=bank.name, config=BreakerConfig(), redis=None, clock=runtime.clock))
            for bank in banks
        ],
        former=former,
        when_open=when_open,
        concurrency=200,
        retries=0,
        alternative="the box office",
        patience=0.1,
    )


@dataclass
class Desk:
    """One server process's checkout."""

    runtime: Runtime
    checkout: Checkout
    supervisor: Supervisor
    bank: Bank

    async def basket(self, event: Event, visitor: str, *seats: int) -> None:
        await self.runtime.waiting_room.join(event, visitor)
        await self.runtime.seats.hold(event, visitor, seats)

    async def submit(self, event: Event, visitor: str, key: str = "key", **changes: Any) -> Reservation:
        fields = {"email": f"{visitor}@example.org", "language": "en"} | changes
        return await self.checkout.submit(event, visitor, idempotency_key=key, **fields)

    async def order(self, event: Event, visitor: str, *seats: int, key: str = "key") -> Reservation:
        """PAYING, with an open order."""
        await self.basket(event, visitor, *seats)
        return await self.submit(event, visitor, key)

    async def pay(self, reservation: Reservation) -> Reservation:
        """The buyer goes through the window of the current attempt and comes back."""
        assert reservation.payment is not None
        order = reservation.payment.order
        return await self.checkout.returned(order, {"paymentKey": self.bank.authorise(order)}, {})

    async def buy(self, event: Event, visitor: str, *seats: int, key: str = "key") -> Reservation:
        """An order that is authorised; what the provider says to its confirm is still to come."""
        return await self.pay(await self.order(event, visitor, *seats, key=key))

    async def now(self, reservation: Reservation) -> Reservation:
        return await self.checkout.get(reservation.id, reservation.visitor)

    async def until(self, reservation: Reservation, *states: AttemptState) -> Reservation:
        """The reservation once its current attempt is in one of these states."""

        async def there() -> Reservation | None:
            now = await self.now(reservation)
            return now if now.payment is not None and now.payment.state in states else None

        return await until(there)

    async def failed(self, reservation: Reservation) -> Reservation:
        """The reservation once it is FAILED; what is due is done until then."""

        async def is_failed() -> Reservation | None:
            await self.checkout.finish_due()
            now = await self.now(reservation)
            return now if now.status is ReservationStatus.FAILED else None

        return await until(is_failed)

    async def over(self, reservation: Reservation) -> Reservation:
        """The reservation once it is not PAYING any more. Redis may not have heard of that, or be away."""

        async def is_over() -> Reservation | None:
            now = await self.checkout.get(reservation.id, reservation.visitor)
            return now if now.status is not ReservationStatus.PAYING else None

        return await until(is_over)

    async def ended(self, reservation: Reservation) -> Reservation:
        """The same once Redis has heard of it as well: its seats and its visitor's basket are as PostgreSQL says."""
        over = await self.over(reservation)
        await until(lambda: told(self.runtime, reservation.id), "Redis to be told of the end")
        return over


def desk(
    runtime: Runtime,
    bank: Bank,
    *,
    payments: Any = None,
    name: str = "",
    seats: Any = None,
    wake: Callable[[], None] = lambda: None,
    **settings: Any,
) -> Desk:
    """A process of its own on the runtime's stores; lease 0.6 s, first pause 0.05 s unless `settings` say otherwise.

    A declined card frees the seats at once (`retry_seconds` 0) unless `settings` say otherwise.
    """
    fast = {"claim_seconds": 0.6, "resolver_seconds": 0.05, "payment_deadline_seconds": 60.0, "retry_seconds": 0.0}
    supervisor = Supervisor()
    checkout = open_checkout(
        runtime.settings.model_copy(update=fast | settings),
        database=runtime.database,
        redis=runtime.redis,
        seats=seats or runtime.seats,
        events=runtime.events,
        payments=payments or payments_of(runtime, bank),
        access=runtime.access,
        supervisor=supervisor,
        clock=runtime.clock,
        process=name or f"desk-{secrets.token_hex(3)}",
        wake=wake,
    )
    _supervisors.append(supervisor)
    return Desk(runtime, checkout, supervisor, bank)


_supervisors: list[Supervisor] = []


async def retire(runtime: Runtime) -> None:
    """What earlier tests have left to do is nobody's business any more."""
    await rows(runtime, "UPDATE payment_attempts SET next_attempt_at = 'infinity' WHERE next_attempt_at < 'infinity'")
    await rows(runtime, "UPDATE refunds SET next_attempt_at = 'infinity' WHERE state = 'PENDING'")


async def close_desks() -> None:
    """Ends all that desks still do."""
    while _supervisors:
        await _supervisors.pop().drain(0)


async def rows(runtime: Runtime, query: str, *values: Any) -> Sequence[Any]:
    async with raw(runtime.database) as connection:
        return list(await connection.fetch(query, *values, timeout=PATIENCE))


async def told(runtime: Runtime, reservation: UUID | str) -> bool:
    """Whether Redis has heard how the reservation ended, which it does after PostgreSQL."""
    query = "SELECT 1 FROM payment_attempts WHERE reservation_id = $1::uuid AND untold"
    return not await rows(runtime, query, reservation)


async def attempts(runtime: Runtime, event: Event) -> list[Any]:
    """All attempts of the event's reservations, oldest first."""
    return list(
        await rows(
            runtime,
            "SELECT a.* FROM payment_attempts a JOIN reservations r ON r.id = a.reservation_id WHERE r.event_id = $1 "
            "ORDER BY a.created_at, a.number",
            event.id,
        )
    )


async def refunds(runtime: Runtime, event: Event) -> list[Any]:
    return list(
        await rows(
            runtime,
            "SELECT f.* FROM refunds f JOIN reservations r ON r.id = f.reservation_id WHERE r.event_id = $1 "
            "ORDER BY f.number",
            event.id,
        )
    )


async def unfinished(runtime: Runtime, event: Event) -> list[str]:
    """What a process would still have to do now: attempts at work or untold, refunds that are owed."""
    return [
        f"{row['order_no']} {row['state']}"
        for row in await attempts(runtime, event)
        if row["state"] in ("AUTHORISED", "CALLED") or row["untold"]
    ] + [f"{row['id']} {row['kind']}" for row in await refunds(runtime, event) if row["state"] == "PENDING"]


async def none_open(runtime: Runtime, event: Event) -> bool:
    return not await unfinished(runtime, event)


async def pass_time(runtime: Runtime, reservation: UUID, seconds: float) -> None:
    """So many seconds have passed for the reservation's payment: everything that was to come is so much nearer."""
    await rows(
        runtime,
        "UPDATE reservations SET until = until - make_interval(secs => $2::float8) WHERE id = $1",
        reservation,
        seconds,
    )
    await rows(
        runtime,
        "UPDATE payment_attempts SET retry_until = retry_until - make_interval(secs => $2::float8), "
        "next_attempt_at = next_attempt_at - make_interval(secs => $2::float8), "
        "authorised_at = authorised_at - make_interval(secs => $2::float8), "
        "deadline = deadline - make_interval(secs => $2::float8) WHERE reservation_id = $1",
        reservation,
        seconds,
    )


async def finish_all(at: Desk, event: Event, seconds: float = 30.0) -> None:
    """Another process does what is left until nothing is."""

    async def nothing_left() -> bool:
        # As the job: what does not answer, or is still known as a replica by one connection, is asked again.
        with contextlib.suppress(StoreUnavailable):
            await at.checkout.finish_due()
            return not await unfinished(at.runtime, event)
        return False

    await until(nothing_left)


async def check_books(runtime: Runtime, event: Event, bank: Any) -> dict[str, int]:
    """Rules 1 and 2, and that each reservation was told once. Returns how many reservations ended in which status."""
    reservations = await rows(runtime, "SELECT * FROM reservations WHERE event_id = $1", event.id)
    orders = await attempts(runtime, event)
    back = await refunds(runtime, event)
    for row in reservations:
        mine = [one["order_no"] for one in orders if one["reservation_id"] == row["id"]]
        entries = [bank.ledger[order] for order in mine if order in bank.ledger]
        assert sum(entry.charged for entry in entries) <= 1, "charged twice"
        left = sum(entry.left for entry in entries)
        if row["status"] == "CONFIRMED":
            mine_back = [f for f in back if f["reservation_id"] == row["id"] and f["kind"] == "refund"]
            given = sum(f["amount"] for f in mine_back if f["state"] == "DONE")
            assert left == row["amount"] - given, "the sums do not agree"
            assert row["ticket_code"]
        else:
            assert row["status"] in ("FAILED", "CANCELLED"), "left under way"
            kept = sum(f["fee"] for f in back if f["reservation_id"] == row["id"])
            assert left == kept, "charged and not given back"
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
    types = {
        row["reservation_id"]: [name.removeprefix("reservation.") for name in row["types"] if "refunded" not in name]
        for row in told
    }
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
            async with asyncio.timeout(PATIENCE):
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                    if message is not None:
                        return dict(orjson.loads(message["data"]))

        await pubsub.get_message(timeout=PATIENCE)  # the subscription itself
        yield next_message
