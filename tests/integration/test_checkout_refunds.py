"""Money that is owed back and that the provider will not take: S27, rule 2."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.booking.refund import REFUND_TRIES, RefundAsked
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.question import Question
from core.errors import ReservationNotFound
from core.payments.gateway import ChargeOutcome, ChargeResult, Order
from core.process.once import Once
from core.process.successes_redis import Successes
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, Desk, check_books, close_desks, desk, finish_all, refunds, retire, rows, until
from tests.conftest import MakeEvent
from web.composition import store_figures
from web.metrics import exposition

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(autouse=True)
async def _alone(runtime: Runtime) -> AsyncIterator[None]:
    await retire(runtime)
    yield
    await rows(runtime, "UPDATE refunds SET needs_person_at = NULL")
    await close_desks()


async def bought(at: Desk, event: Event) -> Any:
    begun = await at.buy(event, "v", 3)
    return await at.ended(begun)


async def figure(runtime: Runtime) -> float:
    """What Prometheus reads."""
    text = (await exposition(store_figures(runtime, Once[Any]("probe")))).decode()
    return float(text.split("\nonsale_refunds_need_person ")[1].split()[0])


async def asked_for_a_person(at: Desk, event: Event) -> Any:
    """The refund's row, once operators are asked to look at its it; other processes try it meanwhile."""

    async def marked() -> Any:
        await at.checkout.finish_due()
        (row,) = await refunds(at.runtime, event)
        return row if row["needs_person_at"] and not row["claimed_by"] else None

    return await until(marked)


async def test_a_refused_refund_asks_for_a_person_and_an_operator_ends_it(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """Tried a few times, then marked and tried slowly; an operator's word tries it at once, and success clears it."""
    event, bank = await make_event(), Bank(refunds=False)
    at = desk(runtime, bank, resolver_seconds=0.001)
    reservation = await bought(at, event)
    await at.checkout.cancel(reservation.id, "v")
    row = await asked_for_a_person(at, event)
    assert row["code"] == "NOT_CANCELABLE_PAYMENT"
    assert REFUND_TRIES - 1 <= row["tries"] <= REFUND_TRIES
    assert row["next_attempt_at"] - row["needs_person_at"] > timedelta(hours=5), "a closed door is hammered on"
    assert await figure(runtime) == 1
    # The buyer reads that the money is given back, and nothing of our trouble.
    shown = await at.checkout.get(reservation.id, "v")
    assert (shown.status, shown.reason) == ("CANCELLED", "cancelled_by_buyer")

    still = await at.checkout.refund_now(reservation.id)
    assert (still.owed, still.code) == (1, "NOT_CANCELABLE_PAYMENT")
    assert still.needs_person_at == row["needs_person_at"], "since when is kept"
    assert still.next_try_at is not None

    bank.refunds = True
    done = await at.checkout.refund_now(reservation.id)
    assert (done.owed, done.needs_person_at, done.next_try_at) == (0, None, None)
    assert await figure(runtime) == 0
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


class Forgetful(Bank):
    """The answer to its first refund is lost, although it was made. `forgets`: keys, by the time it is asked again;
    else our secret is wrong for one call.
    """

    forgets: bool = True
    refused: int = 0

    async def cancel(self, order: Order, provider_key: str | None, **asked: Any) -> ChargeResult:
        result = await super().cancel(order, provider_key, **asked)
        if self.forgets:
            self._refunded.clear()
        lost = ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="read_timeout")
        return lost if len(self.cancels) == 1 else result

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        if not self.forgets and not self.refused:
            self.refused += 1
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code="UNAUTHORIZED_KEY", refused=True)
        return await super().look_up(order, provider_key)


