"""The embedded engines: one that dies comes back; a number that outlived a power cut is not taken for a server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis

from core.embedded import Engines, engines
from core.errors import StartupError
from core.settings import Settings
from tests.integration.onsale_process import processes_with, until


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short: the path of PostgreSQL's socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="onsale-engines-") as made:
        yield Path(made)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Another program's process, which got a number that an engine had before."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def postgres_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "the end of the engine")


def assert_both_answer(started: Engines) -> None:
    with Redis.from_url(started.redis_url) as redis:
        assert redis.ping()

    async def ask() -> None:
        connection = await asyncpg.connect(started.database_url)
        await connection.close()

    asyncio.run(ask())


def revived(started: Engines) -> list[str]:
    try:
        return started.revive()
    except StartupError:
        return []


def test_an_engine_that_died_is_started_again(folder: Path) -> None:
    """S32; also by a command that did not start it, and the last one to go still ends it."""
    settings = Settings.load(data=folder)
    with engines(settings, durable=False) as started:
        assert started.revive() == []
        first = postgres_pid(folder)
        kill(int((folder / "valkey" / "valkey.pid").read_text()))
        assert started.revive() == ["Valkey"]
        kill(first)
        until(lambda: revived(started) == ["PostgreSQL"], "PostgreSQL: its other processes notice the loss first")
        assert postgres_pid(folder) != first
        assert_both_answer(started)
        assert started.revive() == []
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize("lock_file", ["{pid}\n{folder}/postgres\n1\n5432\n{folder}/postgres\n\n 1 2\nready\n", ""])
def test_remains_of_a_power_cut_name_another_program(
    folder: Path, bystander: subprocess.Popen[bytes], lock_file: str
) -> None:
    """The engines start, and that program is not signalled when they end."""
    settings = Settings.load(data=folder)
    with engines(settings, durable=False):
        pass
    remains = lock_file.format(pid=bystander.pid, folder=folder)
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (folder / "postgres" / name).write_text(remains)
    (folder / "valkey" / "valkey.pid").write_text(str(bystander.pid))
    with engines(settings, durable=False) as started:
        assert_both_answer(started)
        # As if it had died, and its number had gone to another.
        kill(int((folder / "valkey" / "valkey.pid").read_text()))
        (folder / "valkey" / "valkey.pid").write_text(str(bystander.pid))
    assert bystander.poll() is None
    assert processes_with(str(folder)) == []


def test_the_servers_of_others_are_left_alone(folder: Path) -> None:
    """Two commands share the engines: the first to go does not end what the other uses."""
    settings = Settings.load(data=folder)
    with engines(settings, durable=False) as one:
        with engines(settings, durable=False):
            pass
        assert_both_answer(one)
        os.kill(postgres_pid(folder), 0)
