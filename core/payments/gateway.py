"""What a payment provider's adapter promises. The rules of `payments.py` and of `core.booking` rest on this page.

The one distinction that matters: *proven* against *unknown*. A charge whose outcome is unknown may exist; treating it
as failed charges people without a ticket, treating it as approved gives tickets away. So an adapter says `DECLINED`,
`WRONG_KEY` or `NOT_CHARGED` only when the provider said so, or when the request provably never left.

The order exists before the buyer's window (P1): the server makes an order number and an amount, `open_window` says what
the payment page needs to open the provider's window for them, `read_return` reads what the buyer's browser brings back,
and only `confirm` moves money.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt to pay, as the provider knows it.

    `number` is the attempt's order number (the reservation's id without hyphens, and `a1`, `a2`, ...). `amount` is in
    the currency's minor unit; each adapter converts. `name` is what the buyer reads in the window.
    """

    number: str
    amount: int
    currency: str
    name: str


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a window may be told of the buyer. `phone` is asked for only where a provider needs it (NHN KCP on a PC)."""

    email: str
    language: str
    device: Literal["pc", "phone"]
    phone: str = ""


@dataclass(frozen=True, slots=True)
class WindowUrls:
    """The shop's own absolute URLs that the provider sends the buyer's browser to; each carries its `s`."""

    returned: str
    closed: str


@dataclass(frozen=True, slots=True)
class ContentSources:
    """What the payment page's Content-Security-Policy must allow for this provider's window: origins, as data."""

    script: tuple[str, ...] = ()
    connect: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    form: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    style: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """What the payment page does to open the window.

    `sdk`: load `script` and call the provider's function with `client_key` and `fields`; `redirect`: go to `url`;
    `form`: POST `fields` to `url`. Fields carry no personal data that the provider does not need.
    """

    kind: Literal["sdk", "redirect", "form"]
    fields: Mapping[str, Any]
    script: str | None = None
    url: str | None = None
    client_key: str | None = None


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a return proves to be there to confirm: the provider's key, and what else its confirm call wants (NHN KCP:
    `tran_cd`, `enc_data`, `enc_info`, `ordr_chk` as given). `data` is stored with the attempt, at most 16 KiB.
    """

    key: str
    data: Mapping[str, str] = field(default_factory=dict)


