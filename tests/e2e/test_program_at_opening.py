"""A program against real browsers at an opening with a draw (F1, F4): what it gets is what it has paid for."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import httpx
import pytest
from playwright.async_api import Browser, Page

from core.embedded import Engines
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.waiting_room.composition import price_of
from tests.http_client import NOTHING_KEPT
from tests.sale_server import PATIENCE, MakeSale, Server, sale_server
from tests.waits import until

BROWSERS = 6
ENTRIES = 60
#: Who is let in at once.
ACTIVE = 5
#: The program has an address of its own, as the proxy in front of the shop tells it.
PROGRAM = {"X-Forwarded-For": "198.51.100.66"}
#: A fortieth of the default, so that the test takes no minutes; what is counted is tries.
TRIES = 15


@pytest.fixture(scope="module")
def server(started_engines: Engines) -> Iterator[Server]:
    # A program that is slow to beat, on a busy machine, is not silent.
    patient = {"ONSALE_ACTIVE_GRACE_SECONDS": "120", "ONSALE_WAITING_GRACE_SECONDS": "120"}
    with sale_server(started_engines, ONSALE_RATE_LIMITS="on", ONSALE_PROOF_TRIES=str(TRIES), **patient) as running:
        yield running


@dataclass
class Program:
    """Joins as often as it can, as early and as fast as it can, with as many visitors as it likes."""

    server: Server
    slug: str
    client: httpx.AsyncClient
    receipts: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    #: Counters that it went through, and its seconds of work.
    tries: int = 0
    seconds: float = 0.0
    bounds: list[int] = field(default_factory=list)

    async def call(self, method: str, path: str, headers: dict[str, str], body: object = None) -> httpx.Response:
        """Made again where a store that a busy machine makes late is told as a 503, by which nothing was changed."""

        async def answer() -> httpx.Response | None:
            response = await self.client.request(method, path, json=body, headers=headers)
            return None if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else response

        return await until(answer, "an answer of the stores")

    async def visitor(self) -> dict[str, str]:
        made = (await self.call("POST", "/api/visitors", PROGRAM)).json()
        return PROGRAM | {"Authorization": f"Bearer {made['token']}"}

    async def join(self, headers: dict[str, str], proof: str | None = None) -> httpx.Response:
        body = {"proof": proof} if proof else {}
        return await self.call("POST", f"/api/events/{self.slug}/queue", headers, body)

    async def enter(self) -> dict[str, Any]:
        """One more place."""
        headers = await self.visitor()
        response = await self.join(headers)
        bound = 0
        while response.status_code == 403:
            said = response.json()
            assert said["code"] == "proof_required", said
            challenge = altcha.Challenge.from_dict(said["challenge"])
            bound += said["challenge"]["parameters"]["data"]["tries"]
            began = time.thread_time()
            solution = altcha.solve_challenge(challenge)
            self.seconds += time.thread_time() - began
            assert solution is not None
            self.tries += solution.counter + 1
            response = await self.join(headers, altcha.Payload(challenge, solution).to_base64())
        assert response.status_code == 200, response.text
        self.bounds.append(bound)
        self.tokens.append(headers["Authorization"])
        place: dict[str, Any] = response.json()
        return place

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """All its visitors beat meanwhile."""

        async def beat() -> None:
            while True:
                for token in self.tokens:
                    path = f"/api/events/{self.slug}/heartbeat"
                    await self.client.post(path, headers=PROGRAM | {"Authorization": token})
                await asyncio.sleep(1)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def places(self) -> list[dict[str, Any]]:
        """Where each of its visitors stands now."""
        queue = f"/api/events/{self.slug}/queue"
        return [(await self.call("GET", queue, PROGRAM | {"Authorization": token})).json() for token in self.tokens]

    async def hammer(self, times: int) -> None:
        """Every visitor asks again and again: that must be worth nothing."""
        for token in self.tokens[:10]:
            for _ in range(times):
                await self.join(PROGRAM | {"Authorization": token})


async def test_its_share_of_places_is_its_share_of_entries_and_entries_cost(
    server: Server, make_sale: MakeSale, chromium: Browser, events: EventStore
) -> None:
    opens = datetime.now(UTC) + timedelta(hours=1)
    slug = await make_sale(
        seats=200, status=SaleStatus.SCHEDULED, opens_at=opens, prequeue_seconds=2 * 3600, active_limit=ACTIVE
    )
    pages = [await _gathered(chromium, server, slug) for _ in range(BROWSERS)]
    own = {await _receipt(page) for page in pages}
    assert len(own) == BROWSERS
    async with AsyncExitStack() as meanwhile:
        client = httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, limits=NOTHING_KEPT)
        await meanwhile.enter_async_context(client)
        program = Program(server, slug, client)
        await meanwhile.enter_async_context(program.heard())
        for _ in range(ENTRIES):
            program.receipts.append((await program.enter())["receipt"])
        assert len(set(program.receipts)) == ENTRIES
        await program.hammer(3)

        # What it paid is the price, to the last place.
        price = price_of(Settings(proof_tries=TRIES))
        steps = [price.step(place) for place in range(ENTRIES)]
        assert program.bounds == [0 if step < 0 else TRIES * price.portions(step) for step in steps]

        await events.update(slug, opens_at=datetime.now(UTC) + timedelta(seconds=2))
        order = await _order(client, slug)
        for page in pages:
            await page.wait_for_selector("[data-stage=waiting], [data-stage=map]")

        # Whoever was there is drawn once, and nobody else: no entry was won by asking often.
        assert set(order) == own | set(program.receipts)
        assert len(order) == BROWSERS + ENTRIES
        # Its share of any stretch is its share of the entries: the first half differs by chance alone (6 sigma).
        half = len(order) // 2
        drawn = sum(receipt in program.receipts for receipt in order[:half])
        share = ENTRIES / len(order)
        sigma = math.sqrt(half * share * (1 - share) * (len(order) - half) / (len(order) - 1))
        assert abs(drawn - half * share) <= 6 * sigma, f"{drawn} of {half}"

        # Its places are the drawn ones, each of them: the first are in, the others wait in that order.
        async def first_are_in() -> list[dict[str, Any]] | None:
            """Once the sweep has let them in."""
            places = await program.places()
            both = zip(program.receipts, places, strict=True)
            first = {receipt for receipt, place in both if place["state"] == "active"}
            return places if first == set(order[:ACTIVE]) - own else None

        places = await until(first_are_in, "the first to be in, and nobody else")
        assert [place["number"] for place in places] == [order.index(receipt) + 1 for receipt in program.receipts]

        # Who comes after the opening stands behind everybody who was there, however fast.
        late = await program.enter()
        assert late["state"] == "waiting"
        assert late["number"] > len(order)

        at_default = program.seconds * Settings().proof_tries / TRIES
        print(
            f"\n{ENTRIES} entries of a program among {BROWSERS} browsers: {drawn} of the first {half} places; "
            f"{program.tries} tries, {program.seconds:.2f} s of CPU, {at_default:.0f} s at the default"
        )
    for page in pages:
        await page.context.close()


async def _gathered(chromium: Browser, server: Server, slug: str) -> Page:
    context = await chromium.new_context(locale="en-GB", reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    await page.goto(f"{server.url}/events/{slug}")
    await page.wait_for_selector("[data-testid=gathering]")
    return page


async def _receipt(page: Page) -> str:
    await page.locator(".own-receipt > summary").click()
    return await page.locator("[data-testid=receipt]").inner_text()


async def _order(client: httpx.AsyncClient, slug: str) -> list[str]:
    """Once it is drawn."""
    async with asyncio.timeout(PATIENCE):
        while True:
            response = await client.get(f"/api/events/{slug}/draw/entries")
            if response.status_code == 200:
                return response.text.split()
            await asyncio.sleep(0.5)
