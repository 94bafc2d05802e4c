"""Toss Payments' adapter against the simulator and against a server that misbehaves (P1, P2, P9, S27, rule 2)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from core.errors import StartupError
from core.payments.gateway import Authorisation, CallHealth, ChargeOutcome, Order, ReturnRefused
from core.payments.provider_package import Limits
from core.payments.toss import codes
from core.payments.toss.adapter_http import TossPayments
from core.payments.toss.composition import open_gateway, open_old_gateway
from core.payments.toss.settings import ProviderSettings
from core.payments.transport_http import ListFailed
from tests.payment_servers import (
    Scripted,
    Simulator,
    a_buyer,
    an_order,
    free_port,
    gateway_at,
    returned,
    urls_of,
)
from tests.waits import PATIENCE

KEY = Authorisation("tviva_key")


@pytest.fixture
async def gateway(paysim: Simulator) -> AsyncIterator[TossPayments]:
    opened = gateway_at(paysim.url)
    yield opened
    await opened.aclose()


def toss(
    url: str, *, secret: str = "test_sk_x", connect: float = 20, read: float = 60, charges: int = 20
) -> TossPayments:
    return TossPayments(
        url=url,
        script="https://js.tosspayments.com/v2/standard",
        client_key="test_ck_x",
        secret=secret,
        environment="test:x",
        played=False,
        limits=Limits(connect, read, charges),
    )


async def refund(
    gateway: TossPayments, order: Order, key: str | None, amount: int | None = None, before: int = 0, name: str = "r1"
) -> Any:
    return await gateway.cancel(
        order, key, amount=amount, refunded_before=before, reason="buyer cancelled", idempotency_key=name
    )


async def test_from_the_window_to_the_refund(paysim: Simulator, gateway: TossPayments) -> None:
    """P2: opened, approved, returned, confirmed, looked up, given back; given back again, it is still once."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.AUTHORISED
    approved = await gateway.confirm(order, authorisation, "k1")
    assert (approved.outcome, approved.health) == (ChargeOutcome.APPROVED, CallHealth.SUCCESS)
    assert (approved.provider_key, approved.balance) == (authorisation.key, order.amount)
    assert approved.receipt is not None
    assert approved.receipt.method == "카드"
    assert approved.receipt.approval_number
    assert approved.receipt.url
    assert approved.receipt.approved_at is not None
    assert await gateway.look_up(order) == approved == await gateway.look_up(order, authorisation.key)
    assert await paysim.charged(order.number) == [(True, False)]
    for _ in range(2):
        cancelled = await refund(gateway, order, approved.provider_key)
        assert (cancelled.outcome, cancelled.balance) == (ChargeOutcome.CANCELLED, 0)
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number) == [(True, True)]


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


async def test_amounts_are_converted(paysim: Simulator, gateway: TossPayments) -> None:
    """Minor units here, the provider's own there: 1550 is 15.5 EUR (which only the simulator takes)."""
    order = an_order(amount=1550, currency="EUR")
    window = await gateway.open_window(order, a_buyer(), urls_of(order))
    assert window.fields["amount"] == {"currency": "EUR", "value": 15.5}
    authorisation = await paysim.authorised(gateway, order)
    assert (await gateway.confirm(order, authorisation, "k1")).balance == 1550
    assert (await refund(gateway, order, authorisation.key, 50)).balance == 1500


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


