"""`onsale serve` becomes the program that watches: what it has decided comes along, a signal in between is answered."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.handover import Handover, hand_over, taken_over
from tests.waits import PATIENCE

ROOT = Path(__file__).parents[2]

DECIDED = Handover(
    database_url="",
    redis_url="redis://hall.test/0",
    data=Path("/srv/\udcff 홀"),
    workers=2,
    hang_seconds=10.5,
    goodbye_seconds=0.0,
    standby=True,
    environment={"ONSALE_SECRET_KEY": "a key of the hall"},
    demo=False,
    crowd=0,
    crowd_url="http://127.0.0.1:1",
    warnings=["one", "two"],
    announcement="Onsale runs\nat 극장",
)


class Gone(Exception):
    """Another program would be here."""


def test_everything_comes_along_and_nobody_else_inherits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder may have any name, and secrets are no argument of a process, which others can read."""
    given: list[Any] = []

    def execv(program: str, arguments: list[str]) -> None:
        given[:] = [program, *arguments]
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert blocked >= {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}, "a signal waits for the next program"
        raise Gone

    monkeypatch.setattr(os, "execv", execv)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with pytest.raises(Gone):
            hand_over(DECIDED, listening)
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "no such program: as before"
        *program, told, inherited = given
        assert program == [sys.executable, sys.executable, "-m", "cli.serving"]
        assert os.get_inheritable(int(told))
        assert os.get_inheritable(int(inherited))
        came, taken = taken_over(int(told), os.dup(int(inherited)))
        with taken:
            assert came == replace(DECIDED, warnings=["one", "two"])
            assert taken.getsockname() == listening.getsockname()
            assert not taken.get_inheritable(), "engines that are started do not keep the port"
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(int(told))


BETWEEN = """
import os, signal, socket
from cli.handover import SIGNALS, hand_over
from tests.unit.test_handover import DECIDED
from dataclasses import replace
from pathlib import Path

signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
os.kill(os.getpid(), signal.{name})
hand_over(replace(DECIDED, data=Path("{data}")), socket.create_server(("127.0.0.1", 0)))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_between_the_two_programs_ends_it_in_order(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN.format(name=name, data=data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert not data.exists(), "no engine was started"
