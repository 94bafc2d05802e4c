"""Payments that fail for a reason of ours are seen by everybody who can mend them, and told to no buyer as declined
(P9).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from core.booking.attempt import AttemptState
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import HealthCheck
from core.diagnosis.question import Question
from core.payments.breaker import Mode
from core.payments.faults import VISITORS
from core.payments.faults_postgres import shops_faults
from core.payments.gateway import ReturnRefused
from core.payments.payments import Payments
from core.process.once import Once
from core.runtime import Runtime
from tests.booking import Bank, close_desks, desk, retire, rows, until
from tests.conftest import MakeEvent
from tests.payment_servers import payments_with
from tests.waits import PATIENCE
from web.composition import health_checks
from web.health_checks import examine
from web.schemas import Health

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(autouse=True)
async def _alone(runtime: Runtime) -> AsyncIterator[None]:
    await retire(runtime)
    await rows(runtime, "UPDATE payment_attempts SET called_at = NULL, faulted_at = NULL")
    yield
    await rows(runtime, "UPDATE payment_attempts SET called_at = NULL, faulted_at = NULL")
    await close_desks()


async def watched(runtime: Runtime) -> list[str]:
    report = await HealthCheck(
        database=runtime.database,
        redis=runtime.redis,
        events=runtime.events,
        payments=runtime.payments,
        clock=runtime.clock,
        groups=runtime.pipeline.groups,
        vitals=runtime.vitals,
    ).run()
    return [finding.detail for _, finding in report.wrong if finding.cause is Cause.PAYMENTS_MISCONFIGURED]


async def health(runtime: Runtime, payments: Payments | None = None) -> Health:
    """Of payment alone, however long a busy machine takes."""
    checks = health_checks(replace(runtime, payments=payments or runtime.payments))
    return await examine(Once[Any]("probe"), {"payment": checks["payment"]}, limit=PATIENCE)


async def test_a_wrong_secret_is_seen_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.ended(await at.buy(event, "a", 1))
    assert await shops_faults(runtime.database) == []
    assert (await health(runtime)).components["payment"].status == "UP"
    bank.says = "shop"
    for number, visitor in enumerate("bc", start=2):
        spoilt = await at.until(await at.buy(event, visitor, number), AttemptState.CLOSED)
        assert spoilt.reason == "shop_payment_fault"
    assert await watched(runtime) == ["toss: 2 of the last 3 payments ended with UNAUTHORIZED_KEY"]
    found = await health(runtime)
    assert (found.status, found.components["payment"].status) == ("DEGRADED", "DOWN")
    diagnosis = await runtime.diagnose.run(Question())
    assert Cause.PAYMENTS_MISCONFIGURED in {finding.cause for finding in diagnosis.findings}
    bank.says = "approve"
    again, _ = await at.checkout.next_attempt(spoilt.id)
    await at.ended(await at.pay(again))
    assert await watched(runtime) == []
    assert (await health(runtime)).components["payment"].status == "UP"


@pytest.mark.parametrize(("when_open", "both"), [("fail_fast", "DOWN"), ("fallback", "DOWN"), ("park", "UP")])
async def test_health_says_that_nobody_can_pay(runtime: Runtime, when_open: str, both: str) -> None:
    """S24, S25, S29: "UP: all well" is no word for open circuits; the sale itself goes on. By its name a buyer can pay
    at the second provider, and what is parked begins at any time.
    """
    async with payments_with(
        payment="simulator:toss,kcp", simulator_url="http://127.0.0.1:9", payment_when_open=when_open
    ) as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        assert (await health(runtime, payments)).components["payment"].status == "UP"
        await payments.force_circuit("kcp", Mode.FORCED_OPEN)
        found = await health(runtime, payments)
        assert (found.status, found.components["payment"].status) == ("UP" if both == "UP" else "DEGRADED", both)
        circuits = {"toss": "FORCED_OPEN", "kcp": "FORCED_OPEN"}
        assert found.components["payment"].detail.get("circuits") == (None if both == "UP" else circuits)


async def test_a_process_without_providers_is_well(runtime: Runtime) -> None:
    """S29: a worker that nobody pays at is not degraded for ever."""
    async with payments_with(payment="") as payments:
        assert (await health(runtime, payments)).components["payment"].status == "UP"


async def test_a_window_that_cannot_be_prepared(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 1)
    assert begun.payment is not None
    await runtime.checkout._reservations.fault(begun.payment.order, "UNAUTHORIZED_KEY")
    assert await watched(runtime) == ["toss: 1 of the last 1 payments ended with UNAUTHORIZED_KEY"]


async def test_forged_keys_of_one_visitor_raise_nothing(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 1)
    order = begun.payment.order if begun.payment else ""
    for number in range(5):
        await at.checkout.returned(order, {"paymentKey": f"forged-{number}"}, {})

        async def refused(number: int = number) -> bool:
            (row,) = await rows(runtime, "SELECT refused_keys FROM payment_attempts WHERE order_no = $1", order)
            return len(row["refused_keys"]) == number + 1

        await until(refused)
    assert await shops_faults(runtime.database) == []
    # The same of ten visitors is us.
    for number in range(10):
        other = await at.order(event, f"w{number}", number + 2)
        assert other.payment is not None
        await at.checkout.returned(other.payment.order, {"paymentKey": f"expired-{number}"}, {})

    async def seen() -> bool:
        return bool(await shops_faults(runtime.database))

    await until(seen)


@pytest.mark.parametrize("by_return", [False, True])
async def test_a_windows_code_of_a_few_visitors_raises_nothing(
    runtime: Runtime, make_event: MakeEvent, by_return: bool
) -> None:
    """P9: it is a browser's word, anybody can bring it of their own order. The buyer is told that it was not the card;
    the attempt is one of the three, and a failure like any other. The same of five visitors is us.
    """
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)

    async def left(order: str) -> None:
        if not by_return:
            await at.checkout.closed(order, "UNAUTHORIZED_KEY")
            return
        with pytest.raises(ReturnRefused):
            await at.checkout.returned(order, {"code": "UNAUTHORIZED_KEY"}, {})

    begun = await at.order(event, "v", 1)
    for number in range(1, 4):
        assert begun.payment is not None
        assert begun.payment.number == number
        await left(begun.payment.order)
        begun = await at.now(begun)
        if number < 3:
            assert (begun.status, begun.reason, begun.attempts_left) == ("PAYING", "shop_payment_fault", 3 - number)
            assert begun.payment is not None
            assert (begun.payment.code, begun.payment.shops_fault) == ("window:UNAUTHORIZED_KEY", False)
            begun, _ = await at.checkout.next_attempt(begun.id)
    assert (begun.status, begun.reason) == ("FAILED", "payment_window_ended")
    others = []
    for number in range(VISITORS - 1):
        # All but the last of them: three attempts of one visitor, and one each of three.
        assert await watched(runtime) == []
        others.append(await at.order(event, f"w{number}", number + 2))
        payment = others[-1].payment
        assert payment is not None
        await left(payment.order)
    assert await watched(runtime) == ["toss: 7 of the last 7 payments ended with window:UNAUTHORIZED_KEY"]
    # Nobody has tried again: the time to pay is over.
    await rows(runtime, "UPDATE payment_attempts SET next_attempt_at = now() WHERE state = 'CLOSED'")
    await at.checkout.finish_due()
    ended = await at.ended(others[0])
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")
