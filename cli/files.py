"""Files named on the command line."""

from __future__ import annotations

from pathlib import Path

import typer

from core.venue.plan_document import MAX_BYTES


def read_plan(path: Path) -> bytes:
    """A plan file's content; of a file that is too large one byte too many, so that the importer refuses it."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
