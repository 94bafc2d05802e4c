"""Toss Payments' window: what it is given, what it comes back with, under which keys it opens (P1, P2, P6, P9, P11)."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import StartupError
from core.payments.gateway import ReturnRefused
from core.payments.provider_package import Limits
from core.payments.toss.adapter_http import TossPayments
from core.payments.toss.composition import open_gateway, open_old_gateway
from core.payments.toss.settings import ProviderSettings
from tests.integration.toss_gateway import gateway_of_simulator as gateway_of_simulator
from tests.integration.toss_gateway import toss
from tests.payment_servers import (
    Simulator,
    a_buyer,
    an_order,
    gateway_at,
    returned,
    urls_of,
)


async def test_what_the_page_is_given(gateway: TossPayments) -> None:
    """P1: order and amount before the window; nothing about the buyer."""
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order))
    assert window.kind == "sdk"
    assert window.script == "/paysim/toss/v2/standard"
    assert (window.client_key or "").startswith("test_ck_")
    assert window.fields == {
        "method": "CARD",
        "amount": {"currency": "KRW", "value": 15_000},
        "orderId": order.number,
        "orderName": "Test night",
        "successUrl": urls_of(order).returned,
        "failUrl": urls_of(order).closed,
        "windowTarget": "self",
    }
    assert "example.com" not in repr(window.fields)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderId": "another1"}, "order_differs"),
        ({"orderId": None}, "order_differs"),
        ({"amount": "14999"}, "amount_differs"),
        ({"amount": "15000.5"}, "amount_differs"),
        ({"amount": "1e4"}, "amount_differs"),
        ({"amount": None}, "amount_differs"),
        ({"paymentKey": None}, "key_missing"),
        ({"paymentKey": "../confirm"}, "key_missing"),
        ({"paymentKey": "k" * 201}, "key_missing"),
    ],
)
def test_a_return_that_was_tampered_with(changes: dict[str, str | None], code: str) -> None:
    """P1: order and amount are compared with ours before anything is bound."""
    gateway, order = toss("http://127.0.0.1:1"), an_order()
    query = {"paymentType": "NORMAL", "orderId": order.number, "paymentKey": "tviva1", "amount": "15000"}
    assert gateway.read_return(order, query, {}).key == "tviva1"
    changed = {name: value for name, value in {**query, **changes}.items() if value is not None}
    with pytest.raises(ReturnRefused) as refused:
        gateway.read_return(order, changed, {})
    assert (refused.value.code, refused.value.closed, refused.value.declined) == (code, False, False)


async def test_a_window_that_was_left_says_how(paysim: Simulator, gateway: TossPayments) -> None:
    for ending, closed in (("close", True), ("decline", False)):
        order = an_order()
        opened = await gateway.open_window(order, a_buyer(), urls_of(order))
        url = await paysim.end(await paysim.open(opened.fields), ending)
        assert url.startswith(urls_of(order).closed + "&")
        with pytest.raises(ReturnRefused) as refused:
            gateway.read_return(order, returned(url), {})
        assert (refused.value.closed, refused.value.declined) == (closed, not closed)
        # As its address says it, for the page of a window that was left.
        assert gateway.is_decline(returned(url)["code"]) is not closed


@pytest.mark.parametrize(
    ("code", "declined", "ours"),
    [
        ("REJECT_CARD_COMPANY", True, False),
        ("A_REFUSAL_THAT_IS_NEW", True, False),
        ("UNAUTHORIZED_KEY", False, True),
        ("INVALID_API_KEY", False, True),
        ("INVALID_CLIENT_KEY", False, True),
        ("NOT_SUPPORTED_METHOD", False, True),
        ("NOT_AVAILABLE_PAYMENT_BY_MERCHANT", False, True),
        ("DUPLICATED_ORDER_ID", False, False),
        ("NOT_FOUND_PAYMENT", False, False),
        ("NOT_FOUND_PAYMENT_SESSION", False, False),
        ("PROVIDER_ERROR", False, False),
        ("PAY_PROCESS_CANCELED", False, False),
        ("USER_CANCEL", False, False),
        ("", False, False),
    ],
)
async def test_what_a_windows_code_says(gateway: TossPayments, code: str, declined: bool, ours: bool) -> None:
    """P9, P11: Toss Payments adds refusals without notice; what is the shop's to mend is no refusal of a card."""
    assert (gateway.is_decline(code), gateway.is_shops_fault(code)) == (declined, ours)
    if code:
        with pytest.raises(ReturnRefused) as refused:
            gateway.read_return(an_order(), {"code": code}, {})
        told = refused.value
        assert (told.closed, told.declined, told.shops_fault) == (not declined, declined, ours)


@pytest.mark.parametrize(
    ("body", "order"),
    [
        (
            b'{"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderId": "abc-def_1a1", "status": "DONE"}}',
            "abc-def_1a1",
        ),
        (b'{"eventType": "DEPOSIT_CALLBACK", "orderId": "abcdef1", "status": "DONE"}', "abcdef1"),
        (b'{"data": {"orderId": "../../x"}}', None),
        (b'{"data": {"orderId": 7}}', None),
        (b'{"data": []}', None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_a_webhook_is_a_hint(body: bytes, order: str | None) -> None:
    """P6."""
    assert toss("http://127.0.0.1:1").read_webhook({}, body) == order


def test_environments_are_accounts_and_not_addresses() -> None:
    """P1: the same account by another spelling of its address is the same; another key, or a played one, is not."""
    limits = Limits(1, 1, 1)

    def environment(**settings: Any) -> str:
        return open_gateway(ProviderSettings(**settings), limits, None).environment

    test = environment(toss_secret="test_sk_a")
    assert test == environment(toss_secret="test_sk_a", toss_url="https://API.tosspayments.com/")
    assert test.startswith("test:")
    assert environment(toss_secret="live_sk_a").startswith("live:")
    assert environment(toss_secret="test_sk_b") != test
    assert "sk_a" not in test
    assert gateway_at("http://127.0.0.1:1/paysim").environment.startswith("played:")
    old = open_old_gateway(ProviderSettings(toss_secret="test_sk_b", toss_old_secret="test_sk_a"), limits)
    assert old is not None
    assert old.environment == test
    assert open_old_gateway(ProviderSettings(toss_secret="test_sk_b"), limits) is None


@pytest.mark.parametrize(("client", "secret"), [("test_ck_a", "live_sk_a"), ("live_ck_a", "test_sk_a")])
def test_a_test_key_beside_a_live_one_does_not_start(client: str, secret: str) -> None:
    """R10, P9: buyers would get to the window, and each payment would be refused."""
    with pytest.raises(StartupError, match="ONSALE_TOSS_CLIENT_KEY and ONSALE_TOSS_SECRET"):
        open_gateway(ProviderSettings(toss_client_key=client, toss_secret=secret), Limits(1, 1, 1), None)
