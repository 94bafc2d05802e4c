"""What a command tells beside its result: one line on stderr, which begins with the program's name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.settings import Settings


def say(text: str) -> None:
    """Line breaks in it become spaces."""
    print(f"onsale: {' '.join(text.split())}", file=sys.stderr, flush=True)


def log_to_stderr(settings: Settings) -> None:
    """What a command works with writes lines of the log as a server does: they are not part of the answer on stdout,
    which a program may read. Only what is out of order, unless ONSALE_LOG_LEVEL says otherwise.
    """
    from core.logs import configure_logs  # here: `onsale --help` needs none of it

    level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
    configure_logs(level=level, form=settings.log_format)
