"""How a command begins and ends: whatever a user can cause is one clear line on stderr, never a trace."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

from cli.say import say
from core.errors import OnsaleError, StartupError

#: Besides SIGINT, of which Python makes the same.
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)

#: What whoever is at the terminal can do about a refusal, by its code.
HINTS = {
    "event_not_found": "`onsale event list` shows the events that there are",
    "reservation_not_found": "`onsale diagnose --reservation ID`, and the console's search by e-mail, look for one",
    "finding_not_found": "`onsale payments compare` shows the findings that are open",
}


def begin() -> None:
    """Signals unwind a command as Ctrl-C does: engines that it started are stopped. And stdout takes every letter."""
    for number in _ENDING:
        signal.signal(number, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            # A terminal of another encoding shows a question mark for what it has not: no reason to stop in the middle.
            sys.stdout.reconfigure(errors="replace")
        else:
            # What is read by a program, or later, loses no letter to the machine's locale.
            sys.stdout.reconfigure(encoding="utf-8")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def told_in_one_line(command: Callable[[], object], *, long_lived: str = "") -> None:
    """Exit codes are those of `cli/main.py`. `long_lived`: the name of a command that runs for days; what ends it is
    logged with its place as well.
    """
    try:
        try:
            command()
        finally:
            if sys.stdout:  # `>&-` leaves none
                sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except StartupError as error:
        say(str(error))
        sys.exit(1)
    except OnsaleError as error:
        hint = HINTS.get(error.code, "")
        say(f"{error.detail}: {hint}" if hint and "`onsale" not in error.detail else error.detail)
        sys.exit(2)
    except OSError as error:
        # What is left to be written is let go of: the interpreter would try it once more at its end, and tell of it.
        with contextlib.suppress(OSError):
            if sys.stdout:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # `| head`: whoever reads has read enough
            if long_lived:
                _log_place(long_lived)
            what = f"{error.filename}: " if error.filename else ""
            say(f"{what}{error.strerror or str(error) or type(error).__name__}")
        sys.exit(1)


def _log_place(command: str) -> None:
    """What ended a command that runs for days is not found again without the place where it happened."""
    import structlog  # here: other commands need not load it

    from core.logs import configure_logs

    if not structlog.is_configured():
        configure_logs(level="info", form="text")
    structlog.get_logger(__name__).exception("the command ended", command=command)
