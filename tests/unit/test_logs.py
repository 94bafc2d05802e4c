"""Log lines (S34): in the form asked for, with what to search by, and no secrets out of local variables."""

from __future__ import annotations

import ast
import functools
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core.logs import ROOTS, PlainLines, configure_logs, escape_controls
from tests.source_trees import tree_of


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configured = root.handlers, root.level, structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**configured)
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
    configure_logs(level="info", form="json")
    some_lines()
    held, careful, broke = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (held["event"], held["visitor"], held["reservation"], held["seats"]) == ("held", "v-1", "r-1", [1, 2])
    assert held["level"] == "info"
    assert held["timestamp"].endswith("Z")
    assert (careful["event"], careful["visitor"]) == ("careful: hot", "v-1")
    assert broke["exception"][0]["exc_type"] == "ValueError"


@pytest.mark.parametrize("form", ["text", "json"])
def test_traces_show_no_local_variables(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure_logs(level="info", form=form)
    some_lines()
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "fails_with_a_secret" in said
    assert "hunter2" not in said


def test_the_level_is_the_one_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="error", form="text")
    some_lines()
    said = capsys.readouterr().err
    assert "broke" in said
    assert "held" not in said
    assert "careful" not in said


PROJECT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

#: Where a document says what the log says: "Log lines: `a`, `b`.", "read the log (`a`)", "the log says `a`".
SAID_OF_THE_LOG = re.compile(r"\b[Ll]og(?: lines: ([^.|]+)| says (`[^`]+`)| \(([^)]+)\))")


def documented_names() -> Iterator[tuple[str, str]]:
    """Names of lines that the documents tell operators to search for, with the page."""
    for page in sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), *(PROJECT / "deploy").rglob("*.yml")]):
        for said in SAID_OF_THE_LOG.findall(page.read_text()):
            yield from ((page.name, name) for name in re.findall(r"`([^`]+)`", "".join(said)))


@functools.cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in the product: the file and line where it stands, what is called, and the call."""
    return [
        (f"{path.relative_to(PROJECT)}:{node.lineno}", ast.unparse(node.func), node)
        for root in ROOTS
        for path in sorted((PROJECT / root).rglob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
    ]


def test_every_logger_has_its_modules_name() -> None:
    """One called "payments" was under none of the roots: no line of any payment was ever written."""
    loggers = [(place, node) for place, called, node in calls() if called == "structlog.get_logger"]
    assert len(loggers) > 30
    assert [place for place, node in loggers if ast.unparse(node) != "structlog.get_logger(__name__)"] == []


_EVERY_LOGGER_SPEAKS = """
import importlib, pkgutil, sys
from core.logs import ROOTS, PlainLines, configure_logs
from core.settings import Settings
for root in ROOTS:
    for module in pkgutil.walk_packages(importlib.import_module(root).__path__, f"{root}."):
        if not module.name.startswith("core.migrations") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
configure_logs(level="info", form="json")
names = [name for name, module in sys.modules.items() if name.split(".")[0] in ROOTS and hasattr(module, "log")]
for name in names:
    sys.modules[name].log.info("heard", module=name)
print(*names, sep="\\n")
"""


def test_every_logger_of_the_product_is_heard() -> None:
    """In a process of its own: a logger keeps the configuration of its first use."""
    done = subprocess.run([sys.executable, "-c", _EVERY_LOGGER_SPEAKS], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heard = [json.loads(line)["module"] for line in done.stderr.splitlines()]
    assert heard == done.stdout.split()
    assert {name.split(".")[0] for name in heard} >= {"core", "realtime", "web"}
    assert any(name.startswith("core.payments.") for name in heard)


def event_names() -> Iterator[tuple[str, str]]:
    for place, called, node in calls():
        logs = [part for part in ast.walk(node.func) if isinstance(part, ast.Attribute) and part.attr in LEVELS]
        logged = any(ast.unparse(part.value) in ("log", "self._log", "self.log") for part in logs)
        # `level = log.warning if ... else log.info` stands above the line.
        if not (logged or called == "level") or not node.args:
            continue
        named = ast.walk(node.args[0])
        yield from (
            (place, part.value) for part in named if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )


def test_lines_are_named_in_plain_words() -> None:
    """One form, so that a search for one line finds the others: "relay resumed", not "relay_resumed"."""
    names = list(event_names())
    assert len(names) > 70
    assert {"payment", "circuit changed", "request"} <= {name for _, name in names}  # at a level that is chosen
    assert [f"{place} {name}" for place, name in names if not re.match(r"[\w/ :,.'-]+$", name) or "_" in name] == []


def test_lines_that_documents_name_are_written() -> None:
    """An operator searches for them, and an alert may be made of them; ten of the payments' were called otherwise."""
    documented = list(documented_names())
    assert {"alerts.md", "diagnose.md", "payments.md", "runbook.md"} <= {page for page, _ in documented}
    found = {name for _, name in documented}
    assert {"payment timeout", "refund refused", "captcha refuses us", "job made anew", "alert resolved"} <= found
    written = {name.partition(":")[0] for _, name in event_names()}
    assert [f"{page} {name}" for page, name in documented if name not in written] == []


