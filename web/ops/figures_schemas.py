"""Bodies of what the console shows of running sales; see `web/schemas.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from web.event_schemas import PictureShown
from web.ops.schemas import Circuit
from web.schemas import SAID_ARGUMENTS, SAID_KEY, ComponentHealth, ResponseBody, UtcTime


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
    detail: str = Field(description="what was seen, in English")
    action: str = Field(description="what to do about it, in English")
    key: str | None = Field(description=f"of `detail`: {SAID_KEY}; null: it is told in English alone")
    arguments: dict[str, Any] = Field(description=SAID_ARGUMENTS)


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
    time_zone: str
    venue: str
    picture: PictureShown | None = Field(description="the smallest of the event's picture")
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
