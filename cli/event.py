"""`onsale event`: make, open, close and list sales. Works on PostgreSQL directly, whether a server runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.event_options import (
    Address,
    AsJson,
    Description,
    Fees,
    Phases,
    PictureFile,
    Slug,
    Venue,
    fitted,
    read_fees,
    read_moment,
    read_phases,
    read_pictures,
    read_place,
    read_prices,
)
from cli.files import read_plan, read_text
from cli.plan import print_errors, print_warnings
from cli.stores import change_event, with_events
from core.clock import SystemClock, iso
from core.currency import written
from core.errors import PlanInvalid
from core.languages import moment
from core.settings import Settings
from core.venue.event import Event, Orphans, SaleStatus
from core.venue.event_time import check_zone
from core.venue.fees import stored_fees
from core.venue.new_event import NewEvent, check_new_event
from core.venue.phase import PREQUEUE_SECONDS, Phase
from core.venue.plan_import import load_plan

if TYPE_CHECKING:
    from core.venue.event_store_postgres import EventStore

app = typer.Typer(help="Sales of one performance each.", no_args_is_help=True)


@app.command()
def create(
    slug: Slug,
    plan: Annotated[Path, typer.Option(help="Seat plan file (see `onsale plan check`).", show_default=False)],
    price: Annotated[
        list[str] | None,
        typer.Option(
            help='"Category=amount", once for each category; the amount is in the currency\'s minor unit: '
            '15000 is 15,000 won, or 150.00 euro. "Category=amount:Label" for another name than the plan\'s.',
            show_default=False,
        ),
    ] = None,
    block: Annotated[
        list[str] | None,
        typer.Option(help="A category that is never for sale; may be given more than once.", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option(help="What buyers read; the slug when not given.")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "KRW",
    active_limit: Annotated[
        int | None, typer.Option(min=1, help="Visitors let in at the same time (ONSALE_ACTIVE_LIMIT).")
    ] = None,
    hold_seconds: Annotated[
        int | None, typer.Option(min=1, help="How long picked seats are kept, in seconds (ONSALE_HOLD_SECONDS).")
    ] = None,
    max_seats: Annotated[int | None, typer.Option(min=1, help="Seats of one visitor (ONSALE_MAX_SEATS).")] = None,
    opens_at: Annotated[str, typer.Option(help="When the sale opens by itself, ISO 8601.", metavar="TIME")] = "",
    closes_at: Annotated[str, typer.Option(help="When the sale ends by itself, ISO 8601.", metavar="TIME")] = "",
    starts_at: Annotated[str, typer.Option(help="When the performance starts, ISO 8601.", metavar="TIME")] = "",
    prequeue_seconds: Annotated[
        int,
        typer.Option(
            min=0, help="How long before --opens-at people may gather; their order is drawn then. 0: nobody gathers."
        ),
    ] = PREQUEUE_SECONDS,
    time_zone: Annotated[
        str, typer.Option(help="Zone of the event, and of times without an offset (ONSALE_TIME_ZONE).", metavar="ZONE")
    ] = "",
    orphans: Annotated[
        Orphans, typer.Option(help="Whether seats picked by hand may leave a single one over.")
    ] = Orphans.ALLOW,
    focus: Annotated[
        str,
        typer.Option(
            help="What everybody looks at, in plan units: the best seats are near it. Else what the plan says.",
            metavar="X,Y",
        ),
    ] = "",
    companions: Annotated[
        int, typer.Option(min=0, help="Seats beside each wheelchair place that are for its companions.")
    ] = 0,
    fee: Fees = None,
    phase: Phases = None,
    venue: Venue = "",
    address: Address = "",
    description: Description = "",
    picture: PictureFile = "",
    open_now: Annotated[bool, typer.Option("--open", help="Open the sale at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create an event from a seat plan file.

    Example: onsale event create gala --plan hall.json --price "Stalls=45000" --price "VIP=90000" --open
    """
    settings = Settings.load()
    zone = time_zone or settings.time_zone
    check_zone(zone)
    prices, labels = read_prices(price or [])
    new = NewEvent(
        slug=slug,
        name=name or slug,
        prices=prices,
        labels=labels,
        blocked={category.strip() for category in block or []},
        currency=currency,
        status=SaleStatus.OPEN if open_now else SaleStatus.SCHEDULED,
        opens_at=read_moment(opens_at, "--opens-at", zone),
        closes_at=read_moment(closes_at, "--closes-at", zone),
        starts_at=read_moment(starts_at, "--starts-at", zone),
        time_zone=zone,
        active_limit=settings.active_limit if active_limit is None else active_limit,
        hold_seconds=round(settings.hold_seconds) if hold_seconds is None else hold_seconds,
        max_seats=settings.max_seats if max_seats is None else max_seats,
        orphans=orphans,
        focus=read_place(focus),
        companions=companions,
        prequeue_seconds=prequeue_seconds,
        fees=read_fees(fee),
        phases=read_phases(phase, zone, prequeue_seconds),
        venue=venue,
        address=address,
        description=read_text(description, "--description"),
        pictures=read_pictures(picture),
    )
    document = read_plan(plan)
    try:
        loaded = load_plan(document)
        new = fitted(new, loaded)
        check_new_event(new, loaded)  # before engines are started for nothing
        print_warnings(plan, loaded)
    except PlanInvalid as error:
        print_errors(plan, error)
        raise typer.Exit(2) from None
    event = change_event(
        lambda events: events.create(new, document), "sale.create", slug, plan=plan.name, status=new.status.value
    )
    _print_event(event, as_json, f"created {event.slug}: {event.seat_count} seats")


