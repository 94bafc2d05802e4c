"""An event's live connections in one process."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from core.runtime import Runtime
from realtime.composition import channel_limits
from realtime.live_event import LiveEvent
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")


async def test_who_waits_for_the_feeds_watches_the_event(runtime: Runtime, make_event: MakeEvent) -> None:
    """An event that nobody watches is let go; a channel that waits for its board is somebody."""
    live = LiveEvent(
        await make_event(),
        session_seconds=runtime.settings.session_seconds,
        limits=channel_limits(runtime.settings),
        clock=runtime.clock,
        supervisor=runtime.supervisor,
        subscriptions=cast(Any, None),
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        seats=runtime.seats,
        stores=runtime.stores,
    )
    assert live.empty
    waiting = asyncio.create_task(live.ready())
    await asyncio.sleep(0)
    assert not live.empty
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert live.empty
