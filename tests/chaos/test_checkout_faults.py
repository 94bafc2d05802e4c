"""Every step of checkout with every fault: charges = confirmed + cancelled, no seat both free and paid, told once.

Real processes, killed by SIGKILL; PostgreSQL, Redis and the provider behind proxies that take them away. `make test`
plays a short draw; `make chaos` all cases. `ONSALE_CHAOS_SEED` repeats a draw.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
from pathlib import Path
from typing import Any

import pytest

from core.embedded import Engines
from core.runtime import open_runtime
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.new_event import NewEvent
from tests.chaos.fault_case import CASES, REFUND_STEPS, SALE_STEPS, Fault, Told, play, stage, table
from tests.conftest import small_plan
from tests.own_database import own_database

#: Cases at once: each is a process of its own.
AT_ONCE = 3
SHORT_DRAW = 6


async def _play_all(cases: list[tuple[str, Fault]], stores: Engines, settings: Settings, folder: Path) -> list[Told]:
    places, migrating = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    async def one(number: int, step: str, fault: Fault) -> Told:
        async with places, contextlib.AsyncExitStack() as stack:
            # A database of its own: a process finishes whatever payments it finds. Alembic migrates one at a time.
            async with migrating:
                url = await stack.enter_async_context(own_database(stores.database_url))
            mine = folder / str(number)
            mine.mkdir()
            own = settings.model_copy(update={"database_url": url})
            async with open_runtime(own, Engines(url, stores.redis_url)) as runtime, stage(runtime, url, mine) as at:
                event = await runtime.events.create(
                    NewEvent(
                        slug=f"c-{secrets.token_hex(5)}", name="Test night", currency="KRW", prices={"Standard": 15000},
                        active_limit=10, hold_seconds=300, max_seats=4, status=SaleStatus.OPEN,
                    ),
                    small_plan(),
                )  # fmt: skip
                told = await play(at, event, step, fault, mine)
                if told.wrong:
                    told.wrong += "\n" + (mine / "cashier.log").read_text()[-2000:]
                return told

    return list(await asyncio.gather(*(one(number, *case) for number, case in enumerate(cases))))


def _report(capsys: pytest.CaptureFixture[str], title: str, lines: list[Told]) -> None:
    with capsys.disabled():
        print(f"\n{title}\n{table(lines)}")
    assert [told for told in lines if told.wrong] == []


@pytest.mark.timeout(300)
async def test_a_draw_of_the_faults(stores: Engines, settings: Any, tmp_path: Path, capsys: Any) -> None:
    """Each fault once at least, at steps drawn anew in each run."""
    seed = int(os.environ.get("ONSALE_CHAOS_SEED") or secrets.randbelow(10**6))
    draw = random.Random(seed)
    cases = [draw.choice([case for case in CASES if case[1] is fault]) for fault in Fault]
    cases += draw.sample([case for case in CASES if case not in cases], SHORT_DRAW - len(cases))
    lines = await _play_all(cases, stores, settings, tmp_path)
    _report(capsys, f"checkout faults, seed {seed} (ONSALE_CHAOS_SEED={seed} repeats it)", lines)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [*SALE_STEPS, *REFUND_STEPS])
async def test_all_faults(step: str, stores: Engines, settings: Any, tmp_path: Path, capsys: Any) -> None:
    """S15, S27; rules 1, 2, 3: every pair of step and fault. `-k "end written"` plays one step."""
    lines = await _play_all([case for case in CASES if case[0] == step], stores, settings, tmp_path)
    _report(capsys, f"checkout faults at: {step}", lines)
