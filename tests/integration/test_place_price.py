"""A place has a price (F4): who needs a proof, which proofs are refused, and what a thousand places cost."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import orjson
import pytest

from core import keys
from core.embedded import Engines
from core.errors import ProofRequired, StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.waiting_room.composition import price_of
from core.waiting_room.place import Place, PlaceState
from core.waiting_room.price import Bidder
from core.waiting_room.proof_of_work import ProofOfWork
from tests.conftest import MakeEvent
from tests.live_server import live_server
from tests.sale_keys import sale_keys

pytestmark = pytest.mark.usefixtures("patient")

CAMPUS = "198.51.100.0/24"
ELSEWHERE = "203.0.113.0/24"


def solved(challenge: dict[str, Any]) -> str:
    """As a browser hands it in."""
    made = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(made)
    assert solution is not None
    return altcha.Payload(made, solution).to_base64()


@pytest.fixture
def work(runtime: Runtime) -> ProofOfWork:
    """The installation's own, with work that takes no time: what is tested is who must do how much."""
    settings = runtime.settings
    return ProofOfWork(runtime.secret, price=price_of(settings), tries=1, seconds=600, clock=runtime.clock)


class Room:
    """Joins of one event, from networks."""

    def __init__(self, runtime: Runtime, event: Event, work: ProofOfWork) -> None:
        self.runtime = runtime
        self.event = event
        self.work = work

    async def join(
        self, visitor: str, network: str = CAMPUS, proof: str | None = None, ticket: str | None = None
    ) -> Place:
        return await self.runtime.waiting_room.join(self.event, visitor, ticket, None, Bidder(network, proof))

    async def priced(self, visitor: str, network: str = CAMPUS, proof: str | None = None) -> dict[str, Any]:
        """The challenge of a join that is refused."""
        with pytest.raises(ProofRequired) as refused:
            await self.join(visitor, network, proof)
        return dict(refused.value.data["challenge"])

    def cheap(self, visitor: str, step: int, network: str = CAMPUS) -> dict[str, Any]:
        return self.work.challenge(self.event.slug, visitor, network, step)

    async def filled(self, places: int, network: str = CAMPUS) -> None:
        """So many places of a network."""
        await self.runtime.redis.zadd(keys.networks(self.event.slug), {network: places})

    async def places(self, network: str = CAMPUS) -> int:
        return int(await self.runtime.redis.zscore(keys.networks(self.event.slug), network) or 0)

    async def sweep(self) -> None:
        await self.runtime.waiting_room.sweep(self.event)


@pytest.fixture
async def room(runtime: Runtime, make_event: MakeEvent, work: ProofOfWork) -> Room:
    return Room(runtime, await make_event(active_limit=1), work)


async def test_the_first_places_of_a_network_need_no_proof(room: Room) -> None:
    for number in range(8):
        await room.join(f"v{number}")
    await room.priced("v8")
    assert await room.places() == 8
    await room.join("another", ELSEWHERE)
    assert (await room.join("v3")).state is PlaceState.WAITING, "asking again for the own place costs nothing"


async def test_a_refused_join_changes_nothing(room: Room) -> None:
    await room.filled(8)
    before = await room.runtime.waiting_room.place(room.event, "someone")
    await room.priced("someone")
    assert before is None
    assert await room.runtime.waiting_room.place(room.event, "someone") is None
    assert await room.places() == 8


@pytest.mark.parametrize(
    ("places", "step", "portions"),
    [(8, 0, 1), (31, 0, 1), (32, 1, 2), (63, 1, 2), (64, 2, 4), (191, 5, 32), (192, 6, 64), (5000, 156, 64)],
)
async def test_the_work_doubles_with_each_further_step(room: Room, places: int, step: int, portions: int) -> None:
    await room.filled(places)
    challenge = await room.priced("v")
    data = challenge["parameters"]["data"]
    assert data["step"] == step
    assert data["tries"] == room.runtime.settings.proof_tries * portions
    assert challenge["parameters"]["algorithm"] == "PBKDF2/SHA-256"


async def test_the_browsers_own_challenge_solved_is_a_place(room: Room) -> None:
    await room.filled(8)
    proof = solved(await room.priced("v"))
    assert (await room.join("v", proof=proof)).number > 0
    assert await room.places() == 9


