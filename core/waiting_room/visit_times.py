"""How long a visitor may be in, and how long nobody has to hear of them: what all who talk to a browser tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """In seconds. A browser sends a beat each `beat`; who is not heard of for their grace is out. `warning` before the
    end of a session its page says so. Who is `absent` for longer, while the service answered, loses the place (F6).

    While a store or payment is away the sale's clock stands, for `stop` seconds at most (R4); `gap` seconds without a
    sweep are such a stop as well.
    """

    session: float
    warning: float
    beat: float
    active_grace: float
    waiting_grace: float
    absent: float
    stop: float
    gap: float