async def test_parts_are_given_back_once_each(paysim: Simulator, gateway: TossPayments) -> None:
    """P7: a part, the same again (a lost answer), another, then the rest."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await gateway.confirm(order, authorisation, "k1")
    for _ in range(2):
        first = await refund(gateway, order, authorisation.key, 4_000)
        assert (first.outcome, first.balance) == (ChargeOutcome.CANCELLED, 11_000)
        assert first.refund_key
    second = await refund(gateway, order, None, 1_000, 4_000, "r2")
    assert (second.outcome, second.balance) == (ChargeOutcome.CANCELLED, 10_000)
    found = await gateway.look_up(order)
    assert (found.outcome, found.balance) == (ChargeOutcome.APPROVED, 10_000)
    rest = await refund(gateway, order, authorisation.key, None, 5_000, "r3")
    assert (rest.outcome, rest.balance) == (ChargeOutcome.CANCELLED, 0)
    # The answer was lost: the real one says NOT_CANCELABLE_AMOUNT then, and not that all is given back already.
    again = await refund(gateway, order, authorisation.key, None, 5_000, "r3")
    assert (again.outcome, again.balance) == (ChargeOutcome.CANCELLED, 0)
    for key in (authorisation.key, None):
        assert (await gateway.look_up(order, key)).outcome is ChargeOutcome.CANCELLED
    assert (await gateway.void(order, authorisation.key, reason="late", idempotency_key="v1")).balance == 0
    assert [one["amount"] for one in (await paysim.payments(order.number))[0]["refunds"]] == [4_000, 1_000, 10_000]


async def test_a_part_that_the_balance_shows_to_be_made_is_made(paysim: Simulator, gateway: TossPayments) -> None:
    """The last part, made under a key that is forgotten: there is less left than is asked for, and just that much."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await gateway.confirm(order, authorisation, "k1")
    await refund(gateway, order, authorisation.key, 10_000, name="forgotten")
    again = await refund(gateway, order, authorisation.key, 10_000, name="another")
    assert (again.outcome, again.balance) == (ChargeOutcome.CANCELLED, 5_000)
    too_much = await refund(gateway, order, authorisation.key, 12_000, name="third")
    assert (too_much.outcome, too_much.refused) == (ChargeOutcome.UNKNOWN, True)
    assert [one["amount"] for one in (await paysim.payments(order.number))[0]["refunds"]] == [10_000]


async def test_cancelling_without_the_key_finds_it(paysim: Simulator, gateway: TossPayments) -> None:
    """A process that died with the answer left no key behind."""
    order = an_order()
    await gateway.confirm(order, await paysim.authorised(gateway, order), "k1")
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.CANCELLED
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number) == [(True, True)]


async def test_declined_is_an_answer_and_not_a_failure_of_the_provider(
    paysim: Simulator, gateway: TossPayments
) -> None:
    """S24: declined cards are not failures."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order, card="declined")
    result = await gateway.confirm(order, authorisation, "k1")
    assert (result.outcome, result.health) == (ChargeOutcome.DECLINED, CallHealth.SUCCESS)
    assert result.code in codes.DECLINED
    looked_up = await gateway.look_up(order, authorisation.key)
    assert (looked_up.outcome, looked_up.code) == (ChargeOutcome.DECLINED, result.code)
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.NOT_CHARGED
    assert await paysim.charged(order.number) == [(False, False)]


async def test_a_forged_key_burns_nothing(paysim: Simulator, gateway: TossPayments) -> None:
    """P1: the idempotency key is made of order and paymentKey, so the genuine one still works after a forged one."""
    order, other = an_order(), an_order()
    authorisation, others = await paysim.authorised(gateway, order), await paysim.authorised(gateway, other)
    for forged in (Authorisation("tviva_nobodys"), others):
        result = await gateway.confirm(order, forged, f"{order.number}-{forged.key}")
        assert (result.outcome, result.code) == (ChargeOutcome.WRONG_KEY, "NOT_FOUND_PAYMENT_SESSION")
        assert not result.shops_fault
        assert (await gateway.look_up(order, forged.key)).outcome is ChargeOutcome.WRONG_KEY
    genuine = await gateway.confirm(order, authorisation, f"{order.number}-{authorisation.key}")
    assert genuine.outcome is ChargeOutcome.APPROVED
    assert await paysim.charged(other.number) == []


async def test_one_key_of_the_order_alone_would_burn_it(paysim: Simulator, gateway: TossPayments) -> None:
    """The test above without its guard: idempotency knows no body, so the genuine key gets the forged one's no."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await gateway.confirm(order, Authorisation("tviva_nobodys"), order.number)
    assert (await gateway.confirm(order, authorisation, order.number)).outcome is ChargeOutcome.WRONG_KEY
    assert await paysim.charged(order.number) == []


