"""A sale whose processes are killed and stopped again and again: what buyers were told of each seat is what one seat
can have answered, nothing is answered 500, and the money agrees in the end (rules 1, 2 and 6; R2, R6).

`ONSALE_CRASH_RUNS` runs (2) of `ONSALE_CRASH_SECONDS` (40); `ONSALE_CHAOS_SEED` repeats their dice.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import psutil
import pytest

from cli.load.client import Client
from cli.load.measures import Calls
from cli.load.truth import Simulator, read_truth
from cli.load.verdict import Truth, differences
from core.embedded import EmbeddedPostgres, EmbeddedValkey, Engines
from core.runtime import open_runtime
from core.settings import Settings
from tests.chaos.crash_buyers import Buyer, Notes
from tests.hold_history import UNKNOWN, Call, Told, explained
from tests.integration.onsale_process import SECRET_KEY, Serving, serving
from tests.waits import until

RUNS = int(os.environ.get("ONSALE_CRASH_RUNS", "2"))
SECONDS = float(os.environ.get("ONSALE_CRASH_SECONDS", "40"))
SEED = int(os.environ.get("ONSALE_CHAOS_SEED") or secrets.randbits(32))
BUYERS, SEATS = 24, 16
#: What Valkey may have answered and not have written when it is killed (docs/architecture.md: appendfsync everysec).
UNWRITTEN_SECONDS = 2.0

Fault = Callable[[], Awaitable[None]]


class Killer:
    """Takes the installation's processes away, one after the other, by chance."""

    def __init__(self, server: Serving, home: Path, dice: random.Random) -> None:
        self._server = server
        self._valkey = EmbeddedValkey(home / "data")
        self._postgres = EmbeddedPostgres(home / "data")
        self._dice = dice
        self.engines = Engines(self._postgres.url(), self._valkey.url())
        self.done: list[str] = []
        self.redis_killed: list[float] = []

    async def run(self, until: float) -> None:
        faults = [self._web, self._web, self._all_web, self._hang, self._database, self._redis, self._stop_redis]
        rest: list[Fault] = []
        while time.time() < until - 5:
            rest = rest or self._dice.sample(faults, len(faults))
            fault = rest.pop()
            self.done.append(fault.__name__.strip("_"))
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                await fault()
            await asyncio.sleep(self._dice.uniform(1.5, 4))

    async def _web(self) -> None:
        processes = self._server.web_processes()
        if processes:
            self._dice.choice(processes).kill()

    async def _all_web(self) -> None:
        for process in self._server.web_processes():
            process.kill()

    async def _hang(self) -> None:
        """Stopped; `serve` puts another in its place, or it goes on after a while."""
        processes = self._server.web_processes()
        if processes:
            process = self._dice.choice(processes)
            process.suspend()
            await asyncio.sleep(self._dice.choice((2, 6)))
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    async def _database(self) -> None:
        os.kill(self._postgres.pid() or _nobody(), signal.SIGKILL)

    async def _redis(self) -> None:
        pid = self._valkey.pid() or _nobody()
        os.kill(pid, signal.SIGKILL)
        self.redis_killed.append(time.time())

    async def _stop_redis(self) -> None:
        pid = self._valkey.pid() or _nobody()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(2)
        os.kill(pid, signal.SIGCONT)


def _nobody() -> int:
    raise ProcessLookupError


def unexplained(calls: Sequence[Call], redis_killed: Sequence[float]) -> list[Call]:
    """The first stretch between two kills of Valkey which no seat can have answered; empty when there is none."""
    owner, begin = None, -math.inf
    for killed in [*redis_killed, math.inf]:
        part = []
        for call in calls:
            if call.sent > killed or call.answered < begin:
                continue
            across = call.sent <= begin or call.answered >= killed - UNWRITTEN_SECONDS
            if across and call.told is Told.TAKEN:
                continue
            if across and call.told in (Told.HELD, Told.FREED):
                lost = Told.LOST_HOLD if call.told is Told.HELD else Told.LOST_RELEASE
                call = dataclasses.replace(call, told=lost, answered=math.inf, until=min(call.until, call.sent))
            part.append(call)
        if not explained(part, owner):
            return part
        owner, begin = UNKNOWN, killed
    return []


