"""`onsale draw verify`: recomputes a published draw, without trusting the server that made it (F2).

Exit codes: 0 the draw holds; 1 it does not, or has not happened, or could not be read; 2 wrong usage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from cli.say import say
from core.waiting_room import draw
from core.waiting_room.draw import PublishedDraw

if TYPE_CHECKING:
    import httpx

app = typer.Typer(help="The draw at an opening.", no_args_is_help=True)

_SECONDS = 30.0


@app.callback()
def _group() -> None:
    """The draw at an opening."""


class _Unreadable(Exception):
    """What was named is no draw; the text says why."""


@app.command()
def verify(
    source: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE",
            help="The sale's page, its API address, or its draw; or a saved draw, with its entries in the member "
            "`entries` or beside it: NAME.json and NAME.entries.txt, or --entries.",
        ),
    ],
    entries: Annotated[Path | None, typer.Option(help="The saved entries, one receipt a line.")] = None,
    phase: Annotated[str, typer.Option(help="Of this phase of the sale; else the next one, else the last.")] = "",
    receipt: Annotated[str, typer.Option(help="Says in which line this receipt stands.")] = "",
) -> None:
    """Recompute a draw from what was published: seed, entries, root and order.

    Example: onsale draw verify https://tickets.example/events/gala
    """
    try:
        about, listed = _fetched(source, phase) if "://" in source else _saved(Path(source), entries)
        published = _published(about)
    except _Unreadable as error:
        say(str(error))
        raise typer.Exit(1) from None
    wrong = draw.differences(published, listed)
    if wrong:
        print("The draw does NOT hold:")
        for line in wrong:
            print(f"  - {line}")
        raise typer.Exit(1)
    print(f"The draw holds: {len(listed)} entries, their root, the committed seed and the order were recomputed.")
    print(f"  commitment  {published.commitment}   (compare with the one that was shown before the sale)")
    print(f"  root        {published.root}")
    if beacon := about.get("beacon"):
        print(
            f"  beacon      {beacon['source']} round {beacon['round']}: {beacon['value']}   (compare with the source)"
        )
    else:
        print("  beacon      none: that the seed was not chosen among many is not proven (docs/fairness.md)")
    if receipt:
        _say_line(receipt.strip().lower(), listed)


def _say_line(receipt: str, listed: list[str]) -> None:
    if receipt not in listed:
        print(f"The receipt {receipt} is NOT in the list.")
        raise typer.Exit(1)
    print(f"The receipt {receipt} is in line {listed.index(receipt) + 1}.")


def _published(about: dict[str, Any]) -> PublishedDraw:
    state = about.get("state")
    if state == "none":
        raise _Unreadable("this sale has no draw: first come, first served")
    if state == "announced":
        raise _Unreadable(
            f"this draw has not happened yet: it is at {about.get('draw_at')}; commitment {about.get('commitment')}"
        )
    beacon = about.get("beacon")
    try:
        if beacon and not beacon["value"]:
            raise _Unreadable("a beacon was named, but its value is not published")
        if beacon:
            # Without its source and round nobody can compare it. Half a character of UTF-16 is no text at all.
            f"{beacon['source']}{beacon['round']}{beacon['value']}".encode()
        return PublishedDraw(
            algorithm=str(about["algorithm"]),
            commitment=str(about["commitment"]),
            seed=str(about["seed"]),
            root=str(about["root"]),
            count=int(about["count"]),
            beacon=str(beacon["value"]) if beacon else "",
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _Unreadable(f"this is no published draw: {error}") from None


def _saved(path: Path, entries: Path | None) -> tuple[dict[str, Any], list[str]]:
    try:
        about = json.loads(path.read_text())
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _Unreadable(f"{path} is not JSON") from None
    if not isinstance(about, dict):
        raise _Unreadable(f"{path} is no published draw")
    if entries is None and isinstance(about.get("entries"), list):
        return about, [str(one) for one in about["entries"]]
    beside = entries or path.with_suffix(".entries.txt")
    try:
        return about, beside.read_text().split()
    except OSError as error:
        if about.get("state") in ("none", "announced"):
            return about, []
        raise _Unreadable(f"the entries cannot be read from {beside}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Unreadable(f"{beside} is no text") from None


def draw_address(url: str) -> str:
    """The draw's address in the API, of a sale's page, its page of the draw, or its API address. Raises _Unreadable."""
    try:
        parts = urlsplit(url)
        url.encode()
    except ValueError as error:
        raise _Unreadable(f"{url!a} is no address: {error}") from None
    steps = [step for step in parts.path.split("/") if step]
    if "events" not in steps or steps.index("events") + 1 >= len(steps):
        raise _Unreadable(f"{url} names no sale: give its page, such as https://tickets.example/events/gala")
    at = steps.index("events")
    before = [step for step in steps[:at] if step != "api"]
    path = "/".join([*before, "api", "events", quote(steps[at + 1], safe="%"), "draw"])
    return f"{parts.scheme}://{parts.netloc}/{path}"


def _fetched(url: str, phase: str) -> tuple[dict[str, Any], list[str]]:
    import httpx

    address = draw_address(url)
    query = {"phase": phase} if phase else None
    try:
        with httpx.Client(timeout=_SECONDS, follow_redirects=True) as client:
            about = _asked(client, address, query).json()
            if not isinstance(about, dict) or about.get("state") != "drawn":
                return (about if isinstance(about, dict) else {}), []
            # One draw of several: the entries must be those of the draw that was just read.
            asked = {"phase": str(about["phase"])} if about.get("phase") else query
            return about, _asked(client, f"{address}/entries", asked).text.split()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unreadable(f"{address} cannot be reached: {error or type(error).__name__}") from None
    except (ValueError, RecursionError):
        raise _Unreadable(f"{address} answered with something else than a draw") from None


def _asked(client: httpx.Client, address: str, query: dict[str, str] | None) -> httpx.Response:
    response = client.get(address, params=query)
    if response.status_code != 200:
        try:
            said = response.json().get("title", "")
        except (ValueError, AttributeError):
            said = ""
        raise _Unreadable(f"{address} answered {response.status_code} {said}".rstrip())
    return response