async def test_one_step_is_tolerated_and_no_more(room: Room) -> None:
    proof = solved(room.cheap("v", step=1))
    await room.filled(96)
    assert (await room.priced("v", proof=proof))["parameters"]["data"]["step"] == 3
    await room.filled(95)
    await room.join("v", proof=proof)


async def test_who_has_paid_in_full_has_paid_however_many_come(room: Room) -> None:
    await room.filled(5_000)
    await room.join("v", proof=solved(room.cheap("v", step=6)))
    await room.priced("w", proof=solved(room.cheap("w", step=5)))


async def test_hundreds_of_challenges_fetched_beforehand_are_not_cheap(room: Room) -> None:
    """All fetched while the network was empty: they are good for the first two steps only."""
    await room.filled(8)
    proofs = [(f"v{number}", solved(room.cheap(f"v{number}", step=0))) for number in range(300)]
    let_in = 0
    for visitor, proof in proofs:
        try:
            await room.join(visitor, proof=proof)
        except ProofRequired:
            continue
        let_in += 1
    assert let_in == 56, "places 9 to 64"
    assert await room.places() == 64


Spoil = Callable[[Room, dict[str, Any]], Awaitable[str]]


async def another_visitors(room: Room, challenge: dict[str, Any]) -> str:
    return solved(room.cheap("other", 0))


async def another_networks(room: Room, challenge: dict[str, Any]) -> str:
    return solved(room.cheap("v", 0, ELSEWHERE))


async def another_events(room: Room, challenge: dict[str, Any]) -> str:
    return solved(room.work.challenge("another-event", "v", CAMPUS, 0))


async def expired(room: Room, challenge: dict[str, Any]) -> str:
    settings, runtime = room.runtime.settings, room.runtime
    past = ProofOfWork(runtime.secret, price=price_of(settings), tries=1, seconds=-1, clock=runtime.clock)
    return solved(past.challenge(room.event.slug, "v", CAMPUS, 0))


async def spliced(room: Room, challenge: dict[str, Any]) -> str:
    """The key of a cheap challenge under a dear one."""
    cheap = altcha.Payload.from_base64(solved(room.cheap("v", 0)))
    return altcha.Payload(altcha.Challenge.from_dict(challenge), cheap.solution).to_base64()


async def made_dearer_by_hand(room: Room, challenge: dict[str, Any]) -> str:
    payload = altcha.Payload.from_base64(solved(room.cheap("v", 0)))
    assert payload.challenge.parameters.data is not None
    payload.challenge.parameters.data["step"] = 6
    return payload.to_base64()


async def of_another_key(room: Room, challenge: dict[str, Any]) -> str:
    forger = ProofOfWork(
        "another secret", price=price_of(room.runtime.settings), tries=1, seconds=600, clock=room.runtime.clock
    )
    return solved(forger.challenge(room.event.slug, "v", CAMPUS, 0))


async def unsolved(room: Room, challenge: dict[str, Any]) -> str:
    solution = altcha.Solution(0, challenge["parameters"]["keyPrefix"] + "00" * 16)
    return altcha.Payload(altcha.Challenge.from_dict(challenge), solution).to_base64()


async def unsigned(room: Room, challenge: dict[str, Any]) -> str:
    said = orjson.loads(base64.b64decode(solved(room.cheap("v", 0))))
    del said["challenge"]["signature"]
    return base64.b64encode(orjson.dumps(said)).decode()


async def deep(room: Room, challenge: dict[str, Any]) -> str:
    said = orjson.loads(base64.b64decode(solved(room.cheap("v", 0))))
    said["challenge"]["parameters"]["data"] = orjson.loads("[" * 200 + "]" * 200)
    return base64.b64encode(orjson.dumps(said)).decode()


async def of_other_types(room: Room, challenge: dict[str, Any]) -> str:
    return base64.b64encode(b'{"challenge": {"parameters": []}, "solution": 7}').decode()


async def nonsense(room: Room, challenge: dict[str, Any]) -> str:
    return "not-a-proof"


@pytest.mark.parametrize(
    "spoil",
    [
        another_visitors,
        another_networks,
        another_events,
        expired,
        spliced,
        made_dearer_by_hand,
        of_another_key,
        unsolved,
        unsigned,
        deep,
        of_other_types,
        nonsense,
    ],
)
async def test_what_is_no_proof_is_refused(room: Room, spoil: Spoil) -> None:
    await room.filled(8)
    proof = await spoil(room, await room.priced("v"))
    await room.priced("v", proof=proof)
    assert await room.places() == 8