async def test_ten_minutes_after_the_authorisation_it_is_over(paysim: Simulator, gateway: TossPayments) -> None:
    """P9: an expired session is no refusal of anybody's card."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await paysim.rules(session_seconds=0.05)
    await asyncio.sleep(0.1)
    result = await gateway.confirm(order, authorisation, "k1")
    assert (result.outcome, result.code) == (ChargeOutcome.WRONG_KEY, "NOT_FOUND_PAYMENT_SESSION")
    await paysim.rules(window_seconds=0.05)
    assert (await gateway.look_up(order, authorisation.key)).outcome is ChargeOutcome.WRONG_KEY
    assert (await gateway.void(order, None, reason="late", idempotency_key="v1")).outcome is ChargeOutcome.NOT_CHARGED


async def test_a_virtual_account_waits_and_is_given_up(paysim: Simulator, gateway: TossPayments) -> None:
    """P2: WAITING_FOR_DEPOSIT is no payment; it is cancelled before anybody pays to it."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order, method="VIRTUAL_ACCOUNT")
    result = await gateway.confirm(order, authorisation, "k1")
    assert result.outcome is ChargeOutcome.AWAITING_DEPOSIT
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.AWAITING_DEPOSIT
    voided = await gateway.void(order, authorisation.key, reason="virtual account", idempotency_key="v1")
    assert voided.outcome is ChargeOutcome.CANCELLED
    again = await gateway.void(order, authorisation.key, reason="virtual account", idempotency_key="v1")
    assert again.outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number) == []


async def test_what_nobody_confirmed_needs_no_voiding(paysim: Simulator, gateway: TossPayments) -> None:
    order = an_order()
    opened = await gateway.open_window(order, a_buyer(), urls_of(order))
    void = {"reason": "late", "idempotency_key": "v1"}
    assert (await gateway.void(order, None, **void)).outcome is ChargeOutcome.NOT_CHARGED
    window = await paysim.open(opened.fields)
    assert (await gateway.void(order, None, **void)).outcome is ChargeOutcome.NOT_CHARGED
    await paysim.end(window)
    assert (await gateway.void(order, None, **void)).outcome is ChargeOutcome.NOT_CHARGED
    key = returned(await paysim.end(window))["paymentKey"]
    await gateway.confirm(order, Authorisation(key), "k1")
    assert (await gateway.void(order, key, **void)).outcome is ChargeOutcome.CANCELLED


async def test_the_same_confirmation_again_is_the_same_charge(paysim: Simulator, gateway: TossPayments) -> None:
    """Rule 2: ten at once under one idempotency key, one charge."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    results = await asyncio.gather(*(gateway.confirm(order, authorisation, "k1") for _ in range(10)))
    assert {result.outcome for result in results} == {ChargeOutcome.APPROVED}
    assert await paysim.charged(order.number) == [(True, False)]


async def test_a_key_under_way_is_unknown_and_nobodys_fault(paysim: Simulator) -> None:
    impatient, patient, order = gateway_at(paysim.url, read=0.3), gateway_at(paysim.url), an_order()
    authorisation = await paysim.authorised(patient, order)
    await paysim.behave(latency_seconds=100)
    assert (await impatient.confirm(order, authorisation, "k1")).code == "read_timeout"
    second = await patient.confirm(order, authorisation, "k1")
    assert (second.outcome, second.code) == (ChargeOutcome.UNKNOWN, "IDEMPOTENT_REQUEST_PROCESSING")
    assert second.health is CallHealth.IGNORED
    for one in (impatient, patient):
        await one.aclose()


@pytest.mark.parametrize(("card", "outcome"), [("good", ChargeOutcome.APPROVED), ("declined", ChargeOutcome.DECLINED)])
async def test_already_processed_is_answered_with_the_truth(
    paysim: Simulator, gateway: TossPayments, card: str, outcome: ChargeOutcome
) -> None:
    """ALREADY_PROCESSED_PAYMENT only says that somebody was here before; what became of it, the look-up knows."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order, card=card)
    await gateway.confirm(order, authorisation, "one")
    assert (await gateway.confirm(order, authorisation, "another")).outcome is outcome
    assert len(await paysim.charged(order.number)) == 1


