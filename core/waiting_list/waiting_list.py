"""What a visitor can do with the waiting list of a sale: join, look, leave, and take or pass on an offer (F10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from core.booking.addresses import Addresses
from core.booking.reservation import Reservation
from core.booking.taking import Allocation
from core.clock import Clock
from core.errors import (
    AlreadyOnList,
    CodeRequired,
    InvalidRequest,
    NotOnList,
    OfferOver,
    OfferTaken,
    SaleNotOpen,
    TooManyPlaces,
    TooManySeats,
)
from core.venue.event import Event
from core.waiting_list.wish import NewWish, Offer, OfferKey, OfferState, Wish
from core.waiting_list.wishes_postgres import Wishes
from core.waiting_room.phases import doors, must_wait


class Checkout(Protocol):
    """What is needed of `core.booking.taking.Taking`."""

    async def take(self, event: Event, visitor: str, kept: Allocation, provider: str | None = None) -> Reservation: ...

    async def get(self, id: UUID | str, visitor: str) -> Reservation: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what: `seats` of `category` (None: of any)."""

    seats: int
    category: str | None
    email: str
    language: str
    network: str


class WaitingList:
    """Raises StoreUnavailable besides what each method says."""

    def __init__(
        self,
        *,
        wishes: Wishes,
        checkout: Checkout,
        key: OfferKey,
        addresses: Addresses,
        clock: Clock,
        try_mail: Callable[[Event, str, str], None] = lambda event, email, language: None,
    ) -> None:
        """`try_mail` raises an OnsaleError where no e-mail could be written to this address, in this language."""
        self.wishes = wishes
        self.checkout = checkout
        self._key = key
        self._addresses = addresses
        self._clock = clock
        self.try_mail = try_mail

    async def join(self, event: Event, visitor: str, asked: Asked) -> Wish:
        """A place at the end of the list; the same again when asked again, and at the same place.

        Raises SaleNotOpen, SaleClosed, CodeRequired (while nobody buys without a code), TooManySeats, InvalidRequest
        (no such category; no e-mail gets there), MailImpossible, AlreadyOnList (with another wish), TooManyPlaces.
        """
        self._phase(event)
        if asked.seats > event.max_seats:
            raise TooManySeats(max=event.max_seats)
        if asked.category is not None and asked.category not in event.prices:
            raise InvalidRequest(
                f"category: there is no category {asked.category[:80]!r}",
                errors=[{"at": "category", "message": "no such category"}],
            )
        self.try_mail(event, asked.email, asked.language)
        new = NewWish(
            id=uuid4(),
            event_id=event.id,
            visitor=visitor,
            email=asked.email,
            address=self._addresses.key(asked.email),
            language=asked.language,
            network=asked.network,
            seats=asked.seats,
            category=asked.category,
        )
        bought, joined = await self.wishes.join(new, event.max_seats)
        if joined is not None:
            return joined
        if asked.seats + bought > event.max_seats:
            raise TooManySeats.of_buyer(event.max_seats)
        wish = await self.wishes.of_visitor(event.id, visitor)
        if wish is None or not wish.state.live:
            raise TooManyPlaces()
        if (wish.seats, wish.category, wish.email) != (asked.seats, asked.category, asked.email):
            raise AlreadyOnList()
        return wish

    async def own(self, event: Event, visitor: str) -> Wish:
        """The visitor's place, or what became of it. Raises NotOnList: there is none, or the visitor left."""
        wish = await self.wishes.of_visitor(event.id, visitor)
        if wish is None or wish.state == "LEFT":
            raise NotOnList()
        return wish

    async def leave(self, event: Event, visitor: str) -> None:
        """What the visitor was offered goes to the next. Repeating it is no error."""
        wish = await self.wishes.of_visitor(event.id, visitor)
        if wish is not None and wish.state.live:
            await self.wishes.leave(wish.id)

    async def of_link(self, id: UUID, visitor: str, secret: str | None) -> Wish:
        """The place that the link in an e-mail is about, on whatever device; without a secret one's own.

        Raises NotOnList, also when the secret is not that of its last offer.
        """
        wish = await self.wishes.get(id)
        if wish is None:
            raise NotOnList()
        if secret is not None:
            if wish.offer is None or not self._key.fits(wish.offer.id, secret):
                raise NotOnList()
        elif wish.visitor != visitor:
            raise NotOnList()
        return wish

    def secret(self, offer: Offer) -> str:
        return self._key.of(offer.id)

    async def take(self, event: Event, wish: Wish, visitor: str, provider: str | None = None) -> Reservation:
        """Begins the reservation of what the wish is offered, for this visitor; the same again when asked again.

        Raises OfferOver, OfferTaken, SaleNotOpen, SaleClosed, CodeRequired; else as `Taking.take`.
        """
        offer = wish.offer
        if offer is None:
            raise OfferOver("There is no offer (yet): you will get an e-mail")
        if offer.state is OfferState.TAKEN and offer.reservation is not None:
            if offer.taker != visitor:
                raise OfferTaken()
            return await self.checkout.get(offer.reservation, visitor)
        if offer.state is not OfferState.OPEN or offer.over:
            raise OfferOver()
        sold_in = self._phase(event)
        kept = Allocation(
            offer=offer.id,
            seats=offer.seats,
            fence=await self._fence(event, offer),
            email=wish.email,
            language=wish.language,
            phase=offer.phase if any(phase.name == offer.phase for phase in event.phases) else sold_in,
        )
        try:
            return await self.checkout.take(event, visitor, kept, provider)
        except OfferOver:
            now = await self.wishes.get(wish.id)
            if now is not None and now.offer is not None and now.offer.state is OfferState.TAKEN:
                raise OfferTaken() from None
            raise

    async def pass_on(self, wish: Wish) -> None:
        """The offer goes to the next, the wish keeps its place for other seats. Raises OfferOver."""
        if wish.offer is None or not await self.wishes.pass_on(wish.id, wish.offer.id):
            raise OfferOver()

    async def again(self, wish: Wish) -> Wish:
        """As it is now."""
        return await self.wishes.get(wish.id) or wish

    async def leave_by_link(self, wish: Wish) -> None:
        await self.wishes.leave(wish.id)

    def _phase(self, event: Event) -> str | None:
        """The part of the sale that what is taken now counts in. Raises SaleNotOpen, SaleClosed, CodeRequired."""
        now = self._clock.now()
        event.require_open(now)
        if must_wait(event, now):
            raise SaleNotOpen()
        part = doors(event, now, joining=False)
        if part is None:
            return None
        if part.free is None:
            raise CodeRequired("In this part of the sale seats are sold to who has a code: come back when it is over")
        return part.free.name

    async def _fence(self, event: Event, offer: Offer) -> int:
        """As those of holds: greater than any before, and than the time in microseconds."""
        highest = await self.wishes.highest_fence(event.id, offer.seats)
        return max(highest + 1, int(self._clock.now().timestamp() * 1_000_000))
