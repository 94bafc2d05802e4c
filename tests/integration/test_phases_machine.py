"""A random walk through a sale of phases: codes, places and holds against a model of them (F7, rule 4)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core import keys
from core.embedded import Engines
from core.errors import CodeNotValid, CodeRequired, CodeUsed, OnsaleError, SaleNotOpen
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent
from core.venue.phase import Phase
from tests.conftest import small_plan
from tests.machine_world import PATIENT, World, opened_world

VISITORS = [f"v{i}" for i in range(3)]
visitors = st.sampled_from(VISITORS)
#: Which groups open a phase at a time of the sale, and whether one is open to all; None: it is between two phases.
TIMES: dict[str, tuple[set[str], bool] | None] = {
    "codes": ({"fans", "club"}, False),
    "fans": ({"fans"}, False),
    "both": ({"fans", "club"}, True),
    "all": (set(), True),
    "between": None,
}
#: Purchases that a code is good for, and its group.
CODES = [("fans", 1), ("club", 2)]
WRONG = "WRONG-WRONG"


@pytest.fixture(scope="module")
def world(settings: Settings, stores: Engines) -> Iterator[World]:
    # How often somebody may guess is another rule's.
    with opened_world(settings.model_copy(update=PATIENT | {"rate_limits": "off"}), stores) as opened:
        yield opened


def phases_at(time: str) -> list[Phase]:
    """Such that it is this time now."""
    now = datetime.now(UTC).replace(microsecond=0)
    open_, later = now - timedelta(hours=1), now + timedelta(hours=10)
    groups, free = TIMES[time] or (set(), False)
    coded = [Phase(group, open_ if group in groups else later, None, 0, code_group=group) for group in ("fans", "club")]
    return [*coded, Phase("general", open_ if free else later, None, 0)]


class Sale(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.time = "codes"
        self.there: set[str] = set()
        self.own: dict[str, int] = {}
        self.held: dict[str, str] = {}
        self.event: Event = self.world.run(self._made())

    async def _made(self) -> Event:
        runtime = self.world.runtime
        new = NewEvent(
            slug=f"m-{secrets.token_hex(6)}",
            name="Machine",
            prices={"Standard": 1},
            status=SaleStatus.SCHEDULED,
            phases=tuple(phases_at("codes")),
            active_limit=100,
        )
        event = await runtime.events.create(new, small_plan(len(VISITORS)))
        self.codes = [(await runtime.codes.make(event, group, 1, uses))[0] for group, uses in CODES]
        return await runtime.events.fresh(event.slug)

    # What should be.

    def claimants(self, code: int) -> set[str]:
        return {visitor for visitor in self.there if self.own.get(visitor) == code}

    def granted(self, visitor: str, code: int) -> bool:
        claimants = self.claimants(code)
        return visitor in claimants or len(claimants) < CODES[code][1]

    def refusal(self, visitor: str, code: int | None) -> type[OnsaleError] | None:
        """Of a join; what it claims is noted."""
        open_now = TIMES[self.time]
        if open_now is None:
            return SaleNotOpen
        groups, free = open_now
        if not groups:
            return None
        if code == len(CODES) or (code is not None and CODES[code][0] not in groups):
            return CodeNotValid
        if code is not None:
            if not self.granted(visitor, code):
                return CodeUsed
            self.own[visitor] = code
            return None
        own = self.own.get(visitor)
        if own is None or CODES[own][0] not in groups:
            return None if free else CodeRequired
        if self.granted(visitor, own):
            return None
        if free:
            del self.own[visitor]
            return None
        return CodeUsed

    def phase(self, visitor: str) -> str | type[OnsaleError]:
        """That a hold is made in."""
        if visitor in self.held:
            return self.held[visitor] if TIMES[self.time] else SaleNotOpen
        open_now = TIMES[self.time]
        if open_now is None:
            return SaleNotOpen
        groups, free = open_now
        group = CODES[self.own[visitor]][0] if visitor in self.own else ""
        return group if group in groups else "general" if free else CodeRequired

    # What happens.

    @rule(time=st.sampled_from(sorted(TIMES)))
    def pass_time(self, time: str) -> None:
        self.time = time
        self.event = self.world.run(self.world.runtime.events.update(self.event.slug, phases=phases_at(time)))

    @rule(visitor=visitors, code=st.none() | st.integers(0, len(CODES)))
    def join(self, visitor: str, code: int | None) -> None:
        given = None if code is None else [*self.codes, WRONG][code]
        self.world.run(self._age_claims())
        refusal = self.refusal(visitor, code)
        if refusal is CodeRequired and visitor in self.there:
            refusal = None  # the same place again
        asked = self.world.runtime.waiting_room.join(self.event, visitor, code=given)
        if refusal is None:
            self.world.run(asked)
            self.there.add(visitor)
            return
        with pytest.raises(refusal):
            self.world.run(asked)

    @rule(visitor=visitors)
    def leave(self, visitor: str) -> None:
        self.world.run(self.world.runtime.waiting_room.leave(self.event, visitor))
        self.there.discard(visitor)
        self.held.pop(visitor, None)

    @rule(visitor=visitors)
    def hold(self, visitor: str) -> None:
        if visitor not in self.there:
            return
        phase = self.phase(visitor)
        asked = self.world.runtime.seats.hold(self.event, visitor, [VISITORS.index(visitor)])
        if isinstance(phase, str):
            self.world.run(asked)
            self.held[visitor] = phase
            return
        with pytest.raises(phase):
            self.world.run(asked)

    @rule(visitor=visitors)
    def let_go(self, visitor: str) -> None:
        with suppress(OnsaleError):
            self.world.run(self.world.runtime.seats.release(self.event, visitor))
        self.held.pop(visitor, None)

    async def _age_claims(self) -> None:
        """A claim counts for ten seconds without a place: those are over."""
        redis: Any = self.world.runtime.redis
        name = keys.code_claims(self.event.slug)
        for code, claims in (await redis.hgetall(name)).items():
            aged = ";".join(f"{one.split(',')[0]},1" for one in claims.decode().split(";"))
            await redis.hset(name, code, aged)

    @invariant()
    def a_use_is_one_live_place(self) -> None:
        async def read() -> tuple[dict[str, str], set[str]]:
            redis: Any = self.world.runtime.redis
            of = await redis.hgetall(keys.visitor_codes(self.event.slug))
            active = await redis.zrange(keys.active_users(self.event.slug), 0, -1)
            return {name.decode(): text.decode() for name, text in of.items()}, {v.decode() for v in active}

        of, active = self.world.run(read())
        assert active == self.there
        books = self.world.runtime.codes
        for (_, uses), code in zip(CODES, self.codes, strict=True):
            digest = books.digest(self.event, code).hex()
            assert sum(of.get(visitor, "").startswith(digest) for visitor in active) <= uses

    @invariant()
    def baskets_are_in_their_phase(self) -> None:
        for visitor, phase in self.held.items():
            assert self.world.run(self.world.runtime.access.phase_of(self.event, visitor))[0] == phase


def test_codes_places_and_holds_through_the_phases(world: World) -> None:
    class Machine(Sale):
        pass

    Machine.world = world
    world.check(Machine, examples=40, steps=30)