async def test_a_temporary_error_is_an_http_400_without_a_charge(paysim: Simulator, gateway: TossPayments) -> None:
    """PROVIDER_ERROR: judged by its code; the look-up proves that nothing was charged. Its key remembers it."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await paysim.behave(error_rate=1)
    result = await gateway.confirm(order, authorisation, "k1")
    assert (result.outcome, result.code, result.temporary) == (ChargeOutcome.NOT_CHARGED, "PROVIDER_ERROR", True)
    assert result.health is CallHealth.FAILURE
    assert await paysim.charged(order.number) == []
    await paysim.behave(error_rate=0)
    assert (await gateway.confirm(order, authorisation, "k1")).code == "PROVIDER_ERROR"
    assert (await gateway.confirm(order, authorisation, "k2")).outcome is ChargeOutcome.APPROVED


async def test_a_hanging_provider_is_unknown_and_the_look_up_knows(paysim: Simulator) -> None:
    """S27: a timeout is an unknown outcome, never a failure. The charge is there."""
    impatient, patient, order = gateway_at(paysim.url, read=0.3), gateway_at(paysim.url), an_order()
    authorisation = await paysim.authorised(patient, order, card="hang")
    result = await impatient.confirm(order, authorisation, "k1")
    assert (result.outcome, result.code, result.health) == (ChargeOutcome.UNKNOWN, "read_timeout", CallHealth.TIMEOUT)
    assert await paysim.charged(order.number) == [(True, False)]
    assert (await patient.look_up(order, authorisation.key)).outcome is ChargeOutcome.APPROVED
    for one in (impatient, patient):
        await one.aclose()


async def test_connection_refused_is_proven_not_charged() -> None:
    gateway, order = toss(f"http://127.0.0.1:{free_port()}"), an_order()
    result = await gateway.confirm(order, KEY, "k1")
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.NOT_CHARGED,
        "connect_failed",
        CallHealth.FAILURE,
    )
    # Not having been able to ask proves nothing.
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.look_up(order, "key")).outcome is ChargeOutcome.UNKNOWN
    assert (await refund(gateway, order, "key")).outcome is ChargeOutcome.UNKNOWN
    assert (await refund(gateway, order, None, 100)).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.void(order, None, reason="x", idempotency_key="v")).outcome is ChargeOutcome.UNKNOWN
    with pytest.raises(ListFailed):
        [line async for line in gateway.list_charges(datetime.now(UTC), datetime.now(UTC))]
    await gateway.aclose()


async def test_no_such_order(gateway: TossPayments) -> None:
    order = an_order()
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.NOT_CHARGED
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.NOT_CHARGED
    assert (await refund(gateway, order, "tgen_nothing")).outcome is ChargeOutcome.NOT_CHARGED


async def test_the_list_tells_charges_with_what_is_left(paysim: Simulator, gateway: TossPayments) -> None:
    """P6: all that was approved in the time, also what was given back since - in the provider's own dashboard too."""
    since = datetime.now(UTC) - timedelta(seconds=5)
    orders = [an_order(amount=1_000 * number) for number in (1, 2, 3)]
    for order in orders:
        await gateway.confirm(order, await paysim.authorised(gateway, order), f"k-{order.number}")
    await refund(gateway, orders[0], None)
    key = (await gateway.look_up(orders[1])).provider_key
    done = await paysim.client.post(f"/toss/payments/{key}/refund", json={"amount": 500})
    assert done.json()["balance"] == 1_500
    listed = {one.order: one async for one in gateway.list_charges(since, datetime.now(UTC) + timedelta(seconds=5))}
    assert {order: (one.amount, one.balance) for order, one in listed.items()} == {
        orders[0].number: (1_000, 0),
        orders[1].number: (2_000, 1_500),
        orders[2].number: (3_000, 3_000),
    }
    assert [one async for one in gateway.list_charges(since - timedelta(days=1), since)] == []


