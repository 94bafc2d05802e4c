"""What load runs count: durations, the funnel of S35, seats beside each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.load.funnel import End, Outcome, funnel, paid_outcome
from cli.load.journey import free_seat
from cli.load.measures import Calls, Summary, summary
from cli.load.neighbours import benches, pick_together


def test_a_summary_of_nothing_is_zero() -> None:
    assert summary([]) == Summary(0, 0.0, 0.0, 0.0)


def test_p95_is_the_nearest_rank() -> None:
    assert summary([float(n) for n in range(1, 101)]) == Summary(100, 50.5, 95.0, 100.0)
    assert summary([3.0]).p95 == 3.0
    assert summary([1.0, 2.0]).p95 == 2.0


@given(st.lists(st.floats(min_value=0, max_value=1e3), min_size=1))
def test_a_summary_is_within_its_values(seconds: list[float]) -> None:
    found = summary(seconds)
    assert found.count == len(seconds)
    assert min(seconds) <= found.p95 <= found.max == max(seconds)
    assert sum(one <= found.p95 for one in seconds) >= 0.95 * len(seconds)


def test_refusals_and_errors_are_counted_apart() -> None:
    calls = Calls()
    for seconds in (0.1, 0.3):
        calls.answered("POST /holds", seconds)
    calls.refused("POST /holds", "seat_taken")
    calls.failed("POST /holds", "timeout")
    calls.failed("GET /board", "timeout")
    assert calls.count == 2
    assert calls.summaries()["POST /holds"].mean == pytest.approx(0.2)
    assert (calls.refusals_of("POST /holds"), calls.errors_of("POST /holds")) == (1, 1)
    assert calls.errors_by_kind() == {"timeout": 2}


@given(st.lists(st.sampled_from(list(Outcome))))
def test_the_funnel_loses_nobody(outcomes: list[Outcome]) -> None:
    """S35: every visitor is in exactly one row."""
    tunnel = funnel([End(outcome) for outcome in outcomes])
    assert tunnel.visitors == sum(tunnel.stopped.values()) == len(outcomes)
    assert set(tunnel.stopped) == set(Outcome)
    assert tunnel.tickets == outcomes.count(Outcome.TICKET)


def test_details_are_counted_within_their_outcome() -> None:
    tunnel = funnel(
        [
            End(Outcome.ERROR, "POST /holds: timeout"),
            End(Outcome.ERROR, "POST /holds: timeout"),
            End(Outcome.QUEUE, "late"),
            End(Outcome.TICKET),
        ]
    )
    assert tunnel.details == {(Outcome.ERROR, "POST /holds: timeout"): 2, (Outcome.QUEUE, "late"): 1}


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("CONFIRMED", None, Outcome.TICKET),
        ("PAYING", "payment_checking", Outcome.UNKNOWN),
        ("FAILED", "declined", Outcome.DECLINED),
        ("FAILED", "provider_unavailable", Outcome.UNPAID),
        ("FAILED", None, Outcome.UNPAID),
        ("CANCELLED", "payment_cancelled", Outcome.UNPAID),
    ],
)
def test_an_unknown_outcome_is_never_a_declined_one(status: str, reason: str | None, outcome: Outcome) -> None:
    assert paid_outcome(status, reason) is outcome


@given(st.binary(min_size=1, max_size=60).map(lambda raw: bytes(byte % 4 for byte in raw)), st.randoms())
def test_a_free_seat_is_found_exactly_when_there_is_one(states: bytes, chance: random.Random) -> None:
    seat = free_seat(states)
    if 0 in states:
        assert seat is not None
        assert states[seat] == 0
    else:
        assert seat is None


def seat(ordinal: int, x: float, *, row: str = "1", zone: str = "A") -> dict[str, object]:
    return {"ordinal": ordinal, "zone": zone, "row": row, "x": x, "y": 0.0}


def test_an_aisle_cuts_a_row() -> None:
    plan = [seat(0, 0), seat(1, 26), seat(2, 52), seat(3, 130), seat(4, 156), seat(5, 0, row="2"), seat(6, 0, zone="B")]
    assert benches(plan) == [[0, 1, 2], [3, 4], [5], [6]]


def test_a_party_sits_together_or_not_at_all() -> None:
    rows = [[0, 1, 2, 3], [4, 5]]
    states = bytes([0, 2, 0, 0, 1, 0])
    assert pick_together(rows, states, 2) == [2, 3]
    assert pick_together(rows, states, 3) == []
    assert pick_together(rows, bytes([2] * 6), 1) == []


def test_the_middle_of_a_row_goes_first() -> None:
    assert pick_together([[0, 1, 2, 3, 4]], bytes(5), 1) == [2]
    assert pick_together([[0, 1, 2, 3, 4, 5]], bytes(6), 2) == [2, 3]
