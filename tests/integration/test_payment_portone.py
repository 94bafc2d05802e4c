"""PortOne's adapter against a server that answers as its documents and its SDK say (P4, P6, P9)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from core.errors import StartupError
from core.payments.composition import open_provider
from core.payments.gateway import Authorisation, CallHealth, ChargeOutcome, Order, ReturnRefused
from core.payments.portone.adapter_http import PortOne
from core.payments.portone.composition import open_gateway, open_old_gateway
from core.payments.portone.settings import ProviderSettings
from core.payments.provider_package import Limits
from core.payments.registry import PROVIDERS
from core.payments.transport_http import ListFailed
from core.settings import Settings
from tests.payment_servers import Scripted, a_buyer, an_order, free_port, urls_of

TOKEN = Authorisation("token-1", {"txId": "tx-1"})
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of tests").decode()


@pytest.fixture
async def gateway(script: Scripted) -> AsyncIterator[PortOne]:
    opened = portone(script.url)
    yield opened
    await opened.aclose()


def portone(url: str, **changes: Any) -> PortOne:
    fields = {"webhook_secret": WEBHOOK_SECRET, "limits": Limits(20, 60, 20), **changes}
    return PortOne(
        url=url,
        script="https://cdn.portone.io/v2/browser-sdk.js",
        store="store-1",
        channel="channel-key-1",
        secret="api-secret",
        environment="live:x",
        **fields,
    )


def payment(order: Order, status: str, **changes: Any) -> dict[str, Any]:
    """A payment as `GET /payments/{paymentId}` answers it."""
    now = datetime.now(UTC).isoformat()
    channel = {
        "type": "TEST",
        "id": "c",
        "key": "channel-key-1",
        "name": "card",
        "pgProvider": "X",
        "pgMerchantId": "m",
    }
    amount = dict.fromkeys(("taxFree", "discount", "cancelled", "cancelledTaxFree"), 0)
    whole = {
        "status": status,
        "id": order.number,
        "transactionId": "tx-1",
        "merchantId": "m",
        "storeId": "store-1",
        "channel": channel,
        "version": "V2",
        "requestedAt": now,
        "updatedAt": now,
        "statusChangedAt": now,
        "orderName": order.name,
        "amount": {**amount, "total": order.amount, "paid": order.amount},
        "currency": order.currency,
        "customer": {},
        "origin": {"platformType": "MOBILE", "ipAddress": "192.0.2.1"},
        "disputes": [],
        "paidAt": now,
        "cancelledAt": now,
        "cancellations": [],
        "failedAt": now,
        "failure": {"reason": "limit", "pgCode": "REJECT_CARD_PAYMENT", "pgMessage": "limit"},
        "issuedAt": now,
        "method": {"type": "PaymentMethodCard", "approvalNumber": "00001234"},
        "receiptUrl": "https://receipt.example/1",
    }
    return {**whole, **changes}


async def refund(gateway: PortOne, order: Order, amount: int | None = None, before: int = 0) -> Any:
    return await gateway.cancel(order, "tx-1", amount=amount, refunded_before=before, reason="x", idempotency_key="r1")


async def test_what_the_page_is_given(gateway: PortOne) -> None:
    """Manual approval: the window only authorises; on every device the browser comes back by `redirectUrl`."""
    order = an_order()
    window = await gateway.open_window(order, a_buyer("phone"), urls_of(order, "portone"))
    assert (window.kind, window.script) == ("sdk", "https://cdn.portone.io/v2/browser-sdk.js")
    assert window.fields["paymentId"] == order.number
    assert window.fields["totalAmount"] == 15_000
    assert window.fields["redirectUrl"] == urls_of(order, "portone").returned
    assert window.fields["forceRedirect"] is True
    assert (window.fields["storeId"], window.fields["channelKey"]) == ("store-1", "channel-key-1")
    assert "example.com" not in repr(window.fields)


def test_the_return_is_read() -> None:
    gateway, order = portone("http://127.0.0.1:1"), an_order()
    query = {"paymentId": order.number, "txId": "tx-1", "paymentToken": "token-1", "transactionType": "PAYMENT"}
    assert gateway.read_return(order, query, {}) == TOKEN
    for changes, code, closed in (
        ({"paymentId": "another"}, "order_differs", False),
        ({"paymentToken": ""}, "key_missing", False),
        ({"paymentToken": "t" * 1001}, "key_missing", False),
        ({"code": "FAILURE_TYPE_PG", "pgCode": "PAY_PROCESS_CANCELED"}, "FAILURE_TYPE_PG", True),
        ({"code": "FAILURE_TYPE_PG", "pgCode": "REJECT_CARD_COMPANY"}, "FAILURE_TYPE_PG", False),
        # The shop's own mistake is no refusal of a card (P9).
        ({"code": "CHANNEL_NOT_FOUND"}, "CHANNEL_NOT_FOUND", True),
    ):
        with pytest.raises(ReturnRefused) as refused:
            gateway.read_return(order, {**query, **changes}, {})
        assert (refused.value.code, refused.value.closed) == (code, closed)
        assert refused.value.shops_fault is (code == "CHANNEL_NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("PAID", ChargeOutcome.APPROVED),
        ("PARTIAL_CANCELLED", ChargeOutcome.APPROVED),
        ("CANCELLED", ChargeOutcome.CANCELLED),
        ("FAILED", ChargeOutcome.DECLINED),
        ("READY", ChargeOutcome.NOT_CHARGED),
        ("PAY_PENDING", ChargeOutcome.AUTHORISED),
        ("VIRTUAL_ACCOUNT_ISSUED", ChargeOutcome.AWAITING_DEPOSIT),
        ("SOMETHING_NEW", ChargeOutcome.UNKNOWN),
    ],
)
async def test_what_each_status_proves(script: Scripted, gateway: PortOne, status: str, outcome: ChargeOutcome) -> None:
    order = an_order()
    script.says(orjson.dumps(payment(order, status)))
    found = await gateway.look_up(order)
    assert found.outcome is outcome
    if outcome is ChargeOutcome.AUTHORISED:
        assert found.provider_key is None, "only the return brings what is confirmed (docs/going-live.md)"
    if outcome is ChargeOutcome.APPROVED:
        assert found.receipt is not None
        assert found.receipt.method == "Card"
        assert found.receipt.approval_number == "00001234"
        assert found.receipt.url == "https://receipt.example/1"
        assert found.receipt.approved_at is not None


async def test_another_amount_currency_or_order_is_never_taken_for_ours(script: Scripted, gateway: PortOne) -> None:
    order = an_order()
    paid = payment(order, "PAID")
    for changed in ({"amount": {**paid["amount"], "total": 150}}, {"currency": "USD"}):
        script.says(orjson.dumps({**paid, **changed}))
        found = await gateway.look_up(order)
        assert (found.outcome, found.code) == (ChargeOutcome.UNKNOWN, "amount_differs")
    script.says(orjson.dumps({**paid, "id": "another"}))
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.UNKNOWN


async def test_the_request_is_as_portone_documents_it(script: Scripted, gateway: PortOne) -> None:
    """The confirmation sends our amount, for PortOne to compare; its own answer is looked at afterwards."""
    order = an_order()
    script.says(orjson.dumps({"payment": {"pgTxId": "pg-1", "paidAt": datetime.now(UTC).isoformat()}}))
    result = await gateway.confirm(order, TOKEN, "k1")
    head, _, body = script.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /payments/{order.number}/confirm HTTP/1.1".encode())
    assert b"authorization: portone api-secret" in head.lower()
    assert orjson.loads(body) == {
        "storeId": "store-1",
        "paymentToken": "token-1",
        "txId": "tx-1",
        "currency": "KRW",
        "totalAmount": 15_000,
    }
    # The script's answer is of no look-up's form, so what the confirmation said stands alone.
    assert result.outcome in (ChargeOutcome.APPROVED, ChargeOutcome.UNKNOWN)


@pytest.mark.parametrize(
    ("type_", "outcome", "fault"),
    [
        ("INVALID_PAYMENT_TOKEN", ChargeOutcome.WRONG_KEY, False),
        ("INFORMATION_MISMATCH", ChargeOutcome.WRONG_KEY, False),
        ("PAYMENT_NOT_FOUND", ChargeOutcome.WRONG_KEY, False),
        ("UNAUTHORIZED", ChargeOutcome.NOT_CHARGED, True),
        ("FORBIDDEN", ChargeOutcome.NOT_CHARGED, True),
        ("A_TYPE_OF_NEXT_YEAR", ChargeOutcome.UNKNOWN, False),
    ],
)
async def test_what_an_error_proves(
    script: Scripted, gateway: PortOne, type_: str, outcome: ChargeOutcome, fault: bool
) -> None:
    """P9: the shop's own mistakes are never a declined card."""
    script.says(orjson.dumps({"type": type_, "message": "?"}), status="401 Unauthorized")
    result = await gateway.confirm(an_order(), TOKEN, "k1")
    assert (result.outcome, result.shops_fault) == (outcome, fault)


