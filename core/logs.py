"""Log lines (S34): searchable by visitor, seat and reservation; for a terminal, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

#: The product's packages. Each module's logger is named `__name__`, so that all of them are under one of these.
ROOTS: Final = ("core", "realtime", "web", "cli")


#: What moves a terminal's cursor, begins a line of its own, or turns the direction of what follows around.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Traces are ours, and have lines.
_OF_OURS: Final = frozenset({"exception", "stack", "exc_info", "_record", "_from_structlog"})


def escape_controls(logger: object, method: str, line: EventDict) -> EventDict:
    """A caller's text (an address, a header) cannot pretend to be a line of ours, or clear a screen."""
    for name, value in line.items():
        if isinstance(value, str) and name not in _OF_OURS and _CONTROLS.search(value):
            line[name] = _CONTROLS.sub(_escaped, value)
    return line


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _as_json(line: EventDict, **given: Any) -> str:
    """JSON in ASCII: what is not may move a terminal's cursor, and is written as escapes."""
    try:
        text = orjson.dumps(line, **given)
    except TypeError:  # what only the standard library writes: a half surrogate, a number of more than 64 bits
        return json.dumps(line, **given)
    return text.decode() if text.isascii() else json.dumps(line, **given)


class PlainLines:
    """Lines without colours, as structlog's ConsoleRenderer writes them after `escape_controls`, for a fifth of what
    it takes.

    A line with a trace is its to write.
    """

    def __init__(self, whole: Processor) -> None:
        self._whole = whole

    def __call__(self, logger: Any, method: str, line: EventDict) -> Any:
        if not _NOT_PLAIN.isdisjoint(line):
            return self._whole(logger, method, escape_controls(logger, method, line))
        at, level, event = line.pop("timestamp", None), line.pop("level", None), line.pop("event", "")
        words = [f"{name}={_word(value)}" for name, value in sorted(line.items())]
        head = "" if at is None else f"{at} "
        if level is not None:
            head += f"[{level:<9}] "
        if isinstance(event, str) and _CONTROLS.search(event):
            event = _CONTROLS.sub(_escaped, event)
        return f"{head}{event!s:<30} {' '.join(words)}".rstrip(" ")


#: What makes a line more than one, or a column of its own.
_NOT_PLAIN: Final = frozenset({"exception", "stack", "exc_info", "logger", "logger_name"})
_QUOTED: Final = re.compile(r"[ \t=\r\n\"']")
#: Most words have none of either: one look tells.
_UNUSUAL: Final = re.compile(f"{_CONTROLS.pattern}|{_QUOTED.pattern}")


def _word(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    if _UNUSUAL.search(value):
        value = _CONTROLS.sub(_escaped, value)
        return repr(value) if _QUOTED.search(value) else value
    return value if type(value) is str else repr(value)


class _Lines:
    """Writes lines to a file, as structlog's WriteLogger does; who logs is never told that the file takes none.

    A full disk behind stderr, or a reader of it that is gone, must not end what the line is about: a payment that was
    charged, a background task. The standard library's handlers keep it to themselves as well.
    """

    def __init__(self, file: TextIO, lock: threading.Lock) -> None:
        self._file = file
        self._lock = lock

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                self._file.write(line + "\n")
                self._file.flush()
        except (OSError, ValueError):
            pass  # ValueError: the file is closed

    # structlog calls the one that has the level's name.
    debug = info = warning = error = critical = msg


def configure_logs(*, level: str, form: str) -> None:
    """Our own lines (from `level` on) and those of libraries go to stderr in one `form`: `json`, or for a terminal.

    Called once, when a process starts. Our own do not go through the standard library's logging: a line of its costs
    more than making the text.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Traces without local variables: those hold tokens, addresses, keys.
    traces = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    colors = sys.stderr.isatty()
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    last: list[Processor] = (
        [traces, structlog.processors.JSONRenderer(serializer=_as_json)]
        if form == "json"
        else [escape_controls, console]
        if colors
        else [PlainLines(console)]
    )
    stderr, lock = sys.stderr, threading.Lock()
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=lambda *_: _Lines(stderr, lock),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak of their own affairs at info: only what is out of order is an operator's business.
    root.setLevel(max(lowest, logging.WARNING))
    for ours in ROOTS:
        logging.getLogger(ours).setLevel(lowest)
