"""A part of the sale that wants a code: the page asks for it, says what is wrong, and lets its owner in (F7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from core.clock import iso
from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenConsole, OpenPage, Server
from tests.e2e.test_accessibility import LOOKS, spotless
from tests.http_client import HTTP
from tests.sale_server import OPERATOR_TOKEN


async def sale_for_fans(server: Server, make_sale: MakeSale) -> str:
    slug = await make_sale(seats=24, status=SaleStatus.SCHEDULED)
    now = datetime.now(UTC)
    server.operator(
        "PATCH",
        f"/api/operator/events/{slug}",
        json={
            "phases": [
                {"name": "fans", "opens_at": iso(now - timedelta(hours=1)), "code_group": "fans"},
                {"name": "general", "opens_at": iso(now + timedelta(days=2))},
            ]
        },
    )
    return slug


async def test_from_the_console_to_the_map(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """Codes are made in the console and downloaded; one of them opens the sale, once; a reload keeps the place."""
    slug = await sale_for_fans(server, make_sale)
    console = await open_console(f"/ops/events/{slug}", accept_downloads=True)
    await console.locator("#phases summary").click()
    await expect(console.locator("#phases")).to_contain_text("fans")
    await console.locator("#codes-code_group").fill("fans")
    await console.locator("#codes-code_count").fill("2")
    async with console.expect_download() as waiting:
        await console.get_by_role("button", name="Make and download").click()
    path = await (await waiting.value).path()
    _, first, _second = path.read_text().split()
    await expect(console.locator(".codes .found")).to_contain_text("2 codes")
    page = await open_page(slug)
    form = page.get_by_test_id("code-form")
    await expect(form).to_be_visible()
    await expect(form).to_contain_text("Everybody can join from")
    await page.get_by_label("Access code").fill("WRONG-CODE")
    await page.get_by_role("button", name="Join with this code").click()
    await expect(form.locator("[role=alert]")).to_contain_text("does not open")
    await expect(page.get_by_label("Access code")).to_be_focused()
    await expect(page.get_by_label("Access code")).to_have_value("WRONG-CODE")
    await page.get_by_label("Access code").fill(first.lower())
    await page.get_by_role("button", name="Join with this code").click()
    await page.map_ready()
    await expect(page.locator("[data-focus]")).to_be_focused()
    await page.page.reload()
    await page.map_ready()
    other = await open_page(slug)
    await other.get_by_label("Access code").fill(first)
    await other.get_by_role("button", name="Join with this code").click()
    await expect(other.get_by_test_id("code-form").locator("[role=alert]")).to_contain_text("used already")


async def test_what_is_wrong_with_parts_and_codes_is_said_and_led_to(
    server: Server, make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """As with a sale's other times: of one that comes twice it is asked which is meant, one that does not exist is
    refused; and a summary links to each field.
    """
    slug = await make_sale(status=SaleStatus.SCHEDULED, time_zone="Europe/Berlin")
    console = await open_console(f"/ops/events/{slug}")
    phases = console.locator("#phases")
    await phases.locator("summary").click()
    await phases.locator("[data-more]").click()
    await phases.locator("form [type=submit]").click()
    await expect(phases.locator("form .error-summary a")).to_have_count(2)
    await phases.locator("form .error-summary a", has_text="Opens").click()
    await expect(console.locator("#phase-0-opens_at")).to_be_focused()
    await console.fill("#phase-0-opens_at", "2027-03-28T02:30")
    await expect(console.locator("#phase-0-opens_at-wrong")).to_contain_text("There is no such time there")
    await console.fill("#phase-0-opens_at", "2027-10-31T02:30")
    await expect(console.locator("#phase-0-opens_at-wrong")).to_contain_text("comes twice")
    await console.fill("#phase-0-name", "fans")
    await phases.get_by_label("02:30 GMT+1", exact=True).check()
    await expect(phases.locator("form .error-summary")).to_have_count(0)
    await phases.locator("form [type=submit]").click()
    await expect(phases.locator("summary small")).to_have_text("fans")
    await expect(phases.locator("form > .actions button:not([data-off])")).to_have_count(2)  # nothing to undo
    saved = server.operator("GET", f"/api/operator/events/{slug}")["phases"]
    assert datetime.fromisoformat(saved[0]["opens_at"]) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    await console.get_by_role("button", name="Make and download").click()
    await expect(console.locator("#codes-code_group")).to_be_focused()
    await console.fill("#codes-code_count", "0")
    await phases.locator(".codes .error-summary a", has_text="How many").click()
    await expect(console.locator("#codes-code_count")).to_be_focused()


@pytest.mark.parametrize("look", LOOKS)
async def test_the_code_form_is_accessible_and_fits(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    page = await open_page(await sale_for_fans(server, make_sale), **look)
    await expect(page.get_by_test_id("code-form")).to_be_visible()
    await spotless(page)
    await page.fill("#code", "WRONG-CODE")
    await page.press("#code", "Enter")
    await expect(page.locator("#code-wrong")).to_be_visible()
    await spotless(page)
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


async def test_a_code_is_given_where_everybody_may_come_in(
    server: Server, make_sale: MakeSale, open_page: OpenPage
) -> None:
    """F7: a part for all and one for codes are open at once. The page lets all in and has a field for a code: a wrong
    one is refused and costs nothing, a good one counts from the next seat, and another's is told as used."""
    slug = await make_sale(seats=24, status=SaleStatus.SCHEDULED)
    since = iso(datetime.now(UTC) - timedelta(hours=1))
    parts = [
        {"name": "general", "opens_at": since, "max_seats": 1},
        {"name": "fans", "opens_at": since, "code_group": "fans", "max_seats": 3},
    ]
    path = f"/api/operator/events/{slug}"
    server.operator("PATCH", path, json={"phases": parts})
    csv = {"Authorization": f"Bearer {OPERATOR_TOKEN}", "Content-Type": "text/csv"}
    HTTP.post(f"{server.url}{path}/codes/imports?group=fans", content=b"FAN-00001\n", headers=csv).raise_for_status()
    page = await open_page(slug, locale="ko-KR")
    await page.map_ready()
    await page.get_by_test_id("own-code").locator("summary").click()
    await page.fill("#code", "WRONG-CODE")
    await page.press("#code", "Enter")
    await expect(page.locator("#code-wrong")).to_contain_text("이 판매에 쓸 수 없는 코드입니다")
    await spotless(page)
    await page.fill("#code", "fan 00001")
    await page.press("#code", "Enter")
    await expect(page.get_by_test_id("code-taken")).to_be_focused()
    await page.pick(3, 4)  # one more than everybody may have

    other = await open_page(slug)
    await other.map_ready()
    # As after a reload between "Use this code" and the answer: a code that is kept is given again, and not believed.
    await other.evaluate("name => sessionStorage.setItem(name, 'FAN-00001')", f"onsale.code.{slug}")
    await other.page.reload()
    await expect(other.locator("#code-wrong")).to_contain_text("used already")
    await other.fill("#code", "FAN-00001")
    await other.press("#code", "Enter")
    await expect(other.locator("#code-wrong")).to_contain_text("used already")
    await other.page.reload()
    await other.pick(6)


