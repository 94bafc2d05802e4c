"""A console session that ends under an open page: signed in again in its place, and nothing typed is lost (V3)."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import MakeSale, OpenConsole, Server
from tests.e2e.sale_page import SalePage
from tests.e2e.test_accessibility import LOOKS, spotless
from tests.sale_server import HTTP, OPERATOR_TOKEN, PATIENCE


async def named(page: Page) -> str:
    """Gives the page, once it is there, a session of a name of its own, without loading it anew."""
    await expect(page.get_by_role("heading", level=1)).not_to_have_class("visually-hidden")
    name = f"Lee {secrets.token_hex(4)}"
    status = await page.evaluate(
        """async ([name, token]) =>
            (await fetch("/ops/login", { method: "POST", body: new URLSearchParams({ name, token }) })).status""",
        [name, OPERATOR_TOKEN],
    )
    assert status == 200
    return name


def end_session_of(server: Server, name: str) -> None:
    [session] = [s for s in server.operator("GET", "/api/operator/sessions")["sessions"] if s["name"] == name]
    server.operator("DELETE", f"/api/operator/sessions/{session['id']}")


@pytest.mark.parametrize("look", LOOKS)
async def test_what_is_typed_outlives_the_session_that_ends(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, look: dict[str, object]
) -> None:
    """By a page that asks each second: a wrong token is said, the right one leads back to the page as it was."""
    page = await open_console(f"/ops/events/{await make_sale()}", **look)
    search = page.get_by_role("searchbox").first
    await search.fill("kim@example.com")
    end_session_of(server, await named(page))
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("h2")).to_be_focused()
    # Nothing behind it is seen: neither a share of transparency nor a colour without any.
    hidden = await dialog.evaluate("(dialog) => getComputedStyle(dialog, '::backdrop').backgroundColor")
    assert hidden.startswith("rgb("), hidden
    await spotless(SalePage(page))
    token = dialog.locator("#signed-out-token")
    await token.fill("guess")
    await token.press("Enter")
    await expect(dialog.get_by_role("alert")).to_be_visible()
    await expect(token).to_be_focused()
    await expect(token).to_have_value("guess")
    await dialog.locator("#signed-out-name").fill("Ann")
    await token.fill(OPERATOR_TOKEN)
    await token.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(page.locator("#who")).to_have_text("Ann")
    await expect(page.locator("#toast")).not_to_be_empty()
    await expect(search).to_have_value("kim@example.com")


async def test_what_was_refused_is_pressed_again_after_signing_in(server: Server, open_console: OpenConsole) -> None:
    """By a page that asks nothing by itself: the press is refused, changes nothing, and can be made again."""
    page = await open_console("/ops/new")
    await page.get_by_role("button", name="Use the demonstration hall").click()
    await expect(page.get_by_role("img", name="Picture of the hall")).to_be_visible()
    name = f"Night {secrets.token_hex(5)}"
    slug = name.lower().replace(" ", "-")
    await page.get_by_label("Name", exact=True).fill(name)
    await expect(page.get_by_label("Web address", exact=True)).to_have_value(slug)
    await page.get_by_label("Performance starts").fill("2030-05-01T20:00")
    prices = page.locator(".prices .price")
    for index in range(await prices.count()):
        await prices.nth(index).fill("15000")
    end_session_of(server, await named(page))
    await page.get_by_label("Name", exact=True).press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    # Esc closes it in no browser: nothing can be done on the page until somebody has signed in.
    for _ in range(3):
        await page.keyboard.press("Escape")
    await expect(dialog).to_be_visible()
    assert HTTP.get(f"{server.url}/api/events/{slug}").json()["code"] == "event_not_found"
    await dialog.locator("#signed-out-token").fill(OPERATOR_TOKEN)
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog).to_have_count(0)
    await page.get_by_label("Name", exact=True).press("Enter")
    await page.wait_for_url(f"{server.url}/ops/events/{slug}")


async def test_signing_in_in_another_tab_is_enough(server: Server, open_console: OpenConsole) -> None:
    """Also for a page that asks nothing by itself: it asks when it is seen again."""
    page = await open_console("/ops/new")
    end_session_of(server, await named(page))
    await page.get_by_role("button", name="Use the demonstration hall").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"{server.url}/ops")
    await other.fill("#name", "Bo")
    await other.fill("#token", OPERATOR_TOKEN)
    await other.press("#token", "Enter")
    await other.wait_for_selector("#content[data-view]")
    await other.close()
    await page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    await expect(dialog).to_have_count(0)
    await expect(page.locator("#who")).to_have_text("Bo")


async def test_an_answer_from_before_the_end_does_not_take_the_dialog_away(
    server: Server, make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """Of a server that was slow: what was typed by then went with it."""
    page = await open_console(f"/ops/events/{await make_sale()}")
    name = await named(page)
    answered, seen = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        response = await route.fetch(timeout=PATIENCE * 1000)
        assert response.ok
        answered.set()
        await seen.wait()
        await route.fulfill(response=response)

    await page.route("**/api/operator/audit?*", late, times=1)
    async with asyncio.timeout(PATIENCE):
        await answered.wait()
    end_session_of(server, name)
    token = page.get_by_role("dialog").locator("#signed-out-token")
    await token.fill("half of it")
    async with page.expect_response("**/api/operator/audit?*"):
        seen.set()
    async with page.expect_response("**/figures"):  # which is refused, and would bring another dialog
        pass
    await expect(token).to_have_value("half of it")
