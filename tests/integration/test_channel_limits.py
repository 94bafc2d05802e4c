"""Who may open a live channel, and when it is closed: refusals, limits, other servers (D3-D6, R8)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from core.embedded import Engines
from core.runtime import open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, Browser, LiveServer, live_server

pytestmark = pytest.mark.usefixtures("patient")

HELD = 1


@pytest.fixture
async def plain(settings: Settings, stores: Engines) -> AsyncIterator[LiveServer]:
    """The application under a server that knows nothing of shared frames."""
    changed = settings.model_copy(update={"rate_limits": "off", "channel_buffer_bytes": 65_536})
    async with open_runtime(changed, stores) as runtime, live_server(runtime, ws="websockets-sansio") as started:
        yield started


async def test_any_asgi_server_will_do(plain: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event()
    async with plain.browser(event.slug) as one, plain.browser(event.slug) as two:
        await one.entered()
        await two.until("board")
        assert (await one.ask("hold", seats=[3]))["type"] == "held"
        await two.until_seat(3, HELD)
        for _ in range(5):
            await one.connection.send("nonsense")
        assert await one.close_code() == 4104
        async with plain.browser("no-such-event") as lost:
            assert await lost.close_code() == 4102
        async with asyncio.timeout(PATIENCE):
            while plain.live.channels > 1:
                await asyncio.sleep(0.01)


async def test_slow_browser_is_sent_away_by_any_asgi_server(plain: LiveServer, make_event: MakeEvent) -> None:
    """Without the shared frames the same bound holds, for a queue of the connection's own."""
    event = await make_event(seats=3000)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", plain.port))
    async with (
        plain.browser(event.slug, sock=small, max_queue=1, ping_interval=None) as slow,
        plain.browser(event.slug) as one,
    ):
        await one.until("board")
        async with asyncio.timeout(PATIENCE):
            while plain.live.channels > 1:
                with contextlib.suppress(ConnectionClosed):
                    await slow.send("sync", epoch=-1, version=-1)
                await asyncio.sleep(0)
        await one.send("join")
        await one.until("admitted")
        await one.ask("hold", seats=[0])
        await one.until_seat(0, HELD)


Refusal = Callable[[LiveServer, Event], Awaitable[tuple[str, dict[str, str]]]]


