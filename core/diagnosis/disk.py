"""Room on the disk of the data folder: embedded engines and e-mail files are written there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.sentences import said

#: Below this the engines soon stop; a log file of PostgreSQL's has 16 MiB.
_LITTLE = 256 * 2**20
_NOTHING = 32 * 2**20


def disk(folder: Path) -> Iterable[Finding]:
    """Nothing for a folder that is not there yet."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    seen = said("disk.free", mebibytes=f"{free / 2**20:,.0f}", folder=str(folder))
    if free < _NOTHING:
        yield fail("disk", Cause.DISK_FULL, seen)
    elif free < _LITTLE:
        yield warn("disk", Cause.DISK_FULL, seen)
    else:
        yield passed("disk", seen)
