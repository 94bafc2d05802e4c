"""Log lines (S34): searchable by visitor, seat and reservation; for a terminal, or one JSON object a line."""

from __future__ import annotations

import logging
import sys
from typing import Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

#: The product's packages. Each module's logger is named `__name__`, so that all of them are under one of these.
ROOTS: Final = ("core", "realtime", "web", "cli")


def configure_logs(*, level: str, form: str) -> None:
    """Our own lines (from `level` on) and those of libraries go to stderr in one `form`: `json`, or for a terminal.

    Called once, when a process starts.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Traces without local variables: those hold tokens, addresses, keys.
    traces = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    last: list[Processor] = (
        [traces, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak of their own affairs at info: only what is out of order is an operator's business.
    root.setLevel(max(lowest, logging.WARNING))
    for ours in ROOTS:
        logging.getLogger(ours).setLevel(lowest)
