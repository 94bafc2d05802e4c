"""Toss Payments' adapter against the simulator and against a server that misbehaves (P1, P2, P9, S27, rule 2)."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime

import orjson
import pytest

from core.payments.gateway import Authorisation, CallHealth, ChargeOutcome
from core.payments.toss import codes
from core.payments.toss.adapter_http import TossPayments
from core.payments.transport_http import ListFailed
from tests.integration.toss_gateway import KEY, refund, toss
from tests.integration.toss_gateway import gateway_of_simulator as gateway_of_simulator
from tests.payment_servers import (
    Scripted,
    Simulator,
    a_buyer,
    an_order,
    free_port,
    gateway_at,
    urls_of,
)
from tests.waits import PATIENCE


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


async def test_amounts_are_converted(paysim: Simulator, gateway: TossPayments) -> None:
    """Minor units here, the provider's own there: 1550 is 15.5 EUR (which only the simulator takes)."""
    order = an_order(amount=1550, currency="EUR")
    window = await gateway.open_window(order, a_buyer(), urls_of(order))
    assert window.fields["amount"] == {"currency": "EUR", "value": 15.5}
    authorisation = await paysim.authorised(gateway, order)
    assert (await gateway.confirm(order, authorisation, "k1")).balance == 1550
    assert (await refund(gateway, order, authorisation.key, 50)).balance == 1500


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


async def test_the_same_confirmation_again_is_the_same_charge(paysim: Simulator, gateway: TossPayments) -> None:
    """Rule 2: ten at once under one idempotency key, one charge."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    results = await asyncio.gather(*(gateway.confirm(order, authorisation, "k1") for _ in range(10)))
    assert {result.outcome for result in results} == {ChargeOutcome.APPROVED}
    assert await paysim.charged(order.number) == [(True, False)]


async def test_a_key_under_way_is_unknown_and_nobodys_fault(paysim: Simulator) -> None:
    impatient, patient, order = gateway_at(paysim.url, read=2.0), gateway_at(paysim.url), an_order()
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
    impatient, patient, order = gateway_at(paysim.url, read=2.0), gateway_at(paysim.url), an_order()
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


def _secret(gateway: TossPayments) -> str:
    header = gateway._http._headers["Authorization"]
    return base64.b64decode(header.removeprefix("Basic ")).decode().removesuffix(":")
