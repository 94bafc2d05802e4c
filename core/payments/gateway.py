"""What a payment provider's adapter promises. The rules of `payments.py` and of `core.booking` rest on this page.

The one distinction that matters: *proven* against *unknown*. A charge whose outcome is unknown may exist; treating it
as failed charges people without a ticket, treating it as approved gives tickets away. So an adapter says
`NOT_CHARGED` or `DECLINED` only when the provider said so, or when the request provably never left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

_NAMED_KEYS: Final = re.compile(r"(toss|kcp)=")


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment to be made.

    `order_id` is the reservation's id and, at providers that know the word, the idempotency key: a charge is never
    made twice for it. `payment_key` is what the buyer's payment window returned, as `toss=KEY`; a page that opened the
    windows of several providers sends `toss=KEY;kcp=KEY`, and a plain key is the first provider's. `amount` is in the
    currency's minor unit (KRW has none).
    """

    order_id: str
    payment_key: str
    amount: int
    currency: str
    name: str

    def key_for(self, provider: str) -> str | None:
        """The buyer's authorisation at this provider; None when it is for others only."""
        named = named_keys(self.payment_key)
        return self.payment_key if named is None else named.get(provider) or None


def named_keys(payment_key: str) -> dict[str, str] | None:
    """Provider -> key of a `payment_key` that names them; None for a plain one."""
    if not _NAMED_KEYS.match(payment_key):
        return None
    return dict(part.split("=", 1) for part in payment_key.split(";") if "=" in part)


class ChargeOutcome(StrEnum):
    """What is known of a charge."""

    #: The money is taken.
    APPROVED = "approved"
    #: The provider, or the card's issuer, refused. No money was taken.
    DECLINED = "declined"
    #: Nobody knows yet: ask again with `look_up`, or make sure with `cancel`.
    UNKNOWN = "unknown"
    #: The money was taken and is given back.
    CANCELLED = "cancelled"
    #: Proven: never sent, refused before a charge was tried, or asked and answered "no such order".
    NOT_CHARGED = "not_charged"


class CallHealth(StrEnum):
    """What a call tells of the provider's health, whatever it says of the charge. The breaker lives on this."""

    #: It answered as it should. A declined card is this: the provider did its work.
    SUCCESS = "success"
    #: It refused to connect, broke the connection, or answered with an error of its own.
    FAILURE = "failure"
    #: It did not answer in time.
    TIMEOUT = "timeout"
    #: The call says nothing of the provider (our own pool was full, the buyer's input was wrong).
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """`provider_key` is the provider's name for the charge (needed to cancel it); `code` its error code, or one of ours
    in lower case (`connect_failed`, `read_timeout`, `connection_lost`, `bad_answer`, `circuit_open`, `parked`, ...).
    `temporary` says that the provider asks to try the same again; `refused`, of a refund, that the provider was reached
    and would not, so that more of the same may never help.
    """

    outcome: ChargeOutcome
    provider: str | None = None
    provider_key: str | None = None
    code: str | None = None
    health: CallHealth = CallHealth.SUCCESS
    temporary: bool = False
    refused: bool = False


class PaymentGateway(Protocol):
    """One provider.

    Guarantees of every adapter:

    - It never raises for what the provider or the network does; every such thing is a `ChargeResult`. (A cancelled
      task raises `CancelledError`, after which the outcome is unknown.)
    - It sends at most one approval request a call, and never sends one again by itself.
    - `NOT_CHARGED` and `DECLINED` are proven. Anything short of proof is `UNKNOWN`.
    - Each method returns within connect timeout + read timeout for each request it makes (three at most).
    """

    @property
    def name(self) -> str:
        """The provider's name in settings, metrics and the `payments` table."""
        ...

    async def charge(self, charge: Charge) -> ChargeResult:
        """Tries to take the money. Safe to repeat for the same order where the provider has idempotency keys (Toss
        Payments); where it has none (NHN KCP), an outcome that stays unknown must be settled by `look_up` or `cancel`
        before anything else is tried.
        """
        ...

    async def look_up(self, charge: Charge, provider_key: str | None = None) -> ChargeResult:
        """The truth about an order.

        A provider that cannot be asked by order number settles the order instead (net-cancel): the answer is then
        CANCELLED or NOT_CHARGED. So this is for orders whose outcome nobody was told of.
        """
        ...

    async def cancel(self, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult:
        """Gives the money back. Idempotent: CANCELLED also when it was cancelled before, NOT_CHARGED when there is
        nothing to give back, UNKNOWN when it has to be tried again. Without `provider_key` the order is looked for.
        """
        ...

    async def aclose(self) -> None: ...
