"""Bodies of the HTTP API, asked and answered; those of events and plans are in `web/event_schemas.py`.
`web/openapi.py` describes the API from these same classes.

Times are ISO 8601 in UTC, money is an integer in the currency's minor unit, seats are ordinals.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    model_validator,
)

from core.booking.reservation import SeatStatus
from core.clock import iso
from core.errors import PaymentOrderFirst
from core.languages import Language
from core.notifications.address import mail_address
from core.seats.best_seats import MOST_GROUPS

#: A call's seats, at most: far above any event's `max_seats`, low enough to cost nothing.
MOST_SEATS = 100

#: PostgreSQL's `integer`; whether an event has the seat is for the event to say (`no_such_seat`).
_LARGEST_ORDINAL = 2**31 - 1

UtcTime = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]
Ordinal = Annotated[int, Field(ge=0, le=_LARGEST_ORDINAL)]


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        # Without a zone it would be the server's local time, which is nobody's.
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be a time with its zone, such as 2026-05-01T20:00:00+09:00") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


def distinct(seats: list[int]) -> list[int]:
    if len(set(seats)) != len(seats):
        raise ValueError("the same seat is named twice")
    return seats


def _address(email: str) -> str:
    return mail_address(email).shown


class Asked(BaseModel):
    """A request body: exactly these members, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class JoinQueue(Asked):
    ticket: str | None = Field(
        None, max_length=1024, pattern=r"^[!-~]*$", description="the ticket of an earlier answer: keeps the place"
    )
    nonce: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{32}$",
        description="the browser's 16 random bytes in its receipt for the draw; without them the server makes some",
    )
    proof: str | None = Field(
        None,
        max_length=4096,
        pattern=r"^[!-~]*$",
        description="the solution of the challenge that `proof_required` carried, as ALTCHA's solvers give it "
        "(base64 of `{challenge, solution}`); or the token of the captcha that it named",
    )
    code: str | None = Field(None, min_length=1, max_length=100, description="the access code that opens a phase")


class BestSeats(Asked):
    count: int = Field(ge=1, le=MOST_SEATS, description="seats side by side")
    groups: int = Field(
        1,
        ge=1,
        le=MOST_GROUPS,
        description="in so many groups of nearly one size, each of them side by side, all or nothing; at most `count`",
    )
    category: str | None = Field(None, max_length=200, description="of this category only")
    zone: str | None = Field(None, max_length=200, description="in this zone only")
    accessible: bool = Field(
        False,
        description="wheelchair places, which are given only when they are asked for; where the event has "
        "`companions`, as few of them as `count` people need, and seats beside them",
    )


def _one_way(asked: HoldSeats) -> HoldSeats:
    if len(asked.model_fields_set) != 1 or not (asked.seats or asked.best):
        raise ValueError("name `seats`, or ask for the `best`: one of the two")
    return asked


def _never_null(schema: dict[str, Any]) -> None:
    """Left out, or there: `null` names no seats (`_one_way`)."""
    schema.pop("default", None)
    (schema["$ref"],) = [form["$ref"] for form in schema.pop("anyOf") if "$ref" in form]


