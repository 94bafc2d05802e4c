"""A provider is asked about an attempt by the process whose claim it is, and by no other (rule 2, R1)."""

from __future__ import annotations

import pytest

from core.booking.attempt import AttemptState
from core.runtime import Runtime
from tests.booking import Bank, Desk, desk, finish_all, pass_time, rows, until
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def _left(at: Desk, order: str) -> bool:
    (row,) = await rows(at.runtime, "SELECT claimed_by FROM payment_attempts WHERE order_no = $1", order)
    return row["claimed_by"] is None


async def test_a_process_whose_claim_was_taken_over_does_not_look_up(runtime: Runtime, make_event: MakeEvent) -> None:
    """It slept between its claim and its work: what the provider says now is for the process that has the claim."""
    event, bank = await make_event(), Bank(says="lost")
    at = desk(runtime, bank)
    begun = await at.until(await at.buy(event, "v", 3), AttemptState.CALLED)
    assert begun.payment is not None
    order = begun.payment.order
    await until(lambda: _left(at, order))
    await pass_time(runtime, begun.id, 10)
    before, asked = await at.now(begun), len(bank.asked)
    claims = await at.checkout._reservations.claim_due(100, "sleeper")
    (claim,) = [claim for claim in claims if claim.attempt.order == order]
    await rows(runtime, "UPDATE payment_attempts SET claimed_by = 'other' WHERE order_no = $1", order)
    settlement = at.checkout._tasks._settle
    assert settlement is not None
    await settlement.finish(claim)
    assert len(bank.asked) == asked, "asked under a claim that is another process's"
    assert await at.now(begun) == before, "nothing was written"

    # Its own claim it may use: the same call asks.
    await rows(runtime, "UPDATE payment_attempts SET claimed_by = 'sleeper' WHERE order_no = $1", order)
    bank.says = "approve"
    await settlement.finish(claim)
    assert len(bank.asked) == asked + 1
    await finish_all(at, event)
    assert (await at.ended(begun)).status == "CONFIRMED"
