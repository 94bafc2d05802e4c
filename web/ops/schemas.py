"""Bodies of the operator's calls; `web/schemas.py` says how such classes are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from core.venue.new_event import SLUG
from web.schemas import (
    MOST_SEATS,
    Asked,
    ComponentHealth,
    Moment,
    Ordinal,
    ReservationState,
    ResponseBody,
    UtcTime,
    distinct,
)

_Slug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", description="an event's slug")]
_VisitorId = Annotated[str, Field(pattern=r"^v_[A-Za-z0-9_-]{22}$")]
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


class RefundReservation(Asked):
    """Seats or neither: their prices go back, less the fee. An amount: as it is."""

    reason: str = Field(min_length=1, max_length=200, description="why: for the books and the provider")
    seats: Annotated[list[Ordinal], AfterValidator(distinct)] | None = Field(
        None, min_length=1, max_length=MOST_SEATS, description="single seats; none: all that are left"
    )
    amount: int | None = Field(None, ge=1, le=10**15, description="in minor units; wants `refunded_before`")
    refunded_before: int | None = Field(None, ge=0, description="`refunded` of the reservation, as it was seen")
    fee: int = Field(0, ge=0, le=10**15, description="kept, in minor units")
    release: bool | None = Field(
        None, description="the seats are free again; default: yes, with `amount` no (they stay the buyer's)"
    )


class RefundEvent(Asked):
    reason: str = Field(min_length=1, max_length=200, description="why: buyers read it at their bank")


class ComparePayments(Asked):
    since: Moment | None = Field(None, description="charges approved since then, with a zone; none: the last hours")
    until: Moment | None = Field(None, description="charges approved before then, with a zone; none: now")


class MendFinding(Asked):
    by_hand: bool = Field(False, description="somebody has seen to it elsewhere: only close it")


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
    detail: str
    cause: str | None
    fixable: bool
    fixed: bool


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


class Admission(ResponseBody):
    entered: int = Field(description="gathered for the next draw, or being drawn")
    waiting: int
    active: int
    paying: int = Field(description="visitors whose payment is under way")
    baskets: int
    seats_held: int
    cap: int | None = Field(description="what the load allows; null: the event's own limit")
    pace: float | None = Field(description="active visitors who make room in a minute")
    came_back: int = Field(description="times that somebody came back to a place after a silence")
    came_late: int = Field(description="places given up because their visitors were silent for too long")


class SeatCounts(ResponseBody):
    available: int
    held: int
    sold: int
    blocked: int


class SalesMinute(ResponseBody):
    at: UtcTime
    sold: int
    returned: int
    revenue: int


class CategorySales(ResponseBody):
    category: str
    sold: int
    revenue: int


class Sales(ResponseBody):
    """From the sales projection: it follows the sale by the time that events take."""

    sold: int
    revenue: int
    last_minute: int = Field(description="seats sold in the last whole minute")
    by_minute: list[SalesMinute]
    by_category: list[CategorySales]


class CheckoutFigures(ResponseBody):
    seconds: float = Field(description="the window that the figures are of")
    confirmed: int
    failed: int
    reasons: dict[str, int]
    median_seconds: float | None
    p95_seconds: float | None
    under_way: int


class EventsLag(ResponseBody):
    unsent: int
    oldest_seconds: float
    dead_letters: int


class LockState(ResponseBody):
    wait_seconds: float
    lease_seconds: float
    failed_share: float
    advised_wait_seconds: float | None
    advised_lease_seconds: float | None
    critical_section_seconds: float | None


class ProcessFigures(ResponseBody):
    process: str
    host: str
    pid: int
    channels: int
    broadcasts: int
    fanout_p95_ms: float | None
    cpu: float | None = Field(description="share of the machine, 0 to 1")
    memory: float | None
    pool: float | None = Field(description="share of the database connections in use")
    locks: LockState


class JobFigures(ResponseBody):
    name: str
    seconds_ago: float = Field(description="since its last success in any process")


class AlertFigures(ResponseBody):
    name: str
    subject: str
    severity: Literal["warn", "fail"]
    since: UtcTime
    detail: str
    action: str


class SaleFigures(ResponseBody):
    """A part is null when the store that it comes from does not answer; `away` names those stores."""

    slug: str
    name: str
    status: Literal["before", "open", "closed"]
    paused: bool
    currency: str
    seats: int
    active_limit: int
    seat_guard: str
    now: UtcTime
    away: list[str]
    admission: Admission | None
    board: SeatCounts | None
    sales: Sales | None
    checkouts: CheckoutFigures | None
    circuits: list[Circuit]
    events: EventsLag | None
    fanout_p95_ms: float | None = Field(description="of the slowest process in the last minute")
    channels: int | None
    processes: list[ProcessFigures] | None
    jobs: list[JobFigures] | None
    alerts: list[AlertFigures]


class SaleHistory(ResponseBody):
    fields: list[str]
    samples: list[list[float | None]] = Field(description="the oldest first; `at` is wall time in seconds")


class SaleSummary(ResponseBody):
    slug: str
    name: str
    status: Literal["before", "open", "closed"]
    paused: bool
    starts_at: UtcTime | None
    seats: int
    active_limit: int
    waiting: int | None
    active: int | None
    sold: int | None


class Overview(ResponseBody):
    now: UtcTime
    status: Literal["UP", "DEGRADED", "DOWN"]
    components: dict[str, ComponentHealth]
    sales: list[SaleSummary] | None
    circuits: list[Circuit]
    alerts: list[AlertFigures]
    dead_letters: int | None


class RefundMade(ResponseBody):
    id: UUID
    amount: int = Field(description="what goes back, in minor units")
    fee: int = Field(description="what was kept of the seats' prices")
    state: Literal["PENDING", "DONE"]
    reservation: ReservationState


class AccountSeat(ResponseBody):
    ordinal: int
    zone: str
    row: str
    number: str
    category: str
    price: int = Field(description="what was paid for it, in minor units")
    live: bool = Field(description="false: it was given back")


class AccountAttempt(ResponseBody):
    order: str = Field(description="its number at the provider")
    provider: str = Field(description="`none`: nothing was to be paid")
    state: str
    amount: int
    refunded: int = Field(description="of the amount, what was or is being given back")
    code: str | None = Field(description="what the provider said last")
    method: str | None
    approval_number: str | None
    receipt_url: str | None
    approved_at: UtcTime | None
    created_at: UtcTime


class AccountRefund(ResponseBody):
    id: UUID
    kind: Literal["refund", "void"] = Field(description="void: an authorisation that is let go of")
    state: Literal["PENDING", "DONE"]
    amount: int = Field(description="what goes back, in minor units")
    fee: int = Field(description="what was kept")
    seats: list[int]
    reason: str
    asked_by: str
    code: str | None = Field(description="what the provider said to the last try")
    created_at: UtcTime
    done_at: UtcTime | None
    needs_person_at: UtcTime | None = Field(description="since when a person has to look at it")
    next_try_at: UtcTime | None = Field(description="null: not before an operator says so")


class ReservationAccount(ResponseBody):
    """A reservation's money. Who bought it is told where reservations are found."""

    id: UUID
    event: str
    event_name: str
    status: Literal["PAYING", "CONFIRMED", "FAILED", "CANCELLED"]
    reason: str | None
    amount: int
    currency: str
    refunded: int = Field(description="what was or is being given back: `refunded_before` of the next refund")
    created_at: UtcTime
    seats: list[AccountSeat]
    attempts: list[AccountAttempt] = Field(description="the oldest first")
    refunds: list[AccountRefund] = Field(description="the oldest first")


