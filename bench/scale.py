"""What one Valkey and one web process bear: `python -m bench scale [--visitors 1000000] [--channels 20000]`.

    queue      so many visitors joined through the product's own script: memory, what one costs Redis, what a beat costs
    sweep      a look at a queue in which nothing is due
    wave       the limit is raised: how many are let in a second, and how long Redis is kept at a time
    draw       as many entries for an opening (opening_draw.py)
    changes    one change published to so many web processes (subscribers.py)
    channels   so many open channels of one web process: memory of one that waits, a new place to all of them, one
               change to all that watch

`capacity.py` goes on from these figures to what a larger sale needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import psutil
import uvloop

from bench import capacity, opening_draw, subscribers
from bench.load import Channel, Job, LoadGenerator, text_frame
from bench.measure import Figure
from bench.memory import settled, until_waiting
from bench.report import PAGE, SCALING, put, told
from bench.run import World, world
from bench.served import Served, seconds_of
from bench.sink import Sink, sink
from bench.stores import event_of, stores
from core.logs import configure_logs
from core.runtime import Runtime
from core.venue.event import Event

_TOGETHER: Final = 500
_BEATS: Final = 1_000
_PATIENCE: Final = 600.0
_CHANGES: Final = 20
#: Files that one process may need besides its channels.
_SPARE_FILES: Final = 500
#: Channels that beat, and how often.
_TALKING: Final = 1000
_BEATS_EACH: Final = 10
#: In `queue`, and in `admitted`: who comes first of those that join at once is nobody's to say, and is let in.
_PLACE: Final = b'"number":'


def run_scale(*, visitors: int, channels: int, wave: int, of: int, write: bool) -> None:
    """Prints both tables. `of`: visitors of the sale that is calculated."""

    async def measured() -> list[Figure]:
        async with world(settings, started) as opened:
            return await scale(opened, visitors=visitors, channels=channels, wave=wave)

    configure_logs(level="warning", form="text")
    with stores() as (settings, started):
        figures = uvloop.run(measured())
    found, paper = told(figures, f"{visitors:,} visitors, {channels:,} channels"), capacity.page(figures, of)
    print(f"{found}\n\n{paper}")
    if write:
        put(PAGE, "scale", found)
        put(SCALING, "capacity", paper)


async def scale(opened: World, *, visitors: int, channels: int, wave: int) -> list[Figure]:
    figures = await queue(opened.runtime, visitors, wave)
    figures += await opening_draw.opening_draw(opened.runtime, entries=visitors)
    figures += await subscribers.subscribers(opened.runtime)
    return figures + await asyncio.to_thread(_channels, opened.served_anew, channels)


async def queue(runtime: Runtime, visitors: int, wave: int) -> list[Figure]:
    valkey = psutil.Process(int((await runtime.redis.info("server"))["process_id"]))
    event = await event_of(runtime, 1000, active_limit=1)
    names = [f"v_{secrets.token_urlsafe(16)}" for _ in range(visitors)]
    await _joined(runtime, event, names[:_TOGETHER])  # scripts and connections are there
    before, cpu, began = await _used(runtime), seconds_of(valkey), time.perf_counter()
    await _joined(runtime, event, names[_TOGETHER:])
    counted, spent = len(names) - _TOGETHER, seconds_of(valkey) - cpu
    rate = counted / (time.perf_counter() - began)
    bytes_each = (await _used(runtime) - before) / counted
    beat = await _beats(runtime, event, valkey, names)
    async with _longest(runtime) as sweep:
        began = time.perf_counter()
        await runtime.waiting_room.sweep(event)
        swept = time.perf_counter() - began
    let_in, longest = await _wave(runtime, event, min(wave, visitors // 2))
    many = f"{visitors:,}"
    return [
        Figure(f"queue of {many}: memory of a visitor", bytes_each, "bytes"),
        Figure(f"queue of {many}: a join in Valkey", 1e6 * spent / counted, "us CPU"),
        Figure(f"queue of {many}: joins by one process", rate, "/s"),
        Figure(f"queue of {many}: a beat in Valkey", beat, "us CPU"),
        Figure(f"queue of {many}: a sweep with nothing due", 1000 * swept, "ms", detail={"redis_ms": sweep[0]}),
        Figure(f"queue of {many}: let in by a wave of {wave:,}", let_in, "/s"),
        Figure(f"queue of {many}: Valkey kept by the wave at a time", longest, "ms"),
    ]


async def _joined(runtime: Runtime, event: Event, names: Sequence[str]) -> None:
    left = iter(names)

    async def join() -> None:
        for name in left:
            await runtime.waiting_room.join(event, name)

    await asyncio.gather(*(join() for _ in range(_TOGETHER)))


async def _beats(runtime: Runtime, event: Event, valkey: psutil.Process, names: Sequence[str]) -> float:
    """Microseconds of Valkey for a visitor's beat, as a web process tells them: many at once."""
    some = names[: min(len(names), 100 * _BEATS)]
    before = seconds_of(valkey)
    for first in range(0, len(some), _BEATS):
        await runtime.waiting_room.beat(event, some[first : first + _BEATS])
    return 1e6 * (seconds_of(valkey) - before) / len(some)


async def _wave(runtime: Runtime, event: Event, count: int) -> tuple[float, float]:
    """Visitors a second until so many are in, and Valkey's longest command in ms."""
    raised = await runtime.events.update(event.slug, active_limit=count + 1)
    async with _longest(runtime) as longest:
        began = time.perf_counter()
        report = await runtime.waiting_room.sweep(raised)
        took = time.perf_counter() - began
    if report.active < count:
        raise RuntimeError(f"{report.active} were let in, not {count}")
    return count / took, longest[0]


