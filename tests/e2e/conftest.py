"""`onsale serve` as its users run it, in a process of its own, and a real Chromium in front of it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright

from core.clock import SystemClock
from core.database import open_database
from core.embedded import engines
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.e2e.sale_page import PATIENCE, SalePage
from tests.payment_servers import free_port

HALL = Path(__file__).parent.parent / "data" / "riethsporthalle.json"

#: Short enough to wait for, long enough for a busy machine: a browser beats every second.
SETTINGS = {
    "ONSALE_BEAT_SECONDS": "1",
    "ONSALE_ACTIVE_GRACE_SECONDS": "8",
    "ONSALE_WAITING_GRACE_SECONDS": "60",
    "ONSALE_SWEEP_SECONDS": "0.3",
    "ONSALE_RATE_LIMITS": "off",
    "ONSALE_OPERATOR_TOKEN": "operator",
    "ONSALE_SECRET_KEY": "browser-tests",
    "ONSALE_PAYMENT_READ_SECONDS": "2",
    "ONSALE_RESOLVER_SECONDS": "1",
    "ONSALE_PAYMENT": "simulator:toss",
}

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@dataclass(frozen=True)
class Server:
    """A running `onsale serve`."""

    url: str
    database_url: str
    redis_url: str

    def operator(self, method: str, path: str, **options: Any) -> Any:
        """An operator's call; the answer's body."""
        headers = {"Authorization": "Bearer operator"}
        response = httpx.request(method, self.url + path, headers=headers, timeout=PATIENCE, **options)
        response.raise_for_status()
        return response.json() if response.content else None

    def bank(self, **behaviour: float) -> None:
        """How the simulated payment provider behaves from now on."""
        calm = {"success_rate": 1.0, "latency_seconds": 0.2, "hang_rate": 0.0, "error_rate": 0.0}
        self.operator("PUT", "/paysim/behaviour", json=calm | behaviour)

    def orders(self) -> set[str]:
        """All that the provider has ever been asked about, by this and earlier tests."""
        return {entry["order_id"] for entry in self.operator("GET", "/paysim/ledger")}

    def charges(self, *, but: set[str]) -> list[str]:
        """The orders besides those `but` that the provider has charged and not given back."""
        return [
            entry["order_id"]
            for entry in self.operator("GET", "/paysim/ledger")
            if entry["charged"] and not entry["cancelled"] and entry["order_id"] not in but
        ]


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="onsale-pages-") as folder,
        engines(Settings.load(data=Path(folder)), durable=False) as started,
        (Path(folder) / "serve.log").open("wb") as output,
    ):
        port = free_port()
        stores = {
            "DATABASE_URL": started.database_url,
            "REDIS_URL": started.redis_url,
            "ONSALE_DATA": folder,
            "PORT": str(port),
            # The provider is another *site* than the shop, so that cookies, SameSite and policies are real (P5).
            "ONSALE_SIMULATOR_PAGE": f"http://localhost:{port}/paysim",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve"],
            cwd=Path(__file__).parents[2],
            env=os.environ | SETTINGS | stores,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(_address(process, Path(output.name)), started.database_url, started.redis_url)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = re.search(r"runs at (http://\S+)", log.read_text())
        if said:
            return said[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        await browser.close()


@pytest.fixture(scope="package")
async def events(server: Server) -> AsyncIterator[EventStore]:
    database = await open_database(server.database_url, 2)
    yield EventStore(database, SystemClock())
    await database.disconnect()


MakeSale = Callable[..., Awaitable[str]]


@pytest.fixture
async def make_sale(events: EventStore) -> MakeSale:
    """`await make_sale(seats=40, active_limit=100, ...)` -> slug of an open sale; `plan=` for another hall."""

    async def make(*, seats: int = 40, plan: bytes | None = None, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "slug": f"e-{secrets.token_hex(5)}",
            "name": "Test night",
            "currency": "KRW",
            "prices": {"Standard": 15000},
            "active_limit": 100,
            "hold_seconds": 300,
            "max_seats": 4,
            "status": SaleStatus.OPEN,
        }
        event = NewEvent(**(fields | changes))
        await events.create(event, plan or small_plan(seats))
        return event.slug

    return make


OpenPage = Callable[..., Awaitable[SalePage]]


@pytest.fixture
async def open_page(server: Server, chromium: Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(slug, **context options)`: a browser of its own on the sale page.

    A script that fails, or that the Content-Security-Policy stops, fails the test.
    """
    wrong: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_one(slug: str = "", *, path: str = "", before: str = "", **options: Any) -> SalePage:
            context = await chromium.new_context(locale=options.pop("locale", "en-GB"), **options)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            page.on("pageerror", lambda error: wrong.append(f"{error}\n{error.stack}"))
            page.on(
                "console",
                lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
            )
            if before:
                await page.add_init_script(before)
            await page.goto(server.url + (path or f"/events/{slug}"))
            return SalePage(page)

        yield open_one
    assert not wrong, "\n".join(wrong)


OpenConsole = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_console(open_page: OpenPage) -> OpenConsole:
    """`await open_console("/ops/events/SLUG", **context options)`: signed in as Kim."""

    async def open_one(path: str = "/ops", **options: object) -> Page:
        sale_page = await open_page(path=path, **options)
        page: Page = sale_page.page
        await page.fill("#name", "Kim")
        await page.fill("#token", "operator")
        await page.press("#token", "Enter")
        await page.wait_for_selector("#content[data-view]")
        return page

    return open_one


@pytest.fixture(autouse=True)
def calm_bank(server: Server) -> None:
    """Also forgotten: three timeouts of earlier tests would open the circuit for half a minute (S24)."""
    server.bank()
    server.operator("POST", "/api/operator/circuits", json={"provider": "toss", "state": "automatic"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