async def test_a_long_list_is_read_to_its_end(
    paysim: Simulator, gateway: TossPayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.payments.toss.adapter_http._PAGE", 2)
    orders = [an_order() for _ in range(5)]
    for order in orders:
        await gateway.confirm(order, await paysim.authorised(gateway, order), f"k-{order.number}")
    since = datetime.now(UTC) - timedelta(seconds=30)
    listed = [one.order async for one in gateway.list_charges(since, since + timedelta(seconds=60))]
    assert listed == [order.number for order in orders]


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


async def test_the_simulator_checks_the_secret(paysim: Simulator) -> None:
    order = an_order()
    right, wrong = gateway_at(paysim.url), gateway_at(paysim.url, toss_secret="test_sk_of_another_shop")
    authorisation = await paysim.authorised(right, order)
    result = await wrong.confirm(order, authorisation, "k1")
    assert (result.code, result.shops_fault) == ("UNAUTHORIZED_KEY", True)
    assert (await right.confirm(order, authorisation, "k1")).outcome is ChargeOutcome.APPROVED
    await right.aclose()
    await wrong.aclose()


async def test_the_request_is_as_toss_payments_documents_it(script: Scripted) -> None:
    """Basic auth with the secret key and no password; the caller's Idempotency-Key."""
    script.says(b"{}")
    gateway, order = toss(script.url, secret="test_sk_abc"), an_order()
    await gateway.confirm(order, Authorisation("tviva20240101"), "key-of-order-and-payment")
    head, _, body = script.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/payments/confirm HTTP/1.1")
    lines = {line.split(b": ")[0].lower(): line.split(b": ")[1] for line in head.split(b"\r\n")[1:]}
    assert lines[b"authorization"] == b"Basic " + base64.b64encode(b"test_sk_abc:")
    assert lines[b"idempotency-key"] == b"key-of-order-and-payment"
    assert orjson.loads(body) == {"paymentKey": "tviva20240101", "orderId": order.number, "amount": 15000}
    await gateway.aclose()


async def test_a_full_pool_is_not_the_providers_fault(paysim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every connection of ours hanging, a further charge is proven not sent."""
    monkeypatch.setattr("core.payments.transport_http._SPARE_CONNECTIONS", 0)
    patient, order = gateway_at(paysim.url), an_order()
    hanging_key, key = (
        await paysim.authorised(patient, order, card="hang"),
        await paysim.authorised(patient, an_order()),
    )
    gateway = toss(f"{paysim.url}/toss", charges=1, connect=1, read=PATIENCE, secret=_secret(patient))
    hanging = asyncio.create_task(gateway.confirm(order, hanging_key, "k1"))
    async with asyncio.timeout(PATIENCE):
        while not await paysim.ledger():
            await asyncio.sleep(0.01)
    result = await gateway.confirm(an_order(), key, "k2")
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.NOT_CHARGED,
        "pool_full",
        CallHealth.IGNORED,
    )
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await gateway.aclose()
    await patient.aclose()


async def test_look_ups_get_through_while_every_charge_hangs(paysim: Simulator) -> None:
    """S27: the resolver must be able to ask about the very charges that hang."""
    patient, order = gateway_at(paysim.url), an_order()
    authorisation = await paysim.authorised(patient, order, card="hang")
    gateway = toss(f"{paysim.url}/toss", charges=1, connect=PATIENCE, read=PATIENCE, secret=_secret(patient))
    hanging = asyncio.create_task(gateway.confirm(order, authorisation, "k1"))
    async with asyncio.timeout(PATIENCE):
        while not await paysim.ledger():
            await asyncio.sleep(0.01)
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.APPROVED
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await gateway.aclose()
    await patient.aclose()


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


def _secret(gateway: TossPayments) -> str:
    header = gateway._http._headers["Authorization"]
    return base64.b64decode(header.removeprefix("Basic ")).decode().removesuffix(":")
