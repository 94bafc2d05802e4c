"""R8: limits before the application, met by a program that speaks bytes and no protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tests.waits import PATIENCE, until
from web import connection_limits
from web.connection_limits import Peers, connections_of_one_peer, trusts
from web.http_protocol import PEERS, LimitedProtocol

GET = b"GET / HTTP/1.1\r\nHost: hall.test\r\n\r\n"
Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, and answers. Who is interested in it is told that it is asked (`served`)."""
    if asked := scope["state"].get("asked"):
        asked.set()
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(
    peers: Peers, *, kept: int = 5, asked: asyncio.Event | None = None
) -> AsyncIterator[Callable[..., Any]]:
    """`kept`: seconds that a connection on which nothing comes is kept for. `asked`: set when a head is there."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_keep_alive=kept)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: LimitedProtocol(config=config, server_state=state, app_state={PEERS: peers, "asked": asked}),
        "127.0.0.1",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    peers.start()
    async with AsyncExitStack() as stack:

        async def connect(source: str = "127.0.0.1") -> Connected:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            stack.callback(writer.transport.abort)
            return reader, writer

        try:
            yield connect
        finally:
            peers.stop()
            server.close()


async def answer(connection: Connected, sent: bytes) -> bytes:
    reader, writer = connection
    writer.write(sent)
    async with asyncio.timeout(PATIENCE):
        return await reader.read(65_536)


async def ended(connection: Connected) -> bytes:
    """What came before the end."""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            return await connection[0].read()
    return b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", b"400"),
        (b"GET /ws/events/hall HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (GET, b"200"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        ("GET /ü HTTP/1.1\r\nHost: a\r\n\r\n".encode(), b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 65_000 + b"\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 66_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * 66_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 12_000 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 99 + b"\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 100 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 12_000, b"431"),
        (GET * 33, b"200"),
        (GET * 200, None),
    ],
)
async def test_what_is_no_request_is_answered_once_and_closed(
    sent: bytes, status: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(Peers()) as connect:
        if status is None:
            with contextlib.suppress(ConnectionError):
                assert (await answer(await connect(), sent)).count(b"200 OK") <= 33
        else:
            got = await answer(await connect(), sent)
            assert got.startswith(b"HTTP/1.1 " + status)
            assert status == b"200" or b"application/problem+json" in got
        # The next one is served.
        assert (await answer(await connect(), GET)).startswith(b"HTTP/1.1 200")
    assert not caplog.records, "nonsense leaves no line in the log"


@pytest.fixture
def patient_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's time for a request is over, however long a busy machine takes to make the connections."""
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 10 * PATIENCE)


