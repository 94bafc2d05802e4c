"""How long the steps of a payment may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaymentTimes:
    """In seconds. `lease`: of a process on a payment or refund. `first_pause`: before a provider is asked about an
    unknown outcome. `deadline`: an outcome still unknown then is cancelled. `window`: to pay in, from "buy" (P1).
    `retry`: the seats stay for another try after a declined card (P11).
    """

    lease: float
    first_pause: float
    deadline: float
    window: float
    retry: float
