"""V1: the folded parts of a sale's page: settings, phases with their codes, refunds of everybody. Opened before they
are read, while something is saved, refused or changed by others: nothing moves, and what was typed is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from core.languages import text
from core.venue.event import SaleStatus
from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.late_answers import Answer, Held, refuses, settled, tall
from tests.e2e.sale_page import said_at_edge
from tests.e2e.test_console_new_sale import a_picture
from tests.e2e.test_console_stands_still import LOOKS, NOW, WAITS, changed
from tests.e2e.test_nothing_moves import WATCH, is_still
from tests.e2e.test_refund_desk import Buyer
from tests.sale_server import OPERATOR_TOKEN, answered


async def unfolded(page: Page, part: str) -> None:
    await expect(page.locator("#workings")).to_be_visible()
    await page.locator(f"#{part} > summary").click()
    await expect(page.locator(f"#{part} form").first).to_be_visible()
    await tall(page)


async def no_answer(route: Route) -> None:
    await route.abort()


async def wrong_venue(route: Route) -> None:
    errors = [{"at": "venue", "detail": "not this one"}]
    await route.fulfill(status=422, json={"code": "invalid_request", "title": "wrong", "detail": "", "errors": errors})


async def is_refused_in_place(
    page: Page, own: str, save: Locator, told: Locator, refusals: list[Answer], typed: tuple[str, str]
) -> None:
    """Each refusal of what is saved is one message below the button, moves nothing, and keeps what was typed."""
    field, value = typed
    for refusal in refusals:
        saved = await Held.of(page, f"**{own}", "PATCH", refusal)
        await saved.late(save.click())
        await expect(told).to_have_count(1)
        await expect(told).to_be_visible()
        await is_still(page, "not saved")
        await expect(page.locator(field)).to_have_value(value)


@pytest.mark.parametrize("look", LOOKS)
async def test_a_part_that_is_opened_before_it_is_read_has_its_room(
    make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slug = await make_sale(seats=24, status=SaleStatus.SCHEDULED)
    page = await open_console(before=WATCH, **look)
    address = f"**/api/operator/events/{slug}"
    parts = {
        "settings": await Held.of(page, address, "GET"),
        "phases": await Held.of(page, f"{address}/codes", "GET"),
        "cancelled": await Held.of(page, f"{address}/refunds", "GET"),
    }
    await page.goto(page.url.removesuffix("/ops") + f"/ops/events/{slug}")
    await expect(page.locator("#workings")).to_be_visible()
    for part, held in parts.items():
        await page.locator(f"#{part} > summary").click()
        await expect(page.locator(f"#{part} > summary + p")).to_be_visible()
        await held.late()
        await expect(page.locator(f"#{part} form").first).to_be_visible()
        await is_still(page, part)
        await page.locator(f"#{part} > summary").click()
        await expect(page.locator(f"#{part} form").first).to_be_hidden()


@pytest.mark.parametrize("look", LOOKS)
async def test_settings_that_are_saved_refused_and_changed_by_others_stay(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slug = await make_sale(seats=24)
    page = await open_console(f"/ops/events/{slug}", before=WATCH + WAITS, **look)
    await unfolded(page, "settings")
    own = f"/api/operator/events/{slug}"
    save = page.locator("#settings form > .actions [type=submit]")
    told = page.locator("#settings .said .callout")
    await page.fill("#settings-name", "Another night")
    await settled(page)
    refusals: list[Answer] = [refuses(503, "store_unavailable"), refuses(409, "conflict"), no_answer, wrong_venue]
    await is_refused_in_place(page, own, save, told, refusals, ("#settings-name", "Another night"))
    await expect(page.locator("#settings-venue")).to_have_attribute("aria-invalid", "true")
    saved = await Held.of(page, f"**{own}", "PATCH")
    await saved.late(save.click())
    await expect(save).to_be_disabled()
    await expect(told).to_have_count(0)
    await expect(page.locator("h1")).to_have_text("Another night")
    await is_still(page, "saved")

    picture: FilePayload = {"name": "p.png", "mimeType": "image/png", "buffer": a_picture()}
    refused = await Held.of(page, "**/picture", "PUT", refuses(422, "picture_unusable"))
    await refused.late(page.set_input_files("#settings-picture", picture))
    await expect(page.locator("#settings-picture-wrong")).to_be_visible()
    await is_still(page, "a picture that is refused")
    brought = await Held.of(page, "**/picture", "PUT")
    await brought.late(page.set_input_files("#settings-picture", picture))
    await expect(page.locator("#settings .picture-field img")).to_have_attribute("src", re.compile("^/"))
    await is_still(page, "a picture")

    fees = [{"hours": 200, "percent": 0}, {"hours": 48, "percent": 10}, {"hours": 24, "percent": 20}]
    server.operator("PATCH", own, json={"name": "Theirs", "fees": fees})
    show = page.locator("#settings [data-testid=changed-elsewhere] button")
    await expect(show).to_be_visible()
    await is_still(page, "others have changed it")
    await expect(page.locator("#settings-name")).to_have_value("Another night")
    await show.click()
    await expect(page.locator("#settings-name")).to_have_value("Theirs")
    await expect(page.locator("#settings .fees li")).to_have_count(3)
    await expect(show).to_be_hidden()


@pytest.mark.parametrize("look", LOOKS)
async def test_phases_and_codes_that_are_made_refused_and_changed_by_others_stay(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slug = await make_sale(seats=24, status=SaleStatus.SCHEDULED)
    page = await open_console(f"/ops/events/{slug}", before=WATCH + WAITS, accept_downloads=True, **look)
    await unfolded(page, "phases")
    own = f"/api/operator/events/{slug}"
    save = page.locator("#phases form > .actions [type=submit]")
    told = page.locator("#phases form .said .callout")
    await page.locator("#phases [data-more]").click()
    await page.fill("#phase-0-name", "fans")
    await page.fill("#phase-0-opens_at", "2027-06-01T10:00")
    await settled(page)
    refusals: list[Answer] = [refuses(503, "store_unavailable"), refuses(409, "conflict"), no_answer]
    await is_refused_in_place(page, own, save, told, refusals, ("#phase-0-name", "fans"))
    saved = await Held.of(page, f"**{own}", "PATCH")
    await saved.late(save.click())
    await expect(page.locator("#phases > summary small")).to_have_text("fans")
    await expect(save).to_be_disabled()
    await expect(told).to_have_count(0)
    await is_still(page, "saved")

    await page.fill("#codes-code_group", "fans")
    await page.fill("#codes-code_count", "2")
    groups = page.locator(".codes .found li")
    make = page.locator(".codes > .actions button")
    refused = await Held.of(page, f"**{own}/codes", "POST", refuses(503, "store_unavailable"))
    await refused.late(make.click())
    await said_at_edge(page, text(look["locale"][:2], "code.store_unavailable"))
    await expect(make).to_have_attribute("aria-disabled", "false")
    await is_still(page, "no codes are made")
    await expect(page.locator("#codes-code_group")).to_have_value("fans")
    made = await Held.of(page, f"**{own}/codes", "POST")
    await made.late(make.click())
    await expect(groups.locator("button:not([data-off])")).to_have_count(1)
    await is_still(page, "codes are made")
    revoked = await Held.of(page, f"**{own}/codes/revocations", "POST")

    async def revoke() -> None:
        await groups.locator("button").click()
        await page.locator("dialog [type=submit]").click()

    await revoked.late(revoke())
    await expect(groups.locator("button:not([data-off])")).to_have_count(0)
    await is_still(page, "codes are revoked")

    csv = {"Content-Type": "text/csv", "Authorization": f"Bearer {OPERATOR_TOKEN}"}
    answered("POST", f"{server.url}{own}/codes/imports?group=press", content=b"PRESS-00001\n", headers=csv)
    parts = server.operator("GET", own)["phases"]
    server.operator(
        "PATCH", own, json={"phases": [*parts, parts[0] | {"name": "all", "opens_at": "2027-06-02T10:00:00Z"}]}
    )
    show = page.locator("#phases [data-testid=changed-elsewhere] button")
    await expect(show).to_be_visible()
    await is_still(page, "others have changed it")
    await show.click()
    await expect(groups).to_have_count(2)
    await expect(page.locator(".phase-rows > li")).to_have_count(2)


@pytest.mark.parametrize("look", LOOKS)
async def test_what_becomes_of_everybodys_refund_stays_in_its_room(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    slug = await make_sale(seats=24)
    Buyer(server, slug, 3)
    page = await open_console(f"/ops/events/{slug}", before=WATCH + WAITS, **look)
    await expect(page.locator("#workings")).to_be_visible()
    await page.locator("#cancelled > summary").click()
    await page.fill("#cancelled-cancelled_reason", "storm")
    address = f"**/api/operator/events/{slug}/refunds"

    async def press() -> None:
        await page.locator("#cancelled form [type=submit]").click()
        await page.fill("#confirm-word", slug)
        await page.keyboard.press("Enter")

    told = page.locator("#cancelled .said .callout")
    refusals: list[Answer] = [refuses(503, "store_unavailable"), no_answer]
    for refusal in refusals:
        begun = await Held.of(page, address, "POST", refusal)
        await begun.late(press())
        await expect(told).to_have_count(1)
        await expect(told).to_be_visible()
        await is_still(page, "not begun")
        await expect(page.locator("#cancelled-cancelled_reason")).to_have_value("storm")
    begun = await Held.of(page, address, "POST")
    await begun.late(press())
    report = page.get_by_test_id("event-refund")
    await expect(report).to_have_attribute("data-state", "DONE")
    await is_still(page, "begun, and done")

    def stopped(body: Any) -> None:
        unmade = {"reservation": "r", "amount": 15000, "code": "REFUSED", "next_try_at": None, "needs_person_at": NOW}
        body["refunds"][0] |= {"state": "STOPPED", "code": "REFUSED", "unmade": [unmade] * 3}

    await changed(page, address, stopped)
    await expect(report).to_have_attribute("data-state", "STOPPED")
    await expect(report.locator(".found li")).to_have_count(3)
    await is_still(page, "stopped")
