"""A reservation of seats that the waiting list has kept: past the queue, and never held (F10).

An offer is an allocation. Its seats are nobody's in Redis and look sold on every screen, so there is no basket to turn
to paying, and none to give back: PostgreSQL's guard takes them out of the offer in the one statement that makes the
reservation. From there on it is a reservation as any other; when it comes to nothing its seats wait for the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from core.booking import measures
from core.booking.checkout import Checkout, Submit
from core.booking.reservation import Reservation, ReservationStatus
from core.booking.stored import NewReservation
from core.errors import KeyReused, OfferOver
from core.venue.event import Event


@dataclass(frozen=True, slots=True)
class Allocation:
    """Seats that an offer keeps. `seats`: ordinals, ascending; `fence`: greater than any that they have met; `phase`:
    the part of the sale that they count in, if it has any.
    """

    offer: UUID
    seats: Sequence[int]
    fence: int
    email: str
    language: str
    phase: str | None


class Taking(Checkout):
    """Raises StoreUnavailable besides what each method says."""

    async def take(self, event: Event, visitor: str, kept: Allocation, provider: str | None = None) -> Reservation:
        """A reservation whose order waits to be paid; the same again for the same visitor and offer.

        Raises OfferOver, TooManySeats, QuotaReached, PaymentPaused, PaymentUnavailable, NoSuchProvider,
        CurrencyNotTaken, MailImpossible, InvalidRequest (no e-mail gets there).
        """
        key = f"offer:{kept.offer}"
        submit = Submit(event, visitor, kept.email, provider, key, kept.language)
        found = await self._reservations.find(visitor, event.id, key)
        if found is not None:
            if found.request_digest != _digest(kept):
                raise KeyReused()
            return found.reservation
        account = self._account(submit)
        self._try_mail(event, kept.email, kept.language)
        new = NewReservation(
            id=uuid4(),
            event_id=event.id,
            visitor=visitor,
            idempotency_key=key,
            request_digest=_digest(kept),
            email=kept.email,
            language=kept.language,
            seats=kept.seats,
            fence=kept.fence,
            account=account,
            phase=kept.phase,
            offer=kept.offer,
        )
        made = await self._begin(submit, new)
        if made is None:
            # Twice at once: the first one made it.
            found = await self._reservations.find(visitor, event.id, key)
            if found is not None:
                return found.reservation
            # The offer stays as it is.
            refusal = await self._refusals.of_buyer(new) or OfferOver()
            measures.REFUSED.labels(refusal.code).inc()
            raise refusal
        measures.RESERVATIONS.labels(ReservationStatus.PAYING, "").inc()
        return made


def _digest(kept: Allocation) -> str:
    return hashlib.sha256(f"offer {kept.offer}".encode()).hexdigest()
