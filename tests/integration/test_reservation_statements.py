"""`sql/transition.sql` does what the table of transitions says, for every state and change; and nothing else."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from itertools import product
from uuid import UUID

import pytest

from core.booking.attempt import AttemptState, order_number
from core.booking.reservation import (
    TRANSITIONS,
    Change,
    Reason,
    Reservation,
    ReservationStatus,
    SeatStatus,
)
from core.booking.reservations_postgres import Reservations
from core.booking.stored import AttemptChange
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.orders import new_reservation

pytestmark = pytest.mark.usefixtures("patient")

#: How a reservation gets into each state.
WAYS: dict[ReservationStatus, list[Change]] = {
    ReservationStatus.PAYING: [],
    ReservationStatus.CONFIRMED: [Change.CONFIRM],
    ReservationStatus.FAILED: [Change.FAIL],
    ReservationStatus.CANCELLED: [Change.CONFIRM, Change.CANCEL],
}
ANY = AttemptChange(tuple(AttemptState), AttemptState.APPROVED)


async def _do(reservations: Reservations, id: UUID, change: Change, token: str | None = "t") -> Reservation | None:
    confirms = change is Change.CONFIRM
    claim = await reservations.change(
        order_number(id, 1),
        change,
        ANY,
        expected_token=token,
        token="t",
        reason=None if confirms else Reason.DECLINED,
        ticket_code="code" if confirms else None,
    )
    return claim.reservation if claim is not None else None


async def _all(runtime: Runtime, event: Event) -> list[list[tuple[object, ...]]]:
    queries = (
        "SELECT * FROM seats WHERE event_id = $1 ORDER BY ordinal",
        "SELECT * FROM reservations WHERE event_id = $1",
        "SELECT l.* FROM reservation_seats l WHERE event_id = $1 ORDER BY ordinal",
        "SELECT a.* FROM payment_attempts a JOIN reservations r ON r.id = a.reservation_id WHERE r.event_id = $1",
        "SELECT o.id FROM outbox o JOIN reservations r ON r.id = o.reservation_id WHERE r.event_id = $1 ORDER BY 1",
    )
    return [[tuple(row) for row in await rows(runtime, query, event.id)] for query in queries]


@pytest.mark.parametrize(("state", "change"), list(product(ReservationStatus, Change)))
async def test_the_statement_follows_the_table(
    state: ReservationStatus, change: Change, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    reservations = Reservations(runtime.database, lease_seconds=60, deadline_seconds=600)
    new = new_reservation(event, seats=[2, 1], fence=7)
    begun = await reservations.begin(new, "t")
    assert begun is not None
    before, token = begun, None
    for step in WAYS[state]:
        ended = await _do(reservations, new.id, step, token)
        assert ended is not None
        before, token = ended, "t"
    assert before.status is state

    everything = await _all(runtime, event)
    row = TRANSITIONS[change]
    if state is not row.before:
        assert await _do(reservations, new.id, change, token) is None
        assert await _all(runtime, event) == everything
        return
    after = await _do(reservations, new.id, change, token)
    assert after is not None
    confirms = change is Change.CONFIRM
    assert replace(
        after, updated_at=before.updated_at, payment=before.payment, attempts_left=before.attempts_left
    ) == replace(
        before,
        status=row.after,
        reason=None if confirms else Reason.DECLINED,
        ticket_code="code" if confirms else before.ticket_code,
    )
    stored = await reservations.get(new.id)
    assert stored is not None
    assert replace(stored.reservation, attempts_left=after.attempts_left) == after
    freed = row.seats_after is SeatStatus.AVAILABLE
    seats = await rows(
        runtime,
        "SELECT s.status, s.fence, l.live FROM seats s JOIN reservation_seats l USING (event_id, ordinal) "
        "WHERE s.event_id = $1 ORDER BY s.ordinal",
        event.id,
    )
    assert [tuple(seat) for seat in seats] == [(row.seats_after, 8 if freed else 7, not freed)] * 2
    others = await rows(
        runtime, "SELECT DISTINCT status, version FROM seats WHERE event_id = $1 AND ordinal > 2", event.id
    )
    assert [tuple(other) for other in others] == [("AVAILABLE", 0)]


@pytest.mark.parametrize("change", [Change.CONFIRM, Change.FAIL])
async def test_a_seat_whose_fence_has_moved_on_is_somebody_elses(
    change: Change, runtime: Runtime, make_event: MakeEvent
) -> None:
    """Rule 1: it is being paid for again, by the next buyer; the first one's end neither sells nor frees it."""
    event = await make_event()
    reservations = Reservations(runtime.database, lease_seconds=60, deadline_seconds=600)
    new = new_reservation(event, seats=[1, 2], fence=7)
    assert await reservations.begin(new, "t") is not None
    await rows(runtime, "UPDATE seats SET fence = 9 WHERE event_id = $1 AND ordinal = 2", event.id)
    before = await _all(runtime, event)
    ended = await _do(reservations, new.id, change, None)
    if change is Change.CONFIRM:
        assert ended is None, "a ticket for a seat that is not the buyer's"
        assert await _all(runtime, event) == before
        return
    assert ended is not None
    assert ended.status is ReservationStatus.FAILED
    seats = await rows(
        runtime, "SELECT status, fence FROM seats WHERE event_id = $1 AND ordinal IN (1, 2) ORDER BY ordinal", event.id
    )
    assert [tuple(seat) for seat in seats] == [("AVAILABLE", 8), ("PAYING", 9)]


async def test_a_seat_of_a_category_without_a_price_is_never_sold(runtime: Runtime, make_event: MakeEvent) -> None:
    """A plan that was stored long ago may have some, at a price of 0: nobody gets one for nothing (V5)."""
    event = await make_event()
    reservations = Reservations(runtime.database, lease_seconds=60, deadline_seconds=600)
    await rows(runtime, "UPDATE seats SET category = '7', price = 0 WHERE event_id = $1 AND ordinal = 1", event.id)
    before = await _all(runtime, event)
    for seats in ([1], [1, 2]):
        assert await reservations.begin(new_reservation(event, seats=seats, fence=7), "t") is None
    assert await _all(runtime, event) == before
    assert await reservations.begin(new_reservation(event, seats=[2], fence=7), "t") is not None


async def test_the_migration_blocks_free_seats_without_a_price(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(prices={"Standard": 0})
    await rows(runtime, "UPDATE seats SET category = '7' WHERE event_id = $1 AND ordinal IN (1, 2)", event.id)
    await rows(runtime, "UPDATE seats SET status = 'SOLD' WHERE event_id = $1 AND ordinal = 2", event.id)
    await rows(runtime, import_module("core.migrations.versions.0032_unpriced").BLOCK)
    found = await rows(runtime, "SELECT ordinal, status FROM seats WHERE event_id = $1 ORDER BY ordinal", event.id)
    assert [row["status"] for row in found][:4] == ["AVAILABLE", "BLOCKED", "SOLD", "AVAILABLE"]
