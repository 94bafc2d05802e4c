"""The table of one run, between two marks of a page: written by the run itself, so that all figures in it are of one."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.measure import Effort, Figure, table

PAGE: Final = Path("docs/benchmarks.md")
MARKS: Final = re.compile(r"(<!-- limits -->\n).*?(<!-- /limits -->)", re.DOTALL)


def write(page: Path, figures: Sequence[Figure], effort: Effort) -> None:
    """Raises ValueError when the page has no marks."""
    text = page.read_text()
    if not MARKS.search(text):
        raise ValueError(f"{page} has no marks for the table")
    page.write_text(MARKS.sub(lambda found: f"{found[1]}{_told(figures, effort)}\n{found[2]}", text))


def _told(figures: Sequence[Figure], effort: Effort) -> str:
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores ({platform.machine()}), CPython {platform.python_version()}"
    about = (
        f"Run of {datetime.now(UTC):%Y-%m-%d}, {machine}; {effort.rounds} rounds of {effort.seconds:g} s for each "
        f"side; load average at its end {load:.1f}."
    )
    return f"{about}\n\n{table(list(figures))}"
