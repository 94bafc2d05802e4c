"""Tickets given back for the money: by the buyer along the event's fee table, by an operator as they see fit (P7).

One statement writes the refund and frees the seats; the money follows durably (`refunding.py`), and nobody waits for
the provider. The same `Idempotency-Key` makes the refund once. Two operators at once, who both say what had been
refunded when they looked (`refunded_before`), make one: the other is told that it changed. The sum never passes what
was paid.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from core.booking import measures
from core.booking.paying import Paying
from core.booking.refund import Made, RefundAsked, RefundProgress, Release
from core.booking.reservation import Reason, Reservation, ReservationStatus
from core.booking.stored import Stored
from core.errors import (
    InvalidRequest,
    KeyReused,
    NotCancellable,
    NotRefundable,
    PaymentInProgress,
    RefundChanged,
    RefundTooLarge,
    ReservationNotFound,
)
from core.venue.fees import fee_at, fee_percent

# A refund that meets a task at work on the attempt (its result is being told) waits for it this long.
_TRIES = 30
_PAUSE_SECONDS = 0.1
# An operator waits for the provider's answer, as long as a page waits for ours.
_REFUND_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Quote:
    """What giving all seats back would come to now, in minor units; `until`: when that is over. Not `possible`: both
    sums are 0 and there is no end.

    Of some seats goes back what they cost (`prices`, by ordinal), never more than `left` of the charge, less `percent`
    of that, rounded down.
    """

    possible: bool
    fee: int = 0
    refund: int = 0
    until: datetime | None = None
    percent: int | None = None
    left: int | None = None
    prices: Mapping[int, int] | None = None


class GivingBack(Paying):
    """Raises StoreUnavailable besides what each method says."""

    async def cancel(self, id: UUID | str, visitor: str, seats: Sequence[int] | None = None) -> Reservation:
        """While it is being paid for and no money moves: all seats are given back. Later: some or all, by the fee
        table; who has none left is CANCELLED. Repeating it is no error.

        Raises ReservationNotFound, InvalidRequest (single seats of what is not paid yet; seats that are not its own),
        NotCancellable (failed, being paid for, or too late), PaymentInProgress.
        """
        stored = await self._own(id, visitor)
        reservation = stored.reservation
        if reservation.status is ReservationStatus.PAYING:
            if seats is not None:
                raise InvalidRequest("These seats are not paid yet: give all of them back, without naming seats")
            return await self._give_up(stored)
        if reservation.status is ReservationStatus.CANCELLED:
            return reservation
        if reservation.status is not ReservationStatus.CONFIRMED:
            raise NotCancellable()
        percent = await self.fee(stored.reservation)
        if percent is None:
            raise NotCancellable("These tickets cannot be given back (any more)")
        chosen = sorted(seats) if seats is not None else None
        asked = RefundAsked(
            key=f"buyer:{','.join(map(str, chosen if chosen is not None else reservation.seats))}",
            reason=Reason.CANCELLED_BY_BUYER,
            asked_by="buyer",
            seats=chosen,
            fee_percent=percent,
            ends_as=Reason.CANCELLED_BY_BUYER,
        )
        try:
            await self._refund(stored, asked)
        except NotRefundable:
            raise NotCancellable() from None
        return (await self._stored(reservation.id)).reservation

    async def fee(self, reservation: Reservation) -> int | None:
        """What giving back costs the buyer now, in per cent; None: it is not possible."""
        event = await self._event(reservation)
        if event.cancelled_at is not None:  # all of it goes back by itself, without a fee
            return None
        return fee_percent(event.fees, event.starts_at, self._clock.now())

    async def quote(self, reservation: Reservation) -> Quote | None:
        """What the buyer is told before they press; None for what is not confirmed."""
        if reservation.status is not ReservationStatus.CONFIRMED:
            return None
        event = await self._event(reservation)
        fee = fee_at(event.fees, event.starts_at, self._clock.now()) if event.cancelled_at is None else None
        worth = await self._refunds.worth(reservation.id)
        if fee is None or worth is None:
            return Quote(False)
        kept = fee.of(worth.all)
        return Quote(True, kept, worth.all - kept, fee.until, fee.percent, worth.left, worth.prices)

    async def refund(self, id: UUID, asked: RefundAsked) -> tuple[Reservation, Made]:
        """For operators. Raises ReservationNotFound, NotRefundable, InvalidRequest, RefundChanged, RefundTooLarge,
        KeyReused, PaymentInProgress (a process is at it: again in a moment).
        """
        stored = await self._stored(id)
        made = await self._refund(stored, asked)
        return (await self._stored(id)).reservation, made

    async def owe(self, order: str, provider_key: str | None) -> bool:
        """A charge was found for an attempt that is over: it is owed back, durably. False: it is not over."""
        owed = await self._refunds.owe(order, provider_key)
        if owed:
            self._tasks.owed(order)
        return owed

    async def note_refund(
        self, id: UUID, order: str, *, key: str, amount: int, whole: bool, reason: str, asked_by: str
    ) -> None:
        """Money went back in the provider's dashboard: it is written down, and nothing is sent (P6). `whole`: nothing
        is left of the charge: the reservation is cancelled and its seats are free; else they stay. Once for each `key`.

        Raises ReservationNotFound, NotRefundable, RefundTooLarge, RefundChanged, PaymentInProgress.
        """
        stored = await self._stored(id)
        reservation = stored.reservation
        if reservation.status is not ReservationStatus.CONFIRMED or stored.order != order:
            await self._refunds.note(order, f"asked:noted:{key}", amount, reason=reason, asked_by=asked_by)
            return
        asked = RefundAsked(
            key=f"noted:{key}",
            reason=reason,
            asked_by=asked_by,
            amount=amount,
            refunded_before=reservation.refunded,
            release="free" if whole else "keep",
            noted=True,
        )
        await self._refund(stored, asked)

    async def end_for_event(self, order: str) -> None:
        """The event does not take place: what waits for its buyer is ended; what is under way goes on to its end."""
        stored, _ = await self._of_order(order)
        with contextlib.suppress(NotCancellable):
            await self._give_up(stored, Reason.EVENT_CANCELLED)

    async def refund_now(self, id: UUID) -> RefundProgress:
        """For operators: a refund that is owed is tried at once, whenever its next try would have been; how it stands
        after that. Nothing is tried where none is owed, or where a process is at it. Raises ReservationNotFound.
        """
        stored = await self._stored(id)
        tasks = await self._tasks.refund_now(stored.order)
        if tasks:
            await asyncio.wait(tasks, timeout=_REFUND_SECONDS)
        progress = await self._refunds.progress(id)
        if progress is None:
            raise ReservationNotFound()
        return progress

    async def _refund(self, stored: Stored, asked: RefundAsked) -> Made:
        order, cause, digest = stored.order, f"asked:{asked.key}", _digest(asked)
        for _ in range(_TRIES):
            earlier = await self._refunds.of_cause(order, cause)
            if earlier is not None:
                if earlier.digest != digest:
                    raise KeyReused()
                return earlier
            _check(stored.reservation, asked)
            token = self._tasks.token()
            made = await self._refunds.ask(order, cause, digest, asked, token)
            if made is not None:
                claim = await self._reservations.claimed(order, token)
                if claim is not None:
                    self._tasks.work_on(claim)
                self._tasks.owed(order)
                measures.RESERVATIONS.labels(made.status, asked.reason[:40] if made.status == "CANCELLED" else "").inc()
                return made
            # A task is at it, or something has changed since it was looked at: looked at again.
            await asyncio.sleep(_PAUSE_SECONDS)
            stored = await self._stored(stored.reservation.id)
        raise PaymentInProgress("Something is being done to this reservation at this moment: try again")


def _check(reservation: Reservation, asked: RefundAsked) -> None:
    """What can be said before the statement judges."""
    if reservation.status is not ReservationStatus.CONFIRMED:
        raise NotRefundable()
    unknown = sorted(set(asked.seats or ()) - set(reservation.seats))
    if unknown:
        raise InvalidRequest(f"seats: {unknown} are not seats of this reservation (any more)", seats=unknown)
    if (asked.amount, asked.refunded_before) != (None, None) and asked.refunded_before != reservation.refunded:
        raise RefundChanged(refunded=reservation.refunded)
    if asked.amount is not None and asked.amount > reservation.amount - reservation.refunded:
        raise RefundTooLarge(left=reservation.amount - reservation.refunded)


def _digest(asked: RefundAsked) -> str:
    """Tells a repeat from another request under the same key."""
    said = [asked.seats, asked.amount, asked.refunded_before, asked.fee, asked.reason, asked.release]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()


def release_of(*, seats: Sequence[int] | None, amount: int | None, release: bool | None) -> Release:
    """What becomes of the seats: free with `seats` or neither, kept with `amount`, unless it is said."""
    if release is None:
        release = amount is None
    if release:
        return "free"
    return "block" if amount is None else "keep"
