"""What an organiser asks for when a sale is made, and the rules that it must meet before anything is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from core.currency import MINOR_DIGITS, minor_digits
from core.errors import InvalidRequest
from core.venue.event import Orphans, SaleStatus
from core.venue.event_name import what_is_wrong, what_is_wrong_about
from core.venue.event_time import check_zone
from core.venue.fees import DEFAULT_FEES, FeeLine
from core.venue.phase import MOST_PREQUEUE_SECONDS, PREQUEUE_SECONDS, Phase, check_phases
from core.venue.picture import Rendition
from core.venue.plan_schema import as_read
from core.venue.seat_plan import SeatPlan

T = TypeVar("T")

#: A slug is part of addresses and of Redis keys (inside a hash tag, so no braces).
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")

#: 10^12 minor units: far above any ticket, far below what 100 seats could overflow in a bigint.
MAX_PRICE = 10**12


#: Seats beside a wheelchair place that may belong to it.
MOST_COMPANIONS = 3

#: Far beyond any plan; also keeps out what is no number.
MAX_PLACE = 1e7


@dataclass(frozen=True, slots=True)
class NewEvent:
    """`prices` maps a category's name to an amount in the currency's minor unit; times are aware datetimes."""

    slug: str
    name: str
    prices: Mapping[str, int]
    currency: str = "KRW"
    status: SaleStatus = SaleStatus.SCHEDULED
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    starts_at: datetime | None = None
    active_limit: int = 100
    hold_seconds: int = 300
    max_seats: int = 4
    time_zone: str = "UTC"
    orphans: Orphans = Orphans.ALLOW
    focus: tuple[float, float] | None = None
    companions: int = 0
    prequeue_seconds: int = PREQUEUE_SECONDS
    fees: Sequence[FeeLine] = DEFAULT_FEES
    phases: Sequence[Phase] = ()
    #: Categories of the plan that are never for sale, and so have no price.
    blocked: Collection[str] = ()
    #: Category of the plan -> what buyers, tickets and e-mails call it; the others keep their names.
    labels: Mapping[str, str] = field(default_factory=dict)
    venue: str = ""
    address: str = ""
    #: Markdown.
    description: str = ""
    pictures: Sequence[Rendition] = ()

    def __post_init__(self) -> None:
        # As the plan's names are read: a category and its price are the same text, or the seats would cost nothing.
        object.__setattr__(self, "prices", _by_name(self.prices))
        object.__setattr__(self, "blocked", {as_read(name) for name in self.blocked})
        labels = {name: as_read(label) for name, label in self.labels.items()}
        object.__setattr__(self, "labels", _by_name(labels))

    def labelled(self) -> NewEvent:
        """The same with the labels in place of the plan's names, as the sale is kept."""
        return replace(
            self,
            prices={self.labels.get(name, name): price for name, price in self.prices.items()},
            blocked={self.labels.get(name, name) for name in self.blocked},
            labels={},
        )


def _by_name(given: Mapping[str, T]) -> dict[str, T]:
    """By names as a plan's are read. Where two would be one, as they are: then one is no category's."""
    read = {as_read(name): value for name, value in given.items()}
    return read if len(read) == len(given) else dict(given)


@dataclass(frozen=True, slots=True)
class SaleDefaults:
    """What a new event gets where it says nothing: the installation's own."""

    time_zone: str
    active_limit: int
    hold_seconds: int
    max_seats: int


def check_slug(slug: str) -> None:
    """Raises InvalidRequest."""
    if not SLUG.fullmatch(slug):
        raise _wrong(
            "slug", f"{slug[:80]!r} is not a slug: small letters, digits and inner hyphens, at most 64 characters"
        )


#: Dates outside of these years are slips of the keyboard.
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2199


def check_currency(currency: str) -> None:
    """Raises InvalidRequest unless it is an ISO 4217 code of money."""
    if currency not in MINOR_DIGITS:
        hint = f": did you mean {currency.upper()}?" if currency.upper() in MINOR_DIGITS else ""
        raise _wrong("currency", f"{currency[:20]!r} is not an ISO 4217 currency code such as KRW or EUR{hint}")


def check_closing(closes_at: datetime | None, now: datetime) -> None:
    """For a closing time that is being set: raises InvalidRequest when it is over already."""
    if closes_at is not None and closes_at <= now:
        raise _wrong("closes_at", "closes_at is in the past: to end the sale now, close it")


