"""From the payment page to the window and back, on the real stores: P1, P2, P3, P6, P9, P11."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from core import keys
from core.booking.attempt import MOST_REFUSED_KEYS, AttemptState
from core.booking.reservation import Reservation
from core.errors import (
    NoAttemptsLeft,
    NotCancellable,
    PaymentInProgress,
    PaymentPaused,
    PaymentUnavailable,
    ReservationNotFound,
    WindowOver,
)
from core.payments.gateway import ReturnRefused
from core.runtime import Runtime
from core.seats.board import SeatState
from core.venue.event import SaleStatus
from tests.booking import (
    URLS,
    Bank,
    Desk,
    all_free,
    attempts,
    check_books,
    desk,
    finish_all,
    pass_time,
    results,
    rows,
    until,
)
from tests.conftest import MakeEvent

CLOSED = "PAY_PROCESS_CANCELED"


pytestmark = pytest.mark.usefixtures("patient", "alone")


def order_of(reservation: Reservation) -> str:
    assert reservation.payment is not None
    return reservation.payment.order


async def test_the_window_is_opened_for_an_open_order_only(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    window = await at.checkout.open_window(order_of(begun), device="pc", urls=URLS)
    assert window.fields == {"orderId": order_of(begun), "amount": 15000}
    again = await at.checkout.open_window(order_of(begun), device="phone", urls=URLS)
    assert again == window, "it is safe to repeat"
    await at.ended(await at.pay(begun))
    with pytest.raises(WindowOver):
        await at.checkout.open_window(order_of(begun), device="pc", urls=URLS)
    with pytest.raises(ReservationNotFound):
        await at.checkout.of_order("0" * 32 + "a1")


async def test_a_window_that_was_closed_keeps_the_seats(runtime: Runtime, make_event: MakeEvent) -> None:
    """P3, P11: until the end of the time to pay; another attempt is another order, and is paid."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    async with results(runtime, event) as pushed:
        begun = await at.order(event, "v", 3)
        closed = await at.checkout.closed(order_of(begun), CLOSED)
        told = await pushed()
        assert (told["status"], told["reason"]) == ("PAYING", "closed")
    assert closed.payment is not None
    assert (closed.payment.state, closed.payment.code) == ("CLOSED", CLOSED)
    assert (closed.payment.retry_until, closed.attempts_left) == (begun.until, 2)
    assert (await runtime.seats.board(event)).states[3] == SeatState.HELD
    # Closing it twice, or after it was bound, is no error and changes nothing.
    assert await at.checkout.closed(order_of(begun), "OTHER") == closed
    second, made = await at.checkout.next_attempt(begun.id)
    assert second.payment is not None
    assert (made, second.payment.number, second.payment.state) == (True, 2, "OPEN")
    assert (second.until, second.attempts_left, second.reason) == (begun.until, 1, None)
    same, made = await at.checkout.next_attempt(begun.id)
    assert (made, same.payment) == (False, second.payment)
    assert (await at.ended(await at.pay(second))).status == "CONFIRMED"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}
    assert (order_of(begun), None) in bank.voids, "the closed window was let go of at the provider"


async def test_a_declined_card_keeps_the_seats_for_another(runtime: Runtime, make_event: MakeEvent) -> None:
    """P11: for ONSALE_RETRY_SECONDS, and when they end the seats are free on every screen."""
    event, bank = await make_event(), Bank(says="decline")
    at = desk(runtime, bank, retry_seconds=60.0)
    begun = await at.buy(event, "v", 3)
    declined = await at.until(begun, AttemptState.DECLINED)
    assert (declined.status, declined.reason) == ("PAYING", "declined")
    assert declined.payment is not None
    left = (declined.payment.retry_until or datetime.now(UTC)) - datetime.now(UTC)
    assert timedelta(0) < left < timedelta(seconds=61)
    assert (await runtime.seats.board(event)).states[3] == SeatState.HELD
    # Another card, the same seats.
    bank.says = "approve"
    second, made = await at.checkout.next_attempt(begun.id)
    assert made
    assert (await at.ended(await at.pay(second))).status == "CONFIRMED"
    await finish_all(at, event)
    # Nobody tries again: the time ends.
    bank.says = "decline"
    other = await at.until(await at.buy(event, "w", 4), AttemptState.DECLINED)
    await pass_time(runtime, other.id, 61)
    await finish_all(at, event)
    ended = await at.ended(other)
    assert (ended.status, ended.reason) == ("FAILED", "declined")
    assert (await runtime.seats.board(event)).states[4] == SeatState.AVAILABLE
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1, "FAILED": 1}


