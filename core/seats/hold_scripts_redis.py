"""The scripts that give seats to a visitor: those that were named, or the best together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import keys
from core.clock import from_millis
from core.errors import (
    CoolDown,
    LeavesSingleSeat,
    NoSuchSeat,
    NotActive,
    NotTogether,
    PaymentInProgress,
    SeatTaken,
    StoreUnavailable,
    TooManySeats,
)
from core.process.lua_redis import Script, ScriptRunner
from core.seats.basket import Basket
from core.seats.best_seats import Wish, alternatives, resolved
from core.seats.halls import SeatTable
from core.seats.hoarding import HoardingBudget
from core.venue.event import Event

_LUA = Path(__file__).parent / "lua"
_PRELUDES = {"seats", "holding"}
# A second time these would say something else: used up, or under way.
_ONCE = {"extend", "begin_payment", "mend", "best"}
SCRIPTS = {
    path.stem: Script(path, repeatable=path.stem not in _ONCE)
    for path in _LUA.glob("*.lua")
    if path.stem not in _PRELUDES
}

#: A table is made anew where it is missing: it needs to live no longer than people buy.
_TABLE_KEPT_MS = 24 * 3600 * 1000


class BoardLost(Exception):
    """Redis has no board for the event: rebuild it from PostgreSQL and try again."""


class HoldScripts:
    """All raise NotActive, PaymentInProgress, CoolDown and TooManySeats; each refusal leaves everything as it was."""

    def __init__(
        self, run: ScriptRunner, *, extensions: int, after_purchase_seconds: float, budget: HoardingBudget
    ) -> None:
        """`extensions`: how often a basket's time may be extended. `after_purchase_seconds`: what a visitor's session
        lasts beyond a purchase, for another one.
        """
        self._run = run
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
    ) -> Basket:
        """`check=False` only where the caller has made sure by other means that nobody holds the seats.

        `runs`: where no single seat may be left over, the runs that these seats are in. Raises SeatTaken, NoSuchSeat,
        LeavesSingleSeat.
        """
        rules = ";".join(",".join(map(str, run)) for run in runs)
        arguments = [*self._visit(event, visitor), "check" if check else "trust", rules, *ordinals]
        answer = await self._call("hold", _keys(event.slug), arguments)
        match answer[0]:
            case b"no_such_seat":
                raise NoSuchSeat(seats=ints(answer[1:]))
            case b"taken":
                raise SeatTaken(ints(answer[1:]))
            case b"leaves_single":
                raise LeavesSingleSeat(ints(answer[1:]))
        return _granted(event, answer)

    async def best(self, event: Event, visitor: str, table: SeatTable, wish: Wish) -> Basket:
        """The best seats together into the basket, in one step. Raises NotTogether, InvalidRequest."""
        return _granted(event, await self._best(event, visitor, table, wish, "hold"))

    async def pick(self, event: Event, visitor: str, table: SeatTable, wish: Wish) -> list[int]:
        """The seats that `best` would take; nothing is held. Raises NotTogether, InvalidRequest."""
        answer = await self._best(event, visitor, table, wish, "pick")
        if answer[0] != b"picked":
            _granted(event, answer)
        return ints(answer[1:])

    async def _best(self, event: Event, visitor: str, table: SeatTable, wish: Wish, mode: str) -> Any:
        hall, asked, name = table.hall, resolved(table.hall, wish), keys.seat_table(event.slug)
        category = -1 if asked.category is None else hall.categories.index(asked.category)
        zone = -1 if asked.zone is None else hall.zones.index(asked.zone)
        visit = self._visit(event, visitor)
        arguments = [*visit, table.digest, asked.count, category, zone, int(asked.accessible), mode, hall.kinds]
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

    def _visit(self, event: Event, visitor: str) -> list[str | bytes | int]:
        return [
            visitor,
            keys.seat_state_prefix(event.slug),
            event.hold_seconds * 1000,
            event.max_seats,
            self._extensions,
            keys.seats_channel(event.slug),
            self._budget.figures(event.hold_seconds, self._extensions, event.max_seats),
        ]

    async def _call(self, name: str, key_names: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        answer = await self._run(SCRIPTS[name], key_names, arguments)
        if answer[0] == b"no_board":
            raise BoardLost
        return answer


def _keys(slug: str) -> list[str]:
    return [
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
    ]


def ints(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]


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
