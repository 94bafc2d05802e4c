"""The signed queue ticket: what a browser keeps, so that its place survives a reload, a sleep and a lost Redis."""

from __future__ import annotations

from itsdangerous import BadData, URLSafeTimedSerializer


class Tickets:
    """A ticket is good for one event, one visitor and `hours`; it says nothing to anybody else."""

    def __init__(self, secret: str, hours: float) -> None:
        self._signer = URLSafeTimedSerializer(secret, salt="onsale.queue-ticket")
        self._max_age = int(hours * 3600)

    def issue(self, slug: str, visitor: str, number: int) -> str:
        return str(self._signer.dumps([slug, visitor, number]))

    def read(self, token: str | None, slug: str, visitor: str) -> int | None:
        """The number, or None for a ticket that is forged, old, or another's: its bearer joins at the tail."""
        if not token:
            return None
        try:
            claims = self._signer.loads(token, max_age=self._max_age)
        except BadData:
            return None
        match claims:
            case [str(event), str(owner), int(number)] if event == slug and owner == visitor and number > 0:
                return number
        return None
