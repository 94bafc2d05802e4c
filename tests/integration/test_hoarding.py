"""F5: what is held without being bought has a budget, of a visitor and of a network; then a pause.

Who pays, and who only changes seats, never feels it. A session's extensions are counted for the session, and leaving it
gives no other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from core import keys
from core.errors import CoolDown, HoldNotExtendable, NotTogether, SeatTaken, TooManySeats
from core.runtime import Runtime
from core.seats.best_seats import Wish
from core.seats.board import SeatState
from core.seats.composition import seat_scripts
from core.seats.hold_scripts_redis import SCRIPTS
from core.seats.scripts_redis import SeatScripts
from core.venue.event import Event
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")

HOLD = 300
#: A whole hold, its extension and the whole time to pay, seconds.
LONGEST = 2 * HOLD + 420
NETWORK = "203.0.113.0/24"


@pytest.fixture
async def event(make_event: MakeEvent) -> Event:
    return await make_event(seats=40, max_seats=4, hold_seconds=HOLD, active_limit=500)


async def enter(runtime: Runtime, event: Event, *visitors: str, network: str = "") -> None:
    for visitor in visitors:
        await runtime.waiting_room.join(event, visitor)
        if network:
            await as_any(runtime.redis.hset(keys.places(event.slug), visitor, network))


async def as_any(call: Any) -> Any:
    return await call


async def passed(runtime: Runtime, event: Event, visitor: str, seconds: float) -> None:
    """The visitor has held the basket for so much longer."""
    name = keys.baskets(event.slug)
    fields = (await as_any(runtime.redis.hget(name, visitor))).decode().split("|")
    fields[5] = str(int(fields[5]) - int(seconds * 1000))
    await as_any(runtime.redis.hset(name, visitor, "|".join(fields)))


async def hoard(runtime: Runtime, event: Event, visitor: str, seats: list[int], seconds: float) -> None:
    """Holds the seats for so long, in a payment window as well, and lets the payment go."""
    await runtime.seats.hold(event, visitor, seats)
    basket = await runtime.seats.begin_payment(event, visitor)
    await passed(runtime, event, visitor, seconds)
    await runtime.seats.settle(event, visitor, basket.fence, seats, SeatState.AVAILABLE, unpaid=True)


async def buy(runtime: Runtime, event: Event, visitor: str, seats: list[int]) -> None:
    await runtime.seats.hold(event, visitor, seats)
    basket = await runtime.seats.begin_payment(event, visitor)
    await runtime.seats.settle(event, visitor, basket.fence, seats, SeatState.SOLD)


async def pause_over(runtime: Runtime, event: Event, field: str) -> None:
    name = keys.shares(event.slug)
    spent = (await as_any(runtime.redis.hget(name, field))).decode().split("|")[0]
    await as_any(runtime.redis.hset(name, field, f"{spent}|1000"))


async def test_an_honest_buyer_is_never_cooled_down(runtime: Runtime, event: Event) -> None:
    """Four seats for the whole hold, the extension and the whole time to pay, and longer by the provider's doing."""
    await enter(runtime, event, "v")
    await hoard(runtime, event, "v", [0, 1, 2, 3], LONGEST)
    # Nearly as long again: what this machine takes meanwhile counts as well.
    await hoard(runtime, event, "v", [0, 1, 2, 3], LONGEST - 60)
    await runtime.seats.hold(event, "v", [4])


async def test_who_holds_without_buying_pauses(runtime: Runtime, event: Event) -> None:
    await enter(runtime, event, "v", "w")
    for _ in range(2):
        await hoard(runtime, event, "v", [0, 1, 2, 3], 10 * LONGEST)
    with pytest.raises(CoolDown) as refused:
        await runtime.seats.hold(event, "v", [0])
    assert refused.value.retry_after is not None
    assert 300 < refused.value.retry_after <= 600
    await runtime.seats.hold(event, "w", [0])
    await pause_over(runtime, event, "u|v")
    await runtime.seats.hold(event, "v", [1])
    await runtime.seats.release(event, "v")
    await runtime.seats.hold(event, "v", [1])