async def test_a_refund_carries_the_balance_that_it_expects(script: Scripted, gateway: PortOne) -> None:
    order = an_order()
    made = {"status": "SUCCEEDED", "id": "c1", "totalAmount": 4_000, "taxFreeAmount": 0, "vatAmount": 0, "reason": "x"}
    made["requestedAt"] = datetime.now(UTC).isoformat()
    script.says(orjson.dumps({"cancellation": made}))
    result = await refund(gateway, order, 4_000, 1_000)
    assert (result.outcome, result.balance, result.refund_key) == (ChargeOutcome.CANCELLED, 10_000, "c1")
    body = orjson.loads(script.requests[0].partition(b"\r\n\r\n")[2])
    assert body == {"storeId": "store-1", "amount": 4_000, "reason": "x", "currentCancellableAmount": 14_000}
    await refund(gateway, order)
    body = orjson.loads(script.requests[1].partition(b"\r\n\r\n")[2])
    assert body == {"storeId": "store-1", "reason": "x"}
    script.says(orjson.dumps({"cancellation": {**made, "status": "REQUESTED"}}))
    waiting = await refund(gateway, order)
    assert (waiting.outcome, waiting.temporary, waiting.refused) == (ChargeOutcome.UNKNOWN, True, False)
    for type_, outcome in (
        ("PAYMENT_ALREADY_CANCELLED", ChargeOutcome.CANCELLED),
        ("PAYMENT_NOT_PAID", ChargeOutcome.NOT_CHARGED),
        ("CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN", ChargeOutcome.UNKNOWN),
    ):
        script.says(orjson.dumps({"type": type_, "storeId": "s", "amount": 1}), status="409 Conflict")
        assert (await refund(gateway, order, 100)).outcome is outcome


