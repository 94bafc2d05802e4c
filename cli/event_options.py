"""The options of `onsale event`: what they are called, and how their texts are read. Each refusal names its option."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.files import read_file
from core.errors import InvalidRequest, PictureUnusable
from core.venue.event_time import read_time
from core.venue.fees import FeeLine, fee_table
from core.venue.new_event import NewEvent
from core.venue.phase import Phase, check_phases
from core.venue.picture import MOST_BYTES, Rendition, renditions
from core.venue.seat_plan import SeatPlan

Slug = Annotated[str, typer.Argument(help="The event's name in addresses: small letters, digits, hyphens.")]
Fees = Annotated[
    list[str] | None,
    typer.Option(
        "--fee",
        help='"HOURS=PERCENT", once for each line: until so many hours before the start, giving tickets back costs so '
        "many per cent. Later than all lines it is not possible; without any it is free until 24 hours before. "
        "`none`: buyers cannot give back.",
        show_default=False,
    ),
]
Phases = Annotated[
    list[str] | None,
    typer.Option(
        "--phase",
        help='"NAME;OPENS;CLOSES;GROUP;QUOTA;PREQUEUE", once for each part of the sale: its times (ISO 8601; no '
        "CLOSES: as long as the sale), the group of access codes that opens it (none: everybody), the seats that it "
        "may sell (none: all), and how many seconds before people may gather (none: --prequeue-seconds), "
        "which they never do before the part before has opened. What is last may be left out. `none`: the sale is "
        "one part.",
        show_default=False,
    ),
]
Venue = Annotated[str, typer.Option(help="Where it takes place.", show_default=False)]
Address = Annotated[str, typer.Option(help="Of the venue, in one line.", show_default=False)]
Description = Annotated[
    str,
    typer.Option(
        help="What buyers read about it: Markdown, or `@FILE` for a file of it.", metavar="TEXT", show_default=False
    ),
]
PictureFile = Annotated[
    str, typer.Option(help="JPEG, PNG, WebP or GIF, at most 2 MB.", metavar="FILE", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

#: "Category=amount" or "Category=amount:Label".
_PRICE = re.compile(r"(?P<category>.*\S.*)=\s*(?P<amount>[0-9]+)\s*(?::(?P<label>.*\S.*))?")


def read_prices(given: list[str]) -> tuple[dict[str, int], dict[str, str]]:
    """The prices by category, and the labels of those that have one."""
    prices: dict[str, int] = {}
    labels: dict[str, str] = {}
    for text in given:
        if (found := _PRICE.fullmatch(text)) is None:
            raise typer.BadParameter(
                f'{text!r} is not "Category=amount" or "Category=amount:Label" with a whole number in the currency\'s '
                "minor unit; `--block` is for a category that is not for sale",
                param_hint="--price",
            )
        category = found["category"].strip()
        if category in prices:
            raise typer.BadParameter(f"{category!r} has two prices", param_hint="--price")
        # More digits than any price has: cut, `check_prices` refuses it all the same; int() of thousands would raise.
        prices[category] = int(found["amount"].lstrip("0")[:20] or "0")
        if found["label"]:
            labels[category] = found["label"].strip()
    return prices, labels


def fitted(new: NewEvent, plan: SeatPlan) -> NewEvent:
    """With the plan's own names where they differ by spaces at their ends, which a shell's option does not keep."""
    known = [category.name for category in plan.categories]

    def fit(name: str) -> str:
        found = [one for one in known if one.strip() == name]
        return found[0] if name not in known and len(found) == 1 else name

    return replace(
        new,
        prices={fit(name): price for name, price in new.prices.items()},
        labels={fit(name): label for name, label in new.labels.items()},
        blocked={fit(name) for name in new.blocked},
    )


def read_fees(given: list[str] | None) -> tuple[FeeLine, ...]:
    """`none` alone is an empty table."""
    if given == ["none"]:
        return ()
    lines = []
    for text in given or []:
        hours, _, percent = text.partition("=")
        try:
            lines.append({"hours": float(hours), "percent": int(percent.strip().removesuffix("%"))})
        except ValueError:
            raise typer.BadParameter(f'{text!r} is not "HOURS=PERCENT" such as 24=0', param_hint="--fee") from None
    try:
        return fee_table(lines or None)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint="--fee") from None


def read_phases(given: list[str] | None, zone: str, prequeue_seconds: int) -> tuple[Phase, ...]:
    """`none` alone: the sale is one part. `prequeue_seconds`: of a part that names none."""
    if given == ["none"]:
        return ()
    found = []
    for text in given or []:
        name, opens, closes, group, quota, gathers, *more = [*(part.strip() for part in text.split(";")), *[""] * 5]
        figures = [figure for figure in (quota, gathers) if figure]
        if not name or not opens or any(more) or not all(one.isascii() and one.isdigit() for one in figures):
            raise typer.BadParameter(f'{text!r} is not "NAME;OPENS;CLOSES;GROUP;QUOTA;PREQUEUE"', param_hint="--phase")
        opens_at = read_moment(opens, "--phase", zone)
        assert opens_at is not None  # noqa: S101 - an empty one was refused above
        closes_at = read_moment(closes, "--phase", zone)
        before = int(gathers[:9]) if gathers else prequeue_seconds
        found.append(Phase(name, opens_at, closes_at, before, group or None, int(quota[:9]) if quota else None))
    try:
        check_phases(found)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint="--phase") from None
    return tuple(found)


def read_pictures(path: str) -> Sequence[Rendition]:
    """Of '' none."""
    if not path:
        return ()
    try:
        return renditions(read_file(Path(path), MOST_BYTES, "--picture"))
    except PictureUnusable as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--picture") from None


def read_place(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a place such as 300,650", param_hint="--focus") from None
    return x, y


def read_moment(text: str, option: str, zone: str) -> datetime | None:
    """A time without an offset is the event's own: what the clocks at its door show."""
    if not text:
        return None
    try:
        return read_time(text, zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
