"""Payment providers to talk to over real HTTP: the simulator served by uvicorn, and a server that answers nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount
from uvicorn.server import ServerState

from core.clock import Clock, SystemClock
from core.errors import Forbidden, OnsaleError
from core.payments.composition import open_payments, open_provider, played_at
from core.payments.gateway import Authorisation, Buyer, Order, PaymentGateway, Window, WindowUrls
from core.payments.payments import Payments
from core.payments.provider_package import Limits
from core.payments.registry import PLAYED, PROVIDERS
from core.settings import Settings
from tests.waits import PATIENCE
from tests.waits import free_port as free_port
from web import problems
from web.paysim import SimulatorStore, paysim_routes

TOKEN = "operator-of-tests"
#: The secret key of the tests' shop (`conftest.py`): the keys of its played providers are made of it.
SECRET_KEY = "test-secret"
#: Where the tests' shop is, for windows that no browser opens.
SHOP = "http://shop.test"


def an_order(*, amount: int = 15_000, currency: str = "KRW") -> Order:
    return Order(f"{uuid.uuid4().hex}a1", amount, currency, "Test night")


def a_buyer(device: Any = "pc", phone: str = "") -> Buyer:
    return Buyer(email="buyer@example.com", language="en", device=device, phone=phone)


def urls_of(order: Order, provider: str = "toss") -> WindowUrls:
    return WindowUrls(
        f"{SHOP}/pay/{provider}/return/{order.number}?s=signed", f"{SHOP}/pay/{provider}/closed/{order.number}?s=signed"
    )


def gateway_at(url: str, provider: str = "toss", *, connect: float = 20, read: float = 60, **settings: Any) -> Any:
    """A provider's adapter as the registry opens it for the simulator at `url`."""
    opened = Settings(**{"secret_key": SECRET_KEY, "simulator_url": url, **settings})
    return open_provider(PROVIDERS[provider], opened, Limits(connect, read, 20), played_at(opened, provider))


@dataclass
class Simulator:
    """A running simulator; `url` is what `ONSALE_SIMULATOR_URL` takes."""

    url: str
    client: httpx.AsyncClient

    async def behave(self, provider: str = "toss", **changes: Any) -> None:
        answer = await self.client.put(f"/{provider}/behaviour", json=changes)
        assert answer.status_code == 200, answer.text

    async def ledger(self, provider: str = "toss") -> list[dict[str, Any]]:
        answer = await self.client.get(f"/{provider}/ledger")
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()
        return entries

    async def rules(self, provider: str = "toss", **changes: Any) -> None:
        answer = await self.client.put(f"/{provider}/rules", json=changes)
        assert answer.status_code == 200, answer.text

    async def payments(self, order: str, provider: str = "toss") -> list[dict[str, Any]]:
        """Every window of the order, with status, balance and refunds."""
        answer = await self.client.get(f"/{provider}/payments", params={"order_id": order})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def charged(self, order: str, provider: str = "toss") -> list[tuple[bool, bool]]:
        """(charged, cancelled) of each line that the ledger has for the order."""
        lines = await self.ledger(provider)
        return [(line["charged"], line["cancelled"]) for line in lines if line["order_id"] == order]

    async def open(self, fields: Mapping[str, Any], provider: str = "toss") -> str:
        """The window's twin: the name of the window that the payment page's fields open."""
        answer = await self.client.post(f"/{provider}/windows", json=dict(fields), headers={"Authorization": ""})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["window"])

    async def end(self, window: str, ending: str = "approve", provider: str = "toss", **chosen: str) -> str:
        """Approves, declines or closes; the address that the buyer's browser is sent to."""
        answer = await self.client.post(f"/{provider}/windows/{window}/{ending}", json=chosen)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["return"])

    async def authorised(
        self, gateway: PaymentGateway, order: Order, *, device: str = "pc", **chosen: str
    ) -> Authorisation:
        """The whole way: window opened, approved, return read by the adapter."""
        opened = await gateway.open_window(order, a_buyer(device, phone="01012345678"), urls_of(order, gateway.name))
        return gateway.read_return(order, returned(await self.approved(opened, gateway.name, **chosen)), {})

    async def approved(self, window: Window, provider: str = "toss", **chosen: str) -> str:
        return await self.end(await self.open(window.fields, provider), "approve", provider, **chosen)


