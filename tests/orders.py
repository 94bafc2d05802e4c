"""What `Reservations.begin` takes, where a test goes to the statements and not through a desk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from core.booking.stored import NewReservation
from core.payments.account import Account
from core.venue.event import Event

ACCOUNT: Final = Account("toss", "test:x")


def new_reservation(
    event: Event, visitor: str = "v", *, seats: Sequence[int], fence: int = 10, key: str = "k", email: str = ""
) -> NewReservation:
    return NewReservation(
        id=uuid4(),
        event_id=event.id,
        visitor=visitor,
        idempotency_key=key,
        request_digest="d",
        email=email or "a@example.org",
        language="en",
        seats=seats,
        fence=fence,
        account=ACCOUNT,
    )