async def test_a_proof_is_good_once(room: Room) -> None:
    await room.filled(8)
    proof = solved(room.cheap("v", 0))
    await room.join("v", proof=proof)
    await room.runtime.waiting_room.leave(room.event, "v")
    assert await room.places() == 8
    await room.priced("v", proof=proof)
    key = keys.proof_prefix(room.event.slug) + str(altcha.Payload.from_base64(proof).challenge.parameters.nonce)
    assert 0 < await room.runtime.redis.pttl(key) <= 600_001, "what is remembered of it has an end (rule 8)"


async def test_twenty_tabs_with_one_proof_are_one_place(room: Room) -> None:
    await room.filled(8)
    proof = solved(room.cheap("v", 0))
    places = await asyncio.gather(*(room.join("v", proof=proof) for _ in range(20)))
    assert len({place.number for place in places}) == 1
    assert await room.places() == 9


async def test_a_place_that_ends_is_one_less(room: Room) -> None:
    await room.join("inside")
    await room.join("waits")
    assert await room.places() == 2
    await room.runtime.waiting_room.leave(room.event, "inside")
    assert await room.places() == 1
    await room.runtime.redis.zadd(keys.active_until(room.event.slug), {"waits": 1})
    await room.sweep()
    assert await room.places() == 0
    assert not await room.runtime.redis.exists(keys.networks(room.event.slug), keys.places(room.event.slug))


async def test_places_cannot_be_gathered_for_nothing_by_going_silent(room: Room) -> None:
    """Eight come, go silent, eight more come: the silent ones' tickets still count until they are worth nothing."""
    await room.join("head", ELSEWHERE)
    tickets = {}
    for number in range(8):
        place = await room.join(f"v{number}")
        tickets[f"v{number}"] = room.runtime.waiting_room.ticket_of(room.event, f"v{number}", place)
    redis, slug = room.runtime.redis, room.event.slug
    await redis.zadd(keys.waiting_beats(slug), dict.fromkeys(tickets, 1))
    await room.sweep()
    assert await redis.zcard(keys.waiting_queue(slug)) == 0
    await room.priced("more")
    back = await room.join("v3", ticket=tickets["v3"])
    assert back.state is PlaceState.WAITING, "who slept comes back for nothing"
    assert await redis.zscore(keys.absent_places(slug), "v3") is None
    # Ten minutes on.
    await redis.zadd(keys.absent_places(slug), {visitor: 1 for visitor in tickets if visitor != "v3"})
    await room.sweep()
    assert await room.places() == 1
    await room.filled(8)
    with pytest.raises(ProofRequired):
        await room.join("v5", ticket=tickets["v5"])


async def test_after_a_loss_of_redis_who_had_paid_comes_back_for_nothing(room: Room) -> None:
    await room.join("head", ELSEWHERE)
    place = await room.join("v")
    ticket = room.runtime.waiting_room.ticket_of(room.event, "v", place)
    slug = room.event.slug
    await room.runtime.redis.delete(*sale_keys(slug))
    await room.join("first", ELSEWHERE)
    await room.filled(500)
    with pytest.raises(ProofRequired):
        await room.join("w")
    back = await room.join("v", ticket=ticket)
    assert back.number == place.number


async def test_an_entry_costs_the_same(runtime: Runtime, make_event: MakeEvent, work: ProofOfWork) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=600)
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=opens, prequeue_seconds=900)
    room = Room(runtime, event, work)
    for number in range(8):
        assert (await room.join(f"v{number}")).state is PlaceState.ENTERED
    await room.priced("v8")
    assert (await room.join("v8", proof=solved(room.cheap("v8", 0)))).state is PlaceState.ENTERED
    assert await room.places() == 9
    # Silent entries are out, and count on for who comes back.
    await runtime.redis.zadd(keys.entry_beats(event.slug), {"v1": 1})
    await room.sweep()
    assert await room.places() == 9
    assert await runtime.redis.hexists(keys.entries(event.slug), "v1") == 0
    assert (await room.join("v1")).state is PlaceState.ENTERED