class HoldSeats(Asked):
    """Exactly one of the two."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["seats"]}, {"required": ["best"]}]})

    seats: Annotated[list[Ordinal], AfterValidator(distinct)] = Field(
        default_factory=list, min_length=1, max_length=MOST_SEATS, json_schema_extra={"uniqueItems": True}
    )
    best: BestSeats | None = Field(
        None, description="the best seats together, found by the server", json_schema_extra=_never_null
    )

    _check = model_validator(mode="after")(_one_way)


#: One that e-mails get to, as it is shown.
MailAddress = Annotated[str, AfterValidator(_address), Field(max_length=254, json_schema_extra={"format": "email"})]


class Reserve(Asked):
    email: MailAddress = Field(description="where the ticket goes")
    provider: str | None = Field(
        None, max_length=32, pattern=r"^[a-z0-9]+$", description="which payment provider; else the shop's first"
    )
    language: Language | None = Field(None, description="of e-mails; else the caller's Accept-Language")

    @model_validator(mode="before")
    @classmethod
    def _order_first(cls, body: Any) -> Any:
        if isinstance(body, dict) and "payment_key" in body:
            raise PaymentOrderFirst()
        return body


class NextAttempt(Asked):
    provider: str | None = Field(
        None, max_length=32, pattern=r"^[a-z0-9]+$", description="which payment provider; else the shop's choice"
    )


class GiveBack(Asked):
    seats: Annotated[list[Ordinal], AfterValidator(distinct)] | None = Field(
        None,
        min_length=1,
        max_length=MOST_SEATS,
        description="single seats of a paid reservation; without: all of them",
        json_schema_extra={"uniqueItems": True},
    )


class BlockSeats(Asked):
    seats: Annotated[list[Ordinal], AfterValidator(distinct)] = Field(
        min_length=1, max_length=10_000, json_schema_extra={"uniqueItems": True}
    )
    blocked: bool


#: Of what the console says in the operator's language (core/sentences.py).
SAID_KEY: Final = "which sentence it is: stable; its words by language are `ops.said.KEY` in core/locale"
SAID_ARGUMENTS: Final = "what stands in the sentence: texts, numbers, sentences (`{key, arguments}`) or lists of them"


class ResponseBody(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True)


class NewVisitor(ResponseBody):
    visitor: str = Field(description="128 random bits, `v_...`")
    token: str = Field(description="proves the visitor: `Authorization: Bearer <token>`")


class OutageAnswer(ResponseBody):
    away: list[Literal["database", "redis", "payment"]] = Field(
        description="`database`: nothing can be paid; `redis`: nothing can be held; `payment`: no provider answers"
    )
    since: UtcTime | None = Field(
        description="when the clocks of sessions and holds began to stand; the time is given back. Null: they go"
    )
    until: UtcTime | None = Field(description="when they go on in any case")


class WaitBand(ResponseBody):
    """Seconds: the waits of four in five of those in front came out within it."""

    low: int = Field(ge=0)
    high: int = Field(ge=0)


class WaitOfOne(ResponseBody):
    joined_at: UtcTime
    promised: WaitBand
    actual: int = Field(ge=0, description="seconds")
    kept: bool = Field(description="the actual wait was within the band")


class Waits(ResponseBody):
    waits: list[WaitOfOne] = Field(description="of those who came in last, the newest first")
    kept: int = Field(ge=0, description="how many of these were within the band")


class QueuePlace(ResponseBody):
    state: Literal["waiting", "active"]
    number: int = Field(description="the visitor's number in this queue")
    ahead: int = Field(ge=0)
    waiting: int = Field(ge=0)
    wait: WaitBand | None = Field(description="the wait as a band; null when nothing is known")
    eta_seconds: int | None = Field(description="expected wait; null when nothing is known")
    until: UtcTime | None = Field(description="end of the session of an active visitor")
    ticket: str = Field(description="signed: gives the place back to a browser that lost it")


class QueueEntry(ResponseBody):
    state: Literal["entered"]
    receipt: str = Field(description="stands for this visitor in the draw: hex SHA-256 of nonce and salt")
    salt: str = Field(description="the server's part of the receipt, 32 hexadecimal digits")
    entered: int = Field(ge=0, description="how many gather")
    draw_at: UtcTime = Field(description="when the order is drawn")
    ticket: str = Field(description="signed: brings the same entry back, and after the draw its number")


class QueueAnswer(RootModel[QueuePlace | QueueEntry]):
    """A place in the queue, or an entry for the draw at the opening."""


class DrawBeacon(ResponseBody):
    source: str
    round: int
    value: str | None


class DrawShown(ResponseBody):
    phase: str | None
    algorithm: str
    state: Literal["none", "announced", "drawn"]
    commitment: str | None = Field(description="hex SHA-256 of the seed, public before anybody enters")
    beacon: DrawBeacon | None = Field(description="a public value from after the opening, when one is named")
    draw_at: UtcTime | None
    count: int | None = Field(None, description="how many were drawn")
    root: str | None = Field(None, description="names the entries that were frozen at the opening")
    seed: str | None = Field(None, description="hexadecimal; shown when every entry has its number")


class HeldSeats(ResponseBody):
    seats: list[int] = Field(description="the whole basket")
    fence: int | None
    until: UtcTime | None = Field(description="when the seats come free by themselves; null when there are none")
    extensions_left: int
    paying: bool = Field(False, description="a payment for these seats is under way: they neither lapse nor change")
    together: bool = Field(
        False, description="true where the best seats were asked for in one group: they are side by side; else left out"
    )


class PaymentState(ResponseBody):
    """The current attempt to pay."""

    order: str = Field(description="the order's number at the provider")
    provider: str
    state: Literal["OPEN", "AUTHORISED", "CALLED", "APPROVED", "DECLINED", "CLOSED", "EXPIRED", "VOIDED"]
    page: str = Field(description="the payment page: `Accept: application/json` says what opens the provider's window")
    until: UtcTime = Field(description="the end of the time to pay: only an outage, whose time is given back, moves it")
    retry_until: UtcTime | None = Field(None, description="another attempt can be begun until then")
    now: UtcTime = Field(description="the server's time, for countdowns on machines whose clock is wrong")


class ReceiptOf(ResponseBody):
    """What the provider said when it took the money; members that it left out are missing."""

    method: str | None = Field(None, description="the provider's word for it")
    approval_number: str | None = None
    url: str | None = Field(None, description="the provider's own receipt")
    approved_at: UtcTime | None = None


class SeatPrice(ResponseBody):
    seat: int
    price: int = Field(ge=0, description="as it was paid, in minor units")


class CancelQuote(ResponseBody):
    """What giving all seats back would come to now, along the event's fees."""

    possible: bool
    fee: int = Field(ge=0, description="what is kept, in minor units")
    refund: int = Field(ge=0, description="what goes back, in minor units")
    until: UtcTime | None = Field(None, description="until when; then it costs more, or is not possible any more")
    percent: int | None = Field(None, description="the fee in per cent of what goes back, rounded down")
    left: int | None = Field(None, description="of the charge: never more than that goes back, in minor units")
    seats: list[SeatPrice] | None = Field(None, description="what each seat cost, for giving back some of them")


