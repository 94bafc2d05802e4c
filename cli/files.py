"""Files named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import typer

from core.venue.plan_document import MAX_BYTES

#: Far above any text that is taken.
_MOST_TEXT: Final = 1_000_000


def read_plan(path: Path) -> bytes:
    """A plan file's content; of a file that is too large one byte too many, so that the importer refuses it."""
    return read_file(path, MAX_BYTES)


def read_file(path: Path, most: int, option: str | None = None) -> bytes:
    """The content, at most one byte more than `most`: whoever takes it refuses one that is too large."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint=option) from None


def read_text(given: str, option: str) -> str:
    """A text as it is given, or what the file of `@FILE` holds."""
    if not given.startswith("@"):
        return given
    content = read_file(Path(given[1:]), _MOST_TEXT, option)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(
            f"{given[1:]} is not UTF-8 text: save it once more as UTF-8", param_hint=option
        ) from None
