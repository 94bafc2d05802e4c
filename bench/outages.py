"""What an outage asks of the product (R4): every open page hears of it, and afterwards all buyers get the time back.

A store that is stopped (SIGSTOP) is the slowest to be noticed: it takes connections and says nothing. Pages that wait
are told over their channels; a page is told when the frame has come. Giving back is what the sweep does, a batch at a
time; for how long Redis is busy with one, its own slow log says.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import psutil

from bench.load import Channel, Job, LoadGenerator, text_frame
from bench.measure import Effort, Figure
from bench.served import POSTGRESQL, VALKEY, Served
from bench.slow_log import SlowLog, slow_log
from bench.stores import event_of, let_in
from core.process.store_watch import GIVEN_WITHIN_SECONDS, SILENT_SECONDS
from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_room.outage import Outage

_PAGES: Final = 2_000
_TOLD_SECONDS: Final = 5.0
#: With a session and a basket each.
_BUYERS: Final = 20_000
#: Milliseconds for which Redis may be kept from everybody else.
_MOST_MS: Final = 50.0
_ROUNDS: Final = 3
_PATIENCE: Final = 60.0
_AT_ONCE: Final = 50
_JOIN, _BEAT = text_frame(b'{"type":"join"}'), text_frame(b'{"type":"beat"}')
_NAMES: Final = {POSTGRESQL: "PostgreSQL", VALKEY: "Valkey"}


async def told(serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """Of one round only PostgreSQL is stopped."""
    return await asyncio.to_thread(_told, await asyncio.to_thread(serve), effort)


def _told(served: Served, effort: Effort) -> list[Figure]:
    slug = served.event(100, active_limit=1)
    served.inside(slug, 1)
    most = min(_PAGES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    # A sign of life that the store does not take any more is answered too: that is not what is waited for.
    channels = [
        Channel(served.channel(slug, token), _JOIN, b'"type":"queue"', [_BEAT], b'"type":"outage"', ())
        for token in served.visitors(effort.of(_PAGES, most=most))
    ]
    figures = []
    for store, name in list(_NAMES.items())[: effort.rounds]:
        taken = [_heard(served, store, channels) for _ in range(min(effort.rounds, _ROUNDS))]
        figures.append(
            Figure(
                f"{name} hangs, until {len(channels):,} pages say so",
                max(taken),
                "s",
                SILENT_SECONDS,
                "silence that is no outage yet",
                detail={"seconds": taken},
                most=_TOLD_SECONDS,
            )
        )
    return figures


def _heard(served: Served, store: str, channels: Sequence[Channel]) -> float:
    """Seconds from the stop until the last page has heard. Raises RuntimeError when one hears something else, or
    nothing.
    """
    with LoadGenerator(Job(served.port, channels=channels, longest=_PATIENCE)) as load:
        began = time.perf_counter()
        with _stopped(served.processes(store)):
            before = time.perf_counter() - began
            result = load.run()
    if dict(result.outcomes) != {200: len(channels)}:
        raise RuntimeError(f"a benchmark of something else: {dict(result.outcomes)}")
    until = time.monotonic() + _PATIENCE
    while (said := served.http.get("/api/outage").json())["away"] or said["since"]:
        if time.monotonic() > until:
            raise RuntimeError(f"it does not end: {said}")
        time.sleep(0.1)
    return before + result.wall


@contextlib.contextmanager
def _stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """They go on with the end of the block, whatever happens in it."""
    try:
        _send(processes, signal.SIGSTOP)
        yield
    finally:
        _send(processes, signal.SIGCONT)


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


async def time_given(runtime: Runtime, effort: Effort) -> list[Figure]:
    """Of the worst round."""
    count = effort.of(_BUYERS, most=_BUYERS)
    event = await _holding(runtime, count)
    async with slow_log(runtime.redis, from_us=100) as slow:
        taken = [await _given(runtime, event, count, slow) for _ in range(min(effort.rounds, _ROUNDS))]
    seconds, longest = (max(figures) for figures in zip(*taken, strict=True))
    detail = {"buyers": count, "seconds": seconds, "redis_longest_ms": longest}
    return [
        Figure(
            f"time given back to {count:,} buyers",
            count / seconds,
            "/s",
            _BUYERS / GIVEN_WITHIN_SECONDS,
            f"{_BUYERS:,} within {GIVEN_WITHIN_SECONDS:.0f} s",
            1.0,
            detail,
        ),
        Figure("time given back, Redis at a time", 1000 / longest, "/s", 1000 / _MOST_MS, "50 ms at most", 1.0, detail),
    ]


async def _given(runtime: Runtime, event: Event, count: int, slow: SlowLog) -> tuple[float, float]:
    """Seconds until all have the time back, and milliseconds of Redis for the longest batch of it."""
    await runtime.waiting_room.sweep(event, outage=Outage(seconds=1.0))
    await slow.empty()
    began, given, more = time.perf_counter(), 0, True
    while more:
        report = await runtime.waiting_room.sweep(event, batches=1)
        given, more = given + report.given_time, report.more
    seconds = time.perf_counter() - began
    if given != 2 * count:
        raise RuntimeError(f"a benchmark of something else: {given} sessions and baskets instead of {2 * count}")
    return seconds, await slow.longest_ms()


async def _holding(runtime: Runtime, count: int) -> Event:
    """A sale in which so many are inside, with a seat each."""
    event = await event_of(runtime, count)
    visitors = [f"v_{number:022d}" for number in range(count)]
    await let_in(runtime, event, visitors)
    left = iter(enumerate(visitors))

    async def hold() -> None:
        for seat, visitor in left:
            await runtime.seats.hold(event, visitor, [seat])

    await asyncio.gather(*(hold() for _ in range(_AT_ONCE)))
    # Their sessions are as long as any are from now on.
    await runtime.waiting_room.sweep(event)
    return event