async def _no_visitor(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {}


async def _forged(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {"Authorization": f"Bearer {server.visitor()}.forged"}


async def _long(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {"Authorization": f"Bearer {'x' * 5000}"}


async def _no_slug(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return "%00", {"Authorization": f"Bearer {server.token(server.visitor())}"}


async def _no_event(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return "no-such-event", {"Authorization": f"Bearer {server.token(server.visitor())}"}


async def _other_site(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {
        "Cookie": f"onsale_visitor={server.token(server.visitor())}",
        "Origin": "https://evil.example",
    }


async def _cookie_without_origin(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {"Cookie": f"onsale_visitor={server.token(server.visitor())}"}


async def _own_page(server: LiveServer, event: Event) -> tuple[str, dict[str, str]]:
    return event.slug, {
        "Cookie": f"onsale_visitor={server.token(server.visitor())}",
        "Origin": f"http://127.0.0.1:{server.port}",
    }


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (_no_visitor, 401),
        (_forged, 401),
        (_long, 401),
        (_no_event, 4102),
        (_no_slug, 404),
        (_other_site, 403),
        (_cookie_without_origin, 403),
        (_own_page, None),
    ],
)
async def test_who_may_open_the_channel(
    server: LiveServer,
    make_event: MakeEvent,
    refusal: Refusal,
    code: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A program, or another site's page, is refused before the handshake; what a buyer's page meets is a close code.
    No refusal leaves a fault in the log: whoever sends nonsense would fill it (R8)."""
    slug, headers = await refusal(server, await make_event())
    url = f"ws://127.0.0.1:{server.port}/ws/events/{slug}"
    if code is not None and code < 1000:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers=headers, proxy=None, open_timeout=PATIENCE)
        assert refused.value.response.status_code == code
        assert orjson.loads(refused.value.response.body or b"")["status"] == code
        assert not server.live.channels
        assert _faults(caplog) == []
        return
    async with connect(url, additional_headers=headers, proxy=None, open_timeout=PATIENCE) as connection:
        browser = Browser(connection, "")
        if code is None:
            await browser.until("welcome")
        else:
            assert await browser.close_code() == code


def _faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", ["/ws/events/", "/ws/nowhere", "/api/events", "/"])
async def test_no_channel_elsewhere(server: LiveServer, path: str) -> None:
    """R6: a plain problem response, whoever asks for what."""
    headers = {"Authorization": f"Bearer {server.token(server.visitor())}"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, proxy=None, open_timeout=PATIENCE
        )
    response = refused.value.response
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert orjson.loads(response.body or b"")["code"] == "not_found"


async def test_text_that_is_none_ends_the_channel_and_leaves_no_trace(
    server: LiveServer, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole or in pieces; a character may be in two of them (R6, R8)."""
    event = await make_event()
    character = "é".encode()
    for pieces, code in (
        ([b'"\xff"'], 1007),
        ([b'"\xff', b'"'], 1007),
        ([b'"' + character[:1], character[1:] + b'"'], None),
    ):
        async with server.browser(event.slug) as browser:
            await browser.until("welcome")
            last = len(pieces) - 1
            for at, piece in enumerate(pieces):
                opcode = Opcode.CONT if at else Opcode.TEXT
                browser.connection.protocol.send_frame(Frame(opcode, piece, fin=at == last))
            browser.connection.transport.write(b"".join(browser.connection.protocol.data_to_send()))
            if code is None:
                assert (await browser.until("problem"))["code"] == "invalid_request"
            else:
                assert await browser.close_code() == code
    assert _faults(caplog) == []


async def test_a_command_is_answered_by_the_id_that_it_had(server: LiveServer, make_event: MakeEvent) -> None:
    """The `id` is of the page's own choice (D4): a text or a number, and the answer has the same."""
    event = await make_event()
    async with server.browser(event.slug) as browser:
        await browser.entered()
        for name in ("h1", "", 0, 1, -7, 2**53 - 1):
            await browser.send("hold", id=name, seats=[3])
            held = await browser.until("held")
            assert (type(held["id"]), held["id"]) == (type(name), name)
            await browser.send("hold", id=name, seats=[9999])
            assert (await browser.until("refused"))["id"] == name
        wrongs: list[object] = [1.5, True, None, [], "x" * 65, 2**53]
        for wrong in wrongs:
            async with server.browser(event.slug) as other:
                await other.until("welcome")
                await other.send("hold", id=wrong, seats=[3])
                assert "id: must be a text" in (await other.until("problem"))["detail"]


async def test_sixth_tab_of_one_visitor_is_refused_and_a_closed_one_makes_room(
    server: LiveServer, make_event: MakeEvent
) -> None:
    event = await make_event()
    visitor = server.visitor()
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(server.browser(event.slug, visitor)) for _ in range(5)]
        for tab in tabs:
            await tab.until("welcome")
        async with server.browser(event.slug, visitor) as sixth:
            assert await sixth.close_code() == 4100
        await tabs[0].connection.close()
        async with asyncio.timeout(PATIENCE):
            while server.live.channels > 4:
                await asyncio.sleep(0.01)
        async with server.browser(event.slug, visitor) as again:
            await again.until("welcome")


async def test_a_full_process_sends_the_next_one_away_for_now(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """Rule 8: "come back", not "go away"; also where nothing else is limited."""
    event = await make_event()
    changed = settings.model_copy(update={"rate_limits": "off", "channels_per_process": 2})
    async with (
        open_runtime(changed, stores) as runtime,
        live_server(runtime) as full,
        full.browser(event.slug) as one,
        full.browser(event.slug) as two,
    ):
        # A handshake that is answered has no channel yet: who says hello first has the room.
        await one.until("welcome")
        await two.until("welcome")
        async with full.browser(event.slug) as third:
            assert await third.close_code() == 4004
        await one.connection.close()
        async with asyncio.timeout(PATIENCE):
            while full.live.channels > 1:
                await asyncio.sleep(0.01)
        async with full.browser(event.slug) as again:
            await again.until("welcome")


async def test_too_many_messages_close_the_channel(server: LiveServer, make_event: MakeEvent) -> None:
    event, most = await make_event(), server.runtime.settings.channel_messages_per_minute
    async with server.browser(event.slug) as browser:
        await browser.until("welcome")
        closed, sent = asyncio.create_task(browser.close_code()), 0
        # Messages that are allowed again while the machine stands still come on top.
        with contextlib.suppress(ConnectionClosed):
            while not closed.done():
                await browser.send("beat")
                sent += 1
                await asyncio.sleep(0)
        assert await closed == 4103
        assert most < sent < 2 * most


async def test_bad_messages_are_answered_and_then_end_the_channel(server: LiveServer, make_event: MakeEvent) -> None:
    """Rule 9: bad input changes nothing and gets one clear answer."""
    event = await make_event()
    async with server.browser(event.slug) as browser:
        await browser.until("welcome")
        for bad in ("{", '{"type":"fly"}', '{"type":"hold","seats":["1"]}', b"binary"):
            await browser.connection.send(bad)
            assert (await browser.until("problem"))["code"] == "invalid_request"
        await browser.connection.send('{"type":"hold","seats":[]}')
        assert await browser.close_code() == 4104


async def test_message_above_the_limit_is_refused_by_the_protocol(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event()
    async with server.browser(event.slug) as browser:
        await browser.until("welcome")
        await browser.connection.send('{"type":"join","ticket":"' + "x" * 5000 + '"}')
        assert await browser.close_code() == 1009


async def test_refusals_of_join_are_problems_and_the_channel_stays(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event(status=SaleStatus.SCHEDULED)
    async with server.browser(event.slug) as browser:
        await browser.until("welcome")
        await browser.send("join")
        assert (await browser.until("problem"))["code"] == "sale_not_open"
        await browser.send("sync", epoch=-1, version=-1)
        await browser.until("board")
