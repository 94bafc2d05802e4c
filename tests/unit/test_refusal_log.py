"""R8: a flood of refusals does not fill the log, and what is written there cannot pretend to be a line of ours."""

from __future__ import annotations

import pytest
import structlog

from core.logs import escape_controls
from web.refusal_log import MOST_LINES, RefusalLog


def test_a_flood_is_told_as_a_number() -> None:
    now = 0.0
    refusals = RefusalLog(lambda: now)
    with structlog.testing.capture_logs() as lines:
        told = [refusals.take("- 404 not_found") for _ in range(10_000)]
        assert sum(told) == MOST_LINES
        assert refusals.take("/api/events/{slug}/holds 409 seat_taken"), "another kind has lines of its own"
        now = 11.0
        assert refusals.take("- 404 not_found")
    assert [(line["kind"], line["count"]) for line in lines] == [("- 404 not_found", 10_000 - MOST_LINES)]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("/a\r\n2026-11-25 [info] paid", r"/a\x0d\x0a2026-11-25 [info] paid"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("콘서트 é", "콘서트 é"),
    ],
)
def test_controls_are_escaped(given: str, written: str) -> None:
    line = escape_controls(None, "info", {"event": "request", "path": given, "status": 404})
    assert line == {"event": "request", "path": written, "status": 404}