async def test_nothing_is_proven_by_silence(script: Scripted, gateway: PortOne) -> None:
    order = an_order()
    script.answer = None
    lost = await gateway.confirm(order, TOKEN, "k1")
    assert (lost.outcome, lost.code) == (ChargeOutcome.UNKNOWN, "connection_lost")
    assert len(script.requests) == 1
    for body in (b"<html>", b"[]", b"{}"):
        script.says(body)
        assert (await gateway.look_up(order)).outcome is ChargeOutcome.UNKNOWN
    away = portone(f"http://127.0.0.1:{free_port()}")
    refused = await away.confirm(order, TOKEN, "k1")
    assert (refused.outcome, refused.code, refused.health) == (
        ChargeOutcome.NOT_CHARGED,
        "connect_failed",
        CallHealth.FAILURE,
    )
    assert (await refund(away, order)).outcome is ChargeOutcome.UNKNOWN
    with pytest.raises(ListFailed):
        [one async for one in away.list_charges(datetime.now(UTC), datetime.now(UTC))]
    await away.aclose()


async def test_a_slow_answer_has_our_end_and_not_the_sdks(script: Scripted) -> None:
    """The SDK waits a minute; a buyer does not."""
    impatient = portone(script.url, limits=Limits(1, 0.3, 20))
    assert impatient._sdk._async_client.timeout.read == 0.3
    script.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    result = await impatient.confirm(an_order(), TOKEN, "k1")
    assert result.outcome is ChargeOutcome.UNKNOWN
    await impatient.aclose()


async def test_the_list(script: Scripted, gateway: PortOne) -> None:
    order, now = an_order(), datetime.now(UTC)
    paid = payment(order, "PARTIAL_CANCELLED")
    paid["amount"]["cancelled"] = 4_000
    items = [{"payment": paid, "cursor": "1"}, {"payment": payment(an_order(), "READY"), "cursor": "2"}]
    script.says(orjson.dumps({"items": items}))
    listed = [one async for one in gateway.list_charges(now - timedelta(hours=1), now + timedelta(minutes=1))]
    assert [(one.order, one.amount, one.balance) for one in listed] == [(order.number, 15_000, 11_000)]
    assert [one async for one in gateway.list_charges(now - timedelta(hours=2), now - timedelta(hours=1))] == []


def test_a_webhook_is_believed_when_it_is_signed() -> None:
    """P6: Standard Webhooks; without a secret any hint is taken, since it is only a hint."""
    body = orjson.dumps({"type": "Transaction.Paid", "timestamp": "x", "data": {"paymentId": "abcdef1a1"}})
    stamp = str(int(time.time()))
    made = hmac.digest(b"a secret of tests", f"msg_1.{stamp}.{body.decode()}".encode(), hashlib.sha256)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": f"v1,{base64.b64encode(made).decode()}",
    }
    signed, open_ = portone("http://127.0.0.1:1"), portone("http://127.0.0.1:1", webhook_secret="")
    assert signed.read_webhook(headers, body) == "abcdef1a1"
    assert signed.read_webhook({**headers, "Webhook-Id": "msg_2"}, body) is None
    assert signed.read_webhook({}, body) is None
    assert open_.read_webhook({}, body) == "abcdef1a1"
    for nonsense in (b"", b"\xff", b"[]", b'{"data": {"paymentId": 1}}'):
        assert open_.read_webhook({}, nonsense) is None


def test_settings_and_environments() -> None:
    limits = Limits(1, 1, 1)
    given: dict[str, Any] = {
        "portone_client_key": "store-1",
        "portone_channel_key": "channel-key-1",
        "portone_secret": "a",
    }
    opened = open_provider(PROVIDERS["portone"], Settings(**given), limits)
    assert opened.environment.startswith("live:")
    assert opened.environment == open_gateway(ProviderSettings(**given), limits, None).environment
    for missing in given:
        with pytest.raises(StartupError, match=f"ONSALE_{missing.upper()} is empty"):
            open_provider(PROVIDERS["portone"], Settings(**{**given, missing: ""}), limits)
    old = open_old_gateway(ProviderSettings(**{**given, "portone_secret": "b", "portone_old_secret": "a"}), limits)
    assert old is not None
    assert old.environment == opened.environment
