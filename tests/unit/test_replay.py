"""Seats from the event log (S17): whatever the order across partitions, and every way in which stores can differ."""

from __future__ import annotations

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messaging.replay import Kind, SeatLog, SeatRow
from core.messaging.reservation_message import ReservationMessage, parse
from tests.outbox_rows import payload


def event(*seats: tuple[int, int, str], event_id: int = 1) -> ReservationMessage:
    """An event about (ordinal, version, status) seats."""
    lines = [
        {"ordinal": ordinal, "version": version, "status": status, "price": 1, "category": "R"}
        for ordinal, version, status in seats
    ]
    return parse(uuid.uuid4(), "reservation.paying", payload(uuid.uuid4(), event_id=event_id, seats=lines))


def row(ordinal: int, status: str, version: int, *, waiting: bool = False) -> SeatRow:
    return SeatRow("hall", 1, ordinal, status, version, waiting)


def log(*events: ReservationMessage) -> SeatLog:
    made = SeatLog()
    for each in events:
        made.apply(each)
    return made


STEPS = {"AVAILABLE": ["PAYING"], "PAYING": ["SOLD", "AVAILABLE"], "SOLD": ["AVAILABLE"]}


@given(st.lists(st.integers(0, 5), max_size=60), st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_repetition_gives_the_seats_as_they_are(
    touched: list[int], order: random.Random, data: st.DataObject
) -> None:
    """The model walks seats through their statuses; the log gets its events shuffled, and some twice."""
    seats = dict.fromkeys(range(6), ("AVAILABLE", 0))
    events = []
    for ordinal in touched:
        status, version = seats[ordinal]
        seats[ordinal] = (data.draw(st.sampled_from(STEPS[status])), version + 1)
        events.append(event((ordinal, seats[ordinal][1], seats[ordinal][0])))
    events += [each for each in events if order.random() < 0.3]
    order.shuffle(events)
    rows = [row(ordinal, *seat) for ordinal, seat in seats.items()]
    assert log(*events).compare(rows).differences == []
    assert log(*events).ahead(rows) == []


def test_a_lost_event_is_a_difference() -> None:
    replayed = log(event((3, 1, "PAYING")))
    (difference,) = replayed.compare([row(3, "SOLD", 2)]).differences
    assert (difference.kind, difference.ordinal, difference.log_status, difference.status) == (
        Kind.STATUS,
        3,
        "PAYING",
        "SOLD",
    )
    assert str(difference) == ("hall seat 3: status: the log says PAYING (version 1), PostgreSQL says SOLD (version 2)")


def test_a_seat_whose_change_is_still_in_the_outbox_is_not_judged() -> None:
    compared = log(event((3, 1, "PAYING"))).compare([row(3, "SOLD", 2, waiting=True)])
    assert (compared.differences, compared.behind) == ([], 1)


def test_events_that_came_after_postgresql_was_read_do_not_count() -> None:
    replayed = log(event((3, 1, "PAYING")), event((3, 2, "SOLD")))
    assert replayed.compare([row(3, "PAYING", 1)]).differences == []


def test_a_log_that_postgresql_never_reaches_is_a_difference() -> None:
    """PostgreSQL was restored from an old copy."""
    replayed = log(event((3, 1, "PAYING")), event((3, 2, "SOLD")))
    (difference,) = replayed.ahead([row(3, "AVAILABLE", 0), row(4, "AVAILABLE", 0)])
    assert (difference.kind, difference.log_version) == (Kind.AHEAD, 2)


def test_two_truths_about_one_version_are_a_conflict() -> None:
    """A double sale in the log is named even where the newest version agrees."""
    replayed = log(event((3, 1, "PAYING")), event((3, 2, "SOLD")), event((3, 2, "AVAILABLE")))
    (difference,) = replayed.compare([row(3, "SOLD", 2)]).differences
    assert difference.kind is Kind.CONFLICT


@pytest.mark.parametrize("version", [0, 1, 7])
def test_blocking_is_not_in_the_log(version: int) -> None:
    assert log().compare([row(3, "BLOCKED", version)]).differences == []
    assert log(event((3, 1, "PAYING"))).compare([row(3, "BLOCKED", 5)]).differences != []


def test_a_seat_that_postgresql_does_not_have() -> None:
    replayed = log(event((9, 1, "PAYING")))
    assert [each.kind for each in replayed.compare([row(1, "AVAILABLE", 0)]).differences] == [Kind.UNKNOWN_SEAT]
    assert replayed.compare([row(1, "AVAILABLE", 0)], complete=False).differences == []