@pytest.mark.parametrize("end", ["released", "lapsed", "left"])
async def test_however_the_basket_ends(runtime: Runtime, event: Event, end: str) -> None:
    await enter(runtime, event, "v")
    ends: dict[str, Callable[[], Awaitable[object]]] = {
        "released": lambda: runtime.seats.release(event, "v", [0, 1, 2, 3]),
        "lapsed": lambda: runtime.waiting_room.sweep(event),
        "left": lambda: runtime.waiting_room.leave(event, "v"),
    }
    for _ in range(8):
        await runtime.seats.hold(event, "v", [0, 1, 2, 3])
        await passed(runtime, event, "v", LONGEST / 4)
        if end == "lapsed":
            await as_any(runtime.redis.zadd(keys.basket_deadlines(event.slug), {"v": 1000}))
        await ends[end]()
        await enter(runtime, event, "v")
    with pytest.raises(CoolDown):
        await runtime.seats.hold(event, "v", [0])


async def test_a_purchase_clears_it(runtime: Runtime, event: Event) -> None:
    await enter(runtime, event, "v", "w", network=NETWORK)
    await hoard(runtime, event, "v", [0, 1, 2, 3], 10 * LONGEST)
    await buy(runtime, event, "v", [0, 1])
    shares = await as_any(runtime.redis.hgetall(keys.shares(event.slug)))
    assert {name for name in shares if name[:1] in b"un"} == set(), "nor is it the network's any more"


async def test_what_is_the_shops_fault_costs_nothing(runtime: Runtime, event: Event) -> None:
    await enter(runtime, event, "v")
    for _ in range(3):
        await runtime.seats.hold(event, "v", [0, 1, 2, 3])
        basket = await runtime.seats.begin_payment(event, "v")
        await passed(runtime, event, "v", LONGEST)
        await runtime.seats.settle(event, "v", basket.fence, [0, 1, 2, 3], SeatState.AVAILABLE)
    await runtime.seats.hold(event, "v", [0])


async def test_swapping_seats_twenty_times_is_never_refused(runtime: Runtime, event: Event) -> None:
    """Each seat counts for the time that it was held, and no longer: also where the basket is empty in between."""
    await enter(runtime, event, "v")
    began = runtime.clock.monotonic()
    await runtime.seats.hold(event, "v", [0, 1, 2, 3])
    for n in range(20):
        await passed(runtime, event, "v", HOLD / 20)
        await runtime.seats.release(event, "v", [4 * (n % 2)] if n % 3 else None)
        await runtime.seats.hold(event, "v", [4 * ((n + 1) % 2)])
    spent = await as_any(runtime.redis.hget(keys.shares(event.slug), "u|v"))
    took = runtime.clock.monotonic() - began
    assert int(spent.split(b"|")[0]) <= 4 * (HOLD + took) * 1000 + 1_000


async def test_a_network_has_a_budget_of_thirty_two_visitors(runtime: Runtime, make_event: MakeEvent) -> None:
    """Its payers do not feel it, nor does anybody else."""
    event = await make_event(seats=4_000, max_seats=4, hold_seconds=HOLD, active_limit=500)
    hoarders = [f"h{n}" for n in range(64)]
    await enter(runtime, event, *hoarders, "payer", "fresh", network=NETWORK)
    await enter(runtime, event, "other", network="198.51.100.0/24")
    await buy(runtime, event, "payer", [30])
    for hoarder in hoarders:
        await runtime.seats.hold(event, "fresh", [20])
        await runtime.seats.release(event, "fresh")
        await hoard(runtime, event, hoarder, [0, 1, 2, 3], 10 * LONGEST)
    with pytest.raises(CoolDown):
        await runtime.seats.hold(event, "fresh", [20])
    await runtime.seats.hold(event, "payer", [31])
    await runtime.seats.hold(event, "other", [21])


async def test_what_was_bought_counts_for_the_next_basket(runtime: Runtime, event: Event) -> None:
    """F3: refused at the seat, before any money."""
    await enter(runtime, event, "v")
    await buy(runtime, event, "v", [0, 1, 2])
    with pytest.raises(TooManySeats) as refused:
        await runtime.seats.hold(event, "v", [3, 4])
    assert refused.value.data == {"max": 4}
    await buy(runtime, event, "v", [3])
    with pytest.raises(TooManySeats):
        await runtime.seats.hold(event, "v", [5])


async def test_extensions_are_counted_for_the_session(runtime: Runtime, event: Event) -> None:
    await enter(runtime, event, "v")
    await runtime.seats.hold(event, "v", [0])
    await runtime.seats.extend(event, "v")
    for way in (lambda: runtime.seats.release(event, "v"), lambda: runtime.waiting_room.leave(event, "v")):
        await way()
        await enter(runtime, event, "v")
        assert (await runtime.seats.hold(event, "v", [0])).extensions_left == 0
        with pytest.raises(HoldNotExtendable):
            await runtime.seats.extend(event, "v")


