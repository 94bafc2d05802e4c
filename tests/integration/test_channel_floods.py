"""R8: control frames and fragments are counted, reading stops at the goodbye, an honest channel goes on beside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import struct

import pytest

from core.venue.event import Event
from tests.conftest import MakeEvent
from tests.live_server import LiveServer
from tests.waits import PATIENCE
from web import ws_protocol

pytestmark = pytest.mark.usefixtures("patient")

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]
TEXT, CONT, PING, PONG = 0x1, 0x0, 0x9, 0xA


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """A masked frame, as browsers send it (RFC 6455 section 5.2)."""
    first = (0x80 if fin else 0) | opcode
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
    return bytes([first]) + size + bytes(4) + data


async def handshake(server: LiveServer, event: Event) -> Connected:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        f"GET /ws/events/{event.slug} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        f"Authorization: Bearer {server.token(server.visitor())}\r\n\r\n".encode()
    )
    async with asyncio.timeout(PATIENCE):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def close_code(reader: asyncio.StreamReader) -> int | None:
    """Reads frames to the end; what the server's close frame says."""
    code = None
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, second = await reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await reader.readexactly(8))
                data = await reader.readexactly(size)
                if first & 0xF == 0x8:
                    (code,) = struct.unpack("!H", data[:2])
    return code


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        (frame(PING, b"x") * 5_000, 4103),
        (frame(PONG) * 5_000, 4103),
        (frame(TEXT, b"{", fin=False) + frame(CONT, fin=False) * 5_000, 4104),
        (frame(TEXT, b'{"type":"beat"}') * 5_000, 4103),
        ((frame(TEXT, b'{"type":"be', fin=False) + frame(CONT, b'at"}')) * 90, None),
    ],
    ids=["pings", "pongs", "fragments", "messages", "messages in two"],
)
async def test_a_flood_ends_its_own_channel_and_no_other(
    server: LiveServer, make_event: MakeEvent, flood: bytes, code: int | None
) -> None:
    event = await make_event()
    async with server.browser(event.slug) as honest:
        await honest.entered()
        reader, writer = await handshake(server, event)
        writer.write(flood)
        if code is None:
            # So many pieces are more than the frames that are allowed besides.
            assert await close_code(reader) == 4103
        else:
            assert await close_code(reader) == code
        assert (await honest.ask("hold", seats=[1]))["type"] == "held"
        writer.transport.abort()


async def test_who_goes_on_after_the_goodbye_is_cut_off(
    server: LiveServer, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not when the time is over that a browser has to say goodbye."""
    monkeypatch.setattr(ws_protocol, "_CLOSE_SECONDS", 10 * PATIENCE)
    event = await make_event()
    reader, writer = await handshake(server, event)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while not reader.at_eof() and not writer.transport.is_closing():
                writer.write(frame(PING, b"x" * 100) * 100)
                await writer.drain()
                await asyncio.sleep(0)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await reader.read(65_536)
    writer.transport.abort()


async def test_an_honest_browser_is_not_counted_out(server: LiveServer, make_event: MakeEvent) -> None:
    """Pings of a program now and then, and a message in a few pieces."""
    event = await make_event()
    async with server.browser(event.slug) as browser:
        await browser.entered()
        for _ in range(20):
            await (await browser.connection.ping())
        await browser.connection.send(['{"type":', '"hold","id":"x",', '"seats":[2]}'])
        await browser.until("held")
        assert (await browser.ask("hold", seats=[3]))["type"] == "held"