def story(calls: Sequence[Call]) -> str:
    """A seat's calls for who must find out what was wrong."""
    first = min(call.sent for call in calls)
    return "\n".join(
        f"{call.sent - first:8.3f} {call.answered - first:8.3f} until {call.until - first:8.3f} "
        f"{call.visitor[:6]} {call.told.name}"
        for call in sorted(calls, key=lambda call: call.sent)
    )


@contextlib.asynccontextmanager
async def books(server: Serving, killer: Killer, data: Path) -> AsyncIterator[Callable[[], Awaitable[Truth]]]:
    """Reads all that is kept of the sale."""
    settings = Settings(_env_file=None, data=data, payment="simulator", secret_key=SECRET_KEY)
    async with (
        open_runtime(settings, killer.engines) as runtime,
        Client(server.url, connections=4, calls=Calls()) as client,
    ):
        event = await runtime.events.get("demo")

        async def read() -> Truth:
            simulator = Simulator(client, server.token)
            return await read_truth(runtime.database, event, client, None, simulator, own_event=True)

        yield read


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("run", range(RUNS))
async def test_a_sale_under_kills(run: int, tmp_path: Path) -> None:
    dice = random.Random(f"{SEED}:{run}")
    told = {
        "ONSALE_DATA": str(tmp_path / "data"),
        "ONSALE_RATE_LIMITS": "off",
        "ONSALE_ACTIVE_GRACE_SECONDS": "900",
        "ONSALE_HANG_SECONDS": "4",
        "ONSALE_STANDBY": "on",
        "ONSALE_PAYMENT_WINDOW_SECONDS": "60",
        "ONSALE_RETRY_SECONDS": "2",
        # An order whose process died while it asked is sent by nobody again: it ends with this.
        "ONSALE_PAYMENT_DEADLINE_SECONDS": "90",
        "ONSALE_LOG_LEVEL": "warning",
    }
    with serving(tmp_path, "--demo", WORKERS="2", **told) as server:
        notes = Notes()
        killer = Killer(server, tmp_path, dice)
        async with Client(server.url, connections=BUYERS, calls=Calls()) as client:
            simulator = Simulator(client, server.token)
            await simulator.behave(success_rate=0.8, latency_seconds=0.2, hang_rate=0.02, error_rate=0.05)
            # What a lost answer leaves behind ends within the test.
            path, body = "/api/operator/events/demo", {"hold_seconds": 30}
            await client.call("PATCH", path, path, token=server.token, body=body)
            end = time.time() + SECONDS
            buyers = [Buyer(client, "demo", SEATS, notes, random.Random(dice.random())) for _ in range(BUYERS)]
            async with asyncio.TaskGroup() as group:
                group.create_task(killer.run(end))
                for buyer in buyers:
                    group.create_task(buyer.run(end))
        async with books(server, killer, tmp_path / "data") as read:

            async def at_rest() -> Truth | None:
                truth = await read()
                under_way = [row for row in truth.reservations if row.status == "PAYING" or not row.settled]
                held = [state for state in truth.boards["the board of the API"][:SEATS] if state == 1]
                return None if under_way or held or differences([], truth) else truth

            try:
                truth = await until(at_rest, "the end of all reservations")
            except AssertionError:
                truth = await read()
                raise AssertionError([line.text for line in differences([], truth)] or truth.reservations) from None
    print(f"seed {SEED}, run {run}: {killer.done}, {dict(notes.answers)}, {len(truth.reservations)} reservations")
    assert notes.faults == []
    confirmed = {row.id: row for row in truth.reservations if row.status == "CONFIRMED"}
    assert set(notes.confirmed) <= set(confirmed), "the API confirmed what is not"
    for row in confirmed.values():
        for seat in row.seats:
            notes.bought(row.visitor, seat)
    wrong = {seat: unexplained(calls, killer.redis_killed) for seat, calls in notes.seats.items()}
    stories = [story(part) for part in wrong.values() if part]
    assert not stories, "no seat can have answered so:\n" + "\n\n".join(stories)
    assert sum(map(len, notes.seats.values())) > 10 * SEATS, "a run in which little happened shows nothing"
