"""Addresses that a provider sends a browser or a webhook to: signed, without a cookie, believed in little (P3, P6).

Also the payment page's own headers, which are what keeps its signature and its script sources apart from other pages.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette

from core.booking.addresses import masked
from core.payments.links import PaymentLinks
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, Desk, desk, payments_of, results, until, way_back
from tests.conftest import MakeEvent
from tests.contract.api_client import open_client
from tests.waits import PATIENCE
from web.app import create_app
from web.pay.webhooks import MOST_BODY

PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def at(runtime: Runtime, bank: Bank) -> Desk:
    made = desk(runtime, bank, retry_seconds=60.0)
    runtime.checkout, runtime.payments = made.checkout, made.checkout._payments
    return made


@pytest.fixture
async def browser(runtime: Runtime, at: Desk) -> Any:
    """Nobody's: it has no cookie and no token."""
    app: Starlette = create_app(runtime, None)
    async with open_client(app) as client:
        yield client


async def _ordered(at: Desk, make_event: MakeEvent) -> tuple[Event, Any, str, PaymentLinks]:
    event = await make_event()
    begun = await at.order(event, "v", 3)
    assert begun.payment is not None
    return event, begun, begun.payment.order, PaymentLinks("test-secret")


async def test_the_payment_page_needs_no_cookie_and_tells_the_provider_nothing(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent
) -> None:
    """P1, P2: its own policy by the provider's sources, and no signature in what other sites are told."""
    _, begun, order, links = await _ordered(at, make_event)
    shown = await browser.get(links.page(order), headers=PAGE)
    assert shown.status_code == 200
    assert shown.headers["Referrer-Policy"] == "origin"
    assert f'href="{links.page(order)}&amp;lang=ko"' in shown.text, "the signature stays in the other language"
    assert shown.headers["Cache-Control"] == "private, no-store"
    policy = shown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "set-cookie" not in shown.headers or "visitor" not in shown.headers["set-cookie"]
    body = (await browser.get(links.page(order), headers=JSON)).json()
    assert (body["provider"], body["state"], body["kind"]) == ("toss", "OPEN", "sdk")
    assert begun.email not in repr(body), "personal data"


