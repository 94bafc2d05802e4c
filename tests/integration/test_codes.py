"""Phases and access codes: checked before the queue, counted exactly, spent with the purchase (F7)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import keys
from core.booking.reservation import Reservation
from core.errors import (
    CodeNotValid,
    CodeRequired,
    CodeUsed,
    HoldExpired,
    InvalidRequest,
    OnsaleError,
    PaymentInProgress,
    QuotaReached,
    ReopenTooLate,
    SaleNotOpen,
    StoreUnavailable,
    TooManyRequests,
    TooManySeats,
)
from core.runtime import Runtime
from core.venue.codes import CodeDigests, normalised, read_codes
from core.venue.codes_postgres import Added
from core.venue.event import Event, SaleStatus
from core.venue.phase import Phase
from core.waiting_room.place import PlaceState
from core.waiting_room.price import Bidder
from tests.booking import Bank, Desk, desk, finish_all, rows, until
from tests.conftest import MakeEvent
from tests.manual_clock import ManualClock

NOW = datetime.now(UTC).replace(microsecond=0)
FANS = Phase("fans", NOW - timedelta(hours=1), NOW + timedelta(hours=1), code_group="fans")
ALL = Phase("general", NOW - timedelta(hours=1))


pytestmark = pytest.mark.usefixtures("patient", "alone")


async def of_phases(runtime: Runtime, make_event: MakeEvent, *phases: Phase, **changes: Any) -> Event:
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=None, **changes)
    return await runtime.events.update(event.slug, phases=phases)


async def with_codes(
    runtime: Runtime, event: Event, count: int, *, group: str = "fans", uses: int = 1
) -> tuple[Event, list[str]]:
    made = await runtime.codes.make(event, group, count, uses)
    return await runtime.events.fresh(event.slug), made


def join(runtime: Runtime, event: Event, visitor: str, code: str | None = None, address: str = "") -> Any:
    return runtime.waiting_room.join(event, visitor, None, None, Bidder(address=address), code=code)


async def buys(at: Desk, event: Event, visitor: str, *seats: int) -> Reservation:
    """Who is in already. On a busy machine a store may take too long to answer: asked again, under the same key."""
    return await _bought(at, event, visitor, seats, "key")


async def _bought(at: Desk, event: Event, visitor: str, seats: Sequence[int], key: str) -> Reservation:
    async def made() -> Reservation | None:
        try:
            await at.runtime.seats.hold(event, visitor, seats)
            return await at.submit(event, visitor, key=key)
        except (StoreUnavailable, PaymentInProgress):
            # Or the attempt before is over in PostgreSQL, and Redis is being told.
            repeated = await at.checkout.of_visitor(visitor)
            return next((one for one in repeated if one.status == "PAYING"), None)

    return await until(made)


async def moved(runtime: Runtime, event: Event, *phases: Phase) -> Event:
    """The sale at another time: its phases moved."""
    return await runtime.events.update(event.slug, phases=phases)


async def test_one_code_two_hundred_visitors(runtime: Runtime, make_event: MakeEvent) -> None:
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    outcomes = await asyncio.gather(
        *(join(runtime, event, f"v{number}", code) for number in range(200)), return_exceptions=True
    )
    places = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(places) == 1
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} == {CodeUsed}
    # Asking again is no second use; another one is not let in either.
    winner = next(f"v{number}" for number, one in enumerate(outcomes) if not isinstance(one, BaseException))
    assert (await join(runtime, event, winner, code)).state is PlaceState.ACTIVE
    assert (await join(runtime, event, winner)).state is PlaceState.ACTIVE


async def test_the_race_is_real(runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the claim several get a place with one code, and PostgreSQL sells to one of them."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    digest, at = runtime.codes.digest(event, code), desk(runtime, Bank())

    async def claimed_by_all(event: Event, visitor: str, code: str | None, address: str) -> None:
        key = f"ticket:codes:of:{{{event.slug}}}"
        await runtime.redis.hset(key, visitor, f"{digest.hex()}|fans")

    monkeypatch.setattr(runtime.access, "claim", claimed_by_all)
    await asyncio.gather(*(join(runtime, event, f"v{number}", code) for number in range(10)))
    outcomes = await asyncio.gather(
        *(buys(at, event, f"v{number}", number) for number in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, Reservation) for one in outcomes) == 1
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} <= {CodeUsed}


async def test_who_has_no_code_waits_outside(runtime: Runtime, make_event: MakeEvent) -> None:
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    with pytest.raises(CodeRequired):
        await join(runtime, event, "v")
    with pytest.raises(CodeNotValid):
        await join(runtime, event, "v", "WRONG-WRONG")
    # As people type: without hyphens, in small letters, with a space.
    assert (await join(runtime, event, "v", f" {code.lower().replace('-', '')} ")).state is PlaceState.ACTIVE


async def test_the_check_costs_no_postgresql(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 20)
    await runtime.codes.book(event)

    def away(*_: Any) -> Any:
        raise AssertionError("PostgreSQL was asked")

    monkeypatch.setattr("core.venue.codes_postgres.raw", away)
    for number, code in enumerate(codes):
        await join(runtime, event, f"v{number}", code)
        with pytest.raises(CodeUsed):
            await join(runtime, event, f"other{number}", code)
    with pytest.raises(CodeNotValid):
        await join(runtime, event, "v", "WRONG-WRONG")


async def test_guesses_are_refused_and_slowed(runtime: Runtime, make_event: MakeEvent) -> None:
    """Ten thousand of one network, each by another visitor; who has a code comes in from elsewhere meanwhile."""
    runtime.access._limits = True  # the tests' runtime has limits off
    # However long a busy machine takes for them: nobody may guess again meanwhile.
    runtime.access._wrong._clock = runtime.access._wrong_of_network._clock = ManualClock()
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    told: dict[type, int] = {}
    for number in range(10_000):
        try:
            await join(runtime, event, f"g{number}", f"GUESS{number:05}", address="192.0.2.7")
        except OnsaleError as refusal:
            told[type(refusal)] = told.get(type(refusal), 0) + 1
    assert set(told) == {CodeNotValid, TooManyRequests}
    assert told[CodeNotValid] < 140, "sixty a minute"
    for _ in range(10):
        with pytest.raises(CodeNotValid):
            await join(runtime, event, "one", "WRONG-WRONG", address="192.0.2.8")
    with pytest.raises(TooManyRequests):
        await join(runtime, event, "one", code, address="192.0.2.9")
    assert (await join(runtime, event, "two", code, address="192.0.2.8")).state is PlaceState.ACTIVE
    runtime.access._limits = False


async def test_a_place_that_is_given_up_frees_the_use(runtime: Runtime, make_event: MakeEvent) -> None:
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    await join(runtime, event, "a", code)
    await runtime.waiting_room.leave(event, "a")
    await join(runtime, event, "b", code)
    for given in (code, None):  # who has given it before need not give it again, and it is another's now
        with pytest.raises(CodeUsed):
            await join(runtime, event, "a", given)


async def test_of_two_places_that_met_one_use_only_its_claimant_can_hold(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tab of a visitor leaves while another joins: its claim is older than the leaving, its place younger."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    await join(runtime, event, "a", code)
    await runtime.waiting_room.leave(event, "a")
    await join(runtime, event, "b", code)

    async def claimed_before(event: Event, visitor: str, code: str | None, address: str) -> str:
        return "fans"

    monkeypatch.setattr(runtime.access, "claim", claimed_before)
    assert (await join(runtime, event, "a", code)).state is PlaceState.ACTIVE
    with pytest.raises(CodeRequired):
        await runtime.seats.hold(event, "a", [1])
    await runtime.seats.hold(event, "b", [1])


async def test_who_has_a_place_has_it_while_paying_with_a_spent_code(runtime: Runtime, make_event: MakeEvent) -> None:
    """A join is the same place again, also where its code was spent by the order that is being paid; seats want another
    code (S7, F7)."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    at = desk(runtime, Bank())
    before = await join(runtime, event, "a", code)
    await buys(at, event, "a", 1)
    again = await join(runtime, event, "a")
    assert (again.state, again.number) == (PlaceState.ACTIVE, before.number)
    await runtime.waiting_room.leave(event, "a")
    with pytest.raises(CodeRequired):
        await join(runtime, event, "a")


