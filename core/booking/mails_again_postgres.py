"""A ticket's e-mail once more, to the buyer's address or to a corrected one (T2).

One transaction judges and writes: reservation, message, how often, who did it. A corrected address is the reservation's
from then on, also for what was to be mailed before (the e-mail consumer asks); and its ticket gets a new code, so that
what has gone to somebody else's mailbox opens nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import databases

from core import audit_postgres as audit
from core.booking.addresses import Addresses, masked
from core.booking.attempt import AttemptState
from core.booking.reservation import ReservationStatus
from core.booking.results_redis import Events
from core.booking.statements_postgres import STATEMENTS
from core.database import raw
from core.errors import MailedOften, NotConfirmed, ReservationNotFound, TooManySeats
from core.venue.event import Event

if TYPE_CHECKING:
    import asyncpg

#: The actor of what a buyer asked for themselves.
BUYER: Final = "buyer"

_DAY_SECONDS: Final = 24 * 3600.0
# E-mails that a buyer asks for once more, in a day: of one reservation, and to one mailbox over all reservations of an
# event, because nothing says that it is theirs. Between two to one address the first has time to arrive.
_OF_RESERVATION: Final = 5
_TO_ADDRESS: Final = 10
_PAUSE_SECONDS: Final = 60.0

_OWN = """
SELECT r.visitor, r.status, r.event_id, r.email, r.address_key, r.ticket_code, r.language, r.phase,
       (SELECT count(*) FROM reservation_seats WHERE reservation_id = r.id AND live) AS seats
FROM reservations r WHERE r.id = $1
"""
_LOCKED = _OWN + "FOR UPDATE"
_OVER_SHARE = STATEMENTS["over_share"]
_MAIL_AGAIN = STATEMENTS["mail_again"]
# Counted in the transaction: what is refused below, or lost, is not.
_ALLOWED = """
INSERT INTO mail_allowances AS m (subject, since, latest, sent) VALUES ($1, now(), now(), 1)
ON CONFLICT (subject) DO UPDATE
SET since = CASE WHEN m.since <= now() - make_interval(secs => $2::float8) THEN now() ELSE m.since END,
    sent = CASE WHEN m.since <= now() - make_interval(secs => $2::float8) THEN 1 ELSE m.sent + 1 END, latest = now()
WHERE m.latest <= now() - make_interval(secs => $4::float8)
  AND (m.sent < $3::int OR m.since <= now() - make_interval(secs => $2::float8))
RETURNING 1
"""
_WAIT = """
SELECT greatest(1, extract(epoch FROM greatest(
    latest + make_interval(secs => $4::float8),
    CASE WHEN sent >= $3::int THEN since + make_interval(secs => $2::float8) END) - now()))::float8
FROM mail_allowances WHERE subject = $1
"""


@dataclass(frozen=True, slots=True)
class MailAgain:
    """`email`: where it goes, and all that follows. `corrected`: it is another address than before."""

    slug: str
    email: str
    corrected: bool


class MailsAgain:
    """`try_mail` raises where the ticket's e-mail could not be written to an address; `wake` tells who sends."""

    def __init__(
        self,
        database: databases.Database,
        *,
        events: Events,
        addresses: Addresses,
        try_mail: Callable[[Event, str, str], None],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._events = events
        self._addresses = addresses
        self._try_mail = try_mail
        self._wake = wake

    async def send(self, id: UUID, *, visitor: str | None, by: str, address: str | None = None) -> MailAgain:
        """`visitor`: whose reservation it has to be; None: an operator's wish, which is not limited, and which `audit`
        has by the name of `by`. `address`: a corrected one.

        Raises ReservationNotFound (also when it is another visitor's), NotConfirmed, MailedOften, TooManySeats (of the
        corrected address, F3), InvalidRequest (no e-mail gets there), MailImpossible, StoreUnavailable.
        """
        async with raw(self._database) as connection:
            seen = _checked(await connection.fetchrow(_OWN, id), visitor)
        event = await self._events.by_id(seen["event_id"])
        self._try_mail(event, address or seen["email"], seen["language"])
        async with raw(self._database, writes=True) as connection, connection.transaction():
            own = _checked(await connection.fetchrow(_LOCKED, id), visitor)
            email = address or own["email"]
            corrected, key = email != own["email"], self._addresses.key(email)
            if corrected:
                await self._require_room(connection, id, own, key)
            if visitor is not None:
                await _allow(connection, str(id), _OF_RESERVATION, 0.0 if corrected else _PAUSE_SECONDS)
                await _allow(connection, f"{event.id} {key}", _TO_ADDRESS, 0.0)
            code = secrets.token_urlsafe(16) if corrected else own["ticket_code"]
            await connection.fetchrow(_MAIL_AGAIN, id, email, key if corrected else own["address_key"], code)
            await audit.record_on(
                connection,
                actor=by,
                action="mail.correct" if corrected else "mail.again",
                subject=event.slug,
                reservation=str(id),
                email=masked(email),
                **({"before": masked(own["email"])} if corrected else {}),
            )
        self._wake()
        return MailAgain(event.slug, email, corrected)

    async def _require_room(self, connection: asyncpg.Connection, id: UUID, own: Any, key: str) -> None:
        """Raises TooManySeats: rule 11 holds for the address that a purchase moves to."""
        if key == own["address_key"]:
            return
        counted = [AttemptState.AUTHORISED, AttemptState.CALLED]
        over = await connection.fetchrow(
            _OVER_SHARE, own["event_id"], None, key, own["seats"], counted, id, own["phase"]
        )
        if over is not None:
            raise TooManySeats(max=over["max"])


def _checked(own: Any, visitor: str | None) -> Any:
    """Raises ReservationNotFound, NotConfirmed."""
    if own is None or (visitor is not None and own["visitor"] != visitor):
        raise ReservationNotFound()
    if own["status"] != ReservationStatus.CONFIRMED:
        raise NotConfirmed()
    return own


async def _allow(connection: asyncpg.Connection, subject: str, most: int, pause: float) -> None:
    """Raises MailedOften, which says when one more is sent."""
    asked = (subject, _DAY_SECONDS, most, pause)
    if await connection.fetchval(_ALLOWED, *asked) is None:
        raise MailedOften(retry_after=await connection.fetchval(_WAIT, *asked))
