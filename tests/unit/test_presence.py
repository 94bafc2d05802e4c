"""Beats are gathered and written together (D4, S9), and an answer never undoes newer news."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from core.errors import StoreUnavailable
from core.venue.event import Event, SaleStatus
from core.waiting_room.queue_redis import WaitingRoom
from realtime.attendance import Attendance
from realtime.presence import Presence
from realtime.wire import ExpiredReason

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
        self.away = False
        self.meanwhile: Any = None

    async def beat(self, event: Event, visitors: Sequence[str]) -> set[str]:
        if self.away:
            raise StoreUnavailable
        self.calls.append(list(visitors))
        if self.meanwhile is not None:
            self.meanwhile()
        return self.missing & set(visitors)


class Tab:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.expired: list[ExpiredReason] = []

    def told_waiting(self) -> None: ...

    def told_admitted(self) -> None: ...

    def told_expired(self, reason: ExpiredReason) -> None:
        self.expired.append(reason)

    def told(self, message: bytes) -> None: ...


def active(visitor: str) -> tuple[Attendance, Tab]:
    attendance, tab = Attendance(visitor), Tab()
    attendance.admitted(1, UNTIL, 1)
    attendance.tabs.append(tab)
    return attendance, tab


def presence_of(beats: Beats) -> Presence:
    return Presence(cast(WaitingRoom, beats))


async def test_many_signs_of_many_visitors_are_one_call_for_each_thousand() -> None:
    beats = Beats()
    presence = presence_of(beats)
    attendances = [active(f"v{i}")[0] for i in range(2500)]
    for _ in range(3):
        for attendance in attendances:
            presence.alive(EVENT, attendance)
    await presence.flush()
    assert [len(call) for call in beats.calls] == [1000, 1000, 500]
    assert len({visitor for call in beats.calls for visitor in call}) == 2500
    await presence.flush()
    assert len(beats.calls) == 3, "no sign, no call"


async def test_who_neither_waits_nor_is_active_has_nothing_to_keep_alive() -> None:
    beats = Beats()
    presence = presence_of(beats)
    presence.alive(EVENT, Attendance("v1"))
    await presence.flush()
    assert beats.calls == []


async def test_who_is_out_is_told_so() -> None:
    beats = Beats()
    presence = presence_of(beats)
    (gone, gone_tab), (here, here_tab) = active("gone"), active("here")
    beats.missing = {"gone"}
    presence.alive(EVENT, gone)
    presence.alive(EVENT, here)
    await presence.flush()
    assert gone_tab.expired == [ExpiredReason.HEARTBEAT]
    assert gone.state is None
    assert here_tab.expired == []


async def test_news_that_came_during_the_call_is_newer_than_its_answer() -> None:
    beats = Beats()
    presence = presence_of(beats)
    attendance, tab = active("v1")
    beats.missing = {"v1"}
    beats.meanwhile = lambda: attendance.waits(9, 5)
    presence.alive(EVENT, attendance)
    await presence.flush()
    assert tab.expired == []
    assert attendance.state == "waiting"


async def test_beats_wait_for_a_store_that_is_away() -> None:
    beats = Beats()
    presence = presence_of(beats)
    attendance, tab = active("v1")
    beats.away = True
    presence.alive(EVENT, attendance)
    await presence.flush()
    beats.away = False
    await presence.flush()
    assert beats.calls == [["v1"]]
    assert tab.expired == []


async def test_what_was_gathered_is_written_when_the_process_stops() -> None:
    beats = Beats()
    presence = presence_of(beats)
    presence.start()
    presence.alive(EVENT, active("v1")[0])
    await presence.stop()
    assert beats.calls == [["v1"]]
