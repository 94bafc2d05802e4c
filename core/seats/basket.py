"""A visitor's basket: the seats held, under one fence and one deadline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Basket:
    """`until` is when the seats are lost; `fence` is given to PostgreSQL, which refuses an older one.

    While a payment is under way `paying` is true and the basket neither lapses nor changes.
    """

    seats: tuple[int, ...]
    fence: int
    until: datetime
    extensions_left: int
    paying: bool = False
