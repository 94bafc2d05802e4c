"""Bodies of the calls that make a sale and change it; `web/schemas.py` says how such classes are read."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from core.venue.event import Orphans, SaleStatus
from core.venue.event_name import MAX_PART
from core.venue.fees import MOST_LINES
from core.venue.new_event import MAX_PLACE, MAX_PRICE, MOST_COMPANIONS
from core.venue.phase import (
    MOST_PHASES,
    MOST_PREQUEUE_SECONDS,
    MOST_QUOTA,
    PREQUEUE_SECONDS,
    Phase,
)
from web.event_schemas import PictureShown, Plan
from web.schemas import SAID_ARGUMENTS, SAID_KEY, Asked, Moment, ResponseBody, UtcTime

_Currency = Annotated[str, Field(max_length=20, description="ISO 4217")]
_ActiveLimit = Annotated[int, Field(ge=1, le=1_000_000, description="visitors that may be in at once")]
_HoldSeconds = Annotated[int, Field(ge=1, le=86_400, description="how long picked seats are kept")]
_MaxSeats = Annotated[int, Field(ge=1, le=100, description="seats of one visitor")]
_Prequeue = Annotated[
    int, Field(ge=0, le=MOST_PREQUEUE_SECONDS, description="how long before the opening people may gather; 0: no draw")
]
_Price = Annotated[int, Field(ge=0, le=MAX_PRICE)]
_Name = Annotated[str, Field(description="what buyers read: 1 to 200 characters, without controls")]

_Line = Annotated[str, Field(description="one line; empty: not said")]
_Description = Annotated[str, Field(description="Markdown, without pictures; empty: none")]

_TimeZone = Annotated[str, Field(max_length=60, description="IANA's name of the zone that the performance is in")]

_Orphans = Annotated[Orphans, Field(strict=False)]
_Place = Annotated[float, Field(strict=False, ge=-MAX_PLACE, le=MAX_PLACE)]


def _object_or_text(value: Any) -> Any:
    if not isinstance(value, dict | str):
        raise ValueError("Input should be an object, or the file's text")
    return value


_GivenPlan = Annotated[dict[str, Any] | str, BeforeValidator(_object_or_text)]
_Focus = Annotated[tuple[_Place, _Place], Field(strict=False)]

_Companions = Annotated[
    int,
    Field(
        ge=0,
        le=MOST_COMPANIONS,
        description="seats beside each wheelchair place that the best seats give to nobody but its companions",
    ),
]

_SINGLE: Final = "forbid: seats picked by hand may not leave a single one over, where the row leaves another way"
_FOCUS: Final = "what everybody looks at, [x, y] in plan units: the best seats are near it; null: what the plan says"
_OPENS: Final = "when the sale opens by itself; null: by hand"
_CLOSES: Final = "when the sale ends by itself; null: by hand"
_STARTS: Final = "when the performance starts"
_FEES: Final = (
    "what giving tickets back costs a buyer: so many per cent until so many hours before the start; later than all "
    "lines, or without any, buyers cannot. Null: free until 24 hours before"
)
_DOCUMENT: Final = (
    "pretix's seating plan: the document itself, or its file's text, whose errors are then told by line and column"
)


class FeeOf(Asked):
    hours: float = Field(ge=0, le=24 * 366, description="before the start")
    percent: int = Field(ge=0, le=100, description="of the price, rounded down")


_Fees = Annotated[list[FeeOf], Field(max_length=MOST_LINES)]


class FeeLineOf(ResponseBody):
    hours: float
    percent: int


class PhaseOf(Asked):
    """A part of the sale."""

    name: str = Field(min_length=1, max_length=MAX_PART)
    opens_at: Moment
    closes_at: Moment | None = Field(None, description="null: it goes on as long as the sale does")
    prequeue_seconds: _Prequeue | None = Field(
        None,
        description="null: the sale's own; 0: nobody gathers for it. It begins no earlier than the last part before it "
        "that has one opens",
    )
    code_group: str | None = Field(None, max_length=MAX_PART, description="who has a code of this group comes in")
    quota: int | None = Field(None, ge=1, le=MOST_QUOTA, description="seats that it may sell")
    max_seats: _MaxSeats | None = Field(None, description="seats of one visitor in it")

    def phase(self, prequeue_seconds: int) -> Phase:
        """`prequeue_seconds`: the sale's own."""
        said = self.model_dump()
        if said["prequeue_seconds"] is None:
            said["prequeue_seconds"] = prequeue_seconds
        return Phase(**said)


class PhaseSettings(ResponseBody):
    name: str
    opens_at: UtcTime
    closes_at: UtcTime | None
    prequeue_seconds: int
    code_group: str | None
    quota: int | None
    max_seats: int | None


_Phases = Annotated[list[PhaseOf], Field(max_length=MOST_PHASES)]
_PHASES: Final = (
    "parts of the sale with openings, codes and quotas of their own; without any the sale is one part, which opens at "
    "`opens_at`"
)


class Currencies(ResponseBody):
    minor_digits: dict[str, int] = Field(description="ISO 4217 code -> decimal places of its minor unit")
    otherwise: int = Field(description="of a currency that ISO 4217 has withdrawn while its sale is kept")


class CheckPlan(Asked):
    plan: _GivenPlan = Field(description=_DOCUMENT)