@pytest.mark.usefixtures("patient_heads")
async def test_a_slow_head_has_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris: a byte now and then. A second request on a kept connection has the same time."""
    async with served(Peers(), kept=10 * int(PATIENCE)) as connect:
        connecting = time.monotonic()
        slow, silent, kept = await connect(), await connect(), await connect()
        assert (await answer(kept, GET)).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 2.0)
        asking = time.monotonic()
        kept[1].write(b"GET /")

        async def cut_off(connection: Connected, began: float) -> bytes:
            said = await ended(connection)
            assert time.monotonic() - began > 1.5
            return said

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while not slow[1].transport.is_closing():
                    slow[1].write(b"X")
                    await slow[1].drain()
                    await asyncio.sleep(0.1)

        slow[1].write(b"GET / HTTP/1.1\r\nX: ")
        dripping = asyncio.ensure_future(drip())
        got, nothing, second = await asyncio.gather(
            cut_off(slow, connecting), cut_off(silent, connecting), cut_off(kept, asking)
        )
        dripping.cancel()
        assert got.startswith(b"HTTP/1.1 408") or got == b"", "a reset may eat the answer"
        assert (nothing, second[:12]) == (b"", b"HTTP/1.1 408")


@pytest.mark.usefixtures("patient_heads")
async def test_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()
    async with served(Peers(), asked=asked) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        # From here on a head that is not there would be late at the next look, which is in a second.
        monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 0.1)
        await asyncio.sleep(2.5)
        assert (await answer((reader, writer), b"cd")).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("patient_heads")
async def test_the_oldest_without_a_request_give_way_and_others_are_served() -> None:
    """A thousand connections that keep still, and honest ones of the same address beside them."""
    async with served(Peers()) as connect:
        still = [await connect("127.0.0.2") for _ in range(900)]
        await asyncio.sleep(1.2)
        for _ in range(20):
            assert (await answer(await connect("127.0.0.2"), GET)).startswith(b"HTTP/1.1 200")
        assert (await answer(await connect(), GET)).startswith(b"HTTP/1.1 200")
        left: list[Connected] = []

        def few_are_left() -> bool:
            left[:] = [one for one in still if not one[0].at_eof()]
            return len(left) <= 200

        await until(few_are_left)
        assert len(left) >= 150
        # The youngest are those that stay.
        assert left == still[-len(left) :]


@pytest.mark.usefixtures("patient_heads")
async def test_two_hundred_browsers_behind_one_address_work() -> None:
    """Six connections each, all at once, as browsers do; then they are kept."""
    async with served(Peers(), kept=600) as connect:

        async def browser() -> list[Connected]:
            kept = []
            for _ in range(6):
                kept.append(await connect("127.0.0.2"))
                assert (await answer(kept[-1], GET)).startswith(b"HTTP/1.1 200")
            return kept

        connections = [one for kept in await asyncio.gather(*(browser() for _ in range(200))) for one in kept]
        await asyncio.sleep(1.5)
        answers = await asyncio.gather(*(answer(one, GET) for one in connections))
        assert len(answers) == 1_200
        assert all(one.startswith(b"HTTP/1.1 200") for one in answers)


@pytest.mark.usefixtures("patient_heads")
async def test_one_peer_has_so_many_connections_and_no_more() -> None:
    async with served(Peers(most=50), kept=10 * int(PATIENCE)) as connect:
        kept = [await connect("127.0.0.2") for _ in range(50)]
        for one in kept:
            assert (await answer(one, GET)).startswith(b"HTTP/1.1 200")
        assert await ended(await connect("127.0.0.2")) == b""
        assert (await answer(await connect("127.0.0.3"), GET)).startswith(b"HTTP/1.1 200"), "others are served"
        kept[0][1].close()
        await kept[0][1].wait_closed()

        async def served_again() -> bool:
            return (await answer(await connect("127.0.0.2"), GET)).startswith(b"HTTP/1.1 200")

        await until(served_again)


@pytest.mark.usefixtures("patient_heads")
@pytest.mark.parametrize("peers", [Peers(most=None), Peers(most=5, is_trusted=trusts("10.0.0.1, 127.0.0.0/8"))])
async def test_a_proxy_is_not_counted_and_nobody_is_without_limits(peers: Peers) -> None:
    async with served(peers) as connect:
        connections = [await connect("127.0.0.2") for _ in range(300)]
        await asyncio.sleep(1.2)
        for one in connections:
            assert (await answer(one, GET)).startswith(b"HTTP/1.1 200")


def test_whom_we_believe() -> None:
    assert trusts("*")("203.0.113.7")
    some = trusts("127.0.0.1, 10.0.0.0/8, proxy.local, ::1")
    assert [some(one) for one in ("127.0.0.1", "10.9.9.9", "::1", "127.0.0.2", "", "nonsense")] == [True] * 3 + [
        False
    ] * 3


def test_half_of_the_files_at_most() -> None:
    assert [connections_of_one_peer(files) for files in (1024, 65_536)] == [512, 2_000]


def test_an_ipv6_subscriber_is_one_peer() -> None:
    peers = Peers(most=2)
    for host in ("2001:db8::1", "2001:db8::2"):
        peers.come(host)
    with pytest.raises(connection_limits.TooMany):
        asyncio.run(_come(peers, "2001:db8::3"))
    assert peers.come("2001:db8:0:1::1") is not None


async def _come(peers: Peers, address: str) -> None:
    peers.come(address)


def test_sockets_of_these_tests_fit() -> None:
    with contextlib.closing(socket.socket()):
        assert connection_limits.use_all_files() >= 4096, "raise `ulimit -Hn` for these tests"
