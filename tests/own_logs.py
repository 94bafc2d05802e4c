"""Who says in a test where lines of the log go, as a command or a benchmark does, says it for that test alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import structlog

from core.logs import ROOTS


@contextmanager
def logs_as_before() -> Iterator[None]:
    """Later tests of this process listen where they did before."""
    configure, before = structlog.configure, structlog.get_config()
    root = logging.getLogger()
    handlers, levels = root.handlers, {name: logging.getLogger(name).level for name in ("", *ROOTS)}

    def not_for_good(**given: Any) -> None:
        # A logger that is kept on its first use would speak through what was set for ever.
        configure(**{**given, "cache_logger_on_first_use": False})

    try:
        with mock.patch.object(structlog, "configure", not_for_good):
            yield
    finally:
        configure(**before)
        root.handlers = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
