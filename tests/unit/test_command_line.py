"""`onsale` on terminals and pipes that do not take what it says: one line, or nothing, and never a trace (R6)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waits import PATIENCE

ROOT = Path(__file__).parents[2]
HALL = ROOT / "tests" / "data" / "riethsporthalle.json"


def onsale(*arguments: str | Path, output: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=output,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("figure", ["inf", "1e300", "nan", "-1"])
@pytest.mark.parametrize("option", [("reconcile", "--recent"), ("rush", "--arrive"), ("rush", "--patience")])
def test_a_time_that_nobody_can_wait_is_refused_before_anything_begins(option: tuple[str, str], figure: str) -> None:
    done = onsale(*option, figure, output=subprocess.PIPE, ONSALE_DATA="/dev/null/none")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '{option[1]}'" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("arguments", [("--version",), ("plan", "check", HALL)])
def test_output_that_cannot_be_written_is_one_line(arguments: tuple[str | Path, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = onsale(*arguments, output=full.fileno())
    assert (done.returncode, done.stderr) == (1, "onsale: No space left on device\n")


def test_who_has_read_enough_is_told_nothing() -> None:
    """`onsale ... | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = onsale("plan", "check", HALL, output=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_without_the_letters_shows_the_rest_and_a_pipe_has_them_all(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(HALL.read_text().replace("Riethsporthalle", "체육관"))
    shown, terminal = os.openpty()
    try:
        done = onsale("plan", "check", plan, output=terminal, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "ok: ??? Erfurt" in os.read(shown, 65_536).decode()
    finally:
        os.close(shown)
        os.close(terminal)
    done = onsale("plan", "check", plan, output=subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{plan}: ok: 체육관 Erfurt\n")


FAILS = """
import sys
from cli import main

def it_fails(**_: object) -> None:
    raise {error}

main.app = it_fails
sys.argv = ["onsale", "{command}"]
{before}
main.run()
"""


@pytest.mark.parametrize(
    ("command", "error", "before", "line"),
    [
        ("migrate", "OSError('the disk hangs')", "sys.stdout = None", "the disk hangs"),
        ("migrate", "TimeoutError", "", "TimeoutError"),
        ("serve", "OSError('the disk hangs')", "sys.stdout = None", "the disk hangs"),
        ("worker", "TimeoutError", "", "TimeoutError"),
    ],
)
def test_what_ends_a_long_lived_command_is_told_with_its_place(
    command: str, error: str, before: str, line: str
) -> None:
    """Also where stdout is closed (`>&-`); of a short one the line is enough."""
    done = subprocess.run(
        [sys.executable, "-c", FAILS.format(command=command, error=error, before=before)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    *trace, last = done.stderr.splitlines()
    assert last == f"onsale: {line}"
    assert any("it_fails" in one for one in trace) == (command in ("serve", "worker")), done.stderr
    assert trace == [] or command in ("serve", "worker")
