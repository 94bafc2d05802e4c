"""What becomes of news of one visitor: newer news wins, whichever way it comes, and nothing grows without bound."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import orjson

from core.waiting_room.pace import wait_band
from core.waiting_room.place import Out, Place, PlaceState
from realtime import queue_feed
from realtime.attendance import Attendance, Attendances
from realtime.place_pushes import PlacePushes
from realtime.places import Places
from realtime.queue_feed import QueueFeed
from realtime.wire import ExpiredReason

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)


class Tab:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.news: list[str] = []

    def told_entered(self) -> None:
        self.news.append("entered")

    def told_waiting(self) -> None:
        self.news.append("waiting")

    def told_admitted(self) -> None:
        self.news.append("admitted")

    def told_expired(self, reason: ExpiredReason) -> None:
        self.news.append(f"expired {reason}")

    def told(self, message: bytes) -> None: ...


class WaitingRoomThatSays:
    """Answers in turn: what the feed makes of answers is tested here, not who gives them."""

    def __init__(self, *places: Place | Out) -> None:
        self._places = list(places)
        self.asked = 0

    async def place_or_out(self, event: object, visitor: str) -> Place | Out:
        self.asked += 1
        return self._places.pop(0)


def waiting(version: int, ahead: int = 0) -> Place:
    return Place(PlaceState.WAITING, 1, ahead, 5, 0, version, None, None)


def let_in(version: int) -> Place:
    return Place(PlaceState.ACTIVE, 1, 0, 5, 1, version, UNTIL, 0)


def feed_of(room: WaitingRoomThatSays | None = None) -> tuple[QueueFeed, Attendance, Tab]:
    """A feed that is not started, with one visitor who has one tab."""
    attendances, places = Attendances(), Places(0)
    event = cast(Any, SimpleNamespace(slug="night", active_limit=1))
    pushes = PlacePushes(lambda: event, cast(Any, room), attendances, places, session_seconds=600)
    feed = QueueFeed(lambda: event, cast(Any, room), attendances, places, pushes, lapsed=lambda visitor: None)
    tab = Tab()
    return feed, attendances.attend("v1", tab), tab


async def test_an_older_answer_about_a_place_is_not_believed() -> None:
    """Rule 4: an answer that was on its way while the visitor was let in would send the page back into the queue."""
    room = WaitingRoomThatSays(waiting(version=6), let_in(version=9))
    feed, attendance, tab = feed_of(room)
    attendance.admitted(1, UNTIL, 7)  # the news was faster than the answer of a moment before
    told = await feed.learn(attendance, room.place_or_out(None, "v1"))
    assert (attendance.state, attendance.version) == (PlaceState.ACTIVE, 9)
    assert room.asked == 2, "the older answer was asked for again"
    assert tab.news == ["admitted"]
    assert not told


async def test_news_that_comes_while_an_answer_is_on_its_way_is_newer_than_it() -> None:
    room = WaitingRoomThatSays(Out(""), let_in(version=9))
    feed, attendance, tab = feed_of(room)

    async def slow_answer() -> Place | Out:
        attendance.admitted(1, UNTIL, 8)
        return await room.place_or_out(None, "v1")

    await feed.learn(attendance, slow_answer())
    assert attendance.state is PlaceState.ACTIVE
    assert tab.news == ["admitted"]


async def test_who_was_not_found_is_out_unless_newer_news_has_come() -> None:
    feed, attendance, tab = feed_of()
    attendance.waits(1, 3)
    before = attendance.revision
    attendance.admitted(1, UNTIL, 4)
    feed.absent(attendance, before, "session")
    assert attendance.state is PlaceState.ACTIVE
    feed.absent(attendance, attendance.revision, "session")
    assert attendance.state is None
    assert tab.news == ["waiting", "admitted", "expired session"]


async def test_who_has_room_already_is_told_no_long_wait() -> None:
    """F9: the first page after a draw said "8 to 14 minutes" to those whom the next sweep let in."""
    feed, attendance, _ = feed_of()

    def told_wait() -> tuple[int, int]:
        message = feed._pushes.message(attendance, ticket=False)
        assert message is not None
        wait = orjson.loads(message)["wait"]
        return wait["low"], wait["high"]

    feed._places.track("v1", 7, 2, 0)
    attendance.waits(7, 0)
    assert told_wait() == wait_band(1800, None)
    assert feed.take({"v": 0, "waiting": 5, "room": 3})
    assert told_wait() == (0, 2)
    assert feed.take({"v": 0, "admitted": [["v9", 1, 1_777_000_000_000]]})
    assert told_wait() == (0, 2), "a purchase's message says nothing of it"
    assert feed.take({"v": 0, "waiting": 5, "room": 2})
    assert told_wait() == wait_band(600, None)
    assert feed.take({"v": 0, "waiting": 5})
    assert told_wait() == wait_band(1800, None)


async def test_what_is_kept_back_while_places_are_fetched_is_bounded() -> None:
    """Rule 8: also in a process that Redis tells but does not answer."""
    feed, _, _ = feed_of()
    for version in range(3 * queue_feed.MOST_HELD):
        feed.message(b'{"v": %d, "left": [1]}' % version)
    held = feed.resync._catch_up._held
    assert len(held) == queue_feed.MOST_HELD
    assert held[-1]["v"] == 3 * queue_feed.MOST_HELD - 1, "the newest are kept"
