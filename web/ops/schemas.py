"""Bodies of the operator's calls; `web/schemas.py` says how such classes are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from core.venue.new_event import SLUG
from core.visitor_id import VISITOR_ID
from web.schemas import (
    SAID_ARGUMENTS,
    SAID_KEY,
    Asked,
    Ordinal,
    ResponseBody,
    UtcTime,
)

_Slug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", description="an event's slug")]
_VisitorId = Annotated[str, Field(pattern=f"^{VISITOR_ID.pattern}$")]
_Uuid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]

#: A removal lasts for 30 days at most: longer than any sale.
MOST_REMOVAL_MINUTES = 43_200

CircuitMode = Literal["CLOSED", "OPEN", "HALF_OPEN", "FORCED_OPEN", "DISABLED"]


class ChangeLimit(Asked):
    active_limit: int = Field(ge=1, le=1_000_000, description="visitors that may be in at once")


class ReleaseSeat(Asked):
    seat: Ordinal


def _one_of_them(asked: Remove) -> Remove:
    if (asked.visitor is None) == (asked.network is None):
        raise ValueError("name a `visitor` or a `network`: one of the two")
    if asked.network is not None and asked.minutes is None:
        raise ValueError("say for how many `minutes` the network stays out")
    return asked


class Remove(Asked):
    """A visitor, at once and for `minutes`; or everybody of a network, for `minutes`."""

    visitor: _VisitorId | None = None
    network: str | None = Field(
        None, max_length=64, description="an address or a CIDR network, such as `203.0.113.0/24` or `2001:db8::/48`"
    )
    minutes: int | None = Field(
        None,
        ge=1,
        le=MOST_REMOVAL_MINUTES,
        description="how long they stay out; none: the visitor may come back at once",
    )

    _check = model_validator(mode="after")(_one_of_them)


class Reconcile(Asked):
    dry_run: bool = Field(False, description="say what is wrong and change nothing")
    minutes: int | None = Field(None, ge=1, le=10_080, description="only seats changed in the last so many minutes")


class ForceCircuit(Asked):
    provider: str = Field(max_length=40)
    state: Literal["open", "closed", "automatic"] = Field(
        description="`open` keeps every charge back, `closed` lets every one through, `automatic` ends either"
    )


class Inspect(Asked):
    """Whom or what it is about; whatever is missing is found from the reservation, or left out."""

    event: _Slug | None = None
    visitor: _VisitorId | None = None
    reservation: _Uuid | None = None
    seat: Ordinal | None = None
    fix: bool = Field(False, description="make the mends that are safe while a sale runs")


class Find(Asked):
    text: str = Field(
        min_length=3, max_length=254, description="an e-mail address, a visitor, a reservation or an order"
    )


class RetryDeadLetters(Asked):
    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None = Field(
        None, max_length=1000, description="none: all of them"
    )


class DiscardDeadLetters(Asked):
    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(min_length=1, max_length=1000)


class NewLimit(ResponseBody):
    slug: str
    active_limit: int
    before: int


class ReleasedSeat(ResponseBody):
    slug: str
    seat: int
    visitor: str
    left: list[int] = Field(description="what this visitor still holds")


class RemovalDone(ResponseBody):
    slug: str
    visitor: str | None
    network: str | None
    removed: bool | None = Field(description="false: neither waiting nor in; null: of a network it is not known yet")
    id: int | None = Field(description="of the removal that lasts, where it does")
    until: UtcTime | None


class RemovalInForce(ResponseBody):
    id: int
    visitor: str | None
    network: str | None
    until: UtcTime
    actor: str
    created_at: UtcTime


class RemovalList(ResponseBody):
    removals: list[RemovalInForce]


class SeatMismatch(ResponseBody):
    seat: int
    kind: str
    redis: str
    database: str
    since: UtcTime


class Reconciled(ResponseBody):
    slug: str
    dry_run: bool
    seats: int = Field(description="how many were compared")
    mended: int
    found: list[SeatMismatch]


class Circuit(ResponseBody):
    provider: str
    mode: CircuitMode
    failure_rate: float | None = Field(description="per cent of the last calls")
    slow_call_rate: float | None
    calls: int = Field(description="calls that the rates are taken from")
    seconds_until_probe: float | None
    shared: bool = Field(description="false: Redis is away, and this is what one process knows")


class Circuits(ResponseBody):
    circuits: list[Circuit]


class Step(ResponseBody):
    step: str
    level: Literal["pass", "warn", "fail"]
    detail: str = Field(description="what was seen, in English")
    cause: str | None
    fixable: bool
    fixed: bool
    key: str = Field(description=f"of `detail`: {SAID_KEY}")
    arguments: dict[str, Any] = Field(description=SAID_ARGUMENTS)


class DiagnosisAnswer(ResponseBody):
    steps: list[Step]
    cause: str = Field(description="the likeliest one")
    action: str = Field(description="what to do about it")
    reply: dict[str, str] = Field(description="the reply to the customer by language")


class SeatHolder(ResponseBody):
    visitor: str
    fence: int
    paying: bool
    seconds_left: float | None = Field(description="null: it never comes free by itself")


class SeatReservation(ResponseBody):
    id: UUID
    visitor: str
    status: str
    reason: str | None
    email: str
    created_at: UtcTime
    live: bool = Field(description="this reservation has the seat")


class SeatFacts(ResponseBody):
    slug: str
    seat: int
    zone: str
    row: str
    number: str
    category: str
    price: int
    currency: str
    status: str = Field(description="what PostgreSQL says")
    since: UtcTime
    fence: int
    version: int
    shown: Literal["available", "held", "sold", "blocked"] | None = Field(description="what browsers draw")
    holder: SeatHolder | None
    lock_seconds: float | None = Field(description="of the seat's lock; null: not locked; -1: for ever")
    reservations: list[SeatReservation] = Field(description="the newest first")


class FoundReservation(ResponseBody):
    id: UUID
    event: str
    visitor: str
    status: str
    reason: str | None
    email: str
    amount: int
    currency: str
    seats: list[int]
    created_at: UtcTime


class FoundReservations(ResponseBody):
    reservations: list[FoundReservation] = Field(description="the newest first, 20 at most")


class AuditEntry(ResponseBody):
    id: int
    at: UtcTime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(ResponseBody):
    entries: list[AuditEntry]
    next: int | None = Field(description="`before` of the next page; null on the last one")


class NetworkOfSale(ResponseBody):
    network: str = Field(description="IPv4 /24 and IPv6 /48 unless set otherwise")
    places: int = Field(description="entered, waiting, active, or silent for less than ten minutes")
    active: int
    seats_held: int = Field(description="held or being paid for")


class NetworkList(ResponseBody):
    networks: list[NetworkOfSale] = Field(description="those with the most places, the largest first")


class DeadLetterAnswer(ResponseBody):
    id: int
    consumer: str
    source: str
    reservation: UUID | None
    type: str | None
    event: str | None
    error: str
    attempts: int
    failed_at: UtcTime
    retried_at: UtcTime | None


class DeadLetterList(ResponseBody):
    letters: list[DeadLetterAnswer]
    waiting: int = Field(description="how many nobody has sent again")


class Retried(ResponseBody):
    retried: int


class Discarded(ResponseBody):
    discarded: int


class Session(ResponseBody):
    name: str = Field(description="as given at sign-in, and not verified; `token` for a call with the operator token")
    by: Literal["cookie", "bearer"]


class OpenSession(ResponseBody):
    id: UUID
    name: str = Field(description="as given at sign-in, and not verified")
    address: str
    opened_at: UtcTime
    ends_at: UtcTime
    current: bool = Field(description="the caller's own")


class OpenSessions(ResponseBody):
    sessions: list[OpenSession]
