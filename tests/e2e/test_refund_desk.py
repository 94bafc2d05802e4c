"""The refund desk in a browser: an operator finds a reservation and gives money back, once (P7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from core.venue.fees import FeeLine
from tests.e2e.conftest import MakeSale, OpenConsole, OpenPage, Server
from tests.e2e.sale_page import said_at_edge
from tests.e2e.test_accessibility import LOOKS, spotless_and_fits
from tests.http_client import NOTHING_KEPT
from tests.sale_server import OPERATOR_TOKEN, PATIENCE, Guest, answered
from tests.waits import wait_until


class Buyer(Guest):
    """A guest who has bought seats."""

    def __init__(self, server: Server, slug: str, *seats: int) -> None:
        super().__init__(server, slug)
        self._url = server.url
        self._http = httpx.Client(
            base_url=server.url, headers=self._headers, timeout=PATIENCE, verify=False, limits=NOTHING_KEPT
        )
        self.join()
        self.hold(*seats)
        made = answered(
            "POST",
            f"{self._event}/reservations",
            json={"email": "kim@example.org"},
            headers=self._headers | {"Idempotency-Key": "k"},
        )
        self.id, self.order = made.json()["id"], made.json()["payment"]["order"]
        page = self._get(made.json()["payment"]["page"], headers={"Accept": "application/json"}).json()
        # The bank is another's: it is not sent the shop's token.
        bank = f"{server.url}/paysim/toss/windows"
        window = answered("POST", bank, json=page["fields"]).json()["window"]
        approved = answered("POST", f"{bank}/{window}/approve", json={"card": "good"}).json()
        self._get(approved["return"])
        wait_until(lambda: self.state()["status"] == "CONFIRMED", "paid")

    def given_back(self, seat: int) -> None:
        """By an operator."""
        answered(
            "POST",
            f"{self._url}/api/operator/reservations/{self.id}/refunds",
            json={"reason": "ill", "seats": [seat], "fee": 500},
            headers={"Idempotency-Key": "k", "Authorization": f"Bearer {OPERATOR_TOKEN}"},
        )

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get(f"/api/reservations/{self.id}").raise_for_status().json()
        return found

    def _get(self, path: str, **options: Any) -> httpx.Response:
        """The answer of a server whose stores are there; a redirect is one as well."""
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(self._http.get(path, **options))
            return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

        wait_until(is_answered, "an answer of the stores")
        return answers[-1]


@pytest.fixture
def buy(server: Server) -> Callable[..., Buyer]:
    return lambda slug, *seats: Buyer(server, slug, *seats)


async def look(page: Page, text: str) -> None:
    await page.fill("#find", text)
    await page.keyboard.press("Enter")
    await expect(page.locator("#desk-money")).to_be_visible()


async def press(page: Page) -> None:
    """Asks for the refund, and says yes."""
    await page.locator("form.sale-form").get_by_role("button", name="Give back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Give back").click()


async def test_a_single_seat_goes_back_less_a_fee(
    make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole, buy: Callable[..., Buyer]
) -> None:
    """Found by the order's number; what is asked is said first; the seat is free on every map; the books say who."""
    slug = await make_sale(seats=24)
    buyer = buy(slug, 3, 4)
    watcher = await open_page(slug)
    await watcher.map_ready()
    page = await open_console("/ops/refunds")
    await look(page, buyer.order)
    await expect(page.locator(".moves")).to_contain_text("approval")
    await page.get_by_label("Single seats").check()
    await page.get_by_label("Stalls, row 1, seat 4").check()
    await page.get_by_label("Fee").fill("1,500")
    # Without a reason nothing is asked for.
    await page.locator("form.sale-form").get_by_role("button", name="Give back").click()
    await expect(page.get_by_label("Reason")).to_be_focused()
    await page.get_by_label("Stalls, row 1, seat 4").uncheck()
    await page.locator("form.sale-form .error-summary a", has_text="Which seats").click()
    await expect(page.locator("#refund-seats")).to_be_focused()
    await page.get_by_label("Stalls, row 1, seat 4").check()
    await page.locator("form.sale-form .error-summary a").click()
    await expect(page.get_by_label("Reason")).to_be_focused()
    await page.get_by_label("Reason").fill("ill")
    await page.locator("form.sale-form").get_by_role("button", name="Give back").click()
    await expect(page.get_by_role("dialog")).to_contain_text("₩13,500 goes back?")
    await expect(page.get_by_role("dialog")).to_contain_text("1 seat is on sale again. ₩1,500 is kept.")
    await page.get_by_role("dialog").get_by_role("button", name="Give back").click()
    await expect(page.get_by_test_id("refund-made")).to_contain_text("₩13,500 was given back.")
    await watcher.sees(3, "free")
    await watcher.sees(4, "sold")
    await expect(page.locator(".moves")).to_contain_text("Kim@")
    state = buyer.state()
    assert (state["status"], state["seats"], state["refunded"]) == ("CONFIRMED", [4], 13500)
    # T2: the ticket that is left goes to a corrected address.
    await page.get_by_label("Corrected e-mail address").fill("pat@example.org")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("mailed")).to_contain_text("p***@e***.org")
    await expect(page.locator("[aria-labelledby=desk-money]")).to_contain_text("pat@example.org")


