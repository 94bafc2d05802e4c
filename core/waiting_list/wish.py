"""A place in the waiting list, and the offer that it has or had (F10). Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class WishState(StrEnum):
    WAITING = "WAITING"
    OFFERED = "OFFERED"
    TAKEN = "TAKEN"
    """The seats offered are, or were, being paid for."""
    LAPSED = "LAPSED"
    """The offer's time ended and nobody had answered: the place is gone."""
    LEFT = "LEFT"

    @property
    def live(self) -> bool:
        return self in (WishState.WAITING, WishState.OFFERED)


class OfferState(StrEnum):
    OPEN = "OPEN"
    TAKEN = "TAKEN"
    PASSED = "PASSED"
    LAPSED = "LAPSED"


@dataclass(frozen=True, slots=True)
class Offer:
    """`seats` are ordinals, ascending; `amount` in the currency's minor unit; `over`: its time has ended, whether that
    is written down yet or not. `phase`: the one that its seats count in; None: the one in which it is taken.
    `reservation`: what it was taken by, `taker`: whose that is.
    """

    id: UUID
    seats: tuple[int, ...]
    amount: int
    state: OfferState
    until: datetime
    over: bool
    phase: str | None = None
    reservation: UUID | None = None
    taker: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """`ahead`: how many wait before it, 0 when it is over. `offer`: the last one, if there was one."""

    id: UUID
    event_id: int
    visitor: str
    email: str
    language: str
    seats: int
    category: str | None
    state: WishState
    ahead: int
    joined_at: datetime
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class NewWish:
    """`address`: what the e-mail is counted under (core/booking/addresses.py)."""

    id: UUID
    event_id: int
    visitor: str
    email: str
    address: str
    language: str
    network: str
    seats: int
    category: str | None


class OfferKey:
    """What the link in an e-mail proves: made of the offer and the installation's key, kept nowhere."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()

    def of(self, offer: UUID) -> str:
        """32 hex digits that nobody can guess."""
        return hmac.new(self._key, b"waiting list offer " + offer.bytes, hashlib.sha256).hexdigest()[:32]

    def fits(self, offer: UUID, given: str) -> bool:
        return hmac.compare_digest(self.of(offer).encode(), given.encode())
