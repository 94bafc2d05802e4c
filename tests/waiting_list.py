"""A sale with a waiting list, sold out by a desk with a bank: what the tests of the waiting list begin with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from core.booking.addresses import Addresses
from core.booking.reservation import Reservation
from core.booking.taking import Taking
from core.errors import StoreUnavailable
from core.notifications.letter import Letter
from core.notifications.mailer import Mailer
from core.runtime import Runtime
from core.seats.best_seats import Hall
from core.venue.event import Event
from core.waiting_list import news_redis
from core.waiting_list.offer_mails_postgres import OfferMails
from core.waiting_list.rounds_postgres import Boards, Rounds
from core.waiting_list.waiting_list import Asked, WaitingList
from core.waiting_list.wish import OfferKey, Wish
from core.waiting_list.wishes_postgres import Wishes
from tests.booking import Bank, Desk, desk, rows, unfinished
from tests.waits import until


class Postbox:
    """A `Mailer` that keeps what was handed over; `trouble` is raised instead, once."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.at_once = 1
        self.trouble: BaseException | None = None
        self.before = False

    async def send(self, *letters: Letter) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None and self.before:
            raise trouble
        self.sent.extend(letters)
        if trouble is not None:
            raise trouble

    async def close(self) -> None: ...


@dataclass
class ListOfSale:
    """One process's waiting list, with its desk."""

    runtime: Runtime
    event: Event
    desk: Desk
    waiting_list: WaitingList
    rounds: Rounds
    mails: OfferMails
    postbox: Postbox

    async def sell(self, *seats: int, visitor: str = "owner") -> Reservation:
        """CONFIRMED, and told."""
        return await self.settled(
            await self.desk.ended(await self.desk.buy(self.event, visitor, *seats, key=str(seats)))
        )

    async def settled(self, reservation: Reservation) -> Reservation:
        async def told() -> bool:
            if not await unfinished(self.runtime, self.event):
                return True
            # As a server does: what a busy machine's PostgreSQL kept waiting goes on when its lease is over.
            with contextlib.suppress(StoreUnavailable):
                await self.desk.checkout.finish_due(wait=False)
            return False

        await until(told)
        return await self.desk.now(reservation)

    async def give_back(self, reservation: Reservation, seats: list[int] | None = None) -> None:
        await self.desk.checkout.cancel(reservation.id, reservation.visitor, seats)
        await self.settled(reservation)

    async def join(
        self, visitor: str, seats: int = 1, category: str | None = None, email: str | None = None, network: str = "n"
    ) -> Wish:
        asked = Asked(seats, category, email or f"{visitor}@example.org", "en", network)
        return await self.waiting_list.join(self.event, visitor, asked)

    async def own(self, visitor: str) -> Wish:
        return await self.waiting_list.own(self.event, visitor)

    async def offered(self, visitor: str) -> tuple[int, ...]:
        """The seats that stand open for this visitor now."""
        wish = await self.own(visitor)
        return wish.offer.seats if wish.state == "OFFERED" and wish.offer is not None else ()

    async def take(self, visitor: str, by: str = "") -> Reservation:
        return await self.waiting_list.take(self.event, await self.own(visitor), by or visitor)

    async def paid(self, reservation: Reservation) -> Reservation:
        return await self.settled(await self.desk.ended(await self.desk.pay(reservation)))

    async def round(self) -> None:
        await self.rounds.of_event(self.event)

    async def statuses(self) -> list[str]:
        found = await rows(self.runtime, "SELECT status FROM seats WHERE event_id = $1 ORDER BY ordinal", self.event.id)
        return [row["status"] for row in found]

    async def board(self) -> list[int]:
        return list((await self.runtime.seats.board(self.event)).states)

    async def kept(self) -> dict[int, UUID | None]:
        """Returned seats -> the offer that they are in."""
        found = await rows(
            self.runtime, "SELECT ordinal, offer_id FROM returned_seats WHERE event_id = $1", self.event.id
        )
        return {row["ordinal"]: row["offer_id"] for row in found}

    async def pass_time(self, seconds: float) -> None:
        """So long has passed for offers and returned seats."""
        for query in (
            "UPDATE offers SET until = until - make_interval(secs => $2::float8) WHERE event_id = $1",
            "UPDATE returned_seats SET free_at = free_at - make_interval(secs => $2::float8), "
            "returned_at = returned_at - make_interval(secs => $2::float8) WHERE event_id = $1",
        ):
            await rows(self.runtime, query, self.event.id, seconds)


def list_of(
    runtime: Runtime,
    event: Event,
    *,
    bank: Bank | None = None,
    boards: Boards | None = None,
    return_seconds: float = 30.0,
    offer_seconds: float = 1_800.0,
    places_of_network: int | None = None,
) -> ListOfSale:
    at = desk(runtime, bank or Bank(), return_seconds=return_seconds)
    key, postbox = OfferKey("test-secret"), Postbox()

    async def hall(event: Event) -> Hall:
        return (await runtime.halls.table(event)).hall

    async def tell(event: Event, visitors: Any) -> None:
        await news_redis.tell(runtime.redis, event, visitors)

    parts = runtime.waiting_list.rounds
    return ListOfSale(
        runtime,
        event,
        at,
        WaitingList(
            wishes=Wishes(runtime.database, places_of_network=places_of_network),
            checkout=cast(Taking, at.checkout),
            key=key,
            addresses=Addresses.named("gmail.com", "gmail.com"),
            clock=runtime.clock,
        ),
        Rounds(
            database=runtime.database,
            boards=boards or parts.boards,
            events=runtime.events,
            hall=hall,
            tell=tell,
            clock=runtime.clock,
            offer_seconds=offer_seconds,
            return_seconds=return_seconds,
        ),
        OfferMails(
            runtime.database,
            cast(Mailer, postbox),
            key,
            base_url="https://shop.example",
            sender="Shop <shop@example.org>",
        ),
        postbox,
    )
