"""S7: tickets that cannot be forged, estimates that keep their promise; how long a hold's key lives (R4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.settings import Settings
from core.waiting_room.pace import eta_seconds
from core.waiting_room.ticket import KeptPlace, Tickets
from tests.manual_clock import ManualClock

CLOCK = ManualClock()


def test_a_ticket_is_good_for_its_visitor_and_event_only() -> None:
    tickets = Tickets("secret", 1, CLOCK)
    token = tickets.issue("gala", "v_1", 7)
    assert tickets.read(token, "gala", "v_1") == KeptPlace(7)
    assert tickets.read(token, "other", "v_1") is None
    assert tickets.read(token, "gala", "v_2") is None
    assert Tickets("another secret", 1, CLOCK).read(token, "gala", "v_1") is None


def test_an_entrys_ticket_brings_the_same_receipt_back() -> None:
    """F1: Redis lost before the draw, the entry comes back as it was."""
    tickets, receipt, salt = Tickets("secret", 1, CLOCK), "ab" * 32, "cd" * 16
    token = tickets.issue_entry("gala", "v_1", 5, receipt, salt)
    assert tickets.read(token, "gala", "v_1") == KeptPlace(0, 5, receipt, salt)
    assert tickets.read(token, "gala", "v_2") is None
    assert tickets.read(tickets.issue_entry("gala", "v_1", 5, "no receipt", salt), "gala", "v_1") is None


def test_a_ticket_that_was_packed_by_the_program_before_is_read() -> None:
    """S7: browsers keep theirs over an update; and processes of before read ours, by the same library."""
    tickets, sale = Tickets("secret", 1, CLOCK), "gala-gala-gala-gala-gala"
    before = URLSafeTimedSerializer("secret", salt="onsale.queue-ticket", signer=tickets._signer.signer)
    packed = before.dumps([sale, "v_1", 7])
    assert packed.startswith("."), "packed"
    assert tickets.read(packed, sale, "v_1") == KeptPlace(7)
    assert before.loads(tickets.issue(sale, "v_1", 7)) == [sale, "v_1", 7]


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "é", "." * 500])
def test_what_is_no_ticket_is_no_place(token: str | None) -> None:
    assert Tickets("secret", 1, CLOCK).read(token, "gala", "v_1") is None


def test_an_old_ticket_is_no_place() -> None:
    assert Tickets("secret", -1, CLOCK).read(Tickets("secret", -1, CLOCK).issue("gala", "v", 3), "gala", "v") is None


@pytest.mark.parametrize(("ahead", "good"), [(0.7, True), (59, True), (7200, False), (-3500, True), (-3700, False)])
def test_a_ticket_is_dated_by_the_clock_of_all(ahead: float, good: bool) -> None:
    """R3: whoever signs it and whoever reads it go by Redis' clock, a moment apart; no machine's own counts."""
    signer, reader = ManualClock(), ManualClock()
    signer.advance(ahead)
    token = Tickets("secret", 1, signer).issue("gala", "v", 3)
    assert (Tickets("secret", 1, reader).read(token, "gala", "v") is not None) == good


@given(st.integers(0, 200_000), st.one_of(st.none(), st.floats(0, 10_000)), st.integers(1, 1000), st.integers(0, 1000))
def test_the_estimate_grows_with_the_place(ahead: int, pace: float | None, limit: int, room: int) -> None:
    here, behind = (eta_seconds(place, pace, limit, 600, room) for place in (ahead, ahead + 1))
    assert here is not None
    assert behind is not None
    assert 0 < here <= behind


def test_the_measured_pace_is_used() -> None:
    assert eta_seconds(59, 60.0, 100, 600) == 60
    assert eta_seconds(250, None, 100, 600) == 1800
    assert eta_seconds(0, None, 0, 600) is None


def test_who_has_room_already_waits_for_the_next_sweep_and_is_in_nobodys_way() -> None:
    """F9: after a draw the hall is empty still."""
    assert [eta_seconds(ahead, pace, 100, 600, room=60) for pace in (None, 60.0) for ahead in (0, 59)] == [1] * 4
    assert [eta_seconds(ahead, None, 100, 600, room=60) for ahead in (60, 159, 160)] == [600, 600, 1200]
    assert eta_seconds(60, 60.0, 100, 600, room=60) == 1
    assert eta_seconds(119, 60.0, 100, 600, room=60) == 60


def test_a_holds_key_outlives_the_longest_that_the_clock_may_stand() -> None:
    """R4: the figure stands in Lua and in Python, and the setting's bound is what both rely on."""
    lua = (Path(__file__).parents[2] / "core/seats/lua/stop.lua").read_text()
    (longest,) = (each.le for each in Settings.model_fields["stop_seconds"].metadata if hasattr(each, "le"))
    assert f"local HOLD_KEPT_MS = {HOLD_KEPT_MS}\n" in lua
    assert longest * 1000 < HOLD_KEPT_MS