@app.command()
def update(
    slug: Slug,
    name: Annotated[str | None, typer.Option(help="What buyers read.")] = None,
    opens_at: Annotated[str | None, typer.Option(help="ISO 8601; `none`: by hand.", metavar="TIME")] = None,
    closes_at: Annotated[str | None, typer.Option(help="ISO 8601; `none`: by hand.", metavar="TIME")] = None,
    starts_at: Annotated[str | None, typer.Option(help="ISO 8601; `none`: not said.", metavar="TIME")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Zone of the event, and of times without an offset.", metavar="ZONE")
    ] = None,
    active_limit: Annotated[int | None, typer.Option(min=1, help="Visitors let in at the same time.")] = None,
    hold_seconds: Annotated[int | None, typer.Option(min=1, help="How long picked seats are kept.")] = None,
    max_seats: Annotated[int | None, typer.Option(min=1, help="Seats of one visitor.")] = None,
    orphans: Annotated[
        Orphans | None, typer.Option(help="Whether seats picked by hand may leave a single one over.")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="What everybody looks at; `none`: what the plan says.", metavar="X,Y")
    ] = None,
    companions: Annotated[
        int | None, typer.Option(min=0, help="Seats beside each wheelchair place that are for its companions.")
    ] = None,
    prequeue_seconds: Annotated[
        int | None, typer.Option(min=0, help="How long before the opening people may gather; 0: nobody gathers.")
    ] = None,
    fee: Fees = None,
    phase: Phases = None,
    venue: Annotated[str | None, typer.Option(help="Where it takes place.")] = None,
    address: Annotated[str | None, typer.Option(help="Of the venue, in one line.")] = None,
    description: Annotated[
        str | None, typer.Option(help="What buyers read about it: Markdown, or `@FILE`.", metavar="TEXT")
    ] = None,
    picture: Annotated[
        str | None, typer.Option(help="JPEG, PNG, WebP or GIF, at most 2 MB; `none`: no picture.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named of an event; servers notice within a second.

    With a new zone the clocks go on showing what they showed, 20:00 there, but for times that are named with it.
    """
    plain = {
        "name": name if name is None else name.strip(),
        "time_zone": time_zone,
        "active_limit": active_limit,
        "hold_seconds": hold_seconds,
        "max_seats": max_seats,
        "orphans": orphans,
        "companions": companions,
        "prequeue_seconds": prequeue_seconds,
        "venue": venue,
        "address": address,
        "description": description if description is None else read_text(description, "--description"),
    }
    changes: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    if focus is not None:
        changes["focus"] = None if focus == "none" else read_place(focus)
    if fee:
        changes["fees"] = read_fees(fee)
    times = {"opens_at": opens_at, "closes_at": closes_at, "starts_at": starts_at}
    pictures = None if picture is None else read_pictures("" if picture == "none" else picture)
    if not changes and not phase and pictures is None and all(text is None for text in times.values()):
        raise typer.BadParameter("name what is to change: `onsale event update --help`")

    async def change(events: EventStore) -> Event:
        before = await events.fresh(slug)
        zone = time_zone or before.time_zone
        check_zone(zone)
        if phase:
            gathering = before.prequeue_seconds if prequeue_seconds is None else prequeue_seconds
            changes["phases"] = read_phases(phase, zone, gathering)
        for key, text in times.items():
            if text is not None:
                option = f"--{key.replace('_', '-')}"
                changes[key] = None if text == "none" else read_moment(text, option, zone)
        changed = await events.update(slug, **changes)
        return changed if pictures is None else await events.set_pictures(slug, pictures)

    named = {*changes, *(key for key in times if times[key]), *(["picture"] if pictures is not None else [])}
    event = change_event(change, "sale.change", slug, changed=sorted(named))
    _print_event(event, as_json, f"{event.slug} is changed")


@app.command("open")
def open_sale(slug: Slug, as_json: AsJson = False) -> None:
    """Open a sale now; servers notice within a second."""
    event = change_event(lambda events: events.set_status(slug, SaleStatus.OPEN), "sale.open", slug)
    _print_event(event, as_json, f"{event.slug} is {_state(event)}")


@app.command()
def close(slug: Slug, as_json: AsJson = False) -> None:
    """Close a sale now; servers notice within a second. What is being paid for is still finished.

    It can be opened again until its closing time or the start of the performance.
    """
    event = change_event(lambda events: events.set_status(slug, SaleStatus.CLOSED), "sale.close", slug)
    until = event.reopen_until
    again = f"; it can be opened again until {moment('en', until, event.time_zone)}" if until else ""
    _print_event(event, as_json, f"{event.slug} is {_state(event)}{again}")


@app.command("list")
def list_events(as_json: AsJson = False) -> None:
    """List all events."""
    events = with_events(lambda store: store.list())
    if as_json:
        print(orjson.dumps({"events": [_as_dict(event) for event in events]}, option=orjson.OPT_INDENT_2).decode())
        return
    if not events:
        print("no events yet: `onsale event create --help`")
        return
    width = max(len(event.slug) for event in events)
    for event in events:
        print(f"{event.slug:<{width}}  {_state(event):<7} {event.seat_count:>6} seats  {event.name}")


@app.command()
def show(slug: Slug, as_json: AsJson = False) -> None:
    """Show one event: its times, limits and prices."""

    async def read(events: EventStore) -> Event:
        return await events.get(slug)

    event = with_events(read)
    if as_json:
        _print_event(event, True, "")
        return
    print(f"{event.slug}: {event.name}")
    for label, value in (
        ("state", _state(event)),
        ("opens", moment("en", event.opens_at, event.time_zone) if event.opens_at else "by hand"),
        ("gather", _gathering(event)),
        ("closes", moment("en", event.closes_at, event.time_zone) if event.closes_at else "by hand"),
        ("starts", moment("en", event.starts_at, event.time_zone) if event.starts_at else "not said"),
        ("zone", event.time_zone),
        ("seats", f"{event.seat_count}, at most {event.max_seats} for one visitor, kept for {event.hold_seconds} s"),
        ("singles", "may be left over" if event.orphans is Orphans.ALLOW else "are not left over by hand-picked seats"),
        ("beside", _companions_said(event)),
        ("let in", f"{event.active_limit} visitors at the same time"),
        ("fees", _fees_said(event)),
        ("venue", ", ".join(text for text in (event.venue, event.address) if text) or "not said"),
        ("picture", event.pictures[-1].path if event.pictures else "none"),
    ):
        print(f"  {label:<8}{value}")
    for phase in event.phases:
        print(f"  phase   {_phase_said(phase, event.time_zone)}")
    for category, amount in event.prices.items():
        print(f"  price   {category}: {written(amount, event.currency, 'en')}")


def _phase_said(phase: Phase, zone: str) -> str:
    opens = moment("en", phase.opens_at, zone)
    closes = " until " + moment("en", phase.closes_at, zone) if phase.closes_at else ""
    codes = f", codes of {phase.code_group}" if phase.code_group else ""
    quota = f", {phase.quota} seats" if phase.quota else ""
    gathers = f", people gather {phase.prequeue_seconds} s before" if phase.prequeue_seconds else ""
    return f"{phase.name}: from {opens}{closes}{codes}{quota}{gathers}"


def _fees_said(event: Event) -> str:
    if not event.fees:
        return "buyers cannot give tickets back"
    lines = ", ".join(f"{line.percent}% until {line.hours:g} h before" for line in event.fees)
    return lines if event.starts_at else f"{lines}; no start is said, so buyers cannot give back"


def _gathering(event: Event) -> str:
    if event.opens_at is None or event.prequeue_seconds == 0:
        return "nobody: there is no draw"
    return f"{event.prequeue_seconds} s before it opens; then their order is drawn"


def _state(event: Event) -> str:
    """Before, open or closed at this moment."""
    state = event.sale_state(SystemClock().now()).value
    return f"{state} (paused)" if event.paused and state == "open" else state


def _companions_said(event: Event) -> str:
    if not event.companions:
        return "wheelchair places are sold by themselves"
    return f"wheelchair places: {event.companions} for companions each"


def _as_dict(event: Event) -> dict[str, Any]:
    return {
        "slug": event.slug,
        "name": event.name,
        "state": event.sale_state(SystemClock().now()).value,
        "status": event.status.value,
        "paused": event.paused,
        "opens_at": iso(event.opens_at) if event.opens_at else None,
        "closes_at": iso(event.closes_at) if event.closes_at else None,
        "starts_at": iso(event.starts_at) if event.starts_at else None,
        "time_zone": event.time_zone,
        "currency": event.currency,
        "prices": dict(event.prices),
        "active_limit": event.active_limit,
        "hold_seconds": event.hold_seconds,
        "max_seats": event.max_seats,
        "prequeue_seconds": event.prequeue_seconds,
        "orphans": event.orphans.value,
        "focus": event.focus,
        "companions": event.companions,
        "fees": stored_fees(event.fees),
        "phases": [
            {
                "name": one.name,
                "opens_at": iso(one.opens_at),
                "closes_at": iso(one.closes_at) if one.closes_at else None,
                "prequeue_seconds": one.prequeue_seconds,
                "code_group": one.code_group,
                "quota": one.quota,
                "max_seats": one.max_seats,
            }
            for one in event.phases
        ],
        "seats": event.seat_count,
        "venue": event.venue,
        "address": event.address,
        "description": event.description,
        "pictures": [{"url": one.path, "width": one.width, "height": one.height} for one in event.pictures],
    }


def _print_event(event: Event, as_json: bool, line: str) -> None:
    print(orjson.dumps(_as_dict(event), option=orjson.OPT_INDENT_2).decode() if as_json else line)