def returned(url: str) -> dict[str, str]:
    """What the provider added to the shop's address."""
    return dict(parse_qsl(urlsplit(url).query))


async def through_window(browser: httpx.AsyncClient, payment: Mapping[str, Any], bank: str = "") -> None:
    """A buyer with a good card who approves: payment page, the window by its HTTP twin, and the way back (P5).

    `browser` is at the shop; `payment` is what a reservation's body says of its open order. `bank`: the simulator's
    `url` where the shop does not serve it, nor a balancer in front of both.
    """
    shown = await browser.get(payment["page"], headers={"Accept": "application/json"})
    assert shown.status_code == 200, shown.text
    page = shown.json()
    site, played, _ = str(page.get("script") or page["url"]).partition("/paysim/")
    assert played, page
    windows = f"{bank or f'{site}/paysim'}/{page['provider']}/windows"
    opened = await browser.post(windows, json=page["fields"])
    assert opened.status_code == 201, opened.text
    approved = await browser.post(f"{windows}/{opened.json()['window']}/approve", json={"card": "good"})
    assert approved.status_code == 200, approved.text
    back = await browser.get(approved.json()["return"])
    assert back.status_code == 303, back.text


class TokenGuard:
    """A simulator on its own, as a provider is: there is no installation whose gate it could ask."""

    async def require(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Forbidden()

    async def changed(self, request: Request) -> None:
        return


def simulator_app(store: SimulatorStore, secret_key: str = SECRET_KEY) -> Starlette:
    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, OnsaleError)
        return problems.response(error, request.scope)

    def is_ours(origin: str, connection: HTTPConnection) -> bool:
        return origin == SHOP or urlsplit(origin).hostname in ("127.0.0.1", "localhost")

    routes = [Mount("/paysim", routes=paysim_routes(store, TokenGuard(), secret_key=secret_key, is_ours=is_ours))]
    return Starlette(routes=routes, exception_handlers={OnsaleError: refused})


@contextlib.asynccontextmanager
async def serve(app: Starlette) -> AsyncIterator[str]:
    """The application on a free port; yields its address.

    Uvicorn's protocol without its server, which looks ten times a second whether it is to end: hundreds of tests have
    one of these.
    """
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
        "127.0.0.1",
        0,
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        # Whoever is in the middle of an answer has a second.
        under_way = [*state.tasks]
        if under_way:
            await asyncio.wait(under_way, timeout=1)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


@contextlib.asynccontextmanager
async def simulator(path: Path, secret_key: str = SECRET_KEY) -> AsyncIterator[Simulator]:
    """The simulator with its books in `path`; nothing delayed, every card good. `secret_key`: the shop's."""
    store = SimulatorStore(path)
    try:
        async with (
            serve(simulator_app(store, secret_key)) as address,
            httpx.AsyncClient(
                base_url=f"{address}/paysim",
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
                timeout=PATIENCE,
            ) as client,
        ):
            running = Simulator(f"{address}/paysim", client)
            for provider in PLAYED:
                await running.behave(provider, success_rate=1.0, latency_seconds=0)
            yield running
    finally:
        store.close()


@dataclass
class Scripted:
    """A TCP server that answers every request with the same bytes (None: breaks the connection without a word)."""

    url: str = ""
    answer: bytes | None = b""
    requests: list[bytes] = field(default_factory=list)

    def says(self, body: bytes, *, status: str = "200 OK", kind: str = "application/json") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.answer = head.encode() + body


@contextlib.asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    script = Scripted()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                ),
                0,
            )
            script.requests.append(head + await reader.readexactly(length))
            if script.answer is not None:
                writer.write(script.answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield script


@contextlib.asynccontextmanager
async def payments_with(*, redis: Any = None, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Payments]:
    """`Payments` as a process has it, by default with circuits of its own. A provider is waited for: a test of one that
    does not answer says for how long, else a machine that stands still would be one.
    """
    settings = {
        "payment": "simulator",
        "secret_key": SECRET_KEY,
        "payment_connect_seconds": PATIENCE,
        "payment_read_seconds": PATIENCE,
        "payment_retries": 0,
        **settings,
    }
    payments = open_payments(settings=Settings(**settings), redis=redis, clock=clock or SystemClock())
    try:
        yield payments
    finally:
        await payments.aclose()


class Asked:
    """A `before_call` that counts the requests that were about to leave."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
