"""A sale is made in the browser from a plan file, opened and bought from; what is wrong is told at its field (S30)."""

from __future__ import annotations

import io
import json
import secrets

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, expect

from tests.conftest import small_plan
from tests.e2e.conftest import HALL, MakeSale, OpenConsole, OpenPage, Server
from tests.e2e.sale_page import SalePage, said_at_edge
from tests.e2e.test_accessibility import LOOKS, spotless


def a_picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((800, 450)).save(file, "PNG")
    return file.getvalue()


def wrong(page: Page, name: str) -> Locator:
    return page.locator(f"[data-field={name}] .wrong")


async def test_a_sale_is_made_in_the_console_and_bought_from(
    server: Server, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """A real hall's file; the address is proposed; times are of the zone named; opened by hand on the sale's page."""
    page = await open_console("/ops", timezone_id="Asia/Seoul")
    await page.get_by_role("link", name="New sale").click()
    await page.set_input_files("#plan-file", HALL)
    await expect(page.get_by_role("img", name="Picture of the hall")).to_be_visible()
    name = f"Grüße {secrets.token_hex(5)}"
    await page.get_by_label("Name", exact=True).fill(name)
    slug = f"grusse-{name[-10:]}"
    await expect(page.get_by_label("Web address", exact=True)).to_have_value(slug)
    await page.get_by_label("Venue").fill("Stadthalle")
    await page.get_by_label("Address", exact=True).fill("Marktplatz 1")
    await page.get_by_label("Description").fill("Doors **19:00**")
    # A drawing is no picture: said by the form, before anything is sent (T9).
    svg: FilePayload = {"name": "p.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
    await page.set_input_files("#sale-picture", svg)
    await expect(page.locator("#sale-picture-wrong")).to_contain_text("take a JPEG, PNG, WebP or GIF file")
    await page.set_input_files("#sale-picture", {"name": "p.png", "mimeType": "image/png", "buffer": a_picture()})
    await expect(page.locator(".picture-field img")).to_have_js_property("naturalWidth", 800)
    await expect(page.get_by_label("Time zone")).to_have_value("Asia/Seoul")
    await page.get_by_label("Performance starts").fill("2030-05-01T20:00")
    prices = page.locator(".prices .price")
    for index in range(await prices.count()):
        await prices.nth(index).fill("15,000")
    await expect(page.locator(".prices .read").first).to_have_text("₩15,000")
    await page.get_by_label("Name", exact=True).press("Enter")
    await page.wait_for_url(f"{server.url}/ops/events/{slug}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    event = server.operator("GET", f"/api/events/{slug}")
    assert (event["status"], event["starts_at"]) == ("before", "2030-05-01T11:00:00.000Z")
    await page.get_by_role("button", name="Open the sale").click()
    await page.get_by_role("dialog").get_by_role("button", name="Open the sale").click()
    await expect(page.locator(".head .pill")).to_have_text("open")
    home = await open_page(path="/")
    card = home.locator(f"a[href='/events/{slug}']")
    await expect(card).to_contain_text("Stadthalle")
    await card.locator("img").evaluate("(picture) => picture.decode()")  # raises when it cannot be shown
    buyer = await open_page(slug)
    await buyer.pick(7)
    await expect(buyer.page.locator("#about")).to_be_hidden()  # in the hall there are other things to look at
    await buyer.check_out()
    await buyer.reaches("confirmed")
    await expect(buyer.page.locator("#about")).to_contain_text("Stadthalle")
    await expect(buyer.page.locator("#about strong")).to_have_text("19:00")
    await expect(page.locator("#trail tbody")).to_contain_text("sale.create")


async def test_what_is_wrong_is_told_at_its_field(make_sale: MakeSale, open_console: OpenConsole) -> None:
    """Nothing is sent while something is missing; the first such field has the focus; a taken address is told too."""
    taken = await make_sale()
    page = await open_console("/ops/new")
    go = page.get_by_role("button", name="Create the sale")
    await go.click()
    await expect(page.locator("#plan-file")).to_be_focused()
    await expect(page.locator("#plan-wrong")).to_have_text("Choose a seat plan.")
    await expect(wrong(page, "name")).to_be_visible()
    broken = json.loads(small_plan())
    broken["zones"][0]["rows"][0]["seats"][2]["category"] = "Balcony"
    file: FilePayload = {
        "name": "hall.json",
        "mimeType": "application/json",
        "buffer": json.dumps(broken).encode(),
    }
    await page.set_input_files("#plan-file", file)
    await expect(page.locator(".plan-errors")).to_contain_text("zones[0].rows[0].seats[2].category")
    # A file that is not UTF-8 would be sold with a replacement for each letter that could not be read (V4).
    latin: FilePayload = {**file, "buffer": small_plan().replace(b"Standard", "Stühle".encode("latin-1"))}
    await page.set_input_files("#plan-file", latin)
    await expect(page.locator(".plan-errors")).to_contain_text("not UTF-8 text: save it once more")
    # What concerns the drawing alone is told with its place, and keeps nobody from selling (V5).
    await page.set_input_files("#plan-file", HALL.parent / "plans" / "dup_labels.json")
    warned = page.locator(".plan-errors[data-kind=warn] li")
    await expect(warned).to_contain_text("zones[0].rows[0].seats[1].seat_number")
    await expect(page.locator("#plan-wrong")).to_have_count(0)
    dropped = await page.evaluate_handle(
        """(text) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([text], "mended.json"));
            return dropped;
        }""",
        small_plan().decode(),
    )
    await page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    await expect(page.locator(".plan-errors")).to_have_count(0)
    await page.get_by_label("Name", exact=True).fill("Again")
    await page.get_by_label("Web address", exact=True).fill(taken)
    await page.get_by_label("Sale opens").fill("2030-05-01T20:00")
    await page.get_by_label("Sale closes").fill("2030-05-01T19:00")
    await expect(wrong(page, "closes_at")).to_have_text("The sale must close after it opens.")
    await page.get_by_label("Sale closes").fill("2030-05-01T21:00")
    await page.get_by_label("Seats of one visitor").fill("101")
    await expect(wrong(page, "max_seats")).to_be_visible()
    await page.get_by_label("Seats of one visitor").fill("2")
    await page.locator(".prices .price").fill("12.5")
    await expect(page.locator(".prices .wrong")).to_contain_text("A price in KRW is a whole number")
    await page.locator(".error-summary a").click()
    await expect(page.locator(".prices .price")).to_be_focused()
    await page.locator(".prices .price").fill("12")
    await expect(page.locator(".sale-form .wrong")).to_have_count(0)
    await go.click()
    await expect(wrong(page, "slug")).to_have_text("Another sale has this address: choose another one.")
    await expect(page.get_by_label("Web address", exact=True)).to_be_focused()


async def test_times_and_limits_are_changed_in_the_sales_page(
    server: Server, make_sale: MakeSale, open_console: OpenConsole
) -> None:
    """Times are the event's own, wherever the operator sits; of one that comes twice it is asked which is meant."""
    slug = await make_sale(time_zone="Europe/Berlin")
    page = await open_console(f"/ops/events/{slug}", timezone_id="Asia/Seoul")
    await page.get_by_role("heading", name="Name, times and limits").click()
    await page.get_by_label("Sale closes").fill("2030-03-31T02:30")
    await page.get_by_label("Seats are kept for").fill("0")
    await page.get_by_role("button", name="Save the changes").click()
    await expect(wrong(page, "hold_seconds")).to_be_visible()
    await expect(wrong(page, "closes_at")).to_contain_text("no such time")
    await page.get_by_label("Seats are kept for").fill("600")
    await page.get_by_label("Sale closes").fill("2030-10-27T02:30")
    await page.get_by_role("button", name="Save the changes").click()
    await expect(wrong(page, "closes_at")).to_contain_text("comes twice")
    await page.get_by_label("02:30 GMT+1").check()
    await page.get_by_role("button", name="Save the changes").click()
    await said_at_edge(page, "The sale is changed.")
    event = server.operator("GET", f"/api/events/{slug}")
    assert (event["hold_seconds"], event["closes_at"]) == (600, "2030-10-27T01:30:00.000Z")
    await expect(page.locator("#trail tbody")).to_contain_text("sale.change")


@pytest.mark.parametrize("look", LOOKS)
async def test_the_form_is_accessible_and_fits(open_console: OpenConsole, look: dict[str, object]) -> None:
    """With the demonstration hall and with everything wrong."""
    page = await open_console("/ops/new", **look)
    await page.locator(".drop .link").click()
    await page.wait_for_selector(".plan-picture")
    await page.locator(".send [type=submit]").click()
    await page.wait_for_selector(".send .callout")
    await spotless(SalePage(page))
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