async def test_two_operators_at_once(make_sale: MakeSale, open_console: OpenConsole, buy: Callable[..., Buyer]) -> None:
    """Both have looked and decided: one refund is made, the other is told what happened and sees it."""
    buyer = buy(await make_sale(seats=24), 3, 4)
    pages = [await open_console("/ops/refunds") for _ in range(2)]
    for page in pages:
        await look(page, buyer.id)
        await page.get_by_label("An amount").check()
        await page.get_by_label("Amount", exact=True).fill("5000")
        await page.get_by_label("Reason").fill("sorry")
    first, second = pages
    # The second one's view stays as old as it was when the decision was made.
    old = True
    await second.route("**/api/operator/reservations/*", lambda route: route.abort() if old else route.continue_())
    await press(first)
    await expect(first.get_by_test_id("refund-made")).to_be_visible()
    await press(second)
    await expect(second.locator(".callout[role=alert]", has_text="Somebody gave money back")).to_be_visible()
    old = False
    await expect(second.locator(".moves li")).to_have_count(2)
    assert buyer.state()["refunded"] == 5000


async def test_an_answer_that_is_lost_makes_one_refund(
    make_sale: MakeSale, open_console: OpenConsole, buy: Callable[..., Buyer]
) -> None:
    """The refund was made, the answer never came: pressed again it is the same one."""
    buyer = buy(await make_sale(seats=24), 3, 4)
    page = await open_console("/ops/refunds")
    await look(page, buyer.id)
    await page.get_by_label("An amount").check()
    await page.get_by_label("Amount", exact=True).fill("5000")
    await page.get_by_label("Reason").fill("sorry")

    async def lose(route: Any) -> None:
        await route.fetch(timeout=PATIENCE * 1000)
        await route.abort()

    # The view stays old as well, so that the form keeps what was asked.
    await page.route("**/api/operator/reservations/*", lambda route: route.abort())
    await page.route("**/refunds", lose, times=1)
    await press(page)
    await expect(page.locator(".callout[role=alert]", has_text="Press again")).to_be_visible()
    await press(page)
    await expect(page.get_by_test_id("refund-made")).to_contain_text("₩5,000")
    assert buyer.state()["refunded"] == 5000