async def test_leaving_gives_no_other_session_and_no_better_place(runtime: Runtime, make_event: MakeEvent) -> None:
    """The end is that of the session that was given up; others who wait come first."""
    event = await make_event(active_limit=1)
    first = await runtime.waiting_room.join(event, "v")
    for other in ("a", "b"):
        await runtime.waiting_room.join(event, other)
    await asyncio.sleep(0.05)
    await runtime.waiting_room.leave(event, "v")
    again = await runtime.waiting_room.join(event, "v")
    assert (again.state, again.ahead) == ("waiting", 1)
    for other in ("a", "b"):
        await runtime.waiting_room.leave(event, other)
    back = await runtime.waiting_room.place(event, "v")
    assert back is not None
    assert back.until == first.until
    await as_any(runtime.redis.hset(keys.shares(event.slug), "e|v", 1000))
    await as_any(runtime.redis.zadd(keys.active_until(event.slug), {"v": 1000}))
    await runtime.waiting_room.sweep(event)
    new = await runtime.waiting_room.join(event, "v")
    assert new.until is not None
    assert first.until is not None
    assert new.until > first.until


async def lapse(runtime: Runtime, event: Event, *visitors: str) -> None:
    """A whole hold has passed for these baskets, and nobody has paid."""
    name = keys.baskets(event.slug)
    for visitor in visitors:
        fields = (await as_any(runtime.redis.hget(name, visitor))).decode().split("|")
        for moment in (1, 5):
            fields[moment] = str(int(fields[moment]) - HOLD * 1000)
        await as_any(runtime.redis.hset(name, visitor, "|".join(fields)))
        await as_any(runtime.redis.zadd(keys.basket_deadlines(event.slug), {visitor: int(fields[1])}))
    await runtime.waiting_room.sweep(event)


HOARDERS = [f"h{n}" for n in range(100)]
BUYERS = [f"b{n}" for n in range(50)]
TAKEN = (SeatTaken, CoolDown, TooManySeats, NotTogether)


async def crowded(runtime: Runtime, make_event: MakeEvent) -> Event:
    """50 hoarders, with 100 browsers of one network, have all 200 seats; 50 buyers of another one look on."""
    event = await make_event(seats=200, max_seats=4, hold_seconds=HOLD, active_limit=1000)
    await enter(runtime, event, *HOARDERS, network=NETWORK)
    await enter(runtime, event, *BUYERS, network="198.51.100.0/24")
    for n in range(50):
        await runtime.seats.hold(event, HOARDERS[n], range(4 * n, 4 * n + 4))
    return event


async def free_seats(runtime: Runtime, event: Event) -> list[int]:
    states = (await runtime.seats.board(event)).states
    return [n for n, state in enumerate(states) if state == SeatState.AVAILABLE]


async def snatch(runtime: Runtime, seats: SeatScripts, event: Event, visitor: str, chance: random.Random) -> None:
    """Whatever can be had: four seats by name, the best four, a single one."""
    table = await runtime.halls.table(event)
    free = await free_seats(runtime, event)
    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: seats.hold(event, visitor, chance.sample(free, min(4, len(free)))),
        lambda: seats.best(event, visitor, table, Wish(4)),
        lambda: seats.best(event, visitor, table, Wish(1)),
    ]
    for way in ways if free else []:
        with contextlib.suppress(*TAKEN):
            await way()
            return


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("budget", [True, False])
async def test_fifty_hoarders_against_fifty_buyers(
    runtime: Runtime, make_event: MakeEvent, budget: bool, at_once: bool
) -> None:
    """F5: hoarders are quicker than any buyer, at every seat that comes free, and change their browsers. They have had
    their time after one hold, by default; without budgets (the negative control) the buyers go without.

    Seats come free `at_once`, or basket by basket.
    """
    event = await crowded(runtime, make_event)
    chance = random.Random(5)
    off = {"hoarding_visitors": 0.0, "hoarding_baskets": 0.0}
    settings = runtime.settings if budget else runtime.settings.model_copy(update=off)
    seats = seat_scripts(settings, runtime.run)

    async def hoarders_have_their_turn() -> None:
        await runtime.waiting_room.beat(event, [*HOARDERS, *BUYERS])
        for visitor in HOARDERS:
            if await runtime.seats.basket(event, visitor) is None:
                await snatch(runtime, seats, event, visitor, chance)

    if at_once:
        await lapse(runtime, event, *HOARDERS[:50])
        await hoarders_have_their_turn()
    else:
        for n in range(50):
            await runtime.waiting_room.beat(event, [*HOARDERS, *BUYERS])
            await lapse(runtime, event, HOARDERS[n])
            await snatch(runtime, seats, event, HOARDERS[50 + n], chance)
            await snatch(runtime, seats, event, HOARDERS[n], chance)
        await hoarders_have_their_turn()
    bought = 0
    for buyer in BUYERS:
        free = await free_seats(runtime, event)
        if len(free) >= 2:
            await buy(runtime, event, buyer, chance.sample(free, 2))
            bought += 1
    assert bought / len(BUYERS) >= 0.9 if budget else bought == 0