async def test_three_attempts_in_all(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: after the third the reservation has failed and its seats are free at once."""
    event, bank = await make_event(), Bank(says="decline")
    at = desk(runtime, bank, retry_seconds=60.0)
    begun = await at.order(event, "v", 3)
    for number in (1, 2):
        await at.until(await at.pay(begun), AttemptState.DECLINED)
        begun, made = await at.checkout.next_attempt(begun.id)
        assert made
        assert begun.attempts_left == 2 - number
    ended = await at.ended(await at.pay(begun))
    assert (ended.status, ended.reason) == ("FAILED", "declined")
    await until(lambda: all_free(runtime, event))
    with pytest.raises(NoAttemptsLeft):
        await at.checkout.next_attempt(begun.id)
    assert await check_books(runtime, event, bank) == {"FAILED": 1}


async def test_the_third_window_closed_frees_the_seats(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    for _ in range(2):
        await at.checkout.closed(order_of(begun), CLOSED)
        begun, _ = await at.checkout.next_attempt(begun.id)
    ended = await at.checkout.closed(order_of(begun), CLOSED)
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")
    await until(lambda: all_free(runtime, event))


@pytest.mark.parametrize("code", ["REJECT", CLOSED])
async def test_declined_in_the_window(code: str, runtime: Runtime, make_event: MakeEvent) -> None:
    """The return says so: the attempt is over, another card is possible until the end of the time to pay."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    with pytest.raises(ReturnRefused) as refused:
        await at.checkout.returned(order_of(begun), {"code": code}, {})
    assert (refused.value.closed, refused.value.declined) == (code == CLOSED, code == "REJECT")
    now = await at.now(begun)
    assert now.payment is not None
    assert (now.status, now.reason) == ("PAYING", "declined" if code == "REJECT" else "closed")
    assert (now.payment.state, now.payment.retry_until) == ("CLOSED", begun.until)


async def test_no_new_attempt_in_the_last_seconds(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    await at.checkout.closed(order_of(begun), CLOSED)
    await pass_time(runtime, begun.id, 395)
    with pytest.raises(WindowOver):
        await at.checkout.next_attempt(begun.id)
    late = await at.order(event, "w", 4)
    await pass_time(runtime, late.id, 395)
    ended = await at.checkout.closed(order_of(late), CLOSED)
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")


async def test_returns_twice_at_once_and_in_two_browsers(runtime: Runtime, make_event: MakeEvent) -> None:
    """P3: one confirm, however often and wherever the return is loaded."""
    event, bank = await make_event(), Bank()
    desks = [desk(runtime, bank) for _ in range(3)]
    begun = await desks[0].order(event, "v", 3)
    returned = {"paymentKey": bank.authorise(order_of(begun))}
    answers = await asyncio.gather(*(desks[i % 3].checkout.returned(order_of(begun), returned, {}) for i in range(12)))
    assert {answer.id for answer in answers} == {begun.id}
    await desks[0].ended(begun)
    assert (await desks[1].checkout.returned(order_of(begun), returned, {})).status == "CONFIRMED"
    await finish_all(desks[0], event)
    assert bank.calls == 1
    assert bank.voids == []
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_the_way_back_is_judged_by_how_the_order_stands_now(runtime: Runtime, make_event: MakeEvent) -> None:
    """P3: what this process remembers of the window is used once, and only for what never changes: the attempt was
    closed at another process meanwhile, so no money is asked for, and the authorisation is let go of.
    """
    event, bank = await make_event(), Bank()
    here, elsewhere = desk(runtime, bank), desk(runtime, bank)
    begun = await here.order(event, "v", 3)
    order = order_of(begun)
    await here.checkout.open_window(order, device="pc", urls=URLS)
    await elsewhere.checkout.closed(order, CLOSED)
    key = bank.authorise(order)
    found = await here.checkout.of_return(order)
    assert found[1].state == "OPEN", "as it was when the window was opened"
    answer = await here.checkout.returned(order, {"paymentKey": key}, {}, found=found)
    assert answer.payment is not None
    assert answer.payment.state == "CLOSED"
    assert (await here.checkout.of_return(order))[1].state == "CLOSED", "the second time it is looked for"
    await finish_all(here, event)
    assert bank.calls == 0
    assert (order, key) in bank.voids


@pytest.mark.parametrize("query", [{"orderId": "other"}, {"amount": "1"}, {"paymentKey": ""}])
async def test_a_return_that_was_tampered_with(query: dict[str, str], runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: order and amount are compared with ours; nothing changes, and the genuine return still works."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    key = bank.authorise(order_of(begun))
    with pytest.raises(ReturnRefused):
        await at.checkout.returned(order_of(begun), {"paymentKey": key} | query, {})
    assert (await at.now(begun)).payment == begun.payment
    assert bank.calls == 0
    await at.checkout.returned(order_of(begun), {"paymentKey": key}, {})
    assert (await at.ended(begun)).status == "CONFIRMED"


async def test_a_forged_key_does_not_burn_the_order(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: it is refused by the provider, remembered, and the genuine return goes through."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    other = await at.order(event, "w", 4)
    forged = bank.authorise(order_of(other))
    await at.checkout.returned(order_of(begun), {"paymentKey": forged}, {})
    await until(lambda: _open_again(at, begun, 1))
    with pytest.raises(ReturnRefused, match="key_refused"):
        await at.checkout.returned(order_of(begun), {"paymentKey": forged}, {})
    assert bank.calls == 1, "a key that was refused is not sent again"
    assert (await at.ended(await at.pay(begun))).status == "CONFIRMED"
    assert (await at.ended(await at.pay(other))).status == "CONFIRMED"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 2}


async def test_five_forged_keys_and_no_more(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    for number in range(MOST_REFUSED_KEYS):
        await at.checkout.returned(order_of(begun), {"paymentKey": f"forged-{number}"}, {})
        await until(partial(_open_again, at, begun, number + 1))
    with pytest.raises(ReturnRefused, match="key_refused"):
        await at.checkout.returned(order_of(begun), {"paymentKey": bank.authorise(order_of(begun))}, {})
    # The order is spoilt; the reservation is not.
    await at.checkout.closed(order_of(begun), None)
    second, _ = await at.checkout.next_attempt(begun.id)
    assert (await at.ended(await at.pay(second))).status == "CONFIRMED"


async def test_the_time_to_pay_ends(runtime: Runtime, make_event: MakeEvent) -> None:
    """A minute of grace for a return that was on its way; then the seats are free; what comes later is let go of."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun, late = await at.order(event, "v", 3), await at.order(event, "w", 4)
    await pass_time(runtime, begun.id, 421)
    await pass_time(runtime, late.id, 421)
    await at.checkout.finish_due()
    assert (await at.now(begun)).status == "PAYING"
    assert (await at.ended(await at.pay(begun))).status == "CONFIRMED"
    await pass_time(runtime, late.id, 60)
    await finish_all(at, event)
    ended = await at.ended(late)
    assert (ended.status, ended.reason) == ("FAILED", "payment_window_ended")
    assert (await runtime.seats.board(event)).states[4] == SeatState.AVAILABLE
    assert await runtime.seats.basket(event, "w") is None
    # The buyer comes back after all.
    key = bank.authorise(order_of(late))
    for _ in range(3):
        assert (await at.checkout.returned(order_of(late), {"paymentKey": key}, {})).status == "FAILED"
    await finish_all(at, event)
    assert bank.voids.count((order_of(late), key)) == 1
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1, "FAILED": 1}


async def test_giving_the_seats_back(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    ended = await at.checkout.give_back(order_of(begun))
    assert (ended.status, ended.reason) == ("CANCELLED", "cancelled_by_buyer")
    assert (await at.checkout.give_back(order_of(begun))).status == "CANCELLED"
    await until(lambda: all_free(runtime, event))
    # The window was still open in another tab.
    key = bank.authorise(order_of(begun))
    assert (await at.checkout.returned(order_of(begun), {"paymentKey": key}, {})).status == "CANCELLED"
    await finish_all(at, event)
    assert bank.calls == 0
    # While money moves, and after it moved, nothing is given back that way.
    bank.gate = asyncio.Event()
    paying = await at.buy(event, "v", 3, key="second")
    await at.until(paying, AttemptState.CALLED)
    with pytest.raises(NotCancellable):
        await at.checkout.give_back(order_of(paying))
    bank.gate.set()
    await at.ended(paying)
    with pytest.raises(NotCancellable):
        await at.checkout.give_back(order_of(paying))
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1, "CONFIRMED": 1}


async def test_a_second_attempt_needs_the_end_of_the_first(runtime: Runtime, make_event: MakeEvent) -> None:
    """Rule 2: while it is authorised, called or unknown there is no other."""
    event, bank = await make_event(), Bank(says="hang", reachable=False)
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 3)
    await at.until(begun, AttemptState.CALLED)
    with pytest.raises(PaymentInProgress):
        await at.checkout.next_attempt(begun.id)
    assert len(await attempts(runtime, event)) == 1


async def test_a_virtual_account_is_cancelled_at_once(runtime: Runtime, make_event: MakeEvent) -> None:
    """P2: WAITING_FOR_DEPOSIT counts as declined."""
    event, bank = await make_event(), Bank(says="deposit")
    at = desk(runtime, bank, retry_seconds=60.0)
    declined = await at.until(await at.buy(event, "v", 3), AttemptState.DECLINED)
    assert declined.reason == "declined"
    await finish_all(at, event)
    assert [order for order, amount, _ in bank.cancels if amount is None] == [order_of(declined)]


async def test_what_is_the_shops_to_mend_is_never_told_as_declined(runtime: Runtime, make_event: MakeEvent) -> None:
    """P9: the buyer keeps the seats, and the attempt is none of the three."""
    event, bank = await make_event(), Bank(says="shop")
    at = desk(runtime, bank)
    begun = await at.buy(event, "v", 3)
    spoilt = await at.until(begun, AttemptState.CLOSED)
    assert (spoilt.status, spoilt.reason, spoilt.attempts_left) == ("PAYING", "shop_payment_fault", 3)
    assert spoilt.payment is not None
    assert spoilt.payment.shops_fault
    assert spoilt.payment.retry_until == begun.until
    bank.says = "approve"
    second, _ = await at.checkout.next_attempt(begun.id)
    assert second.attempts_left == 2
    assert (await at.ended(await at.pay(second))).status == "CONFIRMED"
    bank.windows = False
    other = await at.order(event, "w", 4)
    with pytest.raises(PaymentUnavailable):
        await at.checkout.open_window(order_of(other), device="pc", urls=URLS)
    (row,) = await rows(runtime, "SELECT * FROM payment_attempts WHERE order_no = $1", order_of(other))
    assert (row["state"], row["code"], row["faulted_at"] is not None) == ("OPEN", "UNAUTHORIZED_KEY", True)


async def test_a_sale_that_closes_honours_returns(runtime: Runtime, make_event: MakeEvent) -> None:
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    await at.basket(event, "idler", 5)
    await runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    await runtime.waiting_room.sweep(await runtime.events.get(event.slug))
    inside = await runtime.redis.zrange(keys.active_users(event.slug), 0, -1)
    assert inside == [b"v"], "everybody is out, but who pays"
    assert (await at.ended(await at.pay(begun))).status == "CONFIRMED"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_redis_lost_while_the_window_is_open(runtime: Runtime, make_event: MakeEvent) -> None:
    """The board is built anew with the seats that are being paid for, and the return goes through."""
    event, bank = await make_event(), Bank()
    at = desk(runtime, bank)
    begun = await at.order(event, "v", 3)
    for key in [key async for key in runtime.redis.scan_iter(f"*{event.slug}*")]:
        await runtime.redis.delete(key)
    assert (await runtime.seats.board(event)).states[3] == SeatState.HELD
    basket = await runtime.seats.basket(event, "v")
    assert basket is not None
    assert basket.paying
    assert (await at.ended(await at.pay(begun))).status == "CONFIRMED"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CONFIRMED": 1}


async def test_five_failures_in_a_row_and_a_pause(runtime: Runtime, make_event: MakeEvent) -> None:
    """The basket is freed and a minute passes before this visitor's next payment; nobody else waits."""
    event, bank = await make_event(), Bank(says="decline")
    at = desk(runtime, bank)
    for number in range(5):
        await at.ended(await at.buy(event, "v", 3, key=str(number)))
        await until(lambda: all_free(runtime, event))
    await at.basket(event, "v", 3)
    with pytest.raises(PaymentPaused) as paused:
        await at.submit(event, "v", "sixth")
    assert 0 < (paused.value.retry_after or 0) <= 60
    assert await all_free(runtime, event)
    assert await runtime.seats.basket(event, "v") is None
    bank.says = "approve"
    assert (await at.ended(await at.buy(event, "w", 3))).status == "CONFIRMED"
    await rows(
        runtime,
        "UPDATE reservations SET updated_at = updated_at - interval '1 minute' WHERE event_id = $1 AND visitor = 'v'",
        event.id,
    )
    assert (await at.ended(await at.buy(event, "v", 4, key="later"))).status == "CONFIRMED"


async def _open_again(at: Desk, reservation: Reservation, refused: int) -> bool:
    (row,) = await rows(
        at.runtime,
        "SELECT state, cardinality(refused_keys) AS refused FROM payment_attempts WHERE order_no = $1",
        order_of(reservation),
    )
    return (row["state"], row["refused"]) == ("OPEN", refused)


async def _reason(at: Desk, reservation: Reservation, reason: str) -> bool:
    return (await at.now(reservation)).reason == reason
