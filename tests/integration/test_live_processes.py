"""Several server processes behave as one (D5), and a slow browser costs the others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import socket
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from core.clock import SystemClock
from core.embedded import Engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.waiting_room.place import PlaceState
from realtime import live_event
from tests.conftest import MakeEvent
from tests.integration.onsale_process import SECRET_KEY
from tests.live_server import Browser, LiveServer, live_server, sweeping
from tests.sale_server import OPERATOR_TOKEN
from tests.waits import PATIENCE
from web.visitors import Visitors

pytestmark = pytest.mark.usefixtures("patient")

HELD, FREE = 1, 0


@contextlib.asynccontextmanager
async def server_process(settings: Settings) -> AsyncIterator[int]:
    """A server process of its own on a free port; gives the port, ends the process."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    fd = listening.fileno()
    os.set_inheritable(fd, True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "web.server:create",
        "--fd",
        str(fd),
        "--ws",
        "web.ws_protocol:FrameProtocol",
        "--log-level",
        "warning",
        pass_fds=[fd],
        env={
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "ONSALE_DATA": str(settings.data),
            "ONSALE_SECRET_KEY": SECRET_KEY,
            "ONSALE_OPERATOR_TOKEN": OPERATOR_TOKEN,
        },
    )
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        listening.close()


async def test_two_processes_behave_as_one(runtime: Runtime, make_event: MakeEvent) -> None:
    """Seats, places and admissions cross from the browsers of one process to those of another."""
    event = await make_event(active_limit=1)
    settings = runtime.settings
    async with server_process(settings) as port_a, server_process(settings) as port_b:
        here, there = (LiveServer(port, Visitors(SECRET_KEY, SystemClock())) for port in (port_a, port_b))
        async with (
            here.browser(event.slug) as inside,
            here.browser(event.slug) as waits_here,
            there.browser(event.slug) as waits_there,
            there.browser(event.slug) as watches_there,
            sweeping(runtime, event.slug),
        ):
            await inside.entered()
            await waits_there.send("join")
            assert (await waits_there.until("queue"))["ahead"] == 0
            await waits_here.send("join")
            assert (await waits_here.until("queue"))["ahead"] == 1
            await inside.ask("hold", seats=[2, 3])
            await watches_there.until_seat(3, HELD)
            # The same visitor, connected to both processes.
            async with there.browser(event.slug, inside.visitor) as inside_there:
                assert (await inside_there.until("held"))["seats"] == [2, 3]
            await inside.send("leave")
            await waits_there.until("admitted")
            await waits_here.until("queue", lambda message: message["ahead"] == 0)
            await watches_there.until_seat(3, FREE)
            await waits_there.until_seat(3, FREE)


async def test_a_process_that_stops_sends_its_browsers_to_another(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code 4002, spread over ONSALE_GOODBYE_SECONDS (D5), and nobody loses a place."""
    monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update={"goodbye_seconds": 7.0}))
    pauses: list[tuple[float, float]] = []
    draw = random.uniform

    def drawn(least: float, most: float) -> float:
        if most != 7.0:
            return draw(least, most)
        pauses.append((least, most))
        return 0.0

    monkeypatch.setattr(random, "uniform", drawn)
    event = await make_event(active_limit=1)
    async with live_server(runtime) as other:
        async with live_server(runtime) as stopping:
            visitors = [stopping.visitor() for _ in range(3)]
            async with contextlib.AsyncExitStack() as stack:
                browsers = [await stack.enter_async_context(stopping.browser(event.slug, v)) for v in visitors]
                for browser in browsers:
                    await browser.until("welcome")
                    await browser.send("join")
                    await browser.until("admitted" if browser is browsers[0] else "queue")
                stop = asyncio.create_task(stopping.stop())
                assert [await browser.close_code() for browser in browsers] == [4002] * 3
                await stop
                assert pauses == [(0, 7.0)] * 3
        for visitor, state in zip(visitors, ("active", "waiting", "waiting"), strict=True):
            async with other.browser(event.slug, visitor) as again:
                assert (await again.until("welcome"))["state"] == state


async def test_what_an_operator_does_to_the_sale_is_told_by_every_process(
    runtime: Runtime, settings: Settings, stores: Engines, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pause, close and open again reach pages that wait, whichever process they are at; nobody waits for a look."""
    monkeypatch.setattr(live_event, "_LOOK_SECONDS", 3600.0)
    event = await make_event(active_limit=1)
    async with contextlib.AsyncExitStack() as stack:
        second = await stack.enter_async_context(open_runtime(settings, stores))
        servers = [await stack.enter_async_context(live_server(each)) for each in (runtime, second)]
        browsers = [await stack.enter_async_context(server.browser(event.slug)) for server in servers]
        operator = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{servers[0].port}/api/operator/events/{event.slug}",
                timeout=PATIENCE,
                headers={"Authorization": "Bearer operator"},
            )
        )
        for browser in browsers:
            first = await browser.until("sale")
            assert (first["status"], first["paused"], first["opens_at"]) == ("open", False, None)
        for call, said in (
            ("pause", ("open", True)),
            ("resume", ("open", False)),
            ("close", ("closed", False)),
            ("open", ("open", False)),
        ):
            (await operator.post(f"/{call}")).raise_for_status()
            for browser in browsers:
                told = await browser.until("sale")
                assert (told["status"], told["paused"]) == said


