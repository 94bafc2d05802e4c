"""Payments that fail for a reason of ours are seen by everybody who can mend them, and told to no buyer as declined
(P9).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.booking.attempt import AttemptState
from core.diagnosis.diagnose import Question
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import HealthCheck
from core.payments.faults_postgres import shops_faults
from core.process.once import Once
from core.runtime import Runtime
from tests.booking import Bank, close_desks, desk, retire, rows, until
from tests.conftest import MakeEvent
from web.composition import health_checks
from web.health_checks import examine


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


async def test_a_wrong_secret_is_seen_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    await at.ended(await at.buy(event, "a", 1))
    assert await shops_faults(runtime.database) == []
    assert (await examine(Once[Any]("probe"), health_checks(runtime))).components["payment"].status == "UP"
    bank.says = "shop"
    for number, visitor in enumerate("bc", start=2):
        spoilt = await at.until(await at.buy(event, visitor, number), AttemptState.CLOSED)
        assert spoilt.reason == "shop_payment_fault"
    assert await watched(runtime) == ["toss: 2 of the last 3 payments ended with UNAUTHORIZED_KEY"]
    found = await examine(Once[Any]("probe"), health_checks(runtime))
    assert (found.status, found.components["payment"].status) == ("DEGRADED", "DOWN")
    diagnosis = await runtime.diagnose.run(Question())
    assert Cause.PAYMENTS_MISCONFIGURED in {finding.cause for finding in diagnosis.findings}
    bank.says = "approve"
    again, _ = await at.checkout.next_attempt(spoilt.id)
    await at.ended(await at.pay(again))
    assert await watched(runtime) == []
    assert (await examine(Once[Any]("probe"), health_checks(runtime))).components["payment"].status == "UP"


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