async def test_a_code_is_spent_with_the_purchase_and_free_when_nothing_came_of_it(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """A declined card costs no code; a paid seat does, for good, also when the place is given up."""
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 2)
    at = desk(runtime, Bank(says="decline"))
    await join(runtime, event, "a", codes[0])
    refused = await at.ended(await at.pay(await buys(at, event, "a", 1)))
    assert refused.status == "FAILED"
    await finish_all(at, event)
    at = desk(runtime, Bank())
    await join(runtime, event, "a", codes[0])
    paid = await at.ended(await at.pay(await _again(at, event, "a", 1)))
    assert (paid.status, paid.phase) == ("CONFIRMED", "fans")
    await finish_all(at, event)  # Redis is told
    with pytest.raises(CodeRequired):
        await runtime.seats.hold(event, "a", [2])
    await runtime.waiting_room.leave(event, "a")
    with pytest.raises(CodeUsed):
        await join(runtime, event, "b", codes[0])


async def _again(at: Desk, event: Event, visitor: str, *seats: int) -> Reservation:
    return await _bought(at, event, visitor, seats, "again")


async def test_counted_codes(runtime: Runtime, make_event: MakeEvent) -> None:
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1, uses=3)
    outcomes = await asyncio.gather(
        *(join(runtime, event, f"v{number}", code) for number in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 3
    with pytest.raises(InvalidRequest):
        await runtime.codes.make(event, "fans", 1, uses=2)


async def test_a_quota_is_exact(runtime: Runtime, make_event: MakeEvent) -> None:
    """Thirty buyers at once, ten seats to sell; the next phase sells the rest; what comes to nothing can be sold."""
    fans = Phase("fans", FANS.opens_at, FANS.closes_at, code_group="fans", quota=10)
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, fans, seats=60, active_limit=100), 31)
    at = desk(runtime, Bank())
    for number in range(30):
        await join(runtime, event, f"v{number}", codes[number])
    outcomes = await asyncio.gather(
        *(buys(at, event, f"v{number}", number) for number in range(30)), return_exceptions=True
    )
    made = [one for one in outcomes if isinstance(one, Reservation)]
    assert len(made) == 10
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} == {QuotaReached}
    # One of them gives up: there is room for one, and no more.
    await at.checkout.cancel(made[0].id, made[0].visitor)
    await finish_all_of(at, event)
    await join(runtime, event, "late", codes[30])
    late = await buys(at, event, "late", 40)
    assert late.phase == "fans"
    # The next phase begins: who could not buy buys now; what was held in the first one still counts there.
    ended = Phase("fans", fans.opens_at, NOW - timedelta(minutes=1), code_group="fans", quota=10)
    event = await moved(runtime, event, ended, Phase("general", NOW - timedelta(minutes=1)))
    loser = next(f"v{number}" for number, one in enumerate(outcomes) if isinstance(one, QuotaReached))
    await runtime.seats.release(event, loser)
    now_sold = await buys(at, event, loser, 50)
    assert now_sold.phase == "general"
    counted = await rows(
        runtime, "SELECT seats_of_phase($1, 'fans') AS fans, seats_of_phase($1, 'general') AS general", event.id
    )
    assert (counted[0]["fans"], counted[0]["general"]) == (10, 1)


