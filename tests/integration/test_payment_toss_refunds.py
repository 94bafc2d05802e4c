"""What Toss Payments gives back, lets go of, and lists afterwards (P2, P6, P7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.payments.gateway import Authorisation, ChargeOutcome
from core.payments.toss.adapter_http import TossPayments
from tests.integration.toss_gateway import gateway_of_simulator as gateway_of_simulator
from tests.integration.toss_gateway import refund
from tests.payment_servers import (
    Simulator,
    a_buyer,
    an_order,
    returned,
    urls_of,
)


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
