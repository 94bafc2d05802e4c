"""Five journeys of a buyer in Firefox and WebKitGTK (Safari's engine): queue, hold, pay, money, back and forward.

`tests/e2e` has them in full, in Chromium; here is what engines do differently: sockets, canvas and pointers, forms,
`Intl`, and the page that comes back out of memory.
"""

from __future__ import annotations

from core import languages
from core.currency import MINOR_DIGITS
from tests.browsers.conftest import OpenPage
from tests.money import WRITTEN, figures
from tests.sale_server import Guest, MakeSale, Server

APPROVE = "form[data-pay] button.approve"
TICKET = "[data-testid=ticket]"


async def test_queue(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """S7: the exact place is pushed, a reload keeps it, and the map opens by itself."""
    slug = await make_sale(active_limit=1)
    first, second = Guest(server, slug), Guest(server, slug)
    assert first.join() == "active"
    second.join()
    page = open_page(slug)
    page.reaches("waiting")
    page.reads(".place-number", "2")
    page.driver.refresh()
    page.reaches("waiting")
    page.reads(".place-number", "2")
    second.leave()
    page.reads(".place-number", "1")
    first.leave()
    page.map_ready()


async def test_hold(make_sale: MakeSale, open_page: OpenPage) -> None:
    """D3: a seat that one browser holds is held on the other's map at once, and free again when it is given back."""
    slug = await make_sale()
    page, other = open_page(slug), open_page(slug)
    other.map_ready()
    page.pick(4, 5)
    page.has(".basket-seat", 2)
    page.reads(".basket .total strong", "₩30,000")
    other.sees(4, "held")
    other.sees(5, "held")
    page.driver.refresh()
    page.sees(4, "own")
    page.has(".basket-seat", 2)
    page.click(".basket-seat button")
    page.has(".basket-seat", 1)
    other.sees(4, "free")
    other.sees(5, "held")


async def test_pay(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """S26, P2: from the basket through the payment to the ticket; the provider charges once."""
    page = open_page(await make_sale())
    page.pick(7)
    before = server.orders()
    page.click("[data-testid=continue]")
    page.find("#email").send_keys("buyer@example.com")
    page.click("[data-testid=pay]")
    # The provider's window, a page of another site: closed, a card that is declined, and another one.
    page.click("form[action$='/close'] button")
    page.click("[data-testid=try-again]")
    page.click("form[action$='/decline'] button")
    page.click("[data-testid=try-again]")
    page.click(APPROVE)
    page.click(TICKET)
    page.find(".qr svg")
    page.has(".ticket-seats li", 1)
    assert len(server.charges(but=before)) == 1


async def test_away_and_back(server: Server, make_sale: MakeSale, open_page: OpenPage) -> None:
    """P2, P3, P11, in Korean and as narrow as a phone: declined, loaded again, another browser pays."""
    slug = await make_sale()
    page = open_page(path=f"/events/{slug}?lang=ko")
    page.pick(7)
    before = server.orders()
    page.click("[data-testid=continue]")
    page.driver.set_window_size(390, 844)
    page.find("#email").send_keys("buyer@example.com")
    page.click("[data-testid=pay]")
    page.find(APPROVE)
    window = page.driver.current_url
    page.click("form[action$='/decline'] button")
    page.find("[data-testid=try-again]")
    page.driver.refresh()
    page.click("[data-testid=try-again]")
    page.find(APPROVE)
    assert page.driver.current_url != window, "an attempt of its own"
    other = open_page(path="/")
    other.driver.get(page.driver.current_url)
    other.click(APPROVE)
    other.reads("h1", "The seats are yours")  # who pays for another's seats reads so
    assert other.count(TICKET) == 0
    page.driver.get(f"{server.url}/events/{slug}?lang=ko")
    assert page.reaches("confirmed", "failed") == "confirmed"
    page.click(TICKET)
    page.find(".qr svg")
    assert len(server.charges(but=before)) == 1


async def test_money(make_sale: MakeSale, open_page: OpenPage) -> None:
    """What a buyer reads is what the server's e-mail says: in every currency and every engine."""
    page = open_page(await make_sale(currency="EUR", prices={"Standard": 4950}))
    page.map_ready()
    page.reads(".chip-price", "€49.50")
    page.pick(0, 1)
    page.reads(".basket .total strong", "€99.00")
    ours = page.driver.execute_async_script(f"({WRITTEN})(arguments[0]).then(arguments[1])", dict(MINOR_DIGITS))
    assert {code: figures(text) for code, text in ours.items()} == {
        code: figures(languages.money("en", 1234567, code)) for code in MINOR_DIGITS
    }


async def test_back_and_forward(make_sale: MakeSale, open_page: OpenPage) -> None:
    """Away and back: the page comes out of memory or anew, with its basket, and hears of others again."""
    slug = await make_sale()
    page, other = open_page(path="/"), open_page(slug)
    page.click(f'a[href*="{slug}"]')
    page.pick(3)
    page.driver.back()
    page.until(lambda driver: driver.current_url.endswith("/"), "the list of sales")
    page.driver.forward()
    page.sees(3, "own")
    page.has(".basket-seat", 1)
    other.pick(9)
    page.sees(9, "held")
    page.pick(4)
    other.sees(4, "held")