async def finish_all_of(at: Desk, event: Event) -> None:
    """What is over is told; what waits for its buyer goes on waiting."""
    await at.checkout.finish_due()


async def test_a_basket_stays_in_its_phase(runtime: Runtime, make_event: MakeEvent) -> None:
    """Held before the change, paid after it: it counts where it was held, and spends its code."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    at = desk(runtime, Bank())
    await join(runtime, event, "a", code)
    await runtime.seats.hold(event, "a", [1])
    ended = Phase("fans", FANS.opens_at, NOW - timedelta(minutes=1), code_group="fans")
    event = await moved(runtime, event, ended, ALL)
    await runtime.seats.hold(event, "a", [2])
    made = await at.submit(event, "a")
    assert (made.phase, len(made.seats)) == ("fans", 2)
    assert (await rows(runtime, "SELECT code FROM reservations WHERE id = $1", made.id))[0]["code"] is not None


async def test_seats_whose_phase_was_lost_are_not_bought(runtime: Runtime, make_event: MakeEvent) -> None:
    """A Redis that evicts: without the phase neither its quota nor the code would be counted."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    at = desk(runtime, Bank())
    await join(runtime, event, "a", code)
    await runtime.seats.hold(event, "a", [0])
    await runtime.redis.delete(keys.visitor_phases(event.slug))
    with pytest.raises(HoldExpired):
        await at.submit(event, "a")
    await runtime.seats.hold(event, "a", [1])
    assert (await at.submit(event, "a", key="again")).status == "PAYING"


