"""The scripts that give seats to a visitor: those that were named, or the best together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any

from core import keys
from core.clock import from_millis
from core.errors import (
    CoolDown,
    LeavesSingleSeat,
    NoSuchSeat,
    NotActive,
    NotTogether,
    OutcomeUnknown,
    PaymentInProgress,
    SeatTaken,
    StoreUnavailable,
    TooManySeats,
)
from core.process.line import Begins
from core.process.lua_redis import BY, Script, ScriptRunner
from core.process.source_files import SourceFiles
from core.seats.basket import Basket
from core.seats.best_seats import Wish, alternatives, resolved
from core.seats.calls import new_call
from core.seats.halls import SeatTable
from core.seats.hoarding import HoardingBudget
from core.seats.known_taken import KnownTaken
from core.venue.event import Event

_LUA = SourceFiles(__file__, "lua")
_PRELUDES = {"seats", "share", "stop", "holding"}
# A second time these would say something else: used up, or under way.
_ONCE = {"begin_payment", "mend"}
# What no caller would call a change: whether it was done is nobody's question.
_READS = {"basket", "inspect", "keep_table", "paying", "snapshot"}
# What a crowd can be asked to come back for. Whoever lets go, is let in or pays is never sent away for others' sake.
_BEGINS = dict.fromkeys(("hold", "best"), Begins.ANYTHING)
SCRIPTS = {
    name: Script(_LUA, name, repeatable=name not in _ONCE, changes=name not in _READS, begins=_BEGINS.get(name))
    for name in _LUA
    if name not in _PRELUDES
}

#: A table is made anew where it is missing: it needs to live no longer than people buy.
_TABLE_KEPT_MS = 24 * 3600 * 1000


#: A hold's key outlives its deadline by so much: HOLD_KEPT_MS of `lua/stop.lua`.
HOLD_KEPT_MS = 660_000

#: How long a lost answer is read back for, besides what the call itself took, in seconds.
_READ_BACK_SECONDS = 1.0


class BoardLost(Exception):
    """Redis has no board for the event: rebuild it from PostgreSQL and try again."""


class HoldScripts:
    """All raise NotActive, PaymentInProgress, CoolDown and TooManySeats; each refusal leaves everything as it was.

    A call whose answer was lost is read back before anything is said: it was done, or it was not and will not be,
    because the script looks at Redis' clock and does nothing when nobody waits for it (`BY`). Only when Redis does not
    answer that either it is OutcomeUnknown (R5). `call`: letters that stand for the call (`calls.py`); the same call
    made again gets the first answer.
    """

    def __init__(
        self,
        run: ScriptRunner,
        *,
        extensions: int,
        after_purchase_seconds: float,
        budget: HoardingBudget,
        known: KnownTaken | None = None,
    ) -> None:
        """`extensions`: how often a basket's time may be extended. `after_purchase_seconds`: what a visitor's session
        lasts beyond a purchase, for another one. `known` hears what Redis says of visitors.
        """
        self._run = run
        self._known = known
        self._extensions = extensions
        self._budget = budget
        self._after_purchase_ms = int(after_purchase_seconds * 1000)

    async def hold(
        self,
        event: Event,
        visitor: str,
        ordinals: Sequence[int],
        runs: Sequence[Sequence[int]] = (),
        *,
        check: bool = True,
        call: str = "",
    ) -> Basket:
        """`check=False` only where the caller has made sure by other means that nobody holds the seats.

        `runs`: where no single seat may be left over, the runs that these seats are in. Raises SeatTaken, NoSuchSeat,
        LeavesSingleSeat.
        """
        rules = ";".join(",".join(map(str, run)) for run in runs)
        call = call or new_call()
        asked = self._known.asked() if self._known is not None else 0.0
        arguments = [*self._visit(event, visitor, call), "check" if check else "trust", rules, *ordinals]
        try:
            answer = await self._call("hold", _keys(event.slug), arguments)
        except OutcomeUnknown as unknown:
            wanted = set(ordinals)
            done = await self._read_back(event, visitor, unknown, lambda _, seats: wanted <= seats)
            assert done is not None  # noqa: S101 - seats were wanted, and they are in it
            return done
        match answer[0]:
            case b"no_such_seat":
                raise NoSuchSeat(seats=ints(answer[1:]))
            case b"taken":
                if self._known is not None:
                    ends, own = from_millis(int(answer[2])), listed(answer[3])
                    self._known.note(event.slug, visitor, ends, own, asked)
                raise SeatTaken(listed(answer[1]))
            case b"leaves_single":
                raise LeavesSingleSeat(ints(answer[1:]))
        if self._known is not None:
            self._known.forget(event.slug, visitor)
        return _granted(event, answer)

    async def best(self, event: Event, visitor: str, table: SeatTable, wish: Wish, *, call: str = "") -> Basket:
        """The best seats together into the basket, in one step. Raises NotTogether, InvalidRequest."""
        call = call or new_call()
        try:
            return _granted(event, await self._best(event, visitor, table, wish, "hold", call))
        except OutcomeUnknown as unknown:
            done = await self._read_back(event, visitor, unknown, lambda last, _: last == call)
            assert done is not None  # noqa: S101 - an empty basket names no call
            return done

    async def pick(
        self, event: Event, visitor: str, table: SeatTable, wish: Wish, *, call: str = ""
    ) -> list[int] | Basket:
        """The seats that `best` would take; nothing is held. The basket, when `call` has been done already.

        Raises NotTogether, InvalidRequest.
        """
        answer = await self._best(event, visitor, table, wish, "pick", call or new_call())
        return ints(answer[1:]) if answer[0] == b"picked" else _granted(event, answer)

    async def _best(self, event: Event, visitor: str, table: SeatTable, wish: Wish, mode: str, call: str) -> Any:
        hall, asked, name = table.hall, resolved(table.hall, wish), keys.seat_table(event.slug)
        category = -1 if asked.category is None else hall.categories.index(asked.category)
        zone = -1 if asked.zone is None else hall.zones.index(asked.zone)
        visit = self._visit(event, visitor, call)
        arguments = [*visit, table.digest, asked.count, category, zone, int(asked.accessible), mode, hall.kinds]
        arguments += [hall.companions, ",".join(map(str, asked.sizes))]
        answer = await self._call("best", [*_keys(event.slug), name], arguments)
        if answer[0] == b"no_table":
            await self._run(SCRIPTS["keep_table"], [name], [table.packed, _TABLE_KEPT_MS])
            answer = await self._call("best", [*_keys(event.slug), name], arguments)
        if answer[0] == b"no_table":
            # Another process keeps another one: the event was changed just now, and one of the two knows it already.
            raise StoreUnavailable(retry_after=1)
        if answer[0] == b"not_together":
            others = [hall.categories[number] for number in sorted(ints(answer[2:]))]
            raise NotTogether(int(answer[1]), alternatives(asked, int(answer[1]), others))
        return answer

    async def _stored(self, event: Event, visitor: str) -> tuple[int, str, Basket | None]:
        """Redis' time in milliseconds, the call that changed the basket last, and the basket."""
        slug = event.slug
        now, call, *basket = await self._call(
            "basket", [keys.baskets(slug), keys.stop(slug), keys.owed(slug)], [visitor]
        )
        return int(now), bytes(call).decode(), None if basket[0] == b"empty" else basket_of(basket)

    async def _read_back(
        self, event: Event, visitor: str, unknown: OutcomeUnknown, was_done: Callable[[str, set[int]], bool]
    ) -> Basket | None:
        """The basket, when `was_done(last call, seats)` says that it shows the call whose answer was lost.

        Raises StoreUnavailable when the call was not done and will not be; `unknown` when that cannot be learnt.
        """
        try:
            async with asyncio.timeout(_READ_BACK_SECONDS) as limit:
                while True:
                    now, last, basket = await self._stored(event, visitor)
                    if was_done(last, set(basket.seats) if basket else set()):
                        return basket
                    left = (unknown.until_ms - now) / 1000
                    if left < 0:
                        break
                    # It may still be on its way: somebody waits for it, by Redis' clock.
                    limit.reschedule(asyncio.get_running_loop().time() + left + _READ_BACK_SECONDS)
                    await asyncio.sleep(left + 0.005)
        except (StoreUnavailable, TimeoutError) as error:
            raise unknown from error
        if not unknown.until_ms:
            raise unknown
        raise StoreUnavailable(retry_after=1) from unknown

    def _visit(self, event: Event, visitor: str, call: str) -> list[str | bytes | int]:
        return [
            visitor,
            keys.seat_state_prefix(event.slug),
            event.hold_seconds * 1000,
            event.max_seats,
            self._extensions,
            keys.seats_channel(event.slug),
            self._budget.figures(event.hold_seconds, self._extensions, event.max_seats),
            BY,
            call,
        ]

    async def _call(self, name: str, key_names: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        answer = await self._run(SCRIPTS[name], key_names, arguments)
        if answer[0] == b"no_board":
            raise BoardLost
        if answer[0] == b"late":
            # It came so late that nobody waits for it any more: nothing was changed.
            raise StoreUnavailable(retry_after=1)
        return answer


@functools.lru_cache(256)
def _keys(slug: str) -> Sequence[str]:
    return (
        keys.board(slug),
        keys.board_version(slug),
        keys.holds(slug),
        keys.baskets(slug),
        keys.basket_deadlines(slug),
        keys.active_users(slug),
        keys.active_until(slug),
        keys.fence(slug),
        keys.shares(slug),
        keys.places(slug),
        keys.stop(slug),
        keys.owed(slug),
    )


def ints(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]


def listed(ordinals: bytes) -> list[int]:
    """`b"4,5"` -> [4, 5]."""
    return ints(ordinals.split(b",")) if ordinals else []


def basket_of(answer: Sequence[Any]) -> Basket:
    """The basket of an answer that begins with `ok`."""
    return Basket(
        seats=tuple(ints(answer[5:])),
        fence=int(answer[1]),
        until=from_millis(int(answer[2])),
        extensions_left=int(answer[3]),
        paying=answer[4] == b"paying",
    )


def _granted(event: Event, answer: Sequence[Any]) -> Basket:
    match answer[0]:
        case b"ok":
            return basket_of(answer)
        case b"not_active":
            raise NotActive()
        case b"paying":
            raise PaymentInProgress()
        case b"cool_down":
            raise CoolDown(retry_after=int(answer[1]) / 1000)
        case b"too_many":
            raise TooManySeats(
                f"At most {event.max_seats} seats for one buyer: you have {int(answer[1])}", max=event.max_seats
            )
    raise AssertionError(answer)