async def test_an_event_that_does_not_take_place(
    server: Server, make_sale: MakeSale, open_console: OpenConsole, buy: Callable[..., Buyer]
) -> None:
    """Its name has to be typed; everybody's money goes back; the report says how much."""
    slug = await make_sale(seats=24)
    buyers = [buy(slug, seat) for seat in range(3)]
    page = await open_console(f"/ops/events/{slug}")
    await page.locator("#cancelled summary").click()
    await page.locator("#cancelled").get_by_role("button", name="Refund everybody").click()
    await page.locator("#cancelled .error-summary a").click()
    await expect(page.locator("#cancelled").get_by_label("Reason")).to_be_focused()
    await page.locator("#cancelled").get_by_label("Reason").fill("storm")
    await page.locator("#cancelled").get_by_role("button", name="Refund everybody").click()
    await page.get_by_role("dialog").locator("input").fill(slug)
    await page.keyboard.press("Enter")
    report = page.get_by_test_id("event-refund")
    await expect(report).to_have_attribute("data-state", "DONE", timeout=PATIENCE * 2000)
    await expect(report).to_contain_text("₩45,000")
    assert [buyer.state()["status"] for buyer in buyers] == ["CANCELLED"] * 3
    assert server.operator("GET", f"/api/events/{slug}")["status"] == "closed"


async def test_fees_are_set_in_the_console_and_told_before_the_press(
    server: Server, make_sale: MakeSale, open_page: OpenPage, open_console: OpenConsole
) -> None:
    """A line that cannot be is told at its field; what is saved is what a buyer reads before giving tickets back."""
    slug = await make_sale(starts_at=datetime.now(UTC) + timedelta(hours=100), fees=(FeeLine(24, 0),))
    buyer = await open_page(slug)
    await buyer.pick(3)
    await buyer.check_out()
    await buyer.reaches("confirmed")
    page = await open_console(f"/ops/events/{slug}")
    await page.locator("#settings summary").click()
    fees = page.locator("#settings .fees")
    await fees.get_by_role("button", name="Add a line").click()
    await fees.get_by_label("Hours before the start").nth(1).fill("24")
    await fees.get_by_label("Fee in per cent").nth(1).fill("10")
    await expect(fees.locator(".wrong")).to_be_visible()
    await fees.get_by_label("Hours before the start").nth(0).fill("200")
    await expect(fees.locator(".wrong")).to_have_count(0)
    await page.get_by_role("button", name="Save the changes").click()
    await said_at_edge(page, "The sale is changed.")
    saved = server.operator("GET", f"/api/operator/events/{slug}")
    assert saved["fees"] == [{"hours": 200, "percent": 0}, {"hours": 24, "percent": 10}]
    await buyer.page.goto(f"{server.url}/reservations/{await reservation_of(buyer.page)}")
    await buyer.page.locator("[data-ask]").click()
    await expect(buyer.page.get_by_test_id("cancel-cost")).to_contain_text("₩13,500")
    await expect(buyer.page.get_by_test_id("cancel-cost")).to_contain_text("₩1,500")


async def reservation_of(page: Page) -> str:
    """The browser's own, only one; the store that tells it may be late."""
    found = await page.wait_for_function(
        "async () => (await (await fetch('/api/reservations')).json()).reservations?.[0]?.id", polling=100
    )
    return str(await found.json_value())


@pytest.mark.parametrize("look_", LOOKS)
async def test_the_desk_is_accessible_and_fits(
    server: Server,
    make_sale: MakeSale,
    open_page: OpenPage,
    buy: Callable[..., Buyer],
    look_: dict[str, object],
) -> None:
    slug = await make_sale(seats=24)
    buyer = buy(slug, 3, 4)
    buyer.given_back(3)
    page = await open_page(path="/ops/refunds", **look_)
    await page.fill("#token", OPERATOR_TOKEN)
    await page.press("#token", "Enter")

    await page.wait_for_selector("#find")
    await spotless_and_fits(page)
    await page.fill("#find", buyer.id)
    await page.press("#find", "Enter")
    await page.wait_for_selector("#desk-money")
    for way in range(3):
        await page.locator("input[name=refund-way]").nth(way).check()
        await page.locator("form.sale-form button.primary[type=submit]").click()
        await page.wait_for_selector(".wrong")
        # Another way changes the form alone.
        await spotless_and_fits(page, "form.sale-form" if way else "html")
    await page.goto(f"{server.url}/ops/events/{slug}")
    await page.wait_for_selector(".tiles")
    await page.locator("#cancelled summary").click()
    await page.locator("#settings summary").click()
    await page.locator(".fees [data-more]").click()
    await spotless_and_fits(page)
