"""Rule 8: nothing grows without bound, also in a process that Redis tells but does not answer."""

from __future__ import annotations

from typing import Any, cast

from realtime import queue_feed
from realtime.queue_feed import QueueFeed


async def _nothing(_: object) -> None: ...


def test_what_is_kept_back_while_places_are_fetched_is_bounded() -> None:
    feed = QueueFeed(
        cast(Any, None), cast(Any, None), {}, session_seconds=600, lapsed=_nothing
    )  # not started: the first fetch has not ended
    for version in range(3 * queue_feed._MOST_HELD):
        feed.message(b'{"v": %d, "left": [1]}' % version)
    assert feed._held is not None
    assert 0 < len(feed._held) <= queue_feed._MOST_HELD
    assert feed._held[-1]["v"] == 3 * queue_feed._MOST_HELD - 1, "the newest are kept"
