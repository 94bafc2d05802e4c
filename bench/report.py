"""The table of one run, between two marks of a page: the run writes it, so that all of its figures are of one run."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.measure import Before, Effort, Figure, table

#: The page of the tables, and the page that goes on from them.
PAGE: Final = Path("docs/benchmarks.md")
SCALING: Final = Path("docs/scaling.md")
PROFILES: Final = Path("docs/profiles.md")
#: What the same rows were before they were worked on, on two cores as well.
BEFORE: Final = Before.read(Path(__file__).parent / "before.json")


def marks(name: str) -> re.Pattern[str]:
    """What stands between the two marks of this name."""
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


def put(page: Path, name: str, text: str) -> None:
    """Raises ValueError when the page has no such marks."""
    before = page.read_text()
    if not marks(name).search(before):
        raise ValueError(f"{page} has no marks for {name}")
    page.write_text(marks(name).sub(lambda found: f"{found[1]}{text}\n{found[2]}", before))


def told(figures: Sequence[Figure], about: str) -> str:
    """The run's date and machine, what `about` says of it, and its table, beside what was before."""
    load = f"load average at its end {os.getloadavg()[0]:.1f}"
    return f"{run_of(about)}; {load}.\n\n{table(list(figures), BEFORE)}"


def run_of(about: str) -> str:
    """The date and the machine of a run that ends now."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), CPython {platform.python_version()}"
    return f"Run of {datetime.now(UTC):%Y-%m-%d}, {machine}; {about}"


def write(page: Path, figures: Sequence[Figure], effort: Effort, failed: Sequence[str] = ()) -> None:
    """The table of `make bench`, and which of its rows did not run to their end."""
    about = f"{effort.rounds} rounds of {effort.seconds:g} s for each side"
    if failed:
        about += f"; **without {', '.join(failed)}**, which did not run to their end"
    put(page, "limits", told(figures, about))
