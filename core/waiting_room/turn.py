"""A visitor's turn: who was let in, with which number, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """`until`: the end of the session; None: it is over."""

    visitor: str
    number: int
    until: datetime | None
