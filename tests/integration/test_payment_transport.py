"""What the shared HTTP client of the payment adapters proves about a request when its call fails (P1, P9, S27)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from core.payments.gateway import CallHealth
from core.payments.provider_package import Limits
from core.payments.transport_http import NoAnswer, ProviderHttp, ProviderResponse
from tests.waits import PATIENCE

SECRET = "Basic c2VjcmV0Og=="
Says = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Reads each request whole, then does what it is told; `port` of 127.0.0.1."""

    port: int = 0
    #: One for each request; the last one for all that follow.
    says: list[Says] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                self.requests.append(head + await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0))
                await self.says[min(len(self.requests), len(self.says)) - 1](writer)
        writer.close()


def answers(body: bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None) -> Says:
    async def say(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body)
        await writer.drain()
        if length is not None:
            writer.close()

    return say


async def breaks(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def drips(writer: asyncio.StreamWriter) -> None:
    """A byte at a time, for ever: each comes before the read timeout."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server(says=[answers(b'{"ok": true}')])
    listening = await asyncio.start_server(running.handle, "127.0.0.1", 0)
    running.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield running


@contextlib.asynccontextmanager
async def client(url: str, *, connect: float = 5, read: float = 10) -> AsyncIterator[ProviderHttp]:
    opened = ProviderHttp(provider="toss", url=url, limits=Limits(connect, read, 5), authorization=SECRET)
    try:
        yield opened
    finally:
        await opened.aclose()


async def post(http: ProviderHttp) -> ProviderResponse | NoAnswer:
    return await http.call("confirm", "POST", "/v1/confirm", json={"amount": 1})


async def failed(http: ProviderHttp) -> NoAnswer:
    answer = await post(http)
    assert isinstance(answer, NoAnswer)
    return answer


async def test_a_handshake_that_fails_or_hangs_is_proven_not_sent() -> None:
    async def no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    for handle, connect, code in ((no_tls, 5.0, "connect_failed"), (silent, 0.2, "connect_timeout")):
        listening = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with listening, client(url, connect=connect) as http:
            assert await failed(http) == NoAnswer(sent=False, code=code, health=CallHealth.FAILURE)


async def test_a_name_that_nobody_has_is_proven_not_sent() -> None:
    async with client("http://provider.invalid") as http:
        assert await failed(http) == NoAnswer(sent=False, code="connect_failed", health=CallHealth.FAILURE)


@pytest.mark.parametrize(
    ("said", "code", "health"),
    [
        (answers(b'{"half": ', length=100), "connection_lost", CallHealth.FAILURE),
        (breaks, "connection_lost", CallHealth.FAILURE),
        (answers(b'{"long": "' + b"x" * (1 << 20) + b'"}'), "bad_answer", CallHealth.FAILURE),
        (answers(b"", status="no number"), "connection_lost", CallHealth.FAILURE),
    ],
    ids=["half", "broken", "long", "no HTTP"],
)
async def test_what_fails_after_sending_is_unknown(server: Server, said: Says, code: str, health: CallHealth) -> None:
    server.says = [said]
    async with client(f"http://127.0.0.1:{server.port}") as http:
        with capture_logs() as lines:
            assert await failed(http) == NoAnswer(sent=True, code=code, health=health)
    assert len(server.requests) == 1
    assert SECRET.split()[1] not in str(lines), "an exception's text has the request's headers in it"


async def test_an_answer_that_never_ends_has_an_end(server: Server) -> None:
    """The read timeout starts anew with each byte; the whole call has a time as well."""
    server.says = [drips]
    async with client(f"http://127.0.0.1:{server.port}", connect=1, read=1) as http, asyncio.timeout(PATIENCE):
        assert await failed(http) == NoAnswer(sent=True, code="read_timeout", health=CallHealth.TIMEOUT)


async def test_a_redirect_is_an_answer_and_no_address(server: Server) -> None:
    elsewhere = f"Location: http://127.0.0.1:{server.port}/elsewhere\r\n"
    server.says = [answers(b'{"code": "moved"}', status="307 Temporary Redirect", headers=elsewhere)]
    async with client(f"http://127.0.0.1:{server.port}") as http:
        assert await post(http) == ProviderResponse(307, {"code": "moved"})
    assert len(server.requests) == 1


async def test_on_a_kept_connection_that_was_closed_only_a_question_is_asked_again(server: Server) -> None:
    good = answers(b'{"ok": true}')
    server.says = [good, breaks, good, breaks, good]
    async with client(f"http://127.0.0.1:{server.port}") as http:
        assert isinstance(await post(http), ProviderResponse)
        assert await failed(http) == NoAnswer(sent=True, code="connection_lost", health=CallHealth.FAILURE)
        assert len(server.requests) == 2, "what may have charged is never sent again by itself"
        assert isinstance(await post(http), ProviderResponse)
        assert isinstance(await http.call("look_up", "GET", "/v1/payments/k"), ProviderResponse)
        assert len(server.requests) == 5


async def test_the_proxy_of_the_environment_is_for_the_world_outside(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:word@127.0.0.1:{server.port}")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "direct.invalid")
    async with client("http://provider.invalid") as http:
        assert await post(http) == ProviderResponse(200, {"ok": True})
    assert server.requests[0].startswith(b"POST http://provider.invalid/v1/confirm HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjp3b3jk\r\n" in server.requests[0].lower()
    async with client("http://direct.invalid") as http:
        assert (await failed(http)).code == "connect_failed"
    async with client(f"http://127.0.0.1:{server.port}") as http:
        assert await post(http) == ProviderResponse(200, {"ok": True})
    assert server.requests[1].startswith(b"POST /v1/confirm HTTP/1.1\r\n")
    # Refused before anything went through it.
    server.says = [answers(b"", status="407 Proxy Authentication Required")]
    async with client("https://provider.invalid") as http:
        with capture_logs() as lines:
            assert await failed(http) == NoAnswer(sent=False, code="connect_failed", health=CallHealth.FAILURE)
    assert server.requests[2].startswith(b"CONNECT provider.invalid:443 HTTP/1.1\r\n")
    assert SECRET.split()[1].encode() not in server.requests[2]
    assert SECRET.split()[1] not in str(lines)
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ValueError, match="proxy of the environment"):
        ProviderHttp(provider="toss", url="https://provider.invalid", limits=Limits(1, 1, 1))


async def resets(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"what?\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("said", [breaks, resets, no_http])
async def test_a_proxy_that_hangs_up_before_it_connects_us_is_proven_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: Says
) -> None:
    """P1, P9: the charge has not left; one that a proxy was given and lost may have arrived."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{server.port}")
    server.says = [said]
    async with client("https://provider.invalid") as http:
        assert await failed(http) == NoAnswer(sent=False, code="connect_failed", health=CallHealth.FAILURE)
    assert [request.split()[0] for request in server.requests] == [b"CONNECT"]
    async with client("http://provider.invalid") as http:
        assert await failed(http) == NoAnswer(sent=True, code="connection_lost", health=CallHealth.FAILURE)
