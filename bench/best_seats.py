"""The best two seats in a hall of 60,000, beside a plain hold of two: time inside Redis, by Redis' own account.

empty; half sold at random; half sold from the best on; 99 of 100 sold at random; and three left in every row, where
each pair leaves a single seat over and all rows are looked at.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from bench.measure import Figure
from bench.stores import event_of, let_in
from core import keys
from core.errors import OnsaleError
from core.runtime import Runtime
from core.seats.best_seats import Hall, Wish
from core.venue.event import Event

_SEATS: Final = 60_000
#: How long one of them may keep Redis from everybody, in microseconds.
_MOST: Final = 3_000.0
_VISITOR: Final = "best"
#: Calls of one round.
_CALLS: Final = 50


async def best_seats(runtime: Runtime, *, rounds: int = 7) -> list[Figure]:
    """Calls a second that Redis has time for, against one in 3 ms; the best round counts."""
    event = await event_of(runtime, _SEATS)
    await let_in(runtime, event, [_VISITOR])
    hall = (await runtime.halls.table(event)).hall
    figures = []
    for name, states in _boards(hall).items():
        pair = next(run.seats[:2] for run in hall.runs if states[run.seats[0]] == states[run.seats[1]] == 0)
        hold = partial(runtime.seats.hold, event, _VISITOR, pair)
        best = partial(runtime.seats.best, event, _VISITOR, Wish(2))
        plain = await _best_of(runtime, event, states, rounds, hold)
        took = await _best_of(runtime, event, states, rounds, best)
        detail = {"us": took, "plain_hold_us": plain, "seats": _SEATS}
        figures.append(Figure(f"best seats, {name}", 1e6 / took, "/s", 1e6 / _MOST, "one in 3 ms", 1.0, detail))
        figures.append(Figure(f"best seats, {name}", 1e6 / took, "/s", 1e6 / plain, "a plain hold of two"))
    return figures


def _boards(hall: Hall) -> Mapping[str, bytes]:
    chance = random.Random(1)
    nearest = sorted(range(_SEATS), key=lambda seat: hall.distance[seat])
    half = bytearray(_SEATS)
    for seat in nearest[: _SEATS // 2]:
        half[seat] = 2
    threes = bytearray(b"\2" * _SEATS)
    for run in hall.runs:
        for seat in run.seats[:3]:
            threes[seat] = 0
    return {
        "empty": bytes(_SEATS),
        "half sold at random": bytes(2 * (chance.random() < 0.5) for _ in range(_SEATS)),
        "the best half sold": bytes(half),
        "99 of 100 sold": bytes(2 * (chance.random() < 0.99) for _ in range(_SEATS)),
        "three left in each row": bytes(threes),
    }


async def _best_of(
    runtime: Runtime, event: Event, states: bytes, rounds: int, call: Callable[[], Awaitable[object]]
) -> float:
    """Microseconds of one call inside Redis, the board being `states` before each."""
    best = float("inf")
    for _ in range(rounds):
        spent = 0.0
        for _ in range(_CALLS):
            await runtime.seats.release(event, _VISITOR)
            await runtime.redis.set(keys.board(event.slug), states)
            before = await _inside(runtime)
            try:
                await call()
            except OnsaleError as error:
                raise RuntimeError("a benchmark of a refusal would be another one") from error
            spent += await _inside(runtime) - before
        best = min(best, spent / _CALLS)
    return best


async def _inside(runtime: Runtime) -> float:
    stats = await runtime.redis.info("commandstats")
    return float(sum(stats[name]["usec"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats))