async def test_the_best_seats_are_found_behind_all_that_is_for_others_first(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many those are, and the board shows them free as before, also when the search fails half-way."""
    seats, each = 1_600, 16
    event = await make_event(seats=seats, max_seats=each, hold_seconds=HOLD, active_limit=1000)
    await enter(runtime, event, *HOARDERS[:88], "fresh", network=NETWORK)
    for n in range(88):
        await runtime.seats.hold(event, HOARDERS[n], range(each * n, each * n + each))
    # The network is known to let go much: all of these are marked.
    account = f"{seats // 4 * HOLD * 1000}|{int(runtime.clock.now().timestamp() * 1000)}"
    await as_any(runtime.redis.hset(keys.shares(event.slug), f"n|{NETWORK}", account))
    await lapse(runtime, event, *HOARDERS[:88])
    table = await as_any(runtime.redis.hmget(keys.shares(event.slug), [f"s|{n}" for n in range(each * 88)]))
    assert None not in table
    before = await free_seats(runtime, event)
    for count in (1, 4, 8):
        best = await runtime.seats.best(event, "fresh", Wish(count))
        assert min(best.seats) >= each * 88
        await runtime.seats.release(event, "fresh")
        assert await free_seats(runtime, event) == before
    found = "local found = find_all()"
    assert found in SCRIPTS["best"].text
    broken = copy.copy(SCRIPTS["best"])
    broken.text = broken.text.replace(found, f"{found} if #masked > 0 then error('a fault of the tests') end")
    broken.digest = hashlib.sha1(broken.text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(SCRIPTS, "best", broken)
    with pytest.raises(ResponseError, match="a fault of the tests"):
        await runtime.seats.best(event, "fresh", Wish(1))
    assert await free_seats(runtime, event) == before


async def test_what_a_hoarding_network_lets_go_is_for_others_first(runtime: Runtime, make_event: MakeEvent) -> None:
    """For the length of a hold; its other seats, its payers and who changes seats in a basket never feel it."""
    event = await crowded(runtime, make_event)
    await enter(runtime, event, "fresh", "payer", "swapper", network=NETWORK)
    await lapse(runtime, event, *HOARDERS[:40])
    noticed = 200 // 4  # seats, all of them held for one hold
    marked = [n for n in range(160) if await as_any(runtime.redis.hexists(keys.shares(event.slug), f"s|{n}"))]
    assert len(marked) == 160 - noticed // 4 * 4, "what a quarter of the hall comes to is nobody's concern"
    unmarked = [n for n in range(160) if n not in marked]
    with pytest.raises(CoolDown) as refused:
        await runtime.seats.hold(event, "fresh", [unmarked[0], marked[0]])
    assert refused.value.retry_after is not None
    assert HOLD - 120 < refused.value.retry_after <= HOLD
    await runtime.seats.hold(event, "fresh", unmarked[:2])
    best = await runtime.seats.best(event, "swapper", Wish(2))
    assert set(best.seats) <= set(unmarked)
    for _ in range(20):
        await runtime.seats.release(event, "swapper", [best.seats[0]])
        await runtime.seats.hold(event, "swapper", [best.seats[0]])
    await buy(runtime, event, "payer", [unmarked[8]])
    await runtime.seats.hold(event, "payer", marked[:2])
    await runtime.seats.hold(event, BUYERS[0], marked[2:4])
    await as_any(runtime.redis.hset(keys.shares(event.slug), f"s|{marked[4]}", f"1000|{NETWORK}|h"))
    await runtime.seats.hold(event, "fresh", [marked[4]])