@pytest.mark.parametrize("look", LOOKS)
async def test_who_has_a_code_comes_in_while_everybody_gathers(
    server: Server, make_sale: MakeSale, open_page: OpenPage, look: dict[str, object]
) -> None:
    """F1, F7: the presale goes on, and others gather for the general sale: a wrong code leaves them where they are."""
    slug = await make_sale(seats=24, status=SaleStatus.SCHEDULED)
    now = datetime.now(UTC)
    general = {"name": "general", "opens_at": iso(now + timedelta(minutes=10))}  # people gather: 15 minutes before
    fans = {
        "name": "fans",
        "opens_at": iso(now - timedelta(hours=1)),
        "closes_at": general["opens_at"],
        "code_group": "fans",
    }
    path = f"/api/operator/events/{slug}"
    server.operator("PATCH", path, json={"phases": [fans, general]})
    csv = {"Authorization": f"Bearer {OPERATOR_TOKEN}", "Content-Type": "text/csv"}
    HTTP.post(f"{server.url}{path}/codes/imports?group=fans", content=b"FAN-00001\n", headers=csv).raise_for_status()
    page = await open_page(slug, **look)
    await page.reaches("gathering")
    own = page.get_by_test_id("own-code")
    await own.locator("summary").click()
    await page.fill("#code", "WRONG-CODE")
    await page.press("#code", "Enter")
    await expect(page.locator("#code-wrong")).to_be_visible()
    await spotless(page)
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    await page.page.reload()
    await page.reaches("gathering")
    await own.locator("summary").click()
    await page.fill("#code", "fan 00001")
    await page.press("#code", "Enter")
    await page.map_ready()
