"""R4: the web process that waits. How its end is told and how soon another one is loaded; it keeps no end waiting."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli import web_processes
from cli.web_forks import Waiting
from cli.web_processes import WebProcesses, _Loading
from tests.waits import PATIENCE, until


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@dataclass
class Pauses:
    """Which were asked for; none is made."""

    asked: list[int] = field(default_factory=list)

    def seconds(self, failures: int) -> float:
        self.asked.append(failures)
        return 0.0


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    made = Pauses()
    monkeypatch.setattr(web_processes, "_STANDBY_PAUSES", made)
    monkeypatch.setattr(web_processes, "LOOK_SECONDS", 0.0)
    return made


def program(folder: Path, does: str) -> str:
    """Takes the interpreter's place."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)
    return str(file)


@asynccontextmanager
async def kept(processes: WebProcesses) -> AsyncIterator[None]:
    """One waits from now on; nothing of it is left afterwards."""
    keeping = asyncio.create_task(processes._keep_standby())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await processes.stop(asyncio.Event())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_each_end_is_told_and_the_next_one_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: socket.socket, pauses: Pauses
) -> None:
    """One that is killed for want of memory is not loaded every ten seconds without a word."""
    monkeypatch.setattr(sys, "executable", program(tmp_path, "exit 3"))
    said: list[str] = []
    before = descriptors()
    async with kept(WebProcesses(0, listening, {}, said.append, 60.0)):
        await until(lambda: len(said) >= 4)
    assert pauses.asked[:4] == [1, 2, 3, 4]
    told = [
        re.fullmatch(r"the web process that waits \(pid (\d+)\) ended \(exit code 3\): another .*", one) for one in said
    ]
    assert all(told), said
    assert len({one[1] for one in told if one}) == len(said), "each once"
    assert descriptors() <= before


async def test_one_that_was_killed_after_a_while_is_replaced_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: socket.socket, pauses: Pauses
) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "exec sleep 3600"))
    monkeypatch.setattr(web_processes, "_STANDBY_SHORT_LIFE_SECONDS", 0.0)
    said: list[str] = []
    processes = WebProcesses(0, listening, {}, said.append, 60.0)
    async with kept(processes):
        first: _Loading | Waiting = await until(lambda: processes._standby)
        first.process.kill()
        await until(lambda: processes._standby not in (None, first))
        second: _Loading | Waiting = await until(lambda: processes._standby)
        second.process.kill()
        await until(lambda: len(said) == 2)
    assert pauses.asked == [0, 0], "no life was short"
    assert all("signal SIGKILL" in one for one in said)


def test_pauses_double_up_to_minutes() -> None:
    seconds = [web_processes._STANDBY_PAUSES.seconds(failures) for failures in range(8)]
    assert seconds == [10, 10, 20, 40, 80, 160, 300, 300]


async def test_that_there_is_none_to_be_had_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: socket.socket, pauses: Pauses
) -> None:
    said: list[str] = []
    processes = WebProcesses(0, listening, {}, said.append, 60.0)
    before = descriptors()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    async with kept(processes):
        await until(lambda: len(pauses.asked) >= 3)
        assert pauses.asked[:3] == [1, 2, 3]
        (line,) = said
        assert os.strerror(errno.ENOENT) in line
        monkeypatch.setattr(sys, "executable", program(tmp_path, "exec sleep 3600"))
        await until(lambda: processes._standby)
        assert said == [line]
        # It is told again when there was one meanwhile.
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
        pauses.asked.clear()
        taken = processes._take_standby()
        assert taken is not None
        taken.close()
        taken.listener.close()
        taken.process.kill()
        await taken.process.wait()
        await until(lambda: len(pauses.asked) >= 2)
        assert (pauses.asked[:2], said) == ([1, 2], [line, line])
    assert descriptors() < before, "the pipe that says that `serve` is there is closed by `stop`"


async def test_a_pipe_that_cannot_be_made_leaves_none_open(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    """Else each try of a process with too many open files would take four of the last ones."""
    processes = WebProcesses(0, listening, {}, print, 60.0)
    before, made, pipe = descriptors(), 0, os.pipe

    def the_third_fails() -> tuple[int, int]:
        nonlocal made
        made += 1
        if made == 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return pipe()

    with monkeypatch.context() as patched:
        patched.setattr(os, "pipe", the_third_fails)
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            await processes._load()
    assert descriptors() <= before
    await processes.stop(asyncio.Event())


async def test_one_that_was_killed_with_the_others_takes_nobodys_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: socket.socket, pauses: Pauses
) -> None:
    """Else whoever had the place would be started again only after a pause, as one that lives too short."""
    serves = (
        "import os, sys, time; ready = int(sys.argv[4]); os.write(ready, b'ready'); os.close(ready); time.sleep(3600)"
    )
    real = sys.executable
    monkeypatch.setattr(sys, "executable", program(tmp_path, "exec sleep 3600"))
    said: list[str] = []
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    processes = WebProcesses(1, listening, {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}, said.append, 60.0)
    processes.go()
    processes._standby = waits = await processes._load()
    (metrics / f"gauge_livesum_{waits.process.pid}.db").touch()
    monkeypatch.setattr(sys, "executable", program(tmp_path, f'exec {real} -c "{serves}" "$@"'))
    try:
        waits.process.kill()
        assert waits.process.returncode is None, "not noticed yet"
        async with asyncio.timeout(PATIENCE):
            await processes._start_one(0)
        assert processes._watched[0].process.pid != waits.process.pid
        assert list(metrics.iterdir()) == [], "what it counted is not there for ever"
        assert processes._processes[0].returncode is None
    finally:
        await processes.stop(asyncio.Event())


@dataclass
class Process:
    """Tells what it was asked for. `ends`: whether it is ever gone."""

    name: str
    asked: list[str]
    ends: bool
    pid: int = 1
    returncode: int | None = None

    def terminate(self) -> None:
        self.asked.append(f"terminate {self.name}")
        self.returncode = -signal.SIGTERM

    def kill(self) -> None:
        self.asked.append(f"kill {self.name}")

    async def wait(self) -> int:
        if not self.ends:
            await asyncio.Event().wait()
        return 0


class Listener:
    def close(self) -> None: ...


async def test_one_that_does_not_go_keeps_nobody_from_ending(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    """Buyers' requests are asked to end first; a disk that hangs holds up the end of the one that waits, not all."""
    monkeypatch.setattr(web_processes, "_KILLED_SECONDS", 0.01)
    asked: list[str] = []
    web: Any = Process("web", asked, ends=True)
    waits: Any = Process("waiting", asked, ends=False)
    silent: Any = Listener()
    processes = WebProcesses(1, listening, {}, print, 60.0)
    processes._processes[0] = web
    processes._standby = _Loading(waits, silent, -1, -1)
    async with asyncio.timeout(PATIENCE):
        await processes.stop(asyncio.Event())
    assert asked == ["terminate web", "kill waiting"]
