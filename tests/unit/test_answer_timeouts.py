"""Many waits have one timer, and an end each; who is kept waiting by this process' own work is given more."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from core.process import waits
from core.process.waits import AnswerTimeouts, Wait

_NEVER = 600.0


class Ours(Wait):
    """A wait that this process is to blame for."""

    def is_our_own_fault(self) -> bool:
        return True


class Theirs(Wait):
    def is_our_own_fault(self) -> bool:
        return False


def future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


async def test_what_is_not_answered_ends() -> None:
    timeouts = AnswerTimeouts()
    answered, hanging, later = future(), future(), future()
    timeouts.bound(answered, Theirs(), 0.01, _NEVER)
    timeouts.bound(hanging, Theirs(), 0.01, _NEVER)
    answered.set_result("in time")
    with pytest.raises(TimeoutError):
        await hanging
    assert answered.result() == "in time"
    # The timer is there again for who comes after all are done.
    timeouts.bound(later, Theirs(), 0.01, _NEVER)
    with pytest.raises(TimeoutError):
        await later


async def test_our_own_lack_of_time_gives_more_until_the_longest() -> None:
    timeouts, ours, theirs = AnswerTimeouts(), future(), future()
    timeouts.bound(ours, Ours(), 0.01, _NEVER)
    timeouts.bound(theirs, Theirs(), 0.01, _NEVER)
    with pytest.raises(TimeoutError):
        await theirs
    assert not ours.done()
    ours.cancel()
    at_last = future()
    timeouts.bound(at_last, Ours(), 0.01, 0.03)
    with pytest.raises(TimeoutError):
        await at_last


async def test_answered_ones_are_not_kept() -> None:
    """Their results would be, for as long as the slowest of them is waited for."""
    timeouts = AnswerTimeouts()
    for _ in range(1_000):
        one = future()
        timeouts.bound(one, Theirs(), _NEVER, _NEVER)
        one.set_result(None)
    assert len(timeouts._due) <= 1


async def test_who_goes_away_is_not_answered() -> None:
    timeouts, gone, hanging = AnswerTimeouts(), future(), future()
    timeouts.bound(gone, Theirs(), 0.01, _NEVER)
    gone.cancel()
    timeouts.bound(hanging, Theirs(), 0.01, _NEVER)
    with pytest.raises(TimeoutError):
        await hanging
    assert gone.cancelled()


def test_the_systems_word_is_asked_for_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def process_time() -> float:
        nonlocal asked
        asked += 1
        return 1.0

    now = time.monotonic() + 1_000
    monkeypatch.setattr(time, "process_time", process_time)
    process = waits._ProcessTime()
    for step in range(100):
        assert process.before(now + step * 0.001) == 1.0
    assert asked == 2