def check_sale(
    *,
    name: str,
    opens_at: datetime | None,
    closes_at: datetime | None,
    starts_at: datetime | None,
    active_limit: int,
    hold_seconds: int,
    max_seats: int,
    time_zone: str,
    focus: Sequence[float] | None = None,
    companions: int = 0,
    prequeue_seconds: int = 0,
    venue: str = "",
    address: str = "",
    description: str = "",
) -> None:
    """The rules for what may be changed later as well. Raises InvalidRequest."""
    if (wrong := what_is_wrong(name)) is not None:
        raise _wrong("name", wrong)
    for what, text in (("venue", venue), ("address", address), ("description", description)):
        if (wrong := what_is_wrong_about(what, text)) is not None:
            raise _wrong(what, wrong)
    check_zone(time_zone)
    for what, moment in (("opens_at", opens_at), ("closes_at", closes_at), ("starts_at", starts_at)):
        if moment is not None and moment.tzinfo is None:
            raise _wrong(what, f"{what} has no time zone")
        if moment is not None and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise _wrong(what, f"{what} is in the year {moment.year}: check its date")
    if opens_at is not None and closes_at is not None and closes_at <= opens_at:
        raise _wrong("closes_at", "the sale must close after it opens: closes_at is not later than opens_at")
    if focus is not None and not all(abs(place) <= MAX_PLACE for place in focus):
        raise _wrong("focus", f"focus must be a place in plan units, at most {MAX_PLACE:.0f} from the origin")
    limits = {
        "active_limit": (active_limit, 1_000_000),
        "hold_seconds": (hold_seconds, 86_400),
        "max_seats": (max_seats, 100),
    }
    for what, (value, most) in limits.items():
        if not 1 <= value <= most:
            raise _wrong(what, f"{what} must be between 1 and {most}, not {value}")
    if not 0 <= companions <= MOST_COMPANIONS:
        raise _wrong(
            "companions", f"companions must be between 0 (none) and {MOST_COMPANIONS} for each wheelchair place"
        )
    if not 0 <= prequeue_seconds <= MOST_PREQUEUE_SECONDS:
        raise _wrong(
            "prequeue_seconds",
            f"prequeue_seconds must be between 0 (nobody gathers) and {MOST_PREQUEUE_SECONDS}, not {prequeue_seconds}",
        )


def check_labels(labels: Mapping[str, str], plan: SeatPlan) -> None:
    """A label is a name that can be printed, for a category that there is, and no other category's. Raises
    InvalidRequest.
    """
    known = [category.name for category in plan.categories]
    for name, label in labels.items():
        if name not in known:
            raise _wrong(
                f"labels.{name}", f"the seat plan has no category {name!r}; its categories are {_named(known)}"
            )
        if (wrong := what_is_wrong(label)) is not None:
            raise _wrong(f"labels.{name}", f"the label of {name!r}: {wrong}")
    shown = Counter(labels.get(name, name) for name in known)
    if twice := [label for label, times in shown.items() if times > 1]:
        places = [f"labels.{name}" for name in labels if labels[name] in twice]
        raise _wrong(places, f"two categories would be called {_named(twice)}")


def check_prices(prices: Mapping[str, int], plan: SeatPlan, currency: str, blocked: Collection[str] = ()) -> None:
    """Every category that has seats needs a price unless it is not for sale, and every price a category. Raises
    InvalidRequest.
    """
    known = [category.name for category in plan.categories]
    if strange := sorted(set(blocked).difference(known)):
        message = f"the seat plan has no category {_named(strange)}; its categories are {_named(known)}"
        raise _wrong("blocked", message, categories=strange)
    if both := sorted(set(blocked).intersection(prices)):
        raise _wrong("blocked", f"{_named(both)} has a price and is not for sale: give one of the two", categories=both)
    unknown = sorted(name for name in prices if name not in known)
    if unknown:
        message = f"the seat plan has no category {_named(unknown)}; its categories are {_named(known)}"
        raise _wrong([f"prices.{name}" for name in unknown], message, categories=unknown)
    used = {seat.category for seat in plan.seats}
    # Those too that only seats name: no plan that is read has any, and nothing may be sold without a price.
    missing = [
        name
        for name in dict.fromkeys([*known, *sorted(used)])
        if name in used and name not in prices and name not in blocked
    ]
    if missing:
        raise _wrong([f"prices.{name}" for name in missing], f"no price for {_named(missing)}", categories=missing)
    if used and used <= set(blocked):
        raise _wrong("blocked", "no seat would be for sale: at least one category needs a price")
    for name, amount in prices.items():
        if not 0 <= amount <= MAX_PRICE:
            digits = minor_digits(currency)
            raise _wrong(
                f"prices.{name}",
                f"the price of {name!r} must be between 0 and {MAX_PRICE} "
                f"(in {currency}'s minor unit, {digits} decimal places), not {amount}",
            )


def check_new_event(new: NewEvent, plan: SeatPlan) -> None:
    """Raises InvalidRequest with one sentence that says what to change."""
    check_slug(new.slug)
    check_currency(new.currency)
    check_sale(
        name=new.name,
        opens_at=new.opens_at,
        closes_at=new.closes_at,
        starts_at=new.starts_at,
        active_limit=new.active_limit,
        hold_seconds=new.hold_seconds,
        max_seats=new.max_seats,
        time_zone=new.time_zone,
        focus=new.focus,
        companions=new.companions,
        prequeue_seconds=new.prequeue_seconds,
        venue=new.venue,
        address=new.address,
        description=new.description,
    )
    check_labels(new.labels, plan)
    check_phases(new.phases)
    check_prices(new.prices, plan, new.currency, new.blocked)


def _wrong(at: str | list[str], message: str, **data: Any) -> InvalidRequest:
    """`errors` say where, as for a request's shape, so that a form can show each at its field."""
    places = [at] if isinstance(at, str) else at
    return InvalidRequest(message, errors=[{"at": place, "message": message} for place in places], **data)


def _named(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
