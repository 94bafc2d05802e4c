"""What `onsale serve` does before it serves: it ends, in one line, with the first thing that is wrong (R7)."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import serving
from cli.preparation import REFUSED
from cli.web_processes import WebProcesses
from core.errors import StartupError, StoreUnavailable
from tests.waits import PATIENCE

ROOT = Path(__file__).parents[2]

_A_STORE_THAT_GOES = """
import logging, structlog
from cli import preparation
from core.errors import StoreUnavailable

async def prepare(settings, *, demo):
    structlog.get_logger("core.schema_postgres").warning("a line of ours")
    logging.getLogger("alembic").warning("a line of theirs")
    raise StoreUnavailable()

preparation.prepare = prepare
preparation.main()
"""


def test_a_store_that_goes_during_the_preparation_is_one_line() -> None:
    """Log lines are on stderr: on stdout each line is one for the operator, and the last one the reason."""
    done = subprocess.run([sys.executable, "-c", _A_STORE_THAT_GOES], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (REFUSED, f"{StoreUnavailable.title}\n"), done.stderr
    assert "a line of ours" in done.stderr
    assert "a line of theirs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "told", "reason"),
    [
        (REFUSED, ["warning: maxmemory-policy"], "the books say no"),
        (1, ["warning: maxmemory-policy", "the books say no"], "the start could not be prepared (exit code 1)"),
    ],
)
async def test_what_the_preparation_warned_of_is_told_also_when_it_refuses(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
    told: list[str],
    reason: str,
) -> None:
    """S11: the warning may be why."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho 'warning: maxmemory-policy'\necho 'the books say no'\nexit {code}\n")
    program.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(program))
        with pytest.raises(StartupError) as refused:
            await serving._prepare(dict(os.environ), demo=False)
    assert str(refused.value) == reason
    assert capsys.readouterr().err.splitlines() == [f"onsale: {line}" for line in told]


async def test_a_web_process_that_cannot_start_ends_the_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration takes minutes: what is known to be in vain is not waited for."""
    ended = asyncio.Event()

    async def takes_for_ever(environment: dict[str, str], demo: bool) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(serving, "_prepare", takes_for_ever)
    environment = {**os.environ, "ONSALE_LOG_LEVEL": "no such level"}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        processes = WebProcesses(2, listening, environment, print, 60.0)
        try:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(StartupError, match=r"web process \d could not start \(exit code 1\)"):
                    await serving._start(processes, environment, demo=False)
        finally:
            await processes.stop(asyncio.Event())
    assert ended.is_set()


async def test_web_processes_that_load_wait_for_the_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The race ends none of them: that the preparation is done first is how every start goes."""
    order: list[str] = []

    class Processes:
        def __init__(self) -> None:
            self.went = asyncio.Event()

        def go(self) -> None:
            order.append("go")
            self.went.set()

        async def start(self) -> None:
            await self.went.wait()
            await asyncio.sleep(0)
            order.append("started")

    async def prepared(environment: dict[str, str], demo: bool) -> None:
        await asyncio.sleep(0)
        order.append("prepared")

    monkeypatch.setattr(serving, "_prepare", prepared)
    await serving._start(Processes(), {}, demo=False)  # type: ignore[arg-type]
    assert order == ["prepared", "go", "started"]
