"""The signed queue ticket: what a browser keeps, so that its place survives a reload, a sleep and a lost Redis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode
from itsdangerous.url_safe import URLSafeSerializerMixin

from core.clock import Clock, to_millis
from core.waiting_room import draw


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """What a ticket says: a number in the queue, or an entry for an opening (its draw's id, receipt and salt).

    `until_ms`: the number was let in, and its session ends then (milliseconds since 1970); 0: it waits.
    """

    number: int = 0
    opening: int = 0
    receipt: str = ""
    salt: str = ""
    until_ms: int = 0


#: How far ahead of this process the one that signed a ticket may have been, in seconds.
_AHEAD: Final = 60.0


class _Plain(URLSafeTimedSerializer):
    """Reads packed tickets as well, and packs none: of so few letters zlib makes no fewer, and its tables are three
    quarters of what a ticket costs.
    """

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(super(URLSafeSerializerMixin, self).dump_payload(obj))


class Tickets:
    """A ticket is good for one event, one visitor and `hours`, by the installation's clock (R3); it says nothing to
    anybody else.
    """

    def __init__(self, secret: str, hours: float, clock: Clock) -> None:
        class Dated(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._clock = clock
        self._signer = _Plain(secret, salt="onsale.queue-ticket", signer=Dated)
        self._max_age = hours * 3600

    def issue(self, slug: str, visitor: str, number: int, until: datetime | None = None) -> str:
        """`until`: the end of the session of who was let in."""
        turn = [] if until is None else [to_millis(until)]
        return str(self._signer.dumps([slug, visitor, number, *turn]))

    def issue_entry(self, slug: str, visitor: str, opening: int, receipt: str, salt: str) -> str:
        """For who gathers: it brings the same entry back, and after the draw the number that it was given (F1)."""
        return str(self._signer.dumps([slug, visitor, opening, receipt, salt]))

    def read(self, token: str | None, slug: str, visitor: str) -> KeptPlace | None:
        """None for a ticket that is forged, old, or another's: its bearer joins at the tail."""
        if not token:
            return None
        try:
            claims, signed_at = self._signer.loads(token, return_timestamp=True)
        except BadData:
            return None
        if not -_AHEAD <= (self._clock.now() - signed_at).total_seconds() <= self._max_age:
            return None
        match claims:
            case [str(event), str(owner), int(number)] if event == slug and owner == visitor and number > 0:
                return KeptPlace(number)
            case [str(event), str(owner), int(number), int(until_ms)] if (
                event == slug and owner == visitor and number > 0
            ):
                return KeptPlace(number, until_ms=until_ms)
            case [str(event), str(owner), int(opening), str(receipt), str(salt)] if (
                event == slug and owner == visitor and draw.is_receipt(receipt) and draw.is_nonce(salt)
            ):
                return KeptPlace(0, opening, receipt, salt)
        return None
