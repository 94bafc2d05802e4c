"""Work in a process of its own (V5, R1): its value, its refusal, and an end whatever it does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.errors import PlanInvalid
from core.process.apart import apart
from tests.waits import until

HERE = __name__


def reversed_text(given: bytes) -> bytes:
    return given[::-1]


def refused(given: bytes) -> bytes:
    raise PlanInvalid("no plan", errors=[{"at": "$", "message": given.decode()}], more=0)


def broken(given: bytes) -> bytes:
    raise ZeroDivisionError("by chance")


def dies(given: bytes) -> bytes:
    os._exit(9)


def greedy(given: bytes) -> bytes:
    return bytes(64 * 1024**3)


def hangs(given: bytes) -> bytes:
    time.sleep(3600)
    return given


def surroundings(given: bytes) -> bytes:
    return "\n".join([*os.environ, *sys.path]).encode()


def children() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it may end meanwhile
            if "core.process.apart" in one.cmdline():
                found.append(one)
    return found


async def test_it_answers_with_what_the_function_gives() -> None:
    given = os.urandom(3_000_000)  # more than a pipe holds
    assert await apart(f"{HERE}:reversed_text", given, seconds=60) == given[::-1]


async def test_it_knows_no_secret_and_leaves_no_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What reads hostile files has neither, and takes no module from where the server was started."""
    for name in ("ONSALE_SECRET_KEY", "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.setenv(name, "told to nobody")
    (tmp_path / "orjson.py").write_text("raise SystemExit(3)")
    root = Path.cwd()
    monkeypatch.setattr(sys, "path", [str(root), *(one for one in sys.path if one)])
    monkeypatch.chdir(tmp_path)
    known = (await apart(f"{HERE}:surroundings", b"", seconds=60)).decode().splitlines()
    assert not {"ONSALE_SECRET_KEY", "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR"} & set(known)
    assert str(tmp_path) not in known


async def test_a_refusal_is_raised_as_it_was() -> None:
    with pytest.raises(PlanInvalid, match="no plan") as told:
        await apart(f"{HERE}:refused", b"why", seconds=60)
    assert told.value.data == {"errors": [{"at": "$", "message": "why"}], "more": 0}


@pytest.mark.parametrize(
    ("work", "said"), [("broken", "by chance"), ("dies", "ended with 9"), ("greedy", "MemoryError")]
)
async def test_a_fault_and_a_death_are_told(work: str, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        await apart(f"{HERE}:{work}", b"", seconds=60)
    assert children() == []


async def test_what_hangs_is_killed() -> None:
    with pytest.raises(TimeoutError):
        await apart(f"{HERE}:hangs", b"", seconds=0.5)
    await until(lambda: children() == [])


async def test_who_gives_up_leaves_nothing_behind() -> None:
    task = asyncio.ensure_future(apart(f"{HERE}:hangs", b"", seconds=600))
    await until(lambda: len(children()) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: children() == [])
