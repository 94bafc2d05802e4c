"""P6: the provider's own list against our books, on the real stores and against the strict simulator.

What differs is found once, told, survives a restart, and one press each makes ledger, database and export the same.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from core.booking.attempt import order_number
from core.booking.comparison import Kind
from core.booking.findings_postgres import Found
from core.booking.refund import RefundAsked
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.question import Question
from core.embedded import Engines
from core.errors import FindingNotFound
from core.runtime import Runtime, open_runtime
from core.seats.board import SeatState
from core.settings import Settings
from tests.booking import rows, until
from tests.conftest import MakeEvent
from tests.integration.compared_shop import (
    PRICE,
    agrees,
    bought,
    exported,
    found_of,
    in_dashboard,
    one_found,
    stray,
)
from tests.integration.compared_shop import compared_shop as compared_shop
from tests.integration.compared_shop import simulator_of_file as simulator_of_file
from tests.payment_servers import Simulator

pytestmark = pytest.mark.usefixtures("patient")


async def test_what_agrees_is_no_finding(shop: Runtime, paysim: Simulator, make_event: MakeEvent) -> None:
    event = await make_event()
    paid = await bought(shop, paysim, event, 1, 2)
    await shop.checkout.cancel(paid.id, paid.visitor, [1])
    assert paid.payment is not None

    async def given_back() -> bool:
        return await exported(shop, paid.payment.order) == PRICE if paid.payment else False

    await until(given_back)
    (made,) = await shop.comparing.compare()
    assert (made.provider, made.code) == ("toss", None)
    assert made.charges >= 1
    assert await found_of(shop, paid.payment.order) == []
    assert await agrees(shop, paysim, paid.payment.order) == PRICE


async def test_a_refund_in_the_dashboard_is_found_told_once_and_noted(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent, settings: Settings, stores: Engines
) -> None:
    """A refund in the dashboard that nobody here heard of (pretix#343)."""
    event = await make_event()
    paid = await bought(shop, paysim, event, 3, 4)
    assert paid.payment is not None
    order = paid.payment.order
    await in_dashboard(paysim, order)
    found = await one_found(shop, order)
    assert (found.kind, found.state, found.left_there, found.left_here) == (
        Kind.REFUNDED_THERE,
        "OPEN",
        0,
        2 * PRICE,
    )
    # Kept in PostgreSQL: another process knows it, and compares without telling it again.
    async with open_runtime(shop.settings, stores) as restarted:
        (again,) = [one for one in await restarted.comparing.compare() if one.provider == "toss"]
        assert (again.differing >= 1, again.new) == (True, 0)
        assert (await found_of(restarted, order))[0].id == found.id
        # The watch tells it, and the diagnosis names it with its order.
        seen = await HealthCheck(
            database=restarted.database,
            redis=restarted.redis,
            events=restarted.events,
            payments=restarted.payments,
            clock=restarted.clock,
            groups=restarted.pipeline.groups,
            vitals=restarted.vitals,
        ).run()
        assert (order, "fail") in [(who, one.level) for who, one in seen.wrong if one.cause is Cause.PROVIDER_DIFFERS]
        diagnosed = await restarted.diagnose.run(Question())
        assert any(one.cause is Cause.PROVIDER_DIFFERS and order in one.detail for one in diagnosed.findings)
    mended = await shop.mending.mend(found.id, "kim")
    assert (mended.state, mended.ended_by) == ("MENDED", "kim")
    assert await agrees(shop, paysim, order) == 0
    now = await shop.checkout.get(paid.id, paid.visitor)
    assert (now.status, now.reason) == ("CANCELLED", "cancelled_by_operator")

    async def on_sale() -> bool:
        states = (await shop.seats.board(event)).states
        return states[3] == states[4] == SeatState.AVAILABLE

    await until(on_sale)
    # Pressed again, by whomever: nothing happens twice.
    assert (await shop.mending.mend(found.id, "lee")).ended_by == "kim"
    await shop.comparing.compare()
    assert [one.state for one in await found_of(shop, order)] == ["MENDED"]
    assert len(await rows(shop, "SELECT FROM refunds WHERE order_no = $1", order)) == 1
    assert not any(
        one.cause is Cause.PROVIDER_DIFFERS and order in one.detail
        for one in (await shop.diagnose.run(Question())).findings
    )


async def test_a_part_given_back_in_the_dashboard_keeps_the_ticket(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent
) -> None:
    event = await make_event()
    paid = await bought(shop, paysim, event, 5)
    assert paid.payment is not None
    order = paid.payment.order
    await in_dashboard(paysim, order, amount=4_000)
    found = await one_found(shop, order)
    await shop.mending.mend(found.id, "kim")
    assert await agrees(shop, paysim, order) == PRICE - 4_000
    assert (await shop.checkout.get(paid.id, paid.visitor)).status == "CONFIRMED"
    # Another refund there is another finding; the rest follows, and cancels.
    await in_dashboard(paysim, order)
    again = await one_found(shop, order)
    assert (again.state, again.left_there) == ("OPEN", 0)
    await shop.mending.mend(again.id, "kim")
    assert await agrees(shop, paysim, order) == 0
    assert (await shop.checkout.get(paid.id, paid.visitor)).status == "CANCELLED"


async def test_what_is_left_of_a_cancelled_reservation_is_noted_too(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent
) -> None:
    """A fee was kept, and then given back in the dashboard."""
    paid = await bought(shop, paysim, await make_event(), 6)
    assert paid.payment is not None
    order = paid.payment.order
    await shop.checkout.refund(paid.id, RefundAsked(key="f", reason="sorry", asked_by="kim", fee=1_000))

    async def one_thousand_left() -> bool:
        return await exported(shop, order) == 1_000

    await until(one_thousand_left)
    await in_dashboard(paysim, order)
    found = await one_found(shop, order)
    assert (found.left_there, found.left_here) == (0, 1_000)
    await shop.mending.mend(found.id, "kim")
    assert await agrees(shop, paysim, order) == 0


async def test_a_charge_without_an_attempt_is_given_back(shop: Runtime, paysim: Simulator) -> None:
    order = await stray(paysim)
    found = await one_found(shop, order)
    assert (found.kind, found.reservation_id, found.amount_here) == (Kind.NO_ATTEMPT, None, 0)
    await shop.mending.mend(found.id, "kim")
    assert await paysim.charged(order) == [(True, True)]
    await shop.comparing.compare()
    assert [one.state for one in await found_of(shop, order)] == ["MENDED"]


async def test_what_somebody_mends_in_the_dashboard_is_gone(shop: Runtime, paysim: Simulator) -> None:
    order = await stray(paysim)
    found = await one_found(shop, order)
    await in_dashboard(paysim, order)
    await shop.comparing.compare()
    assert (await shop.findings.get(found.id) or found).state == "GONE"


async def test_a_charge_of_an_attempt_that_is_over_is_owed_back(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent
) -> None:
    """Our books say that it failed (a restored backup, a wrong answer), and the money is there."""
    paid = await bought(shop, paysim, await make_event(), 7)
    assert paid.payment is not None
    order = paid.payment.order
    await rows(shop, "UPDATE payment_attempts SET state = 'VOIDED', approved_at = NULL WHERE order_no = $1", order)
    await rows(shop, "UPDATE reservations SET status = 'FAILED', reason = 'not_charged' WHERE id = $1", paid.id)
    found = await one_found(shop, order)
    assert found.kind is Kind.ATTEMPT_OVER
    await shop.mending.mend(found.id, "kim")

    async def gone() -> bool:
        return (await paysim.charged(order)) == [(True, True)]

    await until(gone)

    async def booked() -> bool:
        (row,) = await rows(shop, "SELECT state FROM refunds WHERE order_no = $1", order)
        return bool(row["state"] == "DONE")

    await until(booked)
    assert await exported(shop, order) == 0


async def test_a_refund_that_was_never_made_is_made(shop: Runtime, paysim: Simulator, make_event: MakeEvent) -> None:
    """pretix#6376: the books say that it went back, and the provider has it still."""
    paid = await bought(shop, paysim, await make_event(), 8)
    assert paid.payment is not None
    order = paid.payment.order
    await rows(
        shop,
        "INSERT INTO refunds (order_no, reservation_id, kind, cause, amount, reason, asked_by, state, done_at) "
        "VALUES ($1, $2, 'refund', 'x', 5000, 'x', 'x', 'DONE', now() - interval '1 hour')",
        order,
        paid.id,
    )
    await rows(shop, "UPDATE payment_attempts SET refunded = 5000 WHERE order_no = $1", order)
    found = await one_found(shop, order)
    assert (found.kind, found.left_there, found.left_here) == (Kind.NOT_GIVEN_BACK, PRICE, PRICE - 5_000)
    await shop.mending.mend(found.id, "kim")
    assert await agrees(shop, paysim, order) == PRICE - 5_000


@pytest.mark.parametrize("ours", [PRICE - 3_000, PRICE + 3_000])
async def test_an_amount_that_differs_is_levelled(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent, ours: int
) -> None:
    """Charged more: the difference goes back. Charged less: our books take it over."""
    paid = await bought(shop, paysim, await make_event(), 9)
    assert paid.payment is not None
    order = paid.payment.order
    await rows(shop, "UPDATE payment_attempts SET amount = $2 WHERE order_no = $1", order, ours)
    await rows(shop, "UPDATE reservations SET amount = $2 WHERE id = $1", paid.id, ours)
    found = await one_found(shop, order)
    assert (found.kind, found.amount_there, found.amount_here) == (Kind.AMOUNT_DIFFERS, PRICE, ours)
    await shop.mending.mend(found.id, "kim")
    assert await agrees(shop, paysim, order) == min(ours, PRICE)
    await shop.comparing.compare()
    assert [one.state for one in await found_of(shop, order)] == ["MENDED"]


async def test_a_webhook_of_a_dashboard_refund_is_followed_at_once(
    shop: Runtime, paysim: Simulator, make_event: MakeEvent
) -> None:
    """It is a hint: what is written down is what the look-up says."""
    paid = await bought(shop, paysim, await make_event(), 10)
    assert paid.payment is not None
    order = paid.payment.order
    await in_dashboard(paysim, order, amount=1_000)
    await shop.checkout.hint("toss", order)

    async def seen() -> list[Found]:
        return await found_of(shop, order)

    (found,) = await until(seen)
    assert (found.kind, found.left_there) == (Kind.REFUNDED_THERE, PRICE - 1_000)


async def test_closed_by_hand_and_unknown(shop: Runtime, paysim: Simulator) -> None:
    order = await stray(paysim)
    found = await one_found(shop, order)
    closed = await shop.mending.mend(found.id, "kim", by_hand=True)
    assert (closed.state, await paysim.charged(order)) == ("MENDED", [(True, False)])
    with pytest.raises(FindingNotFound):
        await shop.mending.mend(uuid4(), "kim")
    # It is still there: the next comparison opens it anew.
    assert (await one_found(shop, order)).state == "OPEN"
    assert order_number(uuid4(), 1) != order