@contextlib.asynccontextmanager
async def _longest(runtime: Runtime) -> AsyncIterator[list[float]]:
    """Filled at the end: ms of the longest command; what is shorter than 0.1 ms counts as that."""
    await runtime.redis.config_set("slowlog-log-slower-than", 100)
    await runtime.redis.config_set("slowlog-max-len", 4_096)
    await runtime.redis.slowlog_reset()
    found: list[float] = []
    yield found
    slow: list[dict[str, Any]] = await runtime.redis.slowlog_get(4_096)
    found.append(max((entry["duration"] for entry in slow), default=100) / 1000)


async def _used(runtime: Runtime) -> int:
    return int((await runtime.redis.info("memory"))["used_memory"])


def allow_files(count: int) -> int:
    """Asks for so many open files, for this process and what it starts; how many channels that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, count + _SPARE_FILES)  # never fewer: others in this process may need them
    with contextlib.suppress(ValueError, OSError):  # only a privileged process may have more than the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    return min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES)


def _channels(serve: Callable[[], AbstractContextManager[Served]], channels: int) -> list[Figure]:
    count = allow_files(channels)
    with serve() as server:
        slug = server.event(2000, active_limit=1)
        (owner,) = server.inside(slug, 1)
        tokens = server.visitors(count)
        path = f"/ws/events/{slug}"
        before, cpu, began = settled(server.web), seconds_of(server.web), time.perf_counter()
        with sink(server.port, count, path=path, tokens=tokens, join=True) as waiting:
            waiting.wait_until_open()
            until_waiting(server.port, slug, count)
            opened, spent = time.perf_counter() - began, seconds_of(server.web) - cpu
            # Pages are 4 KiB: of few channels in a process that has room there may be none.
            memory = max((settled(server.web) - before) / count / 1024, 0.01)
            moved = _moved(server, slug, count)
        watched, fan_cpu = _to_watchers(server, slug, owner, count)
        beat = _beat(server, slug, tokens[count // 2 :][:_TALKING])
    many = f"{count:,} channels"
    return [
        Figure(f"{many} of one process: memory of one that waits", memory, "KiB"),
        Figure(f"{many} of one process: opened and joined", 1000 * spent / count, "ms CPU", detail={"seconds": opened}),
        Figure(f"{many} of one process: a new place to all", moved, "s", most=2.0),
        Figure(f"{many} of one process: one change to all", watched, "ms"),
        Figure(f"{many} of one process: one change to one of them", fan_cpu, "us CPU"),
        Figure("a beat in the web process", beat, "us CPU"),
    ]


def _moved(server: Served, slug: str, count: int) -> float:
    """Seconds from the moment in which a place comes free until the new place is sent to the last of those who wait."""
    before, began = _sent(server), time.perf_counter()
    server.operator("POST", f"/api/operator/events/{slug}/limit", {"active_limit": 2})
    # Asking takes time of the process's own: looked at all the while, it would have none.
    _until(lambda: _sent(server) - before >= count - 1, pause=0.1)
    return time.perf_counter() - began


def _sent(server: Served) -> float:
    name = "onsale_queue_places_sent_total "
    lines = server.http.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def _beat(server: Served, slug: str, tokens: Sequence[str]) -> float:
    """Microseconds of the web process for a waiting browser's beat and its answer."""
    join, beats = text_frame(b'{"type":"join"}'), [text_frame(b'{"type":"beat"}')] * _BEATS_EACH
    channels = [Channel(server.channel(slug, one), join, _PLACE, beats, b'"beat"') for one in tokens]
    with LoadGenerator(Job(server.port, channels=channels)) as load:
        before = seconds_of(server.web)
        count = load.run().count
        return 1e6 * (seconds_of(server.web) - before) / count


def _to_watchers(server: Served, slug: str, owner: str, count: int) -> tuple[float, float]:
    """Milliseconds from a hold call until all who look at the map have it; the web process's us for each of them."""

    def hold(seat: int) -> None:
        who = {"Authorization": f"Bearer {owner}"}
        server.http.post(f"/api/events/{slug}/holds", json={"seats": [seat]}, headers=who).raise_for_status()

    with sink(server.port, count, path=f"/ws/events/{slug}", tokens=server.visitors(count)) as watching:
        watching.wait_until_open()
        _quiet(watching)
        before = watching.bytes
        hold(10)
        _quiet(watching)
        size = watching.bytes - before
        took, cpu = [], seconds_of(server.web)
        for seat in range(11, 11 + _CHANGES):
            before, began = watching.bytes, time.perf_counter()
            hold(seat)
            # A longer version number makes a message longer by a byte, never shorter.
            _until(lambda wanted=before + size: watching.bytes >= wanted)  # type: ignore[misc]
            took.append(time.perf_counter() - began)
        return 1000 * min(took), 1e6 * (seconds_of(server.web) - cpu) / _CHANGES / count


def _quiet(to: Sink) -> None:
    """Until the boards of the beginning, or a change, have arrived."""
    seen = -1
    while seen != to.bytes:
        seen = to.bytes
        time.sleep(1.0)


def _until(true: Callable[[], bool], *, pause: float = 0.0005) -> None:
    end = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > end:
            raise RuntimeError("a change did not get to all")
        time.sleep(pause)