async def test_between_two_phases(runtime: Runtime, make_event: MakeEvent) -> None:
    """Nobody joins and nobody holds."""
    first = Phase("fans", NOW - timedelta(hours=2), NOW - timedelta(hours=1), code_group="fans")
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    await join(runtime, event, "a", code)
    event = await moved(runtime, event, first, Phase("general", NOW + timedelta(hours=1)))
    with pytest.raises(SaleNotOpen):
        await join(runtime, event, "b")
    with pytest.raises(SaleNotOpen):
        await runtime.seats.hold(event, "a", [1])


async def test_seats_of_a_buyer_in_a_phase(runtime: Runtime, make_event: MakeEvent) -> None:
    few = Phase("fans", FANS.opens_at, None, code_group="fans", max_seats=1)
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, few), 2)
    await join(runtime, event, "a", codes[0])
    with pytest.raises(TooManySeats):
        await runtime.seats.hold(event, "a", [1, 2])
    await runtime.seats.hold(event, "a", [1])


async def test_an_address_has_no_more_seats_of_a_phase_than_the_phase_says(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """Rule 11: two windows of one address are open and paid at once. What the phase says of a buyer counts where the
    money moves as well, though the sale itself says more.
    """
    few = Phase("fans", FANS.opens_at, None, code_group="fans", max_seats=1)
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, few, max_seats=4), 2)
    at = desk(runtime, Bank())
    orders = []
    for n, code in enumerate(codes):
        await join(runtime, event, f"v{n}", code)
        await runtime.seats.hold(event, f"v{n}", [n])
        orders.append(await at.submit(event, f"v{n}", email="kim@example.org"))
    await asyncio.gather(*(at.pay(one) for one in orders))
    ended = [await at.ended(one) for one in orders]
    assert sorted(one.status for one in ended) == ["CONFIRMED", "FAILED"]
    assert {one.reason for one in ended if one.status == "FAILED"} == {"share_reached"}


