"""Beats are gathered and written together (D4, S9), and an answer never undoes newer news."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from core.errors import StoreUnavailable
from core.process.supervisor import Supervisor
from core.venue.event import Event, SaleStatus
from core.waiting_room.queue_redis import WaitingRoom
from realtime.attendance import Attendance
from realtime.presence import Presence

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
EVENT = Event(
    id=1,
    slug="night",
    name="Night",
    status=SaleStatus.OPEN,
    paused=False,
    opens_at=None,
    closes_at=None,
    starts_at=None,
    currency="KRW",
    prices={},
    active_limit=10,
    hold_seconds=300,
    max_seats=4,
    seat_count=20,
    plan_digest="d",
)


class Beats:
    """Records the calls that Presence makes of the waiting room."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.missing: set[str] = set()
        self.fault: Exception | None = None
        self.meanwhile: Any = None

    async def beat(self, event: Event, visitors: Sequence[str]) -> dict[str, str]:
        if self.fault is not None:
            raise self.fault
        self.calls.append(list(visitors))
        if self.meanwhile is not None:
            self.meanwhile()
        return dict.fromkeys(self.missing & set(visitors), "session")


def active(visitor: str) -> Attendance:
    attendance = Attendance(visitor)
    attendance.admitted(1, UNTIL, 1)
    return attendance


class Night:
    """An event with visitors; whose absence is reported, and at which news of them."""

    def __init__(self) -> None:
        self.event = EVENT
        self.reported: list[tuple[str, int, str]] = []

    def absent(self, attendance: Attendance, revision: int, why: str) -> None:
        self.reported.append((attendance.visitor, revision, why))


def presence_of(beats: Beats) -> Presence:
    return Presence(cast(WaitingRoom, beats))


async def test_many_signs_of_many_visitors_are_one_call_for_each_thousand() -> None:
    beats, night = Beats(), Night()
    presence = presence_of(beats)
    attendances = [active(f"v{i}") for i in range(2500)]
    for _ in range(3):
        for attendance in attendances:
            presence.alive(night, attendance)
    await presence.flush()
    assert [len(call) for call in beats.calls] == [1000, 1000, 500]
    assert len({visitor for call in beats.calls for visitor in call}) == 2500
    await presence.flush()
    assert len(beats.calls) == 3, "no sign, no call"


async def test_who_neither_waits_nor_is_active_has_nothing_to_keep_alive() -> None:
    beats = Beats()
    presence = presence_of(beats)
    presence.alive(Night(), Attendance("v1"))
    await presence.flush()
    assert beats.calls == []


async def test_who_is_out_is_reported_with_the_last_news_from_before_the_call() -> None:
    beats, night = Beats(), Night()
    presence = presence_of(beats)
    gone, here = active("gone"), active("here")
    beats.missing = {"gone"}
    before = gone.revision
    beats.meanwhile = lambda: gone.waits(9, 5)
    presence.alive(night, gone)
    presence.alive(night, here)
    await presence.flush()
    assert night.reported == [("gone", before, "session")]


@pytest.mark.parametrize("fault", [StoreUnavailable(), RuntimeError("a bug")])
async def test_beats_that_could_not_be_written_are_kept(fault: Exception) -> None:
    """R1, D4: of all events, also when something fails that nobody thought of."""
    beats, night, other = Beats(), Night(), Night()
    presence = presence_of(beats)
    presence.alive(night, active("v1"))
    presence.alive(other, active("v2"))
    beats.fault = fault
    with contextlib.suppress(RuntimeError):
        await presence.flush()
    beats.fault = None
    await presence.flush()
    assert sorted(beats.calls) == [["v1"], ["v2"]]
    assert (night.reported, other.reported) == ([], [])


async def test_what_was_gathered_is_written_when_the_process_stops() -> None:
    beats = Beats()
    presence = presence_of(beats)
    presence.start(Supervisor())
    presence.alive(Night(), active("v1"))
    await presence.stop()
    assert beats.calls == [["v1"]]