class ReturnRefused(Exception):
    """What the browser brought is not this order's: `code` is `order_differs`, `amount_differs`, `key_missing`, or the
    provider's own code of a window that ended without an authorisation (then `closed` or `declined` says which, and
    `shops_fault` that it was closed for what is the shop's to mend)."""

    def __init__(self, code: str, *, closed: bool = False, declined: bool = False, shops_fault: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.closed = closed
        self.declined = declined
        self.shops_fault = shops_fault


class ChargeOutcome(StrEnum):
    """What is known of an order's money."""

    #: The money is taken.
    APPROVED = "approved"
    #: The provider, or the card's issuer, refused. No money was taken.
    DECLINED = "declined"
    #: The key is another order's, or expired; no money was taken, and the order's own key is still good.
    WRONG_KEY = "wrong_key"
    #: Nobody knows yet: ask again with `look_up`.
    UNKNOWN = "unknown"
    #: The buyer has authorised, nobody has confirmed (Toss IN_PROGRESS, Stripe requires_capture). No money was taken.
    AUTHORISED = "authorised"
    #: A virtual account was issued: not paid, and it may be paid later unless it is cancelled (WAITING_FOR_DEPOSIT).
    AWAITING_DEPOSIT = "awaiting_deposit"
    #: The money was taken and all of it is given back; an authorisation that was voided.
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


#: `ChargeResult.code` of a request that found no connection: the provider has not answered.
CONNECT_FAILED: Final = "connect_failed"
CONNECT_TIMEOUT: Final = "connect_timeout"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the buyer and the books are told of an approved charge (P8). `method` is the provider's word for it."""

    method: str | None = None
    approval_number: str | None = None
    url: str | None = None
    approved_at: datetime | None = None

    @property
    def address(self) -> str | None:
        """The URL, where a page or an e-mail may link to it: a web address and nothing else, whoever sent it."""
        try:
            parts = urlsplit(self.url or "")
        except ValueError:
            return None
        return self.url if parts.scheme in ("https", "http") and parts.netloc else None


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """`provider_key` is the provider's name for the charge (needed to cancel it); `code` its error code, or one of ours
    in lower case (`connect_failed`, `read_timeout`, `connection_lost`, `bad_answer`, `circuit_open`, `amount_differs`).
    `temporary`: the provider asks to try the same again - under another idempotency key, since errors are remembered
    for the one that they were the answer to. `refused`, of a refund: the provider was reached and would not, so that
    more of the same may never help. `shops_fault`: for the shop to mend (wrong key, another account): never told to a
    buyer as "declined" (P9). `balance`: what is left of the charge in minor units, where the answer says it;
    `refund_key`: the provider's name for a refund that it just made.
    """

    outcome: ChargeOutcome
    provider: str | None = None
    provider_key: str | None = None
    code: str | None = None
    health: CallHealth = CallHealth.SUCCESS
    temporary: bool = False
    refused: bool = False
    shops_fault: bool = False
    receipt: Receipt | None = None
    balance: int | None = None
    refund_key: str | None = None


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A line of the provider's own list, for the hourly comparison (P6). `balance` is what is left after refunds."""

    order: str
    provider_key: str
    amount: int
    balance: int
    currency: str
    approved_at: datetime


class WindowFailed(Exception):
    """The provider could not be asked to prepare a window (`code` as in ChargeResult); nothing was charged."""

    def __init__(self, code: str, *, health: CallHealth, shops_fault: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.health = health
        self.shops_fault = shops_fault


class PaymentGateway(Protocol):
    """One provider.

    Guarantees of every adapter:

    - It never raises for what the provider or the network does but `WindowFailed` and `ReturnRefused`; every such thing
      is a `ChargeResult`. (A cancelled task raises `CancelledError`, after which the outcome is unknown.)
    - It sends at most one approval request a call, and never sends one again by itself.
    - `NOT_CHARGED`, `WRONG_KEY` and `DECLINED` are proven. Anything short of proof is `UNKNOWN`.
    - An answer in another currency or amount is `UNKNOWN` with `amount_differs`.
    - Each method returns within connect timeout + read timeout for each request it makes (three at most).
    """

    @property
    def name(self) -> str:
        """The provider's name in settings, URLs, metrics and `payment_attempts.provider`."""
        ...

    @property
    def environment(self) -> str:
        """Hash of merchant account and kind of key, not of a URL's spelling: `live:...`, `test:...`, `played:...`."""
        ...

    @property
    def currencies(self) -> frozenset[str] | None:
        """The currencies that it takes; None: all."""
        ...

    @property
    def idempotent(self) -> bool:
        """True when an identical `confirm` (same order, authorisation and idempotency key) can be sent again without a
        second charge, as at most providers; NHN KCP: False.
        """
        ...

    @property
    def needs_phone_number(self) -> bool:
        """True when the buyer's phone number is asked for before the window (NHN KCP on a PC)."""
        ...

    @property
    def sources(self) -> ContentSources: ...

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        """What the page needs. May call the provider (NHN KCP on a phone, Stripe). Safe to repeat.

        Raises WindowFailed.
        """
        ...

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        """Compares order and amount with ours. Raises ReturnRefused."""
        ...

    def is_decline(self, code: str) -> bool:
        """Whether a window that was left by its closed URL with this `code` refused the card; else the buyer went."""
        ...

    def is_shops_fault(self, code: str) -> bool:
        """Whether a window that ended with this `code` could not be used for what is the shop's to mend (P9). It is the
        buyer's browser that says so.
        """
        ...

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        """Moves the money."""
        ...

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        """The truth about an order. A provider that cannot be asked by order number settles it instead (net-cancel):
        the answer is then CANCELLED or NOT_CHARGED. So this is for orders whose outcome nobody was told of.
        """
        ...

    async def cancel(
        self,
        order: Order,
        provider_key: str | None,
        *,
        amount: int | None,
        refunded_before: int,
        reason: str,
        idempotency_key: str,
    ) -> ChargeResult:
        """Gives money back: all that is left (`amount` None) or a part, in minor units. Idempotent under its key: the
        same refund twice is made once, also where the provider has no keys (`refunded_before` tells a repeat by the
        balance). CANCELLED when it is done (also for a part; `balance` tells what is left), NOT_CHARGED when there is
        nothing to give back, UNKNOWN when it has to be tried again. Without `provider_key` the order is looked for.
        """
        ...

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        """Lets go of an authorisation or a window that will not be captured; CANCELLED or NOT_CHARGED when there is
        nothing left that could become a charge (also where the provider lets it expire by itself), UNKNOWN: again.
        """
        ...

    def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        """The provider's own list of charges that were approved in that time, also those that were refunded since.
        Raises NotImplementedError where the provider has no such call.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The order number that a webhook is about, or None (not ours, forged, nonsense). Only a hint (P6)."""
        ...

    async def aclose(self) -> None: ...