async def test_revoked_codes(runtime: Runtime, make_event: MakeEvent) -> None:
    """Not for a new place; and a place that was taken before buys nothing."""
    event, codes = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 3)
    at = desk(runtime, Bank())
    await join(runtime, event, "a", codes[0])
    assert await runtime.codes.revoke(event, None, [codes[0].lower()]) == 1
    event = await runtime.events.fresh(event.slug)
    with pytest.raises(CodeNotValid):
        await join(runtime, event, "b", codes[0])
    with pytest.raises(CodeUsed):
        await buys(at, event, "a", 1)
    await join(runtime, event, "b", codes[1])
    assert await runtime.codes.revoke(event, "fans", None) == 2
    (group,) = await runtime.codes.groups(event.id)
    assert (group.codes, group.revoked, group.spent) == (3, 3, 0)


async def test_redis_lost_with_a_claim(runtime: Runtime, make_event: MakeEvent) -> None:
    """What Redis forgot is never sold twice: the buyer is told to give the code again."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    at = desk(runtime, Bank())
    await join(runtime, event, "a", code)
    await runtime.seats.hold(event, "a", [1])
    await runtime.redis.delete(f"ticket:codes:of:{{{event.slug}}}")
    with pytest.raises(HoldExpired):
        await at.submit(event, "a")
    await join(runtime, event, "a", code)
    assert (await at.submit(event, "a")).phase == "fans"


async def test_codes_are_kept_as_hmacs(runtime: Runtime, make_event: MakeEvent) -> None:
    """Of one event and one installation each: a dump of the database opens nothing."""
    event, (code,) = await with_codes(runtime, await of_phases(runtime, make_event, FANS), 1)
    (row,) = await rows(runtime, "SELECT * FROM codes WHERE event_id = $1", event.id)
    assert normalised(code).encode() not in bytes(row["digest"])
    digests = CodeDigests("one"), CodeDigests("another")
    assert len({digests[0].of(1, code), digests[0].of(2, code), digests[1].of(1, code)}) == 3


async def test_a_file_of_codes(runtime: Runtime, make_event: MakeEvent) -> None:
    """A heading, further columns, quotes and empty lines; all or nothing."""
    event = await of_phases(runtime, make_event, FANS)
    lines = ["\ufeffcode,name\n", '"MINA-0001",Mina\n', "\n", "mina0001\n", "JUNO-0002;x\n"]
    assert await runtime.codes.add(event, "fans", read_codes(lines)) == Added(2, 1)
    assert await runtime.codes.add(event, "fans", read_codes(lines)) == Added(0, 3)
    event = await runtime.events.fresh(event.slug)
    await join(runtime, event, "a", "juno 0002")
    with pytest.raises(InvalidRequest, match="line 2"):
        await runtime.codes.add(event, "fans", read_codes(["GOOD-CODE-1\n", "no\n"]))
    assert len(await runtime.codes.book(event)) == 2


async def test_closing_is_reversible_until_a_time(runtime: Runtime, make_event: MakeEvent) -> None:
    """By hand as often as wanted; not after the closing time, nor once it has begun, nor when it is cancelled."""
    event = await make_event()
    for status in (SaleStatus.CLOSED, SaleStatus.OPEN, SaleStatus.CLOSED, SaleStatus.SCHEDULED):
        assert (await runtime.events.set_status(event.slug, status)).status is status
    await runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    for closes_at, starts_at in ((NOW - timedelta(minutes=1), None), (None, NOW)):
        # As time makes it: nobody can set a closing time that is over.
        await rows(
            runtime, "UPDATE events SET closes_at = $2, starts_at = $3 WHERE id = $1", event.id, closes_at, starts_at
        )
        with pytest.raises(ReopenTooLate):
            await runtime.events.set_status(event.slug, SaleStatus.OPEN)
    again = await runtime.events.update(event.slug, starts_at=NOW + timedelta(hours=1))
    assert again.reopen_until == NOW + timedelta(hours=1)
    assert (await runtime.events.set_status(event.slug, SaleStatus.OPEN)).status is SaleStatus.OPEN
    await rows(runtime, "UPDATE events SET cancelled_at = now(), status = 'CLOSED' WHERE id = $1", event.id)
    with pytest.raises(ReopenTooLate):
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
