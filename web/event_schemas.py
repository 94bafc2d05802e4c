"""Bodies of the calls about an event: what is sold, its plan and its board; `web/schemas.py` says how such classes are
read.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.venue.event import Orphans
from web.schemas import ResponseBody, UtcTime


class CategoryPrice(ResponseBody):
    name: str
    color: str
    price: int = Field(ge=0, description="in the currency's minor unit")


class PictureShown(ResponseBody):
    url: str = Field(description="a JPEG file that can be kept for ever")
    width: int = Field(description="pixels")
    height: int = Field(description="pixels")


class EventSummary(ResponseBody):
    slug: str
    name: str
    status: Literal["before", "open", "closed"]
    paused: bool = Field(description="nobody is let in from the queue at the moment")
    cancelled: bool = Field(description="the event does not take place: whatever was paid goes back")
    opens_at: UtcTime | None
    closes_at: UtcTime | None
    starts_at: UtcTime | None
    time_zone: str = Field(description="IANA's name of the zone that the performance is in")
    currency: str = Field(description="ISO 4217")
    minor_digits: int = Field(description="decimal places of the currency's minor unit (ISO 4217): 0 for KRW")
    seats: int = Field(ge=0, description="how many seats the plan has")
    venue: str = Field(description="where it takes place; empty: not said")
    address: str = Field(description="of the venue, in one line; empty: not said")
    pictures: list[PictureShown] = Field(description="the event's picture in several widths, the smallest first")


class EventList(ResponseBody):
    events: list[EventSummary]


class PhaseShown(ResponseBody):
    name: str
    opens_at: UtcTime
    closes_at: UtcTime | None
    needs_code: bool
    max_seats: int | None


class EventDetails(EventSummary):
    now: UtcTime = Field(description="the server's time, for countdowns on machines whose clock is wrong")
    active_limit: int
    hold_seconds: int
    hold_extensions: int = Field(description="how often the time of held seats can be extended")
    max_seats: int
    prequeue_seconds: int = Field(description="how long before an opening people may gather; 0: nobody does")
    gathers_at: UtcTime | None = Field(description="when the pre-queue of the next opening opens; null: there is none")
    draw: Literal["none", "announced", "drawn"] = Field(description="of the next opening, else of the last: `./draw`")
    session_seconds: float = Field(description="how long an active visitor may stay")
    session_warning_seconds: float
    beat_seconds: float = Field(description="pause between two heartbeats")
    active_grace_seconds: float = Field(description="without a heartbeat for this long an active visitor is out")
    waiting_grace_seconds: float
    categories: list[CategoryPrice]
    phases: list[PhaseShown] = Field(description="parts of the sale, by opening; none: it is one part")
    code_wanted: bool = Field(description="who joins now needs an access code")
    orphans: Orphans = Field(description="forbid: seats picked by hand may not leave a single one over")
    description: str = Field(description="CommonMark; pages show it without raw HTML and pictures")
    companions: int = Field(description="with `accessible`: how many may sit beside each wheelchair place")
    plan_version: str = Field(description="names the plan: `GET ./plan?v=<plan_version>` can be kept for ever")


class PlanSeat(ResponseBody):
    ordinal: int
    guid: str
    zone: str
    row: str
    number: str
    category: str
    x: float
    y: float
    r: float
    accessible: bool = False


class PlanCategory(ResponseBody):
    name: str
    color: str
    price: int | None = Field(ge=0, description="in the currency's minor unit; null: not for sale")


class PlanLabel(ResponseBody):
    text: str
    x: float
    y: float


class Plan(ResponseBody):
    name: str
    width: float
    height: float
    categories: list[PlanCategory]
    zones: list[str]
    seats: list[PlanSeat] = Field(description="in ordinal order")
    areas: list[dict[str, Any]]
    row_labels: list[PlanLabel]


class ColumnLabels(ResponseBody):
    text: list[str]
    x: list[int] = Field(description="differences, in steps")
    y: list[int] = Field(description="differences, in steps")


class ColumnLines(ResponseBody):
    """Seats that follow on each other in the same zone and row."""

    zone: list[int] = Field(description="index in `zones`")
    row: list[int] = Field(description="differences of the index in `rows`")
    seats: list[int] = Field(description="how many seats the line has")


class PlanColumns(ResponseBody):
    """How to read it: docs/plan-columns.md."""

    format: Literal[1]
    name: str
    width: float
    height: float
    categories: list[PlanCategory]
    zones: list[str]
    areas: list[dict[str, Any]]
    row_labels: ColumnLabels
    seats: int = Field(ge=0, description="how many there are")
    unit: float = Field(gt=0, description="plan units of one step")
    lines: ColumnLines
    x: list[int] = Field(description="differences of differences, in steps")
    y: list[int] = Field(description="differences of differences, in steps")
    radius: list[int] = Field(description="runs, in steps")
    category: list[int] = Field(description="runs of the index in `categories`")
    number: list[int] = Field(description="differences of the index in `numbers`")
    accessible: list[int] = Field(description="differences of the ordinals of wheelchair places")
    rows: list[str] = Field(description="the rows' names, each once")
    numbers: list[str] = Field(description="the seats' numbers, each once")


class BoardStates(ResponseBody):
    epoch: int
    version: int
    states: str = Field(
        description="base64 of one byte a seat: 0 available, 1 held, 2 sold, 3 blocked",
        json_schema_extra={"contentEncoding": "base64"},
    )
