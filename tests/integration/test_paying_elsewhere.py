"""A further attempt at another provider, and at an account that is no more the shop's (P4, P9, P11)."""

from __future__ import annotations

import pytest

from core.booking.attempt import AttemptState
from core.errors import (
    CurrencyNotTaken,
    NoSuchProvider,
)
from core.payments.breaker import Mode
from core.runtime import Runtime
from tests.booking import (
    Bank,
    attempts,
    check_books,
    desk,
    finish_all,
    payments_of,
    refunds,
    rows,
    until,
)
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient", "alone")


async def test_fallback_offers_the_next_attempt_elsewhere(runtime: Runtime, make_event: MakeEvent) -> None:
    """S25: proven not to have charged, so that a second provider may be asked."""
    event, toss, kcp = await make_event(), Bank(says="unavailable"), Bank(name="kcp")
    payments = payments_of(runtime, toss, kcp, when_open="fallback")
    at = desk(runtime, toss, payments=payments, retry_seconds=60.0)
    begun = await at.buy(event, "v", 3)
    away = await at.until(begun, AttemptState.CLOSED)
    assert (away.status, away.reason) == ("PAYING", "provider_unavailable")
    second, _ = await at.checkout.next_attempt(begun.id)
    assert second.payment is not None
    assert second.payment.provider == "kcp"
    await at.checkout.returned(second.payment.order, {"paymentKey": kcp.authorise(second.payment.order)}, {})
    assert (await at.ended(begun)).status == "CONFIRMED"
    assert kcp.calls == 1
    # A new order does not begin where the circuit is open.
    await payments.force_circuit("toss", Mode.FORCED_OPEN)
    other = await at.order(event, "w", 4)
    assert other.payment is not None
    assert other.payment.provider == "kcp"


async def test_the_buyer_names_a_provider(runtime: Runtime, make_event: MakeEvent) -> None:
    event, dollars = await make_event(), await make_event(currency="USD")
    toss, kcp = Bank(currencies=frozenset({"KRW"})), Bank(name="kcp", currencies=frozenset({"KRW"}))
    at = desk(runtime, toss, payments=payments_of(runtime, toss, kcp))
    await at.basket(event, "v", 3)
    with pytest.raises(NoSuchProvider):
        await at.submit(event, "v", provider="paypal")
    begun = await at.submit(event, "v", provider="kcp")
    assert begun.payment is not None
    assert begun.payment.provider == "kcp"
    await at.basket(dollars, "v", 3)
    with pytest.raises(CurrencyNotTaken):
        await at.submit(dollars, "v")


async def test_an_attempt_is_finished_where_it_was_made(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: after a change of keys, look-ups and refunds go to the old account, while it is given."""
    event, old, new = await make_event(), Bank(says="hang", reachable=False), Bank(environment="test:new")
    before = desk(runtime, old)
    begun = await before.buy(event, "v", 3)
    await before.until(begun, AttemptState.CALLED)
    after = desk(runtime, new, payments=payments_of(runtime, new, former=[old]))
    old.reachable = True
    await finish_all(after, event)
    assert (await after.ended(begun)).status == "CONFIRMED"
    await after.checkout.cancel(begun.id, "v")
    await finish_all(after, event)
    assert (new.asked, new.cancels) == ([], [])
    assert await check_books(runtime, event, old) == {"CANCELLED": 1}


async def test_without_the_old_account_nothing_is_guessed(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: who has no keys for an account neither asks another one, nor takes its payments and refunds from those who
    have.
    """
    event, old, new = await make_event(), Bank(), Bank(environment="test:new")
    before = desk(runtime, old)
    paid = await before.ended(await before.buy(event, "w", 4))
    old.says, old.reachable = "hang", False
    begun = await before.buy(event, "v", 3)
    await before.until(begun, AttemptState.CALLED)
    after = desk(runtime, new)
    await after.checkout.cancel(paid.id, "w")

    async def not_claimed() -> bool:
        return not any(row["claimed_by"] for row in (*await attempts(runtime, event), *await refunds(runtime, event)))

    async def tries() -> list[int]:
        return [row["tries"] for row in (*await attempts(runtime, event), *await refunds(runtime, event))]

    await until(not_claimed)
    known = await tries()
    for table in ("payment_attempts", "refunds"):
        await rows(
            runtime,
            f"UPDATE {table} SET next_attempt_at = now() FROM reservations r "
            f"WHERE r.id = reservation_id AND r.event_id = $1 AND {table}.state IN ('CALLED', 'PENDING')",
            event.id,
        )
    for _ in range(3):
        await after.checkout.finish_due()
    assert await tries() == known
    assert (new.calls, new.asked, new.cancels, new.voids) == (0, [], [], [])
    assert (await after.now(begun)).status == "PAYING"
    old.reachable = True
    await finish_all(before, event)
    assert await check_books(runtime, event, old) == {"CONFIRMED": 1, "CANCELLED": 1}
