"""A place that costs work (F4): the browser does it by itself; what it says where it cannot."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect
from redis.asyncio import Redis

from core import keys
from core.clock import SystemClock
from core.database import open_database
from core.embedded import Engines
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.e2e.conftest import closed
from tests.e2e.test_accessibility import violations
from tests.sale_server import PATIENCE, MakeSale, Server, sale_server
from tests.siteverify import SECRET, SITE_KEY, siteverify

NETWORK = "127.0.0.0/24"
WIDGET = "https://captcha.example/api.js"
#: As the services' own: `?render=explicit&onload=` calls back, `render` shows a frame, `callback` gets a token.
SCRIPT = """
globalThis.turnstile = {
  reset() {},
  render(box, { sitekey, callback }) {
    const button = document.createElement("button");
    button.textContent = `I am human (${sitekey})`;
    button.addEventListener("click", () => callback("0.token"));
    box.append(button);
  },
};
onsaleCaptcha();
"""


@pytest.fixture(scope="module")
def server(started_engines: Engines) -> Iterator[Server]:
    with sale_server(started_engines, ONSALE_RATE_LIMITS="on", ONSALE_PROOF_TRIES="60") as running:
        yield running


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    wrong: list[str] = []
    context = await chromium.new_context(locale="en-GB", reduced_motion="reduce")
    opened = await context.new_page()
    opened.set_default_timeout(PATIENCE * 1000)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    await closed(context)
    assert not wrong, wrong


async def crowded(redis: Redis, slug: str, places: int) -> None:
    """So many places of this machine's network, whose visitors have just gone silent."""
    await redis.hset(keys.places(slug), mapping={f"neighbour-{number}": NETWORK for number in range(places)})
    await redis.zadd(keys.networks(slug), {NETWORK: places})


async def count(redis: Redis, slug: str) -> int:
    return int(await redis.zscore(keys.networks(slug), NETWORK) or 0)


async def test_the_browser_pays_by_itself(server: Server, make_sale: MakeSale, redis: Redis, page: Page) -> None:
    slug = await make_sale()
    await crowded(redis, slug, 40)
    await page.goto(f"{server.url}/events/{slug}")
    await page.wait_for_selector("[data-stage=map]")
    assert await count(redis, slug) == 41


async def test_without_websockets_too(server: Server, make_sale: MakeSale, redis: Redis, page: Page) -> None:
    slug = await make_sale()
    await crowded(redis, slug, 40)
    await page.add_init_script("delete globalThis.WebSocket")
    await page.goto(f"{server.url}/events/{slug}")
    await page.wait_for_selector("[data-stage=map]")
    assert await count(redis, slug) == 41


async def test_an_entry_for_the_draw_is_paid_for_before_the_draw(
    server: Server, make_sale: MakeSale, redis: Redis, page: Page
) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=600)
    slug = await make_sale(status=SaleStatus.SCHEDULED, opens_at=opens, prequeue_seconds=900)
    await crowded(redis, slug, 40)
    await page.goto(f"{server.url}/events/{slug}")
    await page.wait_for_selector("[data-testid=gathering]")
    assert await count(redis, slug) == 41


async def test_while_it_works_the_page_says_so_and_needs_nobody(
    server: Server, make_sale: MakeSale, redis: Redis, page: Page
) -> None:
    slug = await make_sale()
    await crowded(redis, slug, 40)
    # A browser whose workers take their time.
    await page.route("**/vendor/altcha/pbkdf2.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    await page.goto(f"{server.url}/events/{slug}")
    shown = page.locator("[data-price=working]")
    await expect(shown).to_contain_text("nothing to do")
    await expect(shown.locator("button, input, a")).to_have_count(0)
    assert await violations(page) == []


async def test_without_crypto_there_is_a_clear_word(
    server: Server, make_sale: MakeSale, redis: Redis, page: Page
) -> None:
    """As on a page over plain http, where WebCrypto is not there."""
    slug = await make_sale()
    await crowded(redis, slug, 8)
    await page.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    await page.goto(f"{server.url}/events/{slug}")
    shown = page.locator("[data-price=insecure]")
    await expect(shown).to_contain_text("https")
    assert (await shown.locator("a").get_attribute("href") or "").startswith("https://")
    assert await violations(page) == []


async def test_a_worker_that_dies_is_said_and_tried_again(
    server: Server, make_sale: MakeSale, redis: Redis, page: Page
) -> None:
    slug = await make_sale()
    await crowded(redis, slug, 40)
    broken = True

    async def serve(route: Route) -> None:
        if broken:
            await route.fulfill(body="throw new Error('out of memory')", content_type="text/javascript")
        else:
            await route.continue_()

    await page.route("**/vendor/altcha/pbkdf2.js", serve)
    await page.goto(f"{server.url}/events/{slug}")
    again = page.locator("[data-price=failed] button")
    await expect(again).to_be_visible()
    assert await violations(page) == []
    broken = False
    await again.click()
    await page.wait_for_selector("[data-stage=map]")


async def test_above_the_dearest_work_the_captcha_is_shown_and_enough(page: Page, started_engines: Engines) -> None:
    async with siteverify() as service:
        service.solved["0.token"] = "127.0.0.1"
        captcha = {
            "ONSALE_CAPTCHA_VERIFY_URL": service.url,
            "ONSALE_CAPTCHA_SECRET": SECRET,
            "ONSALE_CAPTCHA_SITE_KEY": SITE_KEY,
            "ONSALE_CAPTCHA_SCRIPT": WIDGET,
        }
        with sale_server(started_engines, ONSALE_RATE_LIMITS="on", **captcha) as running:
            database = await open_database(running.database_url, 2)
            slug = f"captcha-{secrets.token_hex(3)}"
            fields: dict[str, Any] = {"slug": slug, "name": "Test night", "currency": "KRW", "status": SaleStatus.OPEN}
            event = NewEvent(**fields, prices={"Standard": 15000}, active_limit=10, hold_seconds=300, max_seats=4)
            await EventStore(database, SystemClock()).create(event, small_plan(40))
            await database.disconnect()
            client = Redis.from_url(running.redis_url)
            await crowded(client, slug, 500)
            await page.route(WIDGET + "*", lambda route: route.fulfill(body=SCRIPT, content_type="text/javascript"))
            await page.goto(f"{running.url}/events/{slug}")
            await expect(page.locator("[data-price=captcha]")).to_be_visible()
            assert await violations(page) == []
            await page.get_by_role("button", name=f"I am human ({SITE_KEY})").click()
            await page.wait_for_selector("[data-stage=map]")
            assert await count(client, slug) == 501
            await client.aclose()