class NewSale(Asked):
    slug: str = Field(description="the name in addresses: small letters, digits and inner hyphens, 64 at most")
    name: _Name
    plan: _GivenPlan = Field(description=_DOCUMENT)
    prices: dict[str, _Price | None] = Field(
        description="category -> price in the currency's minor unit; every category that has seats needs one, or null: "
        "its seats are never for sale"
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="category of the plan -> what buyers call it, where that is another name"
    )
    currency: _Currency = "KRW"
    opens_at: Moment | None = Field(None, description=_OPENS)
    closes_at: Moment | None = Field(None, description=_CLOSES)
    starts_at: Moment | None = Field(None, description=_STARTS)
    time_zone: _TimeZone | None = Field(None, description="IANA's name; the setting's")
    active_limit: _ActiveLimit | None = Field(None, description="visitors that may be in at once; the setting's")
    hold_seconds: _HoldSeconds | None = Field(None, description="how long picked seats are kept; the setting's")
    max_seats: _MaxSeats | None = Field(None, description="seats of one visitor; the setting's")
    orphans: _Orphans = Field(Orphans.ALLOW, description=_SINGLE)
    focus: _Focus | None = Field(None, description=_FOCUS)
    companions: _Companions = 0
    prequeue_seconds: _Prequeue = PREQUEUE_SECONDS
    fees: _Fees | None = Field(None, description=_FEES)
    phases: _Phases = Field(default_factory=list, description=_PHASES)
    venue: _Line = ""
    address: _Line = ""
    description: _Description = ""
    open: bool = Field(False, description="open the sale at once")


class ChangeSale(Asked):
    """Members that are missing stay as they are; their defaults are never read. A time of null is no time."""

    name: _Name = Field(default_factory=str)
    venue: _Line = Field(default_factory=str)
    address: _Line = Field(default_factory=str)
    description: _Description = Field(default_factory=str)
    opens_at: Moment | None = Field(default_factory=lambda: None, description=_OPENS)
    closes_at: Moment | None = Field(default_factory=lambda: None, description=_CLOSES)
    starts_at: Moment | None = Field(default_factory=lambda: None, description=_STARTS)
    time_zone: _TimeZone = Field(
        default_factory=str,
        description="times that are not named with it, those of `phases` too, go on showing what they showed: 20:00 "
        "there",
    )
    hold_seconds: _HoldSeconds = Field(
        default_factory=int, description="counts for seats picked or extended from now on; held ones keep their end"
    )
    max_seats: _MaxSeats = Field(
        default_factory=int, description="counts for seats picked from now on; nobody loses seats"
    )
    orphans: _Orphans = Field(default_factory=lambda: Orphans.ALLOW, description=_SINGLE)
    focus: _Focus | None = Field(default_factory=lambda: None, description=_FOCUS)
    companions: _Companions = Field(default_factory=int)
    prequeue_seconds: _Prequeue = Field(default_factory=int)
    fees: _Fees | None = Field(default_factory=lambda: None, description=_FEES)
    phases: _Phases = Field(default_factory=list, description=_PHASES)


class SaleSettings(ResponseBody):
    slug: str
    name: str
    status: SaleStatus = Field(description="what the organiser said; times may open or close the sale by themselves")
    opens_at: UtcTime | None
    closes_at: UtcTime | None
    starts_at: UtcTime | None
    time_zone: str
    currency: str
    minor_digits: int = Field(description="decimal places of the currency's minor unit (ISO 4217)")
    prices: dict[str, int]
    active_limit: int
    hold_seconds: int
    max_seats: int
    orphans: Orphans
    focus: tuple[float, float] | None
    companions: int
    prequeue_seconds: int
    fees: list[FeeLineOf] = Field(description="what giving tickets back costs a buyer")
    phases: list[PhaseSettings] = Field(description=_PHASES)
    reopen_until: UtcTime | None = Field(
        description="until when a sale that was closed can be opened again; null: nothing ends that"
    )
    seats: int
    venue: str
    address: str
    description: str = Field(description="Markdown, as it was written")
    pictures: list[PictureShown] = Field(description="the event's picture in several widths, the smallest first")


class CategoryCount(ResponseBody):
    name: str
    color: str
    seats: int


class PlanWarningAt(ResponseBody):
    at: str = Field(description="a JSON path in the file")
    message: str = Field(description="in English")
    key: str = Field(description=SAID_KEY)
    arguments: dict[str, Any] = Field(description=SAID_ARGUMENTS)


_WARNINGS: Final = "what concerns the drawing alone; the plan can be sold"
_MORE_WARNINGS: Final = "warnings that are not listed"


class NewSaleSettings(SaleSettings):
    warnings: list[PlanWarningAt] = Field(description=_WARNINGS)
    more_warnings: int = Field(description=_MORE_WARNINGS)


class CheckedPlan(ResponseBody):
    name: str
    seats: int
    zones: int
    categories: list[CategoryCount] = Field(description="those that have seats, and so need a price")
    warnings: list[PlanWarningAt] = Field(description=_WARNINGS)
    more_warnings: int = Field(description=_MORE_WARNINGS)
    plan: Plan = Field(description="for drawing: what `GET /api/events/{slug}/plan` will answer, with prices of 0")
