"""What happened to a reservation: the one event that Onsale publishes, in the form that consumers get it.

The outbox row, the local bus and every Avro version that was ever written become this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError


class EventType(StrEnum):
    """The known values of `ReservationMessage.type`; a consumer passes over those that it does not know."""

    PAYING = "reservation.paying"
    CONFIRMED = "reservation.confirmed"
    FAILED = "reservation.failed"
    CANCELLED = "reservation.cancelled"
    REFUNDED = "reservation.refunded"
    #: Nothing changed but, perhaps, the address and the ticket's code: the ticket is mailed once more.
    MAIL_AGAIN = "reservation.mail_again"


@dataclass(frozen=True, slots=True)
class SeatChange:
    """One seat after the change: `version` is seats.version, `status` seats.status, `price` in minor
    units.
    """

    ordinal: int
    version: int
    status: str
    price: int
    category: str
    zone: str = ""
    row: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class ReservationMessage:
    """`uid` names the event itself, however often it is delivered; `amount` is in the currency's minor unit.

    `event` is the slug of what is sold, `at` when the reservation changed (UTC). `only_for` names the one
    consumer that a repeated dead letter is meant for; it is empty for an ordinary event.
    """

    uid: UUID
    type: str
    reservation_id: UUID
    event: str
    event_id: int
    event_name: str
    visitor: str
    status: str
    email: str
    amount: int
    currency: str
    at: datetime
    seats: tuple[SeatChange, ...]
    reason: str | None = None
    language: str = "en"
    ticket_code: str | None = None
    only_for: str = ""


class EventInvalid(ValueError):
    """A message that is not a reservation event; the text says what is wrong with it."""


_ADAPTER = TypeAdapter(ReservationMessage)


def parse(uid: UUID, type_: str, payload: Mapping[str, Any], *, only_for: str = "") -> ReservationMessage:
    """An event from an outbox payload: the columns of the row and its JSON. Raises EventInvalid."""
    try:
        return _ADAPTER.validate_python({**payload, "uid": uid, "type": type_, "only_for": only_for})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EventInvalid(f"{where}: {first['msg']}") from None


def payload_of(event: ReservationMessage) -> dict[str, Any]:
    """The outbox payload that `parse` would make this event of."""
    body: dict[str, Any] = _ADAPTER.dump_python(event, mode="json", exclude={"uid", "type", "only_for"})
    return body
