"""The seat scripts of `lua/`, with their keys, and their answers as values and typed errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core import keys
from core.errors import HoldExpired, HoldNotExtendable, NoSeatsHeld, OutcomeUnknown, PaymentInProgress
from core.process.lua_redis import BY
from core.seats.basket import Basket
from core.seats.board import BoardSnapshot, SeatState
from core.seats.calls import new_call
from core.seats.hold_scripts_redis import SCRIPTS, HoldScripts, basket_of, ints
from core.venue.event import Event

#: A payment protects its seats and its visitor for this long at most; PostgreSQL keeps the seats guarded beyond it.
PAYMENT_PROTECTION_MS = 24 * 3600 * 1000


class SeatScripts(HoldScripts):
    """One method a script. `hold_seconds` of an event is in seconds, `ordinals` are ints without duplicates."""

    async def release(self, event: Event, visitor: str, ordinals: Sequence[int] | None) -> Basket | None:
        slug = event.slug
        if ordinals is not None and not ordinals:
            return await self.basket(event, visitor)
        key_names = [
            keys.board(slug),
            keys.board_version(slug),
            keys.holds(slug),
            keys.baskets(slug),
            keys.basket_deadlines(slug),
            keys.shares(slug),
            keys.stop(slug),
            keys.owed(slug),
        ]
        arguments: list[str | bytes | int] = [visitor, keys.seat_state_prefix(slug), keys.seats_channel(slug), BY]
        arguments += ordinals or ()
        try:
            answer = await self._call("release", key_names, arguments)
        except OutcomeUnknown as unknown:
            return await self._read_back(
                event, visitor, unknown, lambda _, seats: seats.isdisjoint(seats if ordinals is None else ordinals)
            )
        match answer[0]:
            case b"ok":
                return basket_of(answer)
            case b"empty":
                return None
            case b"paying":
                raise PaymentInProgress()
        raise AssertionError(answer)

    async def extend(self, event: Event, visitor: str) -> Basket:
        slug = event.slug
        call = new_call()
        key_names = [
            keys.holds(slug),
            keys.baskets(slug),
            keys.basket_deadlines(slug),
            keys.active_until(slug),
            keys.shares(slug),
            keys.stop(slug),
            keys.owed(slug),
        ]
        try:
            answer = await self._call(
                "extend", key_names, [visitor, keys.seat_state_prefix(slug), event.hold_seconds * 1000, BY, call]
            )
        except OutcomeUnknown as unknown:
            done = await self._read_back(event, visitor, unknown, lambda last, _: last == call)
            assert done is not None  # noqa: S101 - an empty basket names no call
            return done
        if answer[0] == b"refused":
            raise HoldNotExtendable()
        return _basket_or_refusal(answer)

    async def basket(self, event: Event, visitor: str) -> Basket | None:
        return (await self._stored(event, visitor))[2]

    async def begin_payment(self, event: Event, visitor: str) -> Basket:
        slug = event.slug
        answer = await self._call(
            "begin_payment",
            [
                keys.holds(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
                keys.board_version(slug),
                keys.stop(slug),
                keys.owed(slug),
            ],
            [visitor, keys.seat_state_prefix(slug), PAYMENT_PROTECTION_MS, BY],
        )
        return _basket_or_refusal(answer)

    async def abort_payment(self, event: Event, visitor: str, fence: int) -> str:
        """`held`: the basket is back; `freed`: its time was over; `gone`: there was nothing to abort."""
        slug = event.slug
        answer = await self._call(
            "abort_payment",
            [
                keys.board(slug),
                keys.board_version(slug),
                keys.holds(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
                keys.active_users(slug),
                keys.shares(slug),
                keys.stop(slug),
                keys.owed(slug),
            ],
            [visitor, keys.seat_state_prefix(slug), keys.seats_channel(slug), fence],
        )
        return bytes(answer[0]).decode()

    async def settle(
        self,
        event: Event,
        visitor: str,
        fence: int,
        ordinals: Sequence[int],
        state: SeatState,
        *,
        unpaid: bool = False,
    ) -> None:
        """`unpaid`: the buyer let the payment go, so that its time counts as held without buying (F5)."""
        slug = event.slug
        await self._call(
            "settle",
            [
                keys.board(slug),
                keys.board_version(slug),
                keys.holds(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
                keys.active_until(slug),
                keys.waiting_spent(slug),
                keys.queue_version(slug),
                keys.shares(slug),
            ],
            [
                visitor,
                keys.seat_state_prefix(slug),
                keys.seats_channel(slug),
                fence,
                int(state),
                keys.queue_channel(slug),
                self._after_purchase_ms,
                int(unpaid),
                *ordinals,
            ],
        )

    async def reopen(self, event: Event, ordinals: Sequence[int], was: SeatState) -> None:
        """Seats that show `was` are available again; others stay."""
        slug = event.slug
        await self._call(
            "reopen",
            [keys.board(slug), keys.board_version(slug)],
            [keys.seats_channel(slug), int(was), *ordinals],
        )

    async def snapshot(self, slug: str) -> BoardSnapshot | None:
        """The board and its version, read together; None when Redis has none."""
        answer = await self._run(SCRIPTS["snapshot"], [keys.board(slug), keys.board_version(slug)], [])
        return BoardSnapshot(int(answer[0]), int(answer[1]), bytes(answer[2])) if answer else None

    async def paying(self, slug: str) -> list[int]:
        """Ordinals of the seats that are being paid for, by Redis' account."""
        return ints(await self._run(SCRIPTS["paying"], [keys.baskets(slug), keys.active_paying(slug)], []))

    async def inspect(self, slug: str, ordinals: Sequence[int]) -> list[tuple[int, str, int]]:
        """(byte or -1 without a board, state or '', its TTL in ms: -2 absent, -1 none) of each seat."""
        answer = await self._run(SCRIPTS["inspect"], [keys.board(slug)], [keys.seat_state_prefix(slug), *ordinals])
        return [
            (int(byte), bytes(state).decode(), int(ttl))
            for byte, state, ttl in zip(answer[::3], answer[1::3], answer[2::3], strict=True)
        ]

    async def mend(self, slug: str, ordinal: int, *, seen: tuple[int, str], byte: SeatState, state: str) -> bool:
        """Writes `byte` and `state` where the seat is still as `seen`; False when it has changed since."""
        answer = await self._run(
            SCRIPTS["mend"],
            [
                keys.board(slug),
                keys.board_version(slug),
                keys.holds(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
            ],
            [
                ordinal,
                keys.seat_state_prefix(slug),
                keys.seats_channel(slug),
                *seen,
                int(byte),
                state,
                PAYMENT_PROTECTION_MS,
            ],
        )
        return bool(answer)

    async def block(self, event: Event, ordinals: Sequence[int]) -> None:
        """Blocked on the board, whatever the seats were, and out of the baskets that had them."""
        slug = event.slug
        await self._call(
            "block",
            [
                keys.board(slug),
                keys.board_version(slug),
                keys.holds(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
            ],
            [keys.seat_state_prefix(slug), keys.seats_channel(slug), *ordinals],
        )

    async def rebuild(
        self,
        slug: str,
        epoch: int,
        states: bytes,
        highest_fence: int,
        paying: Sequence[tuple[str, int, Sequence[int]]],
    ) -> bool:
        """`paying`: (visitor, fence, ordinals) of reservations under way. False when a board was there already."""
        flat: list[str | int] = []
        for visitor, fence, ordinals in paying:
            flat += [visitor, fence, ",".join(map(str, ordinals))]
        answer = await self._run(
            SCRIPTS["rebuild"],
            [
                keys.board(slug),
                keys.board_version(slug),
                keys.baskets(slug),
                keys.basket_deadlines(slug),
                keys.active_paying(slug),
                keys.fence(slug),
                keys.holds(slug),
            ],
            [
                epoch,
                states,
                keys.seat_state_prefix(slug),
                keys.seats_channel(slug),
                PAYMENT_PROTECTION_MS,
                highest_fence,
                *flat,
            ],
        )
        return bool(answer[0] == b"ok")


def _basket_or_refusal(answer: Sequence[Any]) -> Basket:
    match answer[0]:
        case b"ok":
            return basket_of(answer)
        case b"empty":
            raise NoSeatsHeld()
        case b"lapsed":
            raise HoldExpired()
        case b"paying":
            raise PaymentInProgress()
    raise AssertionError(answer)
