"""Every command that is given what is wrong says so, in one line or by how it is used, without a trace.

What only reads, reads the stores of the run.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.onsale_process import onsale_here
from tests.integration.test_cli import HALL
from tests.integration.test_wheel import commands

NOBODY = "00000000-0000-0000-0000-000000000000"
#: Each as somebody may give it who has mistyped a name.
WRONG: dict[str, list[str]] = {
    "crowd": ["nowhere"],
    "event create": ["nowhere", "--plan", "nowhere.json"],
    "event update": ["nowhere", "--name", "Gala"],
    "event open": ["nowhere"],
    "event close": ["nowhere"],
    "event show": ["nowhere"],
    "code create": ["nowhere", "--group", "fans", "--count", "1"],
    "code import": ["nowhere", os.devnull, "--group", "fans"],
    "code list": ["nowhere"],
    "code revoke": ["nowhere", "--group", "fans"],
    "draw verify": ["nowhere.json"],
    "plan check": ["nowhere.json"],
    "messages dead discard": ["999999"],
    "removal add": ["nowhere", "--visitor", "v", "--minutes", "5"],
    "removal list": ["nowhere"],
    "removal end": ["nowhere", "1"],
    "reservation mail": [NOBODY],
}
#: What only reads.
READS = [["event", "list"], ["messages", "dead", "list"], ["payments", "export"], ["plan", "check", str(HALL)]]


def leaves() -> list[str]:
    """Commands, without the groups that they are in."""
    every = list(commands())
    return [one for one in every if not any(other.startswith(f"{one} ") for other in every)]


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """What it says: one line, or how it is used and what is wrong with that."""
    assert done.returncode in (1, 2), done
    said = done.stderr
    assert "Traceback" not in said
    assert "Usage: onsale " in said or len(said.splitlines()) == 1, said
    return said


@pytest.mark.parametrize("command", leaves())
def test_an_option_that_there_is_not(command: str, addresses: dict[str, str]) -> None:
    assert "No such option: --no-such-option" in refused(onsale_here(*command.split(), "--no-such-option", **addresses))


@pytest.mark.parametrize("command", WRONG)
def test_a_name_that_there_is_not(command: str, addresses: dict[str, str], stores: object, tmp_path: Path) -> None:
    refused(onsale_here(*command.split(), *WRONG[command], ONSALE_DATA=str(tmp_path), **addresses))


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_what_only_reads(arguments: list[str], addresses: dict[str, str], stores: object, tmp_path: Path) -> None:
    done = onsale_here(*arguments, ONSALE_DATA=str(tmp_path), **addresses)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout


def test_each_that_is_tried_is_a_command() -> None:
    assert set(WRONG) <= set(leaves())
