"""A sale that a thousand browsers look at: how long a hold call takes meanwhile, and what a change costs to deliver.

watched     hold calls at a fixed rate; the limit is a bare Starlette answer at that rate, with nobody to tell
delivered   changes that nobody asks this process for, at several rates: its processor time for one change to one
            browser; the limit is a bare Starlette that passes each one on to as many channels, at once and by itself
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

from bench.bare import Bare
from bench.load import Call, Job, LoadGenerator
from bench.load_arrivals import Paced
from bench.measure import Effort, Figure, TooBusy
from bench.served import WEB, Served
from bench.served_row import Kind, ServedRow, Taken, of_bare
from bench.sink import Sink, sink
from bench.stores import let_in
from core.runtime import Runtime
from realtime import wire

WATCHERS: Final = 1_000
#: Changes a second, and what each cost to one browser on 2026-11-25, in microseconds: no more than that.
RATES: Final = {50: 5.4, 200: 1.85, 1_000: 0.65}
#: Of the hold calls: the most that go out one by one (`realtime/gathering.py`).
_A_SECOND: Final = 200
_CALLERS: Final = 50
#: Changes are made so many times a second at most, several at once above that.
_TICKS: Final = 200
_PATIENCE: Final = 120.0
#: Of one round's changes, at least: the first ones of a calm go out by themselves.
_LEAST: Final = 20
_REST_SECONDS: Final = 1.0


def _taken(job: Paced, wanted: int) -> Taken:
    with LoadGenerator(job) as load:
        result = load.run()
    if set(result.outcomes) != {wanted}:
        raise RuntimeError(f"a benchmark of something else: {dict(result.outcomes)}")
    return Taken(result.count, result.wall, {}, result)


def _holds(served: Served, effort: Effort) -> Kind:
    """Each by a visitor of its own, of a seat of its own, while others only look; these come anew in each round."""
    count, watchers = effort.of(3 * _A_SECOND, most=3 * _A_SECOND), effort.of(2 * WATCHERS, most=WATCHERS)
    slug = served.event(count)
    tokens, others = served.inside(slug, count), served.visitors(watchers)
    path = f"/api/events/{slug}/holds"
    requests = [served.call("POST", path, token, {"seats": [n]}).request for n, token in enumerate(tokens)]
    release = [served.call("DELETE", path, token) for token in tokens]

    def once() -> Taken:
        with sink(served.port, watchers, path=f"/ws/events/{slug}", tokens=others) as watching:
            watching.wait_until_open()
            _quiet(watching)
            taken = _taken(Paced(served.port, requests, _A_SECOND, _CALLERS), 201)
        served.send(release)
        return taken

    return once


def _answers(bare: Bare, effort: Effort) -> Kind:
    count = effort.of(3 * _A_SECOND, most=3 * _A_SECOND)
    job = Paced(bare.port, [bare.call(b'{"seats":[1207]}')] * count, _A_SECOND, _CALLERS)
    return lambda: _taken(job, 200)


def _p99(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
    """Of the round in the middle: a pause of the machine's that meets one of them is none of ours."""

    def middle(rounds: Sequence[Taken], part: float) -> float:
        return statistics.median(1000 * one.result.percentile(part) for one in rounds)

    detail = {"p50_ms": middle(ours, 0.5), "a_second": _A_SECOND, "holds": ours[0].count}
    title = f"a hold's p99 with {WATCHERS:,} watchers"
    name = f"bare Starlette answer, {_A_SECOND}/s"
    return [Figure(title, middle(ours, 0.99), "ms", middle(limit, 0.99), name, detail=detail, most=8.0)]


ROWS: Final = (ServedRow("watched", _holds, _answers, _p99),)


async def delivered(runtime: Runtime, serve: Callable[..., Served], bare: Bare, effort: Effort) -> list[Figure]:
    """`serve` starts a sale on the stores of `runtime`."""
    served = await asyncio.to_thread(serve)
    limit = await asyncio.to_thread(_passed_on, bare, effort)
    return [
        Figure(
            f"a change to one of {WATCHERS:,} watchers, {rate:,}/s",
            await fan_out(runtime, served, effort, rate),
            "us CPU",
            limit,
            "each passed on at once (bare Starlette)",
            most=most,
        )
        for rate, most in RATES.items()
    ]


def _passed_on(bare: Bare, effort: Effort) -> float:
    """Microseconds of the bare server for one message to one channel, in the best round."""
    watchers, count = effort.of(2 * WATCHERS, most=WATCHERS), effort.of(50, least=2, most=50)
    message = wire.seats(1, 12_345, [(1_207, 1)])
    job = Job(bare.port, [Call(bare.say(message))] * count, 1)
    with sink(bare.port, watchers, path="/ws") as hearing:
        hearing.wait_until_open()
        return min(of_bare(bare, job).each for _ in range(effort.rounds)) / watchers


async def fan_out(runtime: Runtime, served: Served, effort: Effort, rate: int) -> float:
    """Microseconds of all web processes for one change to one browser at `rate` changes a second, without what they
    need at rest, in whichever pause that was least; in the best round. The changes are made in the stores, by no web
    process. Raises TooBusy where a rush costs no more than rest.
    """
    watchers, changes = effort.of(2 * WATCHERS, most=WATCHERS), effort.of(rate, least=_LEAST)
    event = await runtime.events.get(await asyncio.to_thread(served.event, changes))
    await runtime.seats.ensure_board(event)
    holders = [f"v_{number:022d}" for number in range(changes)]
    await let_in(runtime, event, holders)
    tokens = await asyncio.to_thread(served.visitors, watchers)
    at_once = max(1, rate // _TICKS)
    rests, rushes = [], []
    with sink(served.port, watchers, path=f"/ws/events/{event.slug}", tokens=tokens) as watching:
        await asyncio.to_thread(watching.wait_until_open)
        await asyncio.to_thread(_quiet, watching)
        for number in range(effort.rounds + 1):
            idle, began = served.cpu(), time.monotonic()
            await asyncio.sleep(_REST_SECONDS)
            rests.append(served.cpu().since(idle)[WEB] / (time.monotonic() - began))
            before, began = served.cpu(), time.monotonic()
            for first in range(0, changes, at_once):
                some = range(first, min(first + at_once, changes))
                await asyncio.gather(*(runtime.seats.hold(event, holders[seat], [seat]) for seat in some))
                await asyncio.sleep(max(0.0, began + (first + len(some)) / rate - time.monotonic()))
            await asyncio.to_thread(_quiet, watching)
            took = time.monotonic() - began
            if number:
                rushes.append((served.cpu().since(before)[WEB], took))
            await asyncio.gather(*(runtime.seats.release(event, visitor) for visitor in holders))
            await asyncio.to_thread(_quiet, watching)
    least = min(spent - min(rests) * took for spent, took in rushes)
    if least <= 0:
        raise TooBusy("a rush that costs nothing: the machine is too busy to tell")
    return 1e6 * least / changes / watchers


def _quiet(to: Sink) -> None:
    """Until no more arrives. Blocks."""
    seen, until = -1, time.monotonic() + _PATIENCE
    while seen != to.bytes:
        if time.monotonic() > until:
            raise RuntimeError("the watchers hear news for ever")
        seen = to.bytes
        time.sleep(0.3)