async def test_places_of_who_is_nowhere_are_found(room: Room) -> None:
    """The second net: a draw drops its silent entries all at once."""
    await room.join("head", ELSEWHERE)
    await room.join("v")
    slug = room.event.slug
    await room.runtime.redis.zrem(keys.waiting_queue(slug), "v")
    await room.sweep()
    assert await room.runtime.redis.zscore(keys.absent_places(slug), "v") is not None
    assert await room.runtime.redis.zscore(keys.absent_places(slug), "head") is None
    await room.runtime.redis.delete(keys.places(slug))
    await room.sweep()
    assert await room.places() == 0, "a count of what an evicting Redis threw away is no count"


async def test_a_hundred_and_fifty_behind_one_address_get_in_within_a_minute(
    settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """All at once, with a twentieth of the work, since this one machine does it for all of them; each has its own."""
    event = await make_event(active_limit=1)
    cheaper = 20
    tries = settings.proof_tries // cheaper
    spent: dict[str, float] = {}

    def work(challenge: dict[str, Any]) -> tuple[str, float]:
        began = time.thread_time()
        return solved(challenge), time.thread_time() - began

    async with open_runtime(settings.model_copy(update={"proof_tries": tries}), stores) as runtime:

        async def come(visitor: str) -> None:
            proof, spent[visitor] = None, 0.0
            while True:
                try:
                    await runtime.waiting_room.join(event, visitor, None, None, Bidder(CAMPUS, proof))
                except StoreUnavailable:
                    await asyncio.sleep(0.1)  # the machine has no time: as a browser does
                except ProofRequired as required:
                    proof, seconds = await asyncio.to_thread(work, required.data["challenge"])
                    spent[visitor] += seconds
                else:
                    return

        await asyncio.gather(*(come(f"student{number}") for number in range(150)))
        assert await runtime.redis.zscore(keys.networks(event.slug), CAMPUS) == 150
    # A phone of the middle class is four times as slow as one core of a server.
    assert max(spent.values()) * cheaper * 4 < 60, max(spent.values())


def test_a_thousand_places_from_one_machine_cost_an_hour_of_its_cpu(runtime: Runtime) -> None:
    """The cheapest way: each proof fetched one step early. A try is measured, the tries are counted."""
    price = price_of(runtime.settings)
    tries = 0.0
    for place in range(1_000):
        step = price.step(place)
        if step >= 0:
            full = place // price.step_places > price.doublings
            paid = price.doublings if full else max(step - 1, 0)
            tries += runtime.settings.proof_tries * price.portions(paid) / 2
    work = ProofOfWork(runtime.secret, price=price, tries=400, seconds=600, clock=runtime.clock)
    made = altcha.Challenge.from_dict(work.challenge("e", "v", CAMPUS, 0))
    made.parameters.key_prefix = "ff" * 16  # is not found: a set number of tries
    began, count = time.process_time(), 0
    salt, nonce = bytes.fromhex(made.parameters.salt), bytes.fromhex(made.parameters.nonce)
    while count < 100:
        altcha.derive_key_pbkdf2(made.parameters, salt, nonce + count.to_bytes(4, "big"))
        count += 1
    one = (time.process_time() - began) / count
    assert tries * one > 3600, f"{tries:.0f} tries of {one * 1e6:.0f} us: {tries * one:.0f} s"


async def test_the_check_of_a_proof_takes_microseconds(room: Room) -> None:
    proof = solved(room.cheap("v", 0))
    began = time.process_time()
    for _ in range(200):
        assert room.work.paid(proof, room.event.slug, "v", CAMPUS) is not None
    assert (time.process_time() - began) / 200 < 0.001


def test_rate_limits_off_makes_every_place_free(runtime: Runtime) -> None:
    assert price_of(runtime.settings.model_copy(update={"rate_limits": "off"})).step(1_000_000) == -1
    assert price_of(runtime.settings).step(8) == 0


async def test_the_channel_asks_for_the_proof_and_takes_it(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=1)
    async with live_server(runtime) as server, server.browser(event.slug) as browser:
        await browser.until("welcome")
        await runtime.redis.zadd(keys.networks(event.slug), {"127.0.0.0/24": 8})
        await browser.send("join")
        problem = await browser.until("problem")
        assert problem["code"] == "proof_required"
        await browser.send("join", proof=solved(problem["challenge"]))
        await browser.until("admitted")
        assert await runtime.redis.zscore(keys.networks(event.slug), "127.0.0.0/24") == 9