class UnmadeRefund(ResponseBody):
    """A refund that the provider refuses."""

    reservation: UUID
    amount: int
    code: str | None
    tries: int
    needs_person_at: UtcTime | None
    next_try_at: UtcTime | None


class EventRefundReport(ResponseBody):
    id: UUID
    key: str = Field(description="its `Idempotency-Key`: sent again with it, a job that has stopped goes on")
    state: str = Field(description="RUNNING; STOPPED: the provider refuses, the same call goes on with it; DONE")
    reason: str
    asked_by: str
    created_at: UtcTime
    done_at: UtcTime | None
    done: int = Field(description="refunds that were made")
    amount: int = Field(description="their sum, in minor units")
    pending: int = Field(description="refunds under way")
    refused: int = Field(description="of those: refused at least once")
    people: int = Field(description="of those: a person has to look")
    left: int = Field(description="reservations still to be refunded")
    paying: int = Field(description="reservations whose payment is waited for")
    code: str | None = Field(description="what the provider says to one that it refuses")
    unmade: list[UnmadeRefund] = Field(description="refunds that the provider refuses, the oldest first, 50 at most")


class EventRefundReports(ResponseBody):
    refunds: list[EventRefundReport]


class PaymentFinding(ResponseBody):
    """Money in minor units. `there`: at the provider, `here`: in the books."""

    id: UUID
    kind: Literal["no_attempt", "attempt_over", "second_charge", "refunded_there", "not_given_back", "amount_differs"]
    provider: str
    environment: str
    order: str
    provider_key: str
    reservation: UUID | None
    currency: str
    amount_there: int
    left_there: int = Field(description="what is left of the charge after refunds")
    amount_here: int
    left_here: int
    charged_at: UtcTime
    state: str = Field(description="OPEN; MENDED: by an operator; GONE: a later comparison did not see it again")
    found_at: UtcTime
    ended_at: UtcTime | None
    ended_by: str | None


class ProviderList(ResponseBody):
    provider: str
    environment: str
    compared_until: UtcTime | None = Field(description="charges approved before this are compared")
    tried_at: UtcTime | None
    charges: int = Field(description="in the last list that was read to its end")
    code: str | None = Field(description="why the last try did not come to its end; `no_list`: the provider has none")


class PaymentFindings(ResponseBody):
    findings: list[PaymentFinding]
    lists: list[ProviderList]


class ComparisonMade(ResponseBody):
    provider: str
    environment: str
    since: UtcTime
    until: UtcTime
    charges: int = Field(description="read from the provider's list")
    differing: int
    new: int = Field(description="findings that were not known")
    code: str | None = Field(description="why it did not come to its end")


class ComparisonsMade(PaymentFindings):
    comparisons: list[ComparisonMade]
