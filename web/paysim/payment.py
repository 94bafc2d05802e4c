"""A payment as a simulated provider keeps it, from the opened window to the last refund.

READY                   the window is open, or was left (`left_at`)
IN_PROGRESS             the buyer has authorised; nobody has confirmed
WAITING_FOR_DEPOSIT     confirmed, and a virtual account was issued
DONE, PARTIAL_CANCELED  charged; of the second a part was given back
CANCELED                charged and given back, or a virtual account that was given up
ABORTED                 the confirmation was declined
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from web.paysim.behaviour import Rules

#: Money was taken at some time.
CHARGED: Final = ("DONE", "PARTIAL_CANCELED")


@dataclass(frozen=True, slots=True)
class Payment:
    """Amounts in the currency's minor unit, times in seconds since 1970.

    `window` is the secret name of the buyer's window, `provider_key` the provider's name for the payment. `details`
    is what the provider's own play keeps with it. `page` is where the buyer's browser reaches the simulator.
    """

    id: int
    provider: str
    window: str
    provider_key: str
    order_id: str
    amount: int
    currency: str
    name: str
    status: str
    method: str
    card: str
    code: str | None
    returned: str
    closed: str
    page: str
    details: str
    opened_at: float
    authorised_at: float | None
    left_at: float | None
    decided_at: float | None
    approved_at: float | None
    given_back: int
    tries: int

    @property
    def balance(self) -> int:
        return self.amount - self.given_back if self.status in CHARGED else 0

    @property
    def is_settled(self) -> bool:
        """Confirmed, and not refused: charged, given back, or waiting for a deposit."""
        return self.status not in ("READY", "IN_PROGRESS", "ABORTED")

    def status_at(self, now: float, rules: Rules) -> str:
        """EXPIRED once its time is over: the window's until the buyer authorises, the authorisation's from then on."""
        if self.status == "READY":
            ends = self.opened_at + rules.window_seconds
        elif self.status == "IN_PROGRESS":
            ends = (self.authorised_at or self.opened_at) + rules.session_seconds
        else:
            return self.status
        return "EXPIRED" if now > ends else self.status

    def is_confirmable(self, now: float, rules: Rules) -> bool:
        """Whether a confirmation would be let through now: authorised, and not too long ago."""
        return self.status_at(now, rules) == "IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One refund: `key` is the provider's name for it; `asked_by`: `shop` or `dashboard`."""

    payment_id: int
    key: str
    amount: int
    remaining: int
    reason: str
    asked_by: str
    at: float
