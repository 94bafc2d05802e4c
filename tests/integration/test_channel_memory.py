"""What an open channel keeps: there are twenty thousand of them in a process (E1)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pytest

from core.runtime import Runtime
from tests.conftest import MakeEvent
from tests.live_server import live_server
from tests.waits import until
from web.http_protocol import LimitedProtocol
from web.sockets import slug_of
from web.ws_protocol import FrameProtocol

pytestmark = pytest.mark.usefixtures("patient")

CHANNELS = 3


def objects_of(kind: type[object]) -> list[object]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, kind)]


def layers(task: asyncio.Task[object]) -> list[str]:
    """The functions that wait for each other in a task, outermost first."""
    names: list[str] = []
    waits: Any = task.get_coro()
    while waits is not None:
        names.append(getattr(waits, "__qualname__", ""))
        waits = getattr(waits, "cr_await", None)
    return names


async def test_an_open_channel_keeps_nothing_of_how_it_was_opened(runtime: Runtime, make_event: MakeEvent) -> None:
    """Neither the protocol that read its request, nor the request, nor a layer of the application for each step."""
    event = await make_event()
    before = len(objects_of(LimitedProtocol))
    async with live_server(runtime) as server, contextlib.AsyncExitStack() as opened:
        for _ in range(CHANNELS):
            browser = await opened.enter_async_context(server.browser(event.slug))
            await browser.entered()
        # What served a request a moment ago is let go by the next turns of the loop.
        await until(lambda: len(objects_of(LimitedProtocol)) <= before)
        channels = [one for one in objects_of(FrameProtocol) if isinstance(one, FrameProtocol) and not one.disconnected]
        assert len(channels) >= CHANNELS
        assert not any(one.scope["headers"] or one.request or one.response for one in channels)
        waiting = [names for task in asyncio.all_tasks() if "channel" in (names := layers(task))]
        assert len(waiting) == CHANNELS
        assert not any("wrap_app" in name or "Router" in name for names in waiting for name in names)


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/ws/events/summer", "summer"),
        ("/ws/events/", None),
        ("/ws/events", None),
        ("/ws/events/summer/", None),
        ("/ws/events/a/b", None),
        ("/api/ws/events/summer", None),
        ("/events/summer", None),
    ],
)
def test_which_event_a_channels_address_names(path: str, slug: str | None) -> None:
    assert slug_of(path) == slug
