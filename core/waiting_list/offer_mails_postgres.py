"""The e-mails about offers: each offer's leaves once, by whichever process gets to it (F10).

It is claimed, handed over, and marked. A process that dies in between leaves an e-mail that another one sends again
after the claim, under the same Message-ID; a mail server that is away is tried again while the offer stands.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import databases
import structlog

from core.database import raw
from core.notifications.mailer import MailAway, Mailer, MailRefused
from core.notifications.offer_mail import OfferMail, compose_offer
from core.process.source_files import SourceFiles
from core.waiting_list.wish import OfferKey

log = structlog.get_logger(__name__)

_CLAIM = SourceFiles(__file__, "sql")["mail_offers"]
_MAILED = "UPDATE offers SET mailed_at = now(), mailing_until = NULL WHERE id = $1"
_LATER = "UPDATE offers SET mailing_until = now() + make_interval(secs => $2::float8) WHERE id = ANY ($1::uuid[])"

#: Offers of one run, and for how long they are the process's, in seconds: longer than as many e-mails take.
_AT_ONCE: Final = 20
_CLAIM_SECONDS: Final = 300.0
_AWAY_SECONDS: Final = 15.0


class OfferMails:
    """`run` raises StoreUnavailable."""

    def __init__(
        self,
        database: databases.Database,
        mailer: Mailer,
        key: OfferKey,
        *,
        base_url: str,
        sender: str,
        reply_to: str = "",
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._key = key
        self._base_url = base_url.rstrip("/")
        self._sender = sender
        self._reply_to = reply_to

    async def run(self) -> None:
        """Writes about offers that nobody was written to about."""
        async with raw(self._database, writes=True) as connection:
            rows = await connection.fetch(_CLAIM, _AT_ONCE, _CLAIM_SECONDS)
        for number, row in enumerate(rows):
            try:
                letter = compose_offer(self._mail(row), sender=self._sender, reply_to=self._reply_to)
                await self._mailer.send(letter)
            except MailRefused as refused:
                # It was tried when the address was given; the page has the offer as well.
                log.warning("an offer cannot be mailed", offer=str(row["id"]), cause=str(refused))
            except MailAway as away:
                log.warning("offers are mailed later", cause=str(away))
                async with raw(self._database, writes=True) as connection:
                    await connection.execute(_LATER, [left["id"] for left in rows[number:]], _AWAY_SECONDS)
                return
            except Exception:
                # Its claim ends by itself; the others of this run are written nevertheless.
                log.exception("an offer's e-mail failed", offer=str(row["id"]))
                continue
            async with raw(self._database, writes=True) as connection:
                await connection.execute(_MAILED, row["id"])

    def _mail(self, row: Any) -> OfferMail:
        secret = urlencode({"s": self._key.of(row["id"])})
        return OfferMail(
            offer=row["id"],
            event_name=row["event_name"],
            time_zone=row["time_zone"],
            email=row["email"],
            language=row["language"],
            seats=[(zone, line, number, category) for zone, line, number, category in row["names"]],
            amount=row["amount"],
            currency=row["currency"],
            made_at=row["made_at"],
            until=row["until"],
            starts_at=row["starts_at"],
            venue=row["venue"],
            address=row["address"],
            url=f"{self._base_url}/returns/{row['wish_id']}?{secret}",
        )
