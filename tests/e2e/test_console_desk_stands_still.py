"""V1: the refund desk: what is found, what becomes of a press and what others do meanwhile move nothing, and what was
typed is kept."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from core.languages import text
from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.late_answers import Held, refuses, settled, tall
from tests.e2e.sale_page import said_at_edge
from tests.e2e.test_console_stands_still import LOOK, LOOKS, NOW, changed
from tests.e2e.test_nothing_moves import WATCH, is_still
from tests.e2e.test_refund_desk import Buyer

FIND = "**/api/operator/reservations"
ACCOUNT = "**/api/operator/reservations/*"


@pytest.mark.parametrize("look", LOOKS)
async def test_what_is_found_and_what_others_do_with_it_moves_nothing(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Found alone, found among others, chosen; then money goes back elsewhere, is refused, and nothing is left."""
    slug = await make_sale(seats=24)
    one, other = Buyer(server, slug, 3, 4), Buyer(server, slug, 5)
    page = await open_console("/ops/refunds", before=WATCH, **look)
    await tall(page)
    account = page.locator(".account")
    found, read = await Held.of(page, FIND, "POST"), await Held.of(page, ACCOUNT, "GET")

    async def look_for(words: str) -> None:
        await page.fill("#find", words)
        await page.locator("form.find [type=submit]").click()

    await found.late(look_for(one.id))
    await expect(page.locator(".found li")).to_have_count(1)
    await is_still(page, "found")
    await read.late()
    await expect(account).to_be_visible()
    await is_still(page, "its account")

    await page.fill("#refund-refund_reason", "ill")
    refused = await Held.of(page, FIND, "POST", refuses(503, "store_unavailable"))
    await refused.late(look_for(other.id))
    await said_at_edge(page, text(look["locale"][:2], "code.store_unavailable"))
    await is_still(page, "the store is away")
    await expect(account).to_be_visible()
    await expect(page.locator("#refund-refund_reason")).to_have_value("ill")

    both = [server.operator("POST", "/api/operator/reservations", json={"text": buyer.id}) for buyer in (one, other)]
    listed = {"reservations": [found for answer in both for found in answer["reservations"]]}
    several = await Held.of(page, FIND, "POST", lambda route: route.fulfill(json=listed))
    await several.late(look_for("kim@example.org"))
    await expect(page.locator(".found li")).to_have_count(2)
    await expect(page.locator(".account")).to_have_count(0)
    await is_still(page, "several are found")
    chosen = await Held.of(page, ACCOUNT, "GET")
    await chosen.late(page.locator(".found button").first.click())
    await expect(account).to_be_visible()
    await is_still(page, "one of them is chosen")

    await page.locator("input[name=refund-way]").nth(1).check()
    await settled(page)
    back = {
        "id": one.id,
        "kind": "refund",
        "amount": 15000,
        "fee": 0,
        "seats": [3],
        "state": "PENDING",
        "reason": "ill",
        "asked_by": "operator:Lee@192.0.2.1",
        "created_at": NOW,
        "done_at": None,
        "code": None,
        "next_try_at": None,
        "needs_person_at": None,
    }

    def elsewhere(**more: Any) -> Any:
        def change(body: Any) -> None:
            body["seats"][0]["live"] = False
            body["refunds"] = [back | more]
            body["refunded"] = 15000

        return change

    async def followed() -> None:
        async with page.expect_response(ACCOUNT):
            await page.evaluate(LOOK)

    moves = page.locator(".moves li")
    await changed(page, ACCOUNT, elsewhere())
    await followed()
    await expect(moves).to_have_count(2)
    await expect(page.locator("#refund-seats input").first).to_be_disabled()
    await is_still(page, "somebody else gives a seat back")
    await changed(page, ACCOUNT, elsewhere(code="REFUSED", needs_person_at=NOW))
    await followed()
    await expect(moves.locator(".advice")).to_be_visible()
    await is_still(page, "it is refused")

    def all_of_it(body: Any) -> None:
        elsewhere(state="DONE", done_at=NOW)(body)
        body["status"] = "CANCELLED"
        for seat in body["seats"]:
            seat["live"] = False

    await changed(page, ACCOUNT, all_of_it)
    await followed()
    await expect(page.locator("form.sale-form button.primary")).to_be_hidden()
    await expect(page.locator("form.sale-form .either .quiet").first).to_be_visible()
    await is_still(page, "nothing is left")


@pytest.mark.parametrize("look", LOOKS)
async def test_what_becomes_of_a_refund_and_of_a_mail_stands_in_its_place(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, Any]
) -> None:
    """Refused, without an answer, made: below the button, in the room made by the press; what was typed is kept."""
    buyer = Buyer(server, await make_sale(seats=24), 3, 4)
    page = await open_console(f"/ops/refunds#find={buyer.id}", before=WATCH, **look)
    # What the sign-in page was asked for, but for what stands behind the mark.
    await page.fill("#find", buyer.id)
    await page.keyboard.press("Enter")
    await expect(page.locator("#desk-money")).to_be_visible()
    await tall(page)
    await page.locator("input[name=refund-way]").nth(2).check()
    typed = {"#refund-refund_amount": "5000", "#refund-refund_reason": "sorry"}
    for field, value in typed.items():
        await page.fill(field, value)
    await settled(page)
    told = page.locator("[aria-labelledby=desk-form] .said .callout")

    async def press() -> None:
        await page.locator("form.sale-form button.primary").click()
        await page.locator("dialog [type=submit]").click()

    for refusal in (
        refuses(503, "store_unavailable"),
        refuses(409, "refund_changed"),
        lambda route: route.abort(),
    ):
        asked = await Held.of(page, "**/refunds", "POST", refusal)
        await asked.late(press())
        await expect(told).to_have_count(1)
        await expect(told).to_be_visible()
        await is_still(page, "refused")
        for field, value in typed.items():
            await expect(page.locator(field)).to_have_value(value)
    asked = await Held.of(page, "**/refunds", "POST")
    await asked.late(press())
    await expect(page.get_by_test_id("refund-made")).to_be_visible()
    await expect(page.locator(".moves li")).to_have_count(2)
    await is_still(page, "made, and among what moved")
    assert buyer.state()["refunded"] == 5000

    await page.fill("#mail-mail_address", "pat@example.org")
    await settled(page)
    told = page.locator("[aria-labelledby=desk-mail] .said .callout")
    for instead in (refuses(429, "mailed_often"), None):
        mailed = await Held.of(page, "**/mails", "POST", instead)
        await mailed.late(page.locator("[aria-labelledby=desk-mail] [type=submit]").click())
        await expect(told).to_be_visible()
        await is_still(page, "mailed, or not")
        await expect(page.locator("#mail-mail_address")).to_have_value("pat@example.org" if instead else "")
