"""P6: the provider's own list against our books, on the real stores and against the strict simulator.

What differs is found once, told, survives a restart, and one press each makes ledger, database and export the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.booking.attempt import order_number
from core.booking.books_postgres import movements
from core.booking.comparing import Comparing
from core.booking.comparison import Kind
from core.booking.findings_postgres import FindingRows, Found
from core.booking.refund import RefundAsked
from core.booking.reservation import Reservation
from core.diagnosis import money_postgres
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.question import Question
from core.embedded import Engines
from core.errors import FindingNotFound, NotMended
from core.runtime import Runtime, open_runtime
from core.seats.board import SeatState
from core.settings import Settings
from core.venue.event import Event
from tests.booking import rows, until
from tests.conftest import MakeEvent
from tests.payment_servers import Simulator, an_order, gateway_at, returned, simulator, urls_of

PRICE = 15_000


@pytest.fixture(scope="module")
async def paysim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path_factory.mktemp("compared") / "paysim.sqlite3") as running:
        yield running


@pytest.fixture
async def shop(settings: Settings, stores: Engines, paysim: Simulator) -> AsyncIterator[Runtime]:
    own = settings.model_copy(
        update={"simulator_url": paysim.url, "payment": "simulator:toss", "resolver_seconds": 0.05}
    )
    async with open_runtime(own, stores) as opened:
        await rows(opened, "DELETE FROM payment_findings")
        await rows(opened, "DELETE FROM provider_lists")
        yield opened
        await opened.supervisor.drain(0)


async def bought(shop: Runtime, paysim: Simulator, event: Event, *seats: int) -> Reservation:
    """A confirmed reservation, paid through the window."""
    visitor = f"v-{uuid4().hex[:8]}"
    await shop.waiting_room.join(event, visitor)
    await shop.seats.hold(event, visitor, seats)
    begun = await shop.checkout.submit(
        event, visitor, idempotency_key="k", email="kim@example.org", language="en", provider=None
    )
    assert begun.payment is not None
    order = an_order()
    window = await shop.checkout.open_window(
        begun.payment.order, device="pc", urls=urls_of(type(order)(begun.payment.order, begun.amount, "KRW", ""))
    )
    await shop.checkout.returned(begun.payment.order, returned(await paysim.approved(window)), {})

    async def confirmed() -> Reservation | None:
        now = await shop.checkout.get(begun.id, visitor)
        return now if now.status == "CONFIRMED" else None

    return await until(confirmed)


async def key_of(paysim: Simulator, order: str) -> str:
    return str((await paysim.payments(order))[-1]["payment_key"])


async def in_dashboard(paysim: Simulator, order: str, **body: Any) -> None:
    answer = await paysim.client.post(f"/toss/payments/{await key_of(paysim, order)}/refund", json=body)
    assert answer.status_code == 200, answer.text


async def found_of(shop: Runtime, order: str) -> list[Found]:
    return [one for one in await shop.findings.latest(500) if one.order == order]


async def one_found(shop: Runtime, order: str) -> Found:
    await shop.comparing.compare()
    (found,) = await found_of(shop, order)
    return found


async def exported(shop: Runtime, order: str) -> int:
    """What the export of the books says is left of the order."""
    text = "".join([piece async for piece in movements(shop.database, event_id=None, since=None, before=None)])
    lines = [one for one in csv.DictReader(io.StringIO(text)) if one["order"] == order]
    return sum(int(one["amount"]) for one in lines if one["state"] == "DONE")


async def agrees(shop: Runtime, paysim: Simulator, order: str) -> int:
    """What is left of the order: the same in the ledger, in the database and in the export."""
    ledger = sum(one["balance"] for one in await paysim.payments(order))
    (row,) = await rows(
        shop,
        "SELECT a.amount - a.refunded AS left, (SELECT coalesce(sum(amount), 0) FROM refunds f "
        "WHERE f.order_no = a.order_no AND f.state = 'DONE') AS done, a.amount FROM payment_attempts a "
        "WHERE order_no = $1",
        order,
    )
    assert row["left"] == row["amount"] - row["done"] == ledger == await exported(shop, order)
    return int(ledger)


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


async def stray(paysim: Simulator) -> str:
    """A charge at the provider whose order nobody here knows."""
    gateway, order = gateway_at(paysim.url), an_order()
    charged = await gateway.confirm(order, await paysim.authorised(gateway, order), uuid4().hex)
    assert charged.outcome == "approved"
    await gateway.aclose()
    return order.number


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


async def test_a_provider_that_is_away_is_said_and_nothing_is_lost(
    shop: Runtime, paysim: Simulator, settings: Settings, stores: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await stray(paysim)
    away = shop.settings.model_copy(update={"simulator_url": "http://127.0.0.1:9"})
    async with open_runtime(away, stores) as alone:
        await alone.comparing.run()
        (said,) = await alone.findings.compared()
        assert (said.compared_until, said.code) == (None, "connect_failed")
        late = [one async for one in _lists(alone)]
        assert any(one.cause is Cause.COMPARISON_LATE and "connect_failed" in one.detail for one in late)
        # Not hammered on: the next try is minutes away.
        tried = said.tried_at
        await alone.comparing.run()
        assert (await alone.findings.compared())[0].tried_at == tried
    await rows(shop, "UPDATE provider_lists SET tried_at = tried_at - interval '6 minutes'")
    await shop.comparing.run()
    assert [one.kind for one in await found_of(shop, order)] == [Kind.NO_ATTEMPT]
    (said,) = await shop.findings.compared()
    assert (said.code, said.compared_until is not None, said.whole_at is not None) == (None, True, True)
    # And a mend while it is away changes nothing, and says so.
    async with open_runtime(away, stores) as alone:
        (found,) = await found_of(alone, order)
        with pytest.raises(NotMended, match="connect_failed"):
            await alone.mending.mend(found.id, "kim")
        assert (await found_of(alone, order))[0].state == "OPEN"


async def _lists(shop: Runtime) -> AsyncIterator[Any]:
    async for one in money_postgres.provider_lists(shop.database):
        yield one


async def test_a_provider_without_a_list_is_said(settings: Settings, stores: Engines, paysim: Simulator) -> None:
    own = settings.model_copy(update={"simulator_url": paysim.url, "payment": "simulator:kcp"})
    async with open_runtime(own, stores) as shop:
        await rows(shop, "DELETE FROM payment_findings")
        await rows(shop, "DELETE FROM provider_lists")
        await shop.comparing.run()
        (said,) = await shop.findings.compared()
        assert (said.provider, said.code) == ("kcp", "no_list")
        assert any("kcp has no list" in one.detail for one in [one async for one in _lists(shop)])


async def test_an_old_charge_is_compared_once_a_day_and_what_was_missed_is_caught_up_with(
    shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[datetime, datetime]] = []
    real = shop.payments.list_charges

    def listed(account: Any, since: datetime, until: datetime) -> Any:
        asked.append((since, until))
        return real(account, since, until)

    monkeypatch.setattr(shop.payments, "list_charges", listed)
    await shop.comparing.run()
    ((since, until_),) = asked
    assert until_ - since == timedelta(days=30), "the first time, and once a day"
    await shop.comparing.run()
    assert len(asked) == 1, "not due for an hour"
    await rows(shop, "UPDATE provider_lists SET tried_at = tried_at - interval '61 minutes'")
    await shop.comparing.run()
    assert timedelta(hours=2) <= asked[-1][1] - asked[-1][0] < timedelta(hours=3), "the last hours, with an overlap"
    # Nobody ran for a week: what lies between is compared.
    await rows(
        shop,
        "UPDATE provider_lists SET tried_at = tried_at - interval '7 days', "
        "compared_until = compared_until - interval '7 days'",
    )
    await shop.comparing.run()
    assert asked[-1][1] - asked[-1][0] > timedelta(days=7)


async def test_a_comparison_of_a_named_time_moves_nothing_on(shop: Runtime, paysim: Simulator) -> None:
    now = datetime.now(UTC)
    await shop.comparing.compare(now - timedelta(days=2), now - timedelta(days=1))
    (said,) = await shop.findings.compared()
    assert said.compared_until is None
    assert said.code is None


async def test_a_long_list_is_read_in_pages(shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the provider and pages of ours; one that is too long is said, and not called whole."""
    orders = [await stray(paysim) for _ in range(5)]
    monkeypatch.setattr("core.payments.toss.adapter_http._PAGE", 2)
    monkeypatch.setattr("core.booking.comparing._PAGE", 2)
    (made,) = await shop.comparing.compare()
    assert made.code is None
    assert all([len(await found_of(shop, order)) == 1 for order in orders])
    monkeypatch.setattr("core.payments.toss.adapter_http._PAGES", 1)
    (made,) = await shop.comparing.compare()
    assert made.code == "list_too_long"
    assert all([(await found_of(shop, order))[0].state == "OPEN" for order in orders])


async def test_a_store_that_goes_away_half_way_leaves_the_rest_for_the_next_round(
    shop: Runtime, paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [await stray(paysim) for _ in range(3)]
    monkeypatch.setattr("core.booking.comparing._PAGE", 1)
    real, calls = FindingRows.add, 0

    async def add(self: FindingRows, *args: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError("lost")
        return await real(self, *args)

    monkeypatch.setattr(FindingRows, "add", add)
    own = Comparing(rows=shop.findings, payments=shop.payments, days=1)
    with pytest.raises(ConnectionError):
        await own.run()
    assert await shop.findings.compared() == [], "what was not read to its end is not compared"
    await own.run()
    assert all([len(await found_of(shop, order)) == 1 for order in orders])


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