@pytest.mark.parametrize(
    "forged",
    [
        lambda links, order: f"/pay/{order}",
        lambda links, order: f"/pay/{order}?s=",
        lambda links, order: f"/pay/{order}?s={'0' * 32}",
        # A signature is good for its purpose and order only.
        lambda links, order: f"/pay/{order}?{links.returned('toss', order).partition('?')[2]}",
        lambda links, order: f"/pay/toss/return/{order}?{links.page(order).partition('?')[2]}&paymentKey=k",
        lambda links, order: f"/pay/toss/return/{order}?{links.returned('toss', '0' * 32 + 'a1').partition('?')[2]}",
        lambda links, order: f"/pay/toss/closed/{order}?{links.result(order).partition('?')[2]}",
        lambda links, order: f"/pay/{order}/result?{links.page(order).partition('?')[2]}",
        lambda links, order: links.returned("kcp", order),
    ],
)
async def test_a_forged_signature_is_an_order_that_does_not_exist(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent, forged: Any
) -> None:
    _, begun, order, links = await _ordered(at, make_event)
    answer = await browser.get(forged(links, order), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (404, "reservation_not_found")
    assert (await at.now(begun)).payment == begun.payment, "it changed something"


async def test_a_return_by_get_or_by_a_cross_site_form(
    browser: httpx.AsyncClient, at: Desk, bank: Bank, make_event: MakeEvent
) -> None:
    """P2: no cookie arrives with a POST from another site; the result shows no ticket without one."""
    _, begun, order, _ = await _ordered(at, make_event)
    address = way_back(bank, order)
    headers = {"Origin": "https://bank.example", "Sec-Fetch-Site": "cross-site"}
    back = await browser.post(address, data={"whatever": "the bank sends"}, headers=headers)
    again = await browser.get(address)
    assert back.status_code == again.status_code == 303
    assert back.headers["location"] == again.headers["location"]
    assert again.headers["location"].startswith(f"/pay/{order}/result?s=")
    ended = await at.ended(begun)
    assert ended.status == "CONFIRMED"
    shown = await browser.get(again.headers["location"], headers=PAGE)
    assert shown.status_code == 200
    assert str(ended.ticket_code) not in shown.text, "the signature alone shows a ticket"
    assert ended.email not in shown.text
    assert masked(ended.email) in shown.text


async def test_a_closed_window_is_closed_by_a_press_and_not_by_a_link(
    browser: httpx.AsyncClient, runtime: Runtime, at: Desk, make_event: MakeEvent
) -> None:
    """A scanner that follows links closes nothing."""
    event, begun, order, links = await _ordered(at, make_event)
    address = f"{links.closed('toss', order)}&code=PAY_PROCESS_CANCELED"
    asked = await browser.get(address, headers=PAGE)
    assert (asked.status_code, "<form" in asked.text, "<button" in asked.text) == (200, True, True)
    now = await at.now(begun)
    assert now.payment is not None
    assert now.payment.state == "OPEN"
    async with results(runtime, event) as pushed:
        closed = await browser.post(address)
        assert (await pushed())["reason"] == "closed"
    assert (closed.status_code, closed.headers["location"]) == (303, links.page(order))
    now = await at.now(begun)
    assert now.payment is not None
    assert (now.payment.state, now.payment.code) == ("CLOSED", "PAY_PROCESS_CANCELED")


@pytest.mark.parametrize(("language", "title"), [("en", "The payment was declined"), ("ko", "결제가 거절되었습니다")])
async def test_a_card_refused_in_the_window_is_told_as_declined(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent, language: str, title: str
) -> None:
    """P11: by the closed URL too; the attempt is CLOSED, and another card pays until the end of the time to pay."""
    _, begun, order, links = await _ordered(at, make_event)
    reader = {**PAGE, "Accept-Language": language}
    address = f"{links.closed('toss', order)}&code=REJECT"
    assert f"<h1>{title}</h1>" in (await browser.get(address, headers=reader)).text
    assert (await browser.post(address)).headers["location"] == links.page(order)
    now = await at.now(begun)
    assert now.payment is not None
    assert (now.reason, now.payment.state, now.payment.retry_until) == ("declined", "CLOSED", begun.until)
    assert f"<h1>{title}</h1>" in (await browser.get(links.page(order), headers=reader)).text
    again = await browser.post(links.page(order).replace("?", "/again?"))
    assert again.headers["location"].startswith(f"/pay/{order[:-2]}a2?s=")


@pytest.mark.parametrize(("language", "title"), [("en", "it was not your card"), ("ko", "카드 문제가 아닙니다")])
async def test_a_fault_of_the_shops_is_not_told_as_a_window_that_was_left(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent, language: str, title: str
) -> None:
    """P9: before and after the press; another try is offered."""
    _, begun, order, links = await _ordered(at, make_event)
    reader = {**PAGE, "Accept-Language": language}
    address = f"{links.closed('toss', order)}&code=UNAUTHORIZED_KEY"
    assert title in (await browser.get(address, headers=reader)).text
    assert (await browser.post(address)).headers["location"] == links.page(order)
    assert (await at.now(begun)).reason == "shop_payment_fault"
    assert title in (await browser.get(links.page(order), headers=reader)).text
    again = await browser.post(links.page(order).replace("?", "/again?"))
    assert again.headers["location"].startswith(f"/pay/{order[:-2]}a2?s=")


async def test_a_signature_is_in_no_log(
    browser: httpx.AsyncClient, at: Desk, bank: Bank, make_event: MakeEvent
) -> None:
    """P3: whoever reads logs opens nobody's order, whether a call was answered or refused."""
    _, begun, order, links = await _ordered(at, make_event)
    addresses = [
        links.page(order),
        links.result(order),
        f"{links.returned('toss', order)}&paymentKey=",
        f"{links.closed('toss', order)}&code=REJECT",
        links.page(order).replace("?", "/again?"),
    ]
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        for address in addresses:
            for method in ("GET", "POST", "PUT"):
                await browser.request(method, address, headers=PAGE)
            await browser.get(f"{address}0", headers=JSON)
        await at.ended(await at.pay(await at.now(begun)))
    assert order in repr(lines), "nothing was logged at all"
    for address in addresses:
        assert address.partition("?s=")[2].partition("&")[0] not in repr(lines)


async def test_the_old_page_leads_to_the_current_attempt(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent
) -> None:
    """A second tab that shows an ended attempt."""
    _, begun, order, links = await _ordered(at, make_event)
    await at.checkout.closed(order, None)
    second, _ = await at.checkout.next_attempt(begun.id)
    assert second.payment is not None
    led = await browser.get(links.page(order), headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (303, links.page(second.payment.order))


async def test_a_webhook_is_a_hint_and_answered_at_once(
    browser: httpx.AsyncClient, at: Desk, bank: Bank, make_event: MakeEvent
) -> None:
    """P6: whatever it says, 200; the order is looked up, and an unknown one is not (webhook ignored: Hi.Events#598)."""
    _, begun, order, _ = await _ordered(at, make_event)
    for nonsense in (b"", b"\x00", b"[]", b"0" * 32 + b"a1"):
        assert (await browser.post("/webhooks/toss", content=nonsense)).status_code == 200
    assert bank.asked == []
    bank.authorise(order)
    assert (await browser.post("/webhooks/toss", content=order.encode())).status_code == 200
    assert (await at.ended(begun)).status == "CONFIRMED", "the return was lost, and the hint was not followed"


async def test_a_webhook_of_a_provider_that_payments_are_only_finished_at(
    runtime: Runtime, at: Desk, bank: Bank, make_event: MakeEvent
) -> None:
    """P1, P6: the shop has changed to another provider while this one's window was open, and its return is lost."""
    _, begun, order, _ = await _ordered(at, make_event)
    now = desk(runtime, bank, payments=payments_of(runtime, Bank(name="kcp"), former=[bank]))
    runtime.checkout, runtime.payments = now.checkout, now.checkout._payments
    bank.authorise(order)
    async with open_client(create_app(runtime, None)) as provider:
        assert (await provider.post("/webhooks/toss", content=order.encode())).status_code == 200
    assert (await now.ended(begun)).status == "CONFIRMED"


async def test_a_webhook_of_nobodys_provider_and_one_that_is_too_long(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/webhooks/paypal", content=b"x")).status_code == 404
    long = await browser.post("/webhooks/toss", content=b"x" * (MOST_BODY + 1))
    assert long.status_code == 413
    assert (await browser.post("/webhooks/toss", content=b"x" * MOST_BODY)).status_code == 200
    assert (await browser.get("/webhooks/toss")).status_code == 405


async def test_a_webhook_waits_for_no_store(
    browser: httpx.AsyncClient, at: Desk, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: within two seconds, or the provider only comes again."""
    _, _, order, _ = await _ordered(at, make_event)

    async def hangs(*_: Any) -> None:
        await asyncio.sleep(2 * PATIENCE)

    monkeypatch.setattr(at.checkout, "hint", hangs)
    began = time.monotonic()
    assert (await browser.post("/webhooks/toss", content=order.encode())).status_code == 200
    assert time.monotonic() - began < PATIENCE, "it waited for what hangs"


async def test_a_flood_of_webhooks_asks_the_provider_little(
    browser: httpx.AsyncClient, at: Desk, bank: Bank, make_event: MakeEvent
) -> None:
    """P6: one look-up in ten seconds for each order."""
    _, _, order, _ = await _ordered(at, make_event)
    began = time.monotonic()
    for _ in range(40):
        assert (await browser.post("/webhooks/toss", content=order.encode())).status_code == 200

    async def asked() -> bool:
        return len(bank.asked) >= 1

    await until(asked)
    await asyncio.sleep(0.5)  # what is shown here is that nothing more comes
    assert len(bank.asked) <= 2 + (time.monotonic() - began) // 10
