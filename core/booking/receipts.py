"""What a buyer is shown of a payment that went through (P8)."""

from __future__ import annotations

from core.booking.reservation import Reservation, ReservationStatus
from core.payments.gateway import Receipt


def receipt_of(reservation: Reservation) -> Receipt | None:
    """None for what is not confirmed, and where nothing was to be paid."""
    attempt = reservation.payment
    if reservation.status is not ReservationStatus.CONFIRMED or attempt is None:
        return None
    return Receipt(attempt.method, attempt.approval_number, attempt.receipt_url, attempt.approved_at)
