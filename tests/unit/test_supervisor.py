"""R1: what runs in the background is named, watched and restarted, and every end has a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.process import supervisor as module
from core.process import tasks
from core.process.backoff import Backoff
from core.process.supervisor import RESTARTS, Supervisor
from core.process.tasks import end, first_of, within
from core.process.watched_tasks import FAILURES, beside, watched
from tests.waits import PATIENCE

QUICK = Backoff(first=0.001, longest=0.01)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    made = Supervisor()
    yield made
    await made.drain(0)


class Deaf:
    """A coroutine that swallows every cancel until it is `free`."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.cancels = 0

    async def run(self) -> str:
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                self.cancels += 1
        return "at last"


async def test_a_service_is_made_anew_whatever_ends_it(supervisor: Supervisor) -> None:
    runs, well = 0, asyncio.Event()

    async def feed() -> None:
        nonlocal runs
        runs += 1
        match runs:
            case 1:
                raise ValueError("a defect")
            case 2:
                return
            case 3:
                raise asyncio.CancelledError
        well.set()
        await asyncio.Event().wait()

    failed, anew = FAILURES.labels("feed")._value.get(), RESTARTS.labels("feed")._value.get()
    service = supervisor.run_forever("feed opening-night", feed, backoff=QUICK)
    async with asyncio.timeout(PATIENCE):
        await well.wait()
    assert service.failing
    assert service.failures == 3
    assert service.restarts == 3
    assert FAILURES.labels("feed")._value.get() - failed == 3
    assert RESTARTS.labels("feed")._value.get() - anew == 3
    assert list(supervisor.services) == [service]
    assert await service.end()
    assert not supervisor.services
    assert not service.failing


async def test_a_service_that_runs_for_a_while_is_well_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WELL_SECONDS", 0.05)
    runs = 0

    async def feed() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("once")
        await asyncio.Event().wait()

    service = supervisor.run_forever("feed", feed, backoff=QUICK)
    async with asyncio.timeout(PATIENCE):
        while not service.failing:
            await asyncio.sleep(0)
        while service.failing:
            await asyncio.sleep(0.01)


async def test_a_wanted_return_is_the_end(supervisor: Supervisor) -> None:
    async def relay() -> None: ...

    service = supervisor.run_forever("relay", relay, until_return=True)
    async with asyncio.timeout(PATIENCE):
        await service.finished()
    assert service.done
    assert service.failures == 0


async def test_restart_needs_no_failure_and_waits_for_no_pause(supervisor: Supervisor) -> None:
    runs = 0

    async def feed() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise ValueError
        await asyncio.Event().wait()

    service = supervisor.run_forever("feed", feed, backoff=Backoff(first=3600, longest=3600))
    async with asyncio.timeout(PATIENCE):
        for wanted in (1, 2, 3):
            while runs < wanted:
                await asyncio.sleep(0)
            service.restart()


async def test_what_goes_on_in_spite_of_its_cancel_stops_neither_restart_nor_end(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "END_SECONDS", 0.05)
    deaf, runs = Deaf(), 0

    async def feed() -> None:
        nonlocal runs
        runs += 1
        await deaf.run()

    service = supervisor.run_forever("feed", feed, backoff=QUICK)
    async with asyncio.timeout(PATIENCE):
        while runs < 1:
            await asyncio.sleep(0)
        service.restart()
        while runs < 2:
            await asyncio.sleep(0.01)
        assert not await service.end()
    deaf.free.set()


async def test_end_cancels_again_what_swallowed_its_cancel() -> None:
    swallowed = False

    async def swallows_once() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed = True

    task = watched("test", swallows_once())
    await asyncio.sleep(0)
    assert await end(task, within=2) == 0
    assert task.cancelled()


async def test_end_has_a_limit_and_says_what_is_left() -> None:
    deaf = Deaf()
    task = watched("test", deaf.run())
    await asyncio.sleep(0)
    assert await end(task, None, within=0.05) == 1
    deaf.free.set()
    assert await task == "at last"


async def test_drain_waits_for_payments_and_for_what_they_spawn() -> None:
    supervisor, ended = Supervisor(), []

    async def payment() -> None:
        await asyncio.sleep(0.01)
        ended.append("payment")

    async def submit() -> None:
        await asyncio.sleep(0.01)
        supervisor.spawn("payment 1", payment())

    supervisor.spawn("submit", submit())
    assert await supervisor.drain(60) == 0
    assert ended == ["payment"]
    assert supervisor.closing
    supervisor.spawn("hangs", asyncio.Event().wait())
    assert await supervisor.drain(0.01) == 1


async def test_drain_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "END_SECONDS", 0.05)
    supervisor, deaf = Supervisor(), Deaf()
    supervisor.spawn("deaf", deaf.run())
    supervisor.run_forever("deaf too", deaf.run)
    async with asyncio.timeout(PATIENCE):
        assert await supervisor.drain(0.01) == 1
    deaf.free.set()


async def test_within_has_a_limit_also_for_who_swallows_the_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "END_SECONDS", 0.05)
    deaf = Deaf()
    with pytest.raises(TimeoutError):
        await within(0.01, "deaf", deaf.run())
    assert deaf.cancels
    deaf.free.set()
    assert await within(60, "free", deaf.run()) == "at last"
    with pytest.raises(ZeroDivisionError):
        await within(60, "broken", _broken())


async def _broken() -> None:
    raise ZeroDivisionError


async def test_beside_ends_with_its_block_and_first_of_ends_the_losers() -> None:
    async with beside("test", asyncio.Event().wait()) as task:
        await asyncio.sleep(0)
    assert task.cancelled()
    lost = watched("loser", asyncio.Event().wait())
    won = await first_of(lost, asyncio.sleep(0, "won"))
    assert won is not None
    assert won.result() == "won"
    assert lost.cancelled()
    assert await first_of(asyncio.Event().wait(), timeout=0.01) is None


async def test_a_cancel_from_within_is_a_failure_like_another() -> None:
    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    with pytest.raises(tasks.CancelledFromWithin):
        await within(60, "test", cancels_itself())