async def test_every_page_of_a_visitor_sees_the_basket_whoever_changed_it(
    runtime: Runtime, settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """A hold made by HTTP, or by a tab at another process, comes to the visitor's other tabs; and to nobody else."""
    event = await make_event()
    async with contextlib.AsyncExitStack() as stack:
        second = await stack.enter_async_context(open_runtime(settings, stores))
        here, there = [await stack.enter_async_context(live_server(each)) for each in (runtime, second)]
        tab = await stack.enter_async_context(here.browser(event.slug))
        await tab.entered()
        other_tab = await stack.enter_async_context(there.browser(event.slug, tab.visitor))
        await other_tab.until("board")
        stranger = await stack.enter_async_context(there.browser(event.slug))
        await stranger.entered()
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{here.port}/api/events/{event.slug}",
                timeout=PATIENCE,
                headers={"Authorization": f"Bearer {here.token(tab.visitor)}"},
            )
        )

        async def shown(*seats: int, on: tuple[Browser, ...] = (tab, other_tab)) -> None:
            for browser in on:
                assert "id" not in await browser.until("held", lambda told: told["seats"] == list(seats))

        (await client.post("/holds", json={"seats": [1, 2]})).raise_for_status()
        await shown(1, 2)
        await other_tab.ask("release", seats=[1])
        await shown(2, on=(tab,))
        await tab.ask("hold", seats=[3])
        await shown(2, 3, on=(other_tab,))
        (await client.delete("/holds")).raise_for_status()
        await shown()
        # In order, and nothing else; more than once only where an answer took its time.
        told = [message["seats"] for message in tab.seen if message["type"] == "held"]
        assert [seats for seats, _ in itertools.groupby(told)] == [[1, 2], [2], [2, 3], []]
        assert not [message for message in stranger.seen if message["type"] == "held"]


async def test_a_sale_that_changes_by_itself_is_told(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock, the command line, a message that was lost: the process looks by itself."""
    monkeypatch.setattr(live_event, "_LOOK_SECONDS", 0.05)
    event = await make_event()
    async with live_server(runtime) as server, server.browser(event.slug) as browser:
        assert (await browser.until("sale"))["paused"] is False
        await runtime.events.update(event.slug, paused=True)
        assert (await browser.until("sale"))["paused"] is True


async def test_slow_browser_is_sent_away_and_the_others_get_everything(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """4001 "reconnect" to who does not read; what it costs is bounded; nobody waits for it."""
    event = await make_event(seats=3000)
    changed = settings.model_copy(update={"rate_limits": "off", "channel_buffer_bytes": 65_536})
    async with open_runtime(changed, stores) as runtime, live_server(runtime) as server:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", server.port))
        # `max_queue=1`: the client stops reading from its socket as soon as one message waits.
        async with (
            server.browser(event.slug, sock=small, max_queue=1, ping_interval=None) as slow,
            server.browser(event.slug) as one,
            server.browser(event.slug) as two,
        ):
            await one.entered()
            await two.until("board")
            for seat in range(200):
                await one.ask("hold" if seat % 2 == 0 else "release", seats=[0])
                for _ in range(10):
                    with contextlib.suppress(ConnectionClosed):
                        await slow.send("sync", epoch=-1, version=-1)
                if server.live.channels < 3:
                    break
            assert server.live.channels == 2, "the slow one was not sent away"
            await one.ask("hold", seats=[1])
            for browser in (one, two):
                await browser.until_seat(1, HELD)
            assert one.states == two.states
            assert await slow.close_code() == 4001


async def test_places_of_many_waiting_browsers_cost_no_redis_call_each(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """S7: Valkey's own count of scripts run, while 150 browsers follow 20 departures."""
    event = await make_event(active_limit=1)
    unpriced = settings.model_copy(update={"proof_free_places": 1000})  # they all come from one address
    async with contextlib.AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(unpriced, stores))
        redis = runtime.redis
        server = await stack.enter_async_context(live_server(runtime))
        ahead = [server.visitor() for _ in range(21)]
        for visitor in ahead:
            await runtime.waiting_room.join(event, visitor)
        browsers: list[Browser] = []
        for _ in range(150):
            browser = await stack.enter_async_context(server.browser(event.slug, ping_interval=None))
            await browser.until("welcome")
            await browser.send("join")
            await browser.until("queue")
            browsers.append(browser)
        await asyncio.sleep(1.5)  # the beats that the joins were
        before = await _scripts_run(redis)
        for visitor in ahead[:20]:
            await runtime.waiting_room.leave(event, visitor)
        for place, browser in enumerate(browsers):
            await browser.until("queue", partial(_has_ahead, place))
        # The 20 departures, and all beats together each second: of a call for each browser there were thousands.
        assert await _scripts_run(redis) - before < len(browsers)
        last = await runtime.waiting_room.place(event, browsers[-1].visitor)
        assert last is not None
        assert (last.state, last.ahead) == (PlaceState.WAITING, 149)


def _has_ahead(place: int, queue: dict[str, Any]) -> bool:
    return bool(queue["ahead"] == place)


async def _scripts_run(redis: object) -> int:
    stats = await redis.info("commandstats")  # type: ignore[attr-defined]
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))
