"""The played window: what it takes, what it binds, where it returns to, and that there is no other way (P5)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.payments.provider_package import played_keys
from tests.payment_servers import SECRET_KEY, SHOP, Simulator, an_order, returned, urls_of
from tests.waits import PATIENCE

CLIENT_KEY, SECRET = played_keys(SECRET_KEY, "toss")
AUTH = httpx.BasicAuth(SECRET, "")


@pytest.fixture
async def browser(paysim: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without the operator's token, who reads pages."""
    headers = {"Accept": "text/html,*/*"}
    async with httpx.AsyncClient(base_url=paysim.url, headers=headers, trust_env=False, timeout=PATIENCE) as client:
        yield client


def fields(number: str = "", **changes: Any) -> dict[str, Any]:
    order = an_order()
    number = number or order.number
    urls = urls_of(order)
    whole = {
        "method": "CARD",
        "amount": {"currency": "KRW", "value": 15_000},
        "orderId": number,
        "orderName": "Test night",
        "successUrl": urls.returned.replace(order.number, number),
        "failUrl": urls.closed.replace(order.number, number),
        "windowTarget": "self",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


async def confirm(paysim: Simulator, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    sent = {name: value for name, value in body.items() if value is not None}
    return await paysim.client.post("/toss/v1/payments/confirm", json=sent, headers=headers, auth=AUTH)


async def test_the_twin_leads_to_the_shops_own_addresses(paysim: Simulator) -> None:
    """P5: `POST /paysim/toss/windows` with the page's fields, then approve, decline or close -> `{return}`."""
    asked = fields()
    window = await paysim.open(asked)
    url = await paysim.end(window)
    assert url.startswith(asked["successUrl"] + "&")
    told = returned(url)
    assert (told["paymentType"], told["orderId"], told["amount"]) == ("NORMAL", asked["orderId"], "15000")
    assert await paysim.end(window) == url, "approved again is approved as before"
    for ending, code in (("decline", "REJECT_CARD_COMPANY"), ("close", "PAY_PROCESS_CANCELED")):
        asked = fields()
        url = await paysim.end(await paysim.open(asked), ending)
        assert url.startswith(asked["failUrl"] + "&")
        assert (returned(url)["code"], returned(url)["orderId"]) == (code, asked["orderId"])


async def test_a_window_ends_once(paysim: Simulator) -> None:
    for first, second in (("approve", "close"), ("close", "approve"), ("decline", "approve"), ("close", "decline")):
        window = await paysim.open(fields())
        await paysim.end(window, first)
        answer = await paysim.client.post(f"/toss/windows/{window}/{second}")
        assert (answer.status_code, answer.json()["code"]) == (409, "ALREADY_ENDED_WINDOW")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "TRANSFER"}, "NOT_SUPPORTED_METHOD"),
        ({"method": None}, "NOT_SUPPORTED_METHOD"),
        ({"amount": 15_000}, "INVALID_PARAMETERS"),
        ({"amount": {"currency": "KRW", "value": "15000"}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": 0}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": -1}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": 1.5}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": True}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": 10**13}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "won", "value": 15_000}}, "INVALID_AMOUNT_CURRENCY"),
        ({"orderName": None}, "INVALID_PARAMETERS"),
        ({"orderName": "n" * 101}, "INVALID_PARAMETERS"),
        ({"orderId": "short"}, "INVALID_PARAMETERS"),
        ({"orderId": "no spaces here"}, "INVALID_PARAMETERS"),
        ({"windowTarget": "popup"}, "INVALID_PARAMETERS"),
        ({"surprise": 1}, "INVALID_PARAMETERS"),
        ({"successUrl": None}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"successUrl": "https://evil.example/pay/toss/return/X"}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"successUrl": f"{SHOP}/elsewhere"}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"successUrl": f"{SHOP}/pay/toss/return/anotherorder"}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"successUrl": "javascript:alert(1)"}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"failUrl": None}, "INCORRECT_FAIL_URL_FORMAT"),
        ({"failUrl": "https://evil.example/"}, "INCORRECT_FAIL_URL_FORMAT"),
    ],
)
async def test_fields_that_open_no_window(paysim: Simulator, changes: dict[str, Any], code: str) -> None:
    """Return and closed addresses are the shop's own, of this order; nobody is sent anywhere else."""
    answer = await paysim.client.post("/toss/windows", json=fields(**changes), headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_addresses_with_somebody_elses_host_in_disguise(paysim: Simulator) -> None:
    order = an_order().number
    for url in (f"http://shop.test@evil.example/pay/toss/return/{order}", f"//evil.example/pay/toss/return/{order}"):
        answer = await paysim.client.post(
            "/toss/windows", json=fields(order, successUrl=url), headers={"Authorization": ""}
        )
        assert answer.json()["code"] == "INCORRECT_SUCCESS_URL_FORMAT", url


async def test_the_client_key_is_checked(paysim: Simulator) -> None:
    for key, status in ((CLIENT_KEY, 201), ("test_ck_of_another_shop", 400)):
        shown = base64.b64encode(f"{key}:".encode()).decode()
        answer = await paysim.client.post("/toss/windows", json=fields(), headers={"Authorization": f"Basic {shown}"})
        assert answer.status_code == status
    assert answer.json()["code"] == "INVALID_CLIENT_KEY"


async def test_no_key_without_an_approved_window(paysim: Simulator) -> None:
    """P5: a key is bound to order and amount, and is good once the buyer has approved; not before, not for others."""
    asked = fields()
    window = await paysim.open(asked)
    (ready,) = await paysim.payments(asked["orderId"])
    right = {"paymentKey": ready["payment_key"], "orderId": asked["orderId"], "amount": 15_000}
    assert (await confirm(paysim, **right)).json()["code"] == "NOT_FOUND_PAYMENT_SESSION"
    await paysim.end(window)
    for wrong in ({"paymentKey": "tgen_made_up"}, {"orderId": an_order().number}, {"amount": 14_999}):
        answer = await confirm(paysim, **{**right, **wrong})
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert await paysim.ledger() == []
    approved = await confirm(paysim, **right)
    assert (approved.status_code, approved.json()["status"]) == (200, "DONE")
    assert (await confirm(paysim, **right)).json()["code"] == "ALREADY_PROCESSED_PAYMENT"
    assert await paysim.ledger() == [
        {"order_id": asked["orderId"], "amount": 15_000, "charged": True, "cancelled": False}
    ]


async def test_two_windows_of_one_order_charge_once(paysim: Simulator) -> None:
    """A buyer who opened the window twice has two keys; the order is paid with one of them."""
    asked = fields()
    keys = [returned(await paysim.end(await paysim.open(asked)))["paymentKey"] for _ in range(2)]
    right = {"orderId": asked["orderId"], "amount": 15_000}
    assert (await confirm(paysim, paymentKey=keys[1], **right)).status_code == 200
    assert (await confirm(paysim, paymentKey=keys[0], **right)).json()["code"] == "ALREADY_PROCESSED_PAYMENT"
    found = await paysim.client.get(f"/toss/v1/payments/orders/{asked['orderId']}", auth=AUTH)
    assert (found.json()["status"], found.json()["paymentKey"]) == ("DONE", keys[1])


async def test_times(paysim: Simulator) -> None:
    """30 minutes for the window, 10 after the approval; settable, and in seconds here."""
    assert (await paysim.client.get("/rules")).json()["window_seconds"] == 1800
    assert (await paysim.client.get("/rules")).json()["session_seconds"] == 600
    late, open_ = fields(), fields()
    key = returned(await paysim.end(await paysim.open(late)))["paymentKey"]
    window = await paysim.open(open_)
    await paysim.rules(session_seconds=0.05)
    await asyncio.sleep(0.1)
    right = {"paymentKey": key, "orderId": late["orderId"], "amount": 15_000}
    assert (await confirm(paysim, **right)).json()["code"] == "NOT_FOUND_PAYMENT_SESSION"
    by_order = f"/toss/v1/payments/orders/{late['orderId']}"
    assert (await paysim.client.get(by_order, auth=AUTH)).json()["status"] == "EXPIRED"
    await paysim.rules(window_seconds=0.05)
    answer = await paysim.client.post(f"/toss/windows/{window}/approve")
    assert answer.json()["code"] == "EXPIRED_PAYMENT"


async def test_look_ups_know_a_window_from_its_opening(paysim: Simulator) -> None:
    """404 only for orders whose window was never opened."""
    asked = fields()
    path = f"/toss/v1/payments/orders/{asked['orderId']}"
    never = await paysim.client.get(path, auth=AUTH)
    assert (never.status_code, never.json()["code"]) == (404, "NOT_FOUND_PAYMENT")
    window = await paysim.open(asked)
    assert (await paysim.client.get(path, auth=AUTH)).json()["status"] == "READY"
    await paysim.end(window)
    assert (await paysim.client.get(path, auth=AUTH)).json()["status"] == "IN_PROGRESS"


async def test_idempotency_knows_no_body_and_remembers_errors(paysim: Simulator) -> None:
    """By key, path and method: a forged body's error is the answer to the genuine one too."""
    asked = fields()
    key = returned(await paysim.end(await paysim.open(asked)))["paymentKey"]
    right = {"paymentKey": key, "orderId": asked["orderId"], "amount": 15_000}
    forged = await confirm(paysim, "burnt", **{**right, "paymentKey": "tgen_forged"})
    genuine = await confirm(paysim, "burnt", **right)
    assert (forged.status_code, forged.json()) == (genuine.status_code, genuine.json())
    await paysim.behave(error_rate=1)
    assert (await confirm(paysim, "temporary", **right)).json()["code"] == "PROVIDER_ERROR"
    await paysim.behave(error_rate=0)
    assert (await confirm(paysim, "temporary", **right)).json()["code"] == "PROVIDER_ERROR"
    first = await confirm(paysim, "fresh", **right)
    assert first.json() == (await confirm(paysim, "fresh", **right)).json()
    # Another path is another request.
    cancel = f"/toss/v1/payments/{key}/cancel"
    answer = await paysim.client.post(
        cancel, json={"cancelReason": "x"}, headers={"Idempotency-Key": "fresh"}, auth=AUTH
    )
    assert answer.json()["status"] == "CANCELED"


async def test_a_virtual_account_is_paid_later(paysim: Simulator) -> None:
    asked = fields()
    url = await paysim.end(await paysim.open(asked), method="VIRTUAL_ACCOUNT")
    right = {"paymentKey": returned(url)["paymentKey"], "orderId": asked["orderId"], "amount": 15_000}
    assert (await confirm(paysim, **right)).json()["status"] == "WAITING_FOR_DEPOSIT"
    assert await paysim.ledger() == []
    assert (await confirm(paysim, **right)).json()["code"] == "ALREADY_PROCESSED_PAYMENT"
    deposited = await paysim.client.post(f"/toss/payments/{right['paymentKey']}/deposit")
    assert deposited.json()["status"] == "DONE"
    cancel = f"/toss/v1/payments/{right['paymentKey']}/cancel"
    refused = await paysim.client.post(cancel, json={"cancelReason": "x"}, auth=AUTH)
    assert refused.json()["code"] == "INVALID_REFUND_ACCOUNT_INFO"
    assert [line["charged"] for line in await paysim.ledger()] == [True]


async def test_the_dashboard_gives_back_and_only_an_operator_does(
    paysim: Simulator, browser: httpx.AsyncClient
) -> None:
    """pretix#343: a refund that nobody here heard of."""
    asked = fields()
    key = returned(await paysim.end(await paysim.open(asked)))["paymentKey"]
    await confirm(paysim, paymentKey=key, orderId=asked["orderId"], amount=15_000)
    path = f"/toss/payments/{key}/refund"
    assert (await browser.post(path, json={})).status_code == 403
    assert (await paysim.client.post(path, json={"amount": 15_001})).status_code == 400
    assert (await paysim.client.post(path, json={"amount": 5_000})).json()["status"] == "PARTIAL_CANCELED"
    assert (await paysim.client.post(path, json={})).json()["balance"] == 0
    assert (await paysim.client.post(path, json={})).status_code == 400
    assert [line["cancelled"] for line in await paysim.ledger()] == [True]


async def test_the_page_is_a_bank_of_its_own(paysim: Simulator, browser: httpx.AsyncClient) -> None:
    """Its own look and policy; forms go to the shop that opened it and nowhere else; in both languages."""
    window = await paysim.open(fields())
    page = await browser.get(f"/toss/windows/{window}", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert "Test bank" in page.text
    assert "₩15,000" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"form-action 'self' {SHOP};" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    korean = await browser.get(f"/toss/windows/{window}", headers={"Accept-Language": "ko"})
    assert "시험은행" in korean.text
    assert "paysim." not in page.text + korean.text
    for name in ("bank.css", "bank.js", "toss.js"):
        assert (await browser.get(f"/assets/{name}")).status_code == 200
    assert (await browser.get("/assets/..%2Fpage.py")).status_code == 404
    script = await browser.get("/toss/v2/standard")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_a_browser_is_sent_back(paysim: Simulator, browser: httpx.AsyncClient) -> None:
    asked = fields()
    window = await paysim.open(asked)
    answer = await browser.post(f"/toss/windows/{window}/approve", data={"card": "good", "method": "CARD"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(asked["successUrl"])
    other = await browser.post(f"/toss/windows/{window}/close")
    assert other.status_code == 303
    shown = await browser.get(f"/toss/windows/{window}/{other.headers['location']}")
    assert "You have approved" in shown.text
    assert (await browser.get("/toss/windows/nobodys")).status_code == 404
    assert (await browser.post("/nobody/windows", json={})).status_code == 404


async def test_the_shops_page_may_ask_from_another_site(paysim: Simulator, browser: httpx.AsyncClient) -> None:
    for origin, allowed in (("http://127.0.0.1:9999", True), ("https://evil.example", False)):
        answer = await browser.options("/toss/windows", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        answer = await browser.post("/toss/windows", json=fields(), headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
