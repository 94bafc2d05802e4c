"""Log lines (S34): in the form asked for, with what to search by, and no secrets out of local variables."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from core.logs import configure_logs
from core.settings import Settings


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def fails_with_a_secret() -> None:
    token = "".join(["hun", "ter", "2"])
    raise ValueError(len(token))


def some_lines() -> None:
    log = structlog.get_logger("core.seats")
    structlog.contextvars.bind_contextvars(visitor="v-1")
    log.info("held", seats=[1, 2], reservation="r-1")
    log.debug("too much")
    logging.getLogger("somebody.else").info("chatter")
    logging.getLogger("somebody.else").warning("careful: %s", "hot")
    try:
        fails_with_a_secret()
    except ValueError:
        log.exception("broke")


def test_json_lines_can_be_searched(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings.load(log_format="json"))
    some_lines()
    held, careful, broke = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (held["event"], held["visitor"], held["reservation"], held["seats"]) == ("held", "v-1", "r-1", [1, 2])
    assert held["level"] == "info"
    assert held["timestamp"].endswith("Z")
    assert (careful["event"], careful["visitor"]) == ("careful: hot", "v-1")
    assert broke["exception"][0]["exc_type"] == "ValueError"


@pytest.mark.parametrize("form", ["text", "json"])
def test_traces_show_no_local_variables(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure_logs(Settings.load(log_format=form))
    some_lines()
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "fails_with_a_secret" in said
    assert "hunter2" not in said


def test_the_level_is_the_one_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings.load(log_level="error"))
    some_lines()
    said = capsys.readouterr().err
    assert "broke" in said
    assert "held" not in said
    assert "careful" not in said
