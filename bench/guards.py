"""The three seat guards side by side (S4), and what early release of the lock is worth (S2).

uncontended   100 visitors at a time, each a seat of its own: what a guard costs.
contended     50 visitors at once want the same seat, seat after seat: what losing costs. Of each 50 exactly one wins.
early release the lock guard on one seat with a buyer who pays for a while: released after the change of state, or held
              until paid, as a system does that locks "the purchase".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from prometheus_client import REGISTRY

from bench.measure import Stopwatch, markdown
from bench.stores import event_of, let_in
from cli.load.measures import Durations, Summary
from core.embedded import Engines
from core.errors import SeatTaken
from core.runtime import Runtime, open_runtime
from core.seats.seat_lock_redis import LockBusy, SeatLocks
from core.seats.seats import Seats
from core.settings import Settings
from core.venue.event import Event

NAMES: Final = ("atomic", "lock", "optimistic")
_SEATS: Final = 2000
_TASKS: Final = 100
_WANTED: Final = 40
_RIVALS: Final = 50
#: A payment of the early-release comparison, in seconds; the source's system paid for 2.
_PAYS: Final = 0.2

_FIGURES: Final = {
    "conflicts": ("onsale_optimistic_conflicts_total", {}),
    "lock_busy": ("onsale_seat_lock_acquisitions_total", {"result": "busy"}),
    "lock_waits": ("onsale_seat_lock_wait_seconds_count", {}),
    "lock_wait_seconds": ("onsale_seat_lock_wait_seconds_sum", {}),
    "lock_held_seconds": ("onsale_seat_lock_held_seconds_sum", {}),
}


async def guards(settings: Settings, started: Engines) -> list[dict[str, Any]]:
    """One row for each guard and load, then two for early release."""
    rows: list[dict[str, Any]] = []
    for name in NAMES:
        async with open_runtime(settings.model_copy(update={"seat_guard": name}), started) as runtime:
            rows.append(await _uncontended(runtime, name))
            rows.append(await _contended(runtime, name))
    async with open_runtime(settings, started) as runtime:
        rows += [await _paying(runtime, early=early) for early in (True, False)]
    return rows


async def _uncontended(runtime: Runtime, name: str) -> dict[str, Any]:
    event = await event_of(runtime, _SEATS)
    visitors = await _visitors(runtime, event, _SEATS)
    left = list(enumerate(visitors))
    took = Durations()

    async def hold() -> None:
        while left:
            seat, visitor = left.pop()
            await _timed(took, runtime.seats, event, visitor, seat)

    before = _figures()
    with Stopwatch() as watch:
        await asyncio.gather(*(hold() for _ in range(_TASKS)))
    return _row(name, "uncontended", took, watch.wall, before)


async def _contended(runtime: Runtime, name: str) -> dict[str, Any]:
    event = await event_of(runtime, _WANTED)
    visitors = await _visitors(runtime, event, _WANTED * _RIVALS)
    took = Durations()
    before = _figures()
    with Stopwatch() as watch:
        for seat in range(_WANTED):
            rivals = visitors[seat * _RIVALS : (seat + 1) * _RIVALS]
            await asyncio.gather(*(_timed(took, runtime.seats, event, visitor, seat) for visitor in rivals))
    row = _row(name, "contended", took, watch.wall, before)
    if row["granted"] != _WANTED:
        raise RuntimeError(f"{row['granted']} holds were granted for {_WANTED} seats")
    return row


async def _paying(runtime: Runtime, *, early: bool) -> dict[str, Any]:
    """Rivals for one seat after the other: the first takes the lock, sets the state, and pays."""
    settings = runtime.settings
    locks = SeatLocks(runtime.run, wait=settings.lock_wait_seconds, lease=settings.lock_lease_seconds)
    event = await event_of(runtime, 5)
    took, sold = Durations(), set[int]()

    async def buy(seat: int) -> None:
        began = time.perf_counter()
        try:
            async with locks.hold(event.slug, [seat]):
                free = seat not in sold
                sold.add(seat)
                if free and not early:
                    await asyncio.sleep(_PAYS)
            if free and early:
                await asyncio.sleep(_PAYS)
        except LockBusy:
            free = False
        took.note("granted" if free else "refused", time.perf_counter() - began)

    before = _figures()
    with Stopwatch() as watch:
        for seat in range(event.seat_count):
            await asyncio.gather(*(buy(seat) for _ in range(10)))
    return _row("lock", "released early" if early else "held while paying", took, watch.wall, before)


async def _visitors(runtime: Runtime, event: Event, count: int) -> Sequence[str]:
    visitors = [f"v_{number:022d}" for number in range(count)]
    await let_in(runtime, event, visitors)
    return visitors


async def _timed(took: Durations, seats: Seats, event: Event, visitor: str, seat: int) -> None:
    began = time.perf_counter()
    try:
        await seats.hold(event, visitor, [seat])
        result = "granted"
    except SeatTaken:
        result = "refused"
    took.note(result, time.perf_counter() - began)


def _figures() -> dict[str, float]:
    return {name: REGISTRY.get_sample_value(metric, labels) or 0.0 for name, (metric, labels) in _FIGURES.items()}


def _row(guard: str, load: str, took: Durations, wall: float, before: dict[str, float]) -> dict[str, Any]:
    nothing = Summary(0, 0.0, 0.0, 0.0)
    granted, refused = (took.summaries().get(result, nothing) for result in ("granted", "refused"))
    moved = {name: value - before[name] for name, value in _figures().items()}
    waits = moved.pop("lock_waits")
    return {
        "guard": guard,
        "load": load,
        "granted": granted.count,
        "refused": refused.count,
        "answers_per_second": (granted.count + refused.count) / wall,
        "granted_ms": {"mean": granted.mean * 1000, "p95": granted.p95 * 1000, "max": granted.max * 1000},
        "refused_ms": {"mean": refused.mean * 1000, "p95": refused.p95 * 1000, "max": refused.max * 1000},
        "conflicts": int(moved["conflicts"]),
        "lock_busy": int(moved["lock_busy"]),
        "lock_wait_ms": 1000 * moved["lock_wait_seconds"] / waits if waits else 0.0,
        "lock_held_ms": 1000 * moved["lock_held_seconds"] / waits if waits else 0.0,
    }


def guards_table(rows: list[dict[str, Any]]) -> str:
    """As Markdown; times in milliseconds."""
    head = (
        "guard",
        "load",
        "answers/s",
        "granted",
        "mean",
        "p95",
        "refused",
        "mean",
        "p95",
        "conflicts",
        "lock wait",
        "lock held",
        "lock not had",
    )
    lines = [
        (
            row["guard"],
            row["load"],
            f"{row['answers_per_second']:,.0f}",
            f"{row['granted']:,}",
            f"{row['granted_ms']['mean']:,.1f}",
            f"{row['granted_ms']['p95']:,.1f}",
            f"{row['refused']:,}",
            f"{row['refused_ms']['mean']:,.1f}",
            f"{row['refused_ms']['p95']:,.1f}",
            f"{row['conflicts']:,}",
            f"{row['lock_wait_ms']:,.1f}",
            f"{row['lock_held_ms']:,.1f}",
            f"{row['lock_busy']:,}",
        )
        for row in rows
    ]
    return markdown([head, *lines])