@pytest.mark.parametrize("forgets", [True, False])
async def test_a_part_whose_answer_was_lost_is_not_given_back_again(
    runtime: Runtime, make_event: MakeEvent, forgets: bool
) -> None:
    """P7, rule 2: by the time it is asked for again it may be another request, after a refusal or a day."""
    event, bank = await make_event(), Forgetful()
    bank.forgets = forgets
    at = desk(runtime, bank, resolver_seconds=0.001)
    begun = await at.buy(event, "v", 3, 4, 5)
    reservation = await at.ended(begun)
    await at.checkout.refund(
        reservation.id, RefundAsked(key="r", reason="sorry", asked_by="kim", seats=[reservation.seats[0]])
    )

    async def done() -> bool:
        await at.checkout.finish_due()
        (row,) = await refunds(runtime, event)
        return bool(row["state"] == "DONE")

    await until(done)
    (entry,) = bank.ledger.values()
    assert entry.refunded == reservation.amount // 3, "a seat was given back twice"
    assert len(bank.cancels) == 1
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_operators_see_it_and_try_it_again(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S31, S33: the watch tells, the diagnosis names it, and its mend is to try at once."""
    event, bank = await make_event(), Bank(refunds=False)
    at = desk(runtime, bank, resolver_seconds=0.001)
    monkeypatch.setattr(runtime.diagnose.mending, "_checkout", at.checkout)
    reservation = await bought(at, event)
    await at.checkout.cancel(reservation.id, "v")
    await asked_for_a_person(at, event)

    report = await HealthCheck(
        database=runtime.database,
        redis=runtime.redis,
        events=runtime.events,
        payments=runtime.payments,
        clock=runtime.clock,
        groups=runtime.pipeline.groups,
        vitals=runtime.vitals,
    ).run()
    (told,) = [finding for _, finding in report.wrong if finding.cause is Cause.REFUNDS_REFUSED]
    assert "1 refused, 15000 KRW, the oldest since " in told.detail
    assert str(reservation.id) in told.detail

    await Successes(runtime.redis).note("sweep", 600)
    asked = Question(reservation=reservation.id)
    found = await runtime.diagnose.run(asked)
    assert found.cause is Cause.REFUND_REFUSED
    assert "NOT_CANCELABLE_PAYMENT" in next(one.detail for one in found.findings if one.cause is found.cause)
    assert "looking after it" in found.reply["en"]
    found = await runtime.diagnose.run(asked, fix=True)
    (step,) = [one for one in found.findings if one.cause is Cause.REFUND_REFUSED]
    assert (step.fixed, step.detail.split("; ")[-1]) == (
        False,
        "tried again: refused again, code NOT_CANCELABLE_PAYMENT",
    )

    bank.refunds = True
    found = await runtime.diagnose.run(asked, fix=True)
    (step,) = [one for one in found.findings if one.cause is Cause.REFUND_REFUSED]
    assert (step.fixed, step.detail.split("; ")[-1]) == (True, "tried again: given back")
    assert (await runtime.diagnose.run(asked)).cause is Cause.RESERVATION_CANCELLED


async def test_a_provider_that_is_away_is_no_refusal(runtime: Runtime, make_event: MakeEvent) -> None:
    """It is tried on, minutes apart, without asking for anybody."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank, resolver_seconds=0.001)
    reservation = await bought(at, event)
    bank.reachable = False
    await at.checkout.cancel(reservation.id, "v")

    async def tried() -> Any:
        await at.checkout.finish_due()
        (row,) = await refunds(runtime, event)
        return row if row["tries"] > REFUND_TRIES else None

    assert (await until(tried))["needs_person_at"] is None
    bank.reachable = True
    assert (await at.checkout.refund_now(reservation.id)).owed == 0


async def test_a_charge_that_turned_up_late_is_refused_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """The refund of an unknown charge is marked like any other."""
    event, bank = await make_event(), Bank(says="hang", reachable=False, refunds=False)
    at = desk(runtime, bank, resolver_seconds=0.001, payment_deadline_seconds=0.2)
    begun = await at.buy(event, "v", 3)

    await at.failed(begun)
    bank.reachable = True
    row = await asked_for_a_person(at, event)
    assert (row["state"], row["kind"]) == ("PENDING", "refund")
    bank.refunds = True
    assert (await at.checkout.refund_now(begun.id)).owed == 0
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_nothing_is_tried_where_nothing_is_owed(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    reservation = await bought(at, event)
    state = await at.checkout.refund_now(reservation.id)
    assert (state.owed, state.next_try_at) == (0, None)
    assert [entry.refunded for entry in bank.ledger.values()] == [0], "a confirmed reservation was given back"
    with pytest.raises(ReservationNotFound):
        await at.checkout.refund_now(uuid4())