_A_LINE_AND_ON = """
import os, sys
from core.logs import configure_logs
configure_logs(level="info", form=sys.argv[1])
import structlog
log = structlog.get_logger("core.booking")
for level in ("info", "warning", "error", "critical"):
    getattr(log, level)("charged", payment="p-1")
try:
    raise ValueError("broke")
except ValueError:
    log.exception("broke")
os.write(1, b"went on")
os._exit(0)
"""


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux's")
def test_a_full_disk_behind_stderr_does_not_end_who_logs(form: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _A_LINE_AND_ON, form], cwd=PROJECT, stdout=subprocess.PIPE, stderr=full
        )
    assert (done.returncode, done.stdout) == (0, b"went on")


@pytest.mark.parametrize("reason", [OSError(28, "full"), BrokenPipeError(), BlockingIOError(), ValueError("closed")])
@pytest.mark.parametrize("method", ["write", "flush"])
def test_a_line_that_cannot_be_written_is_dropped_and_the_next_one_is_not(
    monkeypatch: pytest.MonkeyPatch, method: str, reason: Exception
) -> None:
    class Stderr(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            self._fail("write")
            return super().write(text)

        def flush(self) -> None:
            self._fail("flush")

        def _fail(self, called: str) -> None:
            if self.broken and called == method:
                raise reason

    stderr = Stderr()
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logs(level="info", form="json")
    log = structlog.get_logger("core.booking")
    log.error("charged", payment="p-1")
    stderr.broken = False
    log.error("charged", payment="p-2")
    assert json.loads(stderr.getvalue().splitlines()[-1])["payment"] == "p-2"


@pytest.mark.parametrize(
    "line",
    [
        {"timestamp": "2026-11-26T07:32:19.281053Z", "level": "info", "event": "request", "status": 201, "ms": 3.2},
        {
            "timestamp": "t",
            "level": "critical",
            "event": "an event of more than thirty letters, whole",
            "b": "",
            "a": None,
        },
        {"level": "warning", "event": "words", "quoted": "two words", "equal": "a=b", "tab": "a\tb", "mark": "it's"},
        {"timestamp": "t", "event": "e\x1b[2J", "path": "/\n2026 [error]", "odd": "a\x9b=b", "seats": ["\x1b"]},
        {"timestamp": "t", "event": "no level", "seats": (1, 2), "nested": {"a": "b c"}, "text": "가"},
        {"timestamp": "t", "level": "info", "event": "alone"},
        {"timestamp": "t", "level": "info", "event": 7, "flag": True},
        {"timestamp": "t", "level": "error", "event": "broke", "exception": "Traceback:\n  x", "code": 1},
        {"timestamp": "t", "level": "error", "event": "named", "logger": "core.seats"},
    ],
    ids=lambda line: str(line["event"]),
)
def test_a_plain_line_is_the_one_that_structlog_writes(line: dict[str, object]) -> None:
    """S34: in every letter, so that whoever reads them by a pattern goes on to."""
    console = structlog.dev.ConsoleRenderer(colors=False)
    wanted = console(None, "info", escape_controls(None, "info", dict(line)))
    assert PlainLines(console)(None, "info", dict(line)) == wanted
