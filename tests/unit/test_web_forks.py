"""E1, R4: the web process that waits forks those that serve. They are children of who watches them, and nothing that a
fork would break is there when it happens.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from cli import web_forks, web_processes
from cli.web_forks import SERVES, WAITS, Adopted, Waiting, can_adopt
from cli.web_processes import WebProcesses
from tests.waits import PATIENCE, until

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not can_adopt(), reason="no orphan can be adopted here: each process loads the program")

PROGRAM = """
import os, signal, socket, sys, threading
from cli.web_forks import forked

{before}
told, go = forked(socket.socket(fileno=int(sys.argv[1])))
os.write(told, f"{{os.getpid()}} {{os.getsid(0) == os.getpid()}}".encode())
os.close(told)
os.read(go, 1)
sys.exit(7)
"""


@asynccontextmanager
async def waiting(before: str = "") -> AsyncIterator[Waiting]:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM.format(before=before), str(its.fileno()), pass_fds=(its.fileno(),), cwd=ROOT
        )
    one = Waiting(process, ours)
    try:
        yield one
    finally:
        one.let_go()
        async with asyncio.timeout(PATIENCE):
            await process.wait()


async def begun(one: Waiting) -> tuple[Adopted, str, int]:
    """A process, what it told, and the pipe that lets it end."""
    told_read, told_write = os.pipe()
    go_read, go_write = os.pipe()
    try:
        async with asyncio.timeout(PATIENCE):
            process = await one.fork(told_write, go_read)
    except BaseException:
        os.close(told_read)
        os.close(go_write)
        raise
    finally:
        os.close(told_write)
        os.close(go_read)
    with os.fdopen(told_read) as told:
        return process, await asyncio.to_thread(told.read), go_write


def adopts() -> bool:
    """Whether orphans come to this process (PR_GET_CHILD_SUBREAPER)."""
    on = ctypes.c_int()
    assert ctypes.CDLL(None).prctl(37, ctypes.byref(on), 0, 0, 0) == 0
    return bool(on.value)


async def test_each_order_is_a_process_of_its_own_whose_end_is_ours_to_hear() -> None:
    async with waiting() as one:
        (first, said, go), (second, _, go_second) = await asyncio.gather(begun(one), begun(one))
        assert said == f"{first.pid} True", "with the descriptors of its order, in a session of its own"
        assert len({first.pid, second.pid, one.process.pid}) == 3
        assert {psutil.Process(pid).ppid() for pid in (first.pid, second.pid)} == {os.getpid()}
        assert await until(lambda: psutil.Process(first.pid).name() == SERVES)
        assert psutil.Process(one.process.pid).name() == WAITS
        assert not adopts(), "other orphans, such as an engine's, stay nobody's"
        os.close(go)
        async with asyncio.timeout(PATIENCE):
            assert await first.wait() == 7
        second.send_signal(signal.SIGSTOP)
        second.kill()
        async with asyncio.timeout(PATIENCE):
            assert await second.wait() == -signal.SIGKILL
        os.close(go_second)
        second.terminate()  # nobody's number any more
        assert psutil.Process(one.process.pid).children() == [], "the ones in between have ended and were waited for"
    assert one.process.returncode == 1, "it ends when nobody can order any more"


async def test_one_that_is_ended_by_then_is_no_end_of_the_ones_it_forked() -> None:
    async with waiting() as one:
        process, _, go = await begun(one)
        one.process.kill()
        await one.process.wait()
        with pytest.raises(OSError):
            await begun(one)
        assert process.returncode is None
        os.close(go)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 7


@pytest.mark.parametrize(
    "before",
    [
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "os.fork = lambda: os.open('/nowhere', os.O_RDONLY)",
    ],
    ids=["a thread", "no memory"],
)
async def test_what_cannot_be_forked_is_told_and_it_waits_on(before: str) -> None:
    """What another thread has locked would be locked for ever in the new process."""
    async with waiting(before) as one:
        for _ in range(2):
            with pytest.raises(ChildProcessError):
                await begun(one)
        assert one.process.returncode is None


async def test_one_that_hangs_is_ended_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process is loaded in its place; its late answer is nobody's."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 3600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        processes = WebProcesses(1, listening, {}, print, 60.0, standby=True)
        try:
            processes._standby = waits = await processes._load_one_that_forks()
            before = len(os.listdir("/proc/self/fd"))
            with monkeypatch.context() as patched:
                patched.setattr(web_processes, "_START_SECONDS", 0.01)
                assert await processes._ready_made() is None
            assert waits.process.returncode == -signal.SIGKILL
            assert len(os.listdir("/proc/self/fd")) <= before
        finally:
            await processes.stop(asyncio.Event())


LOADED = """
import os
from cli.web_server import _loaded
_loaded()
print(len(os.listdir("/proc/self/task")), [one for one in os.listdir("/proc/self/fd") if int(one) > 2][1:])
"""


def test_what_is_loaded_before_a_fork_has_neither_threads_nor_connections() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.strip() == "1 []", "the one descriptor is that of the listing itself"


async def test_where_no_orphan_can_be_adopted_the_one_that_waits_serves_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_forks, "_adopt_orphans", lambda on: False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        processes = WebProcesses(1, listening, {}, print, 60.0, standby=True)
        assert not processes._forks
        await processes.stop(asyncio.Event())
