"""The mends that are safe to make while a sale runs, by the names that findings give them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core import keys
from core.booking.checkout import Checkout
from core.diagnosis import keys_redis, messages_postgres, money_postgres, queue_redis
from core.diagnosis.finding import Finding
from core.errors import OnsaleError, ReservationNotFound
from core.process.store_redis import REDIS_LOST
from core.seats.seats import Seats
from core.sentences import said
from core.upkeep.janitor_redis import delete_lock_without_ttl
from core.upkeep.reconcile import Reconcile
from core.venue.event import Event
from core.waiting_room.queue_redis import WaitingRoom

if TYPE_CHECKING:
    import databases
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom and what the walk was about. `row`: the reservation, as `money_postgres.find_reservation` reads it."""

    event: Event | None = None
    visitor: str | None = None
    row: Any | None = None


class Mending:
    """Never raises for a store that is away, or for what has changed meanwhile: the finding says so."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        waiting_room: WaitingRoom,
        seats: Seats,
        reconcile: Reconcile,
        checkout: Checkout,
    ) -> None:
        self._database = database
        self._redis = redis
        self._waiting_room = waiting_room
        self._seats = seats
        self._reconcile = reconcile
        self._checkout = checkout
        self._of_sale: Mapping[str, Callable[[Event, str], Awaitable[bool]]] = {
            "board": self._board,
            "board anew": self._board_anew,
            "seat": self._seat,
            "seats": self._all_seats,
            "sweep": self._sweep,
            "ghosts": lambda event, _: queue_redis.hear_ghosts(redis, event.slug),
            "amnesty": lambda event, _: queue_redis.end_amnesty(redis, event.slug),
            "places": self._places,
            "basket": self._basket,
        }
        self._of_all: Mapping[str, Callable[[str], Awaitable[bool]]] = {
            "key": lambda key: keys_redis.set_aside(redis, key),
            "lock": lambda key: delete_lock_without_ttl(redis, key),
            "cap": lambda key: queue_redis.delete_unchanged(redis, key),
            "lease": lambda key: queue_redis.delete_unchanged(redis, key),
            "payments": self._payments,
            "orderless": self._orderless,
            "claim": self._claim,
            "outbox": lambda claims: messages_postgres.free_claims(database, claims.split(",")),
        }

    async def mend(self, finding: Finding, patient: Patient) -> Finding:
        """The finding with what became of it; one without a mend as it is."""
        name, about = finding.fix or "", finding.about or ""
        try:
            if name == "refund":
                return await self._refund(finding, UUID(about))
            if name in self._of_all:
                done = await self._of_all[name](about)
            elif name in self._of_sale and patient.event is not None:
                done = await self._of_sale[name](patient.event, about)
            else:
                return finding
        except (OnsaleError, *REDIS_LOST) as error:
            return finding.seen_as(said("mended.failed", seen=finding.said, error=type(error).__name__))
        became = said("mended.done", seen=finding.said) if done else said("mended.nothing", seen=finding.said)
        return replace(finding.seen_as(became), fixed=done)

    async def _board(self, event: Event, _: str) -> bool:
        await self._seats.ensure_board(event)
        return True

    async def _board_anew(self, event: Event, _: str) -> bool:
        # Without its epoch it counts as lost: whoever comes next builds it, one process for all.
        await self._redis.hdel(keys.board_version(event.slug), "epoch")
        return await self._board(event, "")

    async def _seat(self, event: Event, about: str) -> bool:
        return (await self._reconcile.check_seat(event, int(about))).mended > 0

    async def _all_seats(self, event: Event, _: str) -> bool:
        return (await self._reconcile.run(event)).mended > 0

    async def _sweep(self, event: Event, _: str) -> bool:
        return (await self._waiting_room.sweep(event)).admitted > 0

    async def _places(self, event: Event, _: str) -> bool:
        payers = await money_postgres.payers(self._database, event.id)
        return await queue_redis.free_places(self._redis, event.slug, payers)

    async def _basket(self, event: Event, visitor: str) -> bool:
        """Back to its visitor, or free where its time is over; not where a payment has begun by now."""
        basket = await self._seats.basket(event, visitor)
        payers = await money_postgres.payers(self._database, event.id)
        if basket is None or not basket.paying or visitor in payers:
            return False
        await self._seats.abort_payment(event, visitor, basket.fence, basket.seats)
        return True

    async def _payments(self, _: str) -> bool:
        return await self._checkout.finish_due() > 0

    async def _orderless(self, reservation: str) -> bool:
        made = await money_postgres.make_missing_order(self._database, UUID(reservation))
        await self._checkout.finish_due()
        return made

    async def _claim(self, reservation: str) -> bool:
        row = await money_postgres.find_reservation(self._database, UUID(reservation))
        if row is None or row["order_no"] is None:
            return False
        released = await money_postgres.release_claim(self._database, row["order_no"], row["claimed_by"])
        await self._checkout.finish_due()
        return released

    async def _refund(self, finding: Finding, reservation: UUID) -> Finding:
        """Tries a refused refund again, now."""
        try:
            state = await self._checkout.refund_now(reservation)
        except ReservationNotFound:
            return finding
        if not state.owed:
            return replace(finding.seen_as(said("mended.given_back", seen=finding.said)), fixed=True)
        return finding.seen_as(
            said("mended.busy", seen=finding.said)
            if state.busy
            else said("mended.refused", seen=finding.said, code=state.code or "none")
        )