class ReservationState(ResponseBody):
    id: UUID
    event: str
    status: Literal["PAYING", "CONFIRMED", "FAILED", "CANCELLED"]
    reason: str | None = Field(None, description="why it failed or was cancelled")
    seats: list[int]
    amount: int = Field(ge=0, description="in the currency's minor unit")
    currency: str
    payment: PaymentState | None = Field(None, description="while PAYING; null when nothing is to be paid")
    attempts_left: int | None = Field(None, description="while PAYING: attempts that may follow this one")
    refunded: int | None = Field(None, description="of the amount, what was or is being given back")
    receipt: ReceiptOf | None = Field(None, description="once confirmed, where something was paid")
    cancel: CancelQuote | None = Field(
        None, description="once confirmed, of `GET /api/reservations/{id}`: what a cancel would come to now"
    )
    ticket_code: str | None = Field(None, description="what the ticket's QR code says, once confirmed")
    created_at: UtcTime
    updated_at: UtcTime


class ReservationList(ResponseBody):
    reservations: list[ReservationState]


class SaleControl(ResponseBody):
    """What an operator's call left behind."""

    slug: str
    status: Literal["before", "open", "closed"]
    paused: bool
    reopen_until: UtcTime | None = Field(
        description="until when a closed sale can be opened again; null: nothing ends that"
    )


class SeatLeft(ResponseBody):
    seat: int
    status: SeatStatus | None = Field(description="null: could not be learnt")


class BlockedSeats(ResponseBody):
    slug: str
    seats: list[int] = Field(description="those that changed")
    unchanged: list[SeatLeft] = Field(description="those that stay as they are, and what they are")
    blocked: bool


class ComponentHealth(ResponseBody):
    status: Literal["UP", "DEGRADED", "DOWN"]
    latency_ms: float | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


class Health(ResponseBody):
    status: Literal["UP", "DEGRADED", "DOWN"]
    components: dict[str, ComponentHealth] = Field(default_factory=dict)
