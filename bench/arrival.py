"""From a hold call to its change on another browser's channel, at so many changes a second.

The limit: a Starlette that passes on what it is told to every open channel, at once. Both are called at the same rate,
whatever the answers take; only who has answered is called again.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bench.bare import Bare
from bench.load import Channel, Job, LoadGenerator, Opened, Result, answer_of, frames_of, send, text_frame
from bench.measure import Effort, Figure
from bench.served import WEB, Served, seconds_of
from bench.served_row import Kind, ServedRow, Taken

RATES: Final = (1, 50, 200, 1000)
#: Changes of one round, at least: percentiles of fewer say nothing.
_LEAST: Final = 5
_VISITORS: Final = 100
_PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Change:
    """`request` makes `ordinal` change."""

    request: bytes
    ordinal: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A job of the load generator: `changes` at `rate` a second over `connections` in turn, seen by `watcher`."""

    port: int
    watcher: Channel
    changes: Sequence[Change]
    rate: int
    connections: int

    def open(self) -> Watching:
        return Watching(self)


class _Caller:
    """One HTTP connection that makes one call at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.left: deque[bytes] = deque()
        self.busy = False
        self.buffer = bytearray()

    def next(self) -> None:
        if self.left and not self.busy:
            self.busy = True
            send(self.socket, self.left.popleft())


class Watching:
    """`run`: `Result.took` is from the moment in which a call was due to its change's arrival."""

    def __init__(self, job: Arrivals) -> None:
        self._job = job
        self._watcher = Opened(Job(job.port, channels=[job.watcher]))
        self.result = self._watcher.result
        self._callers = [_Caller(job.port) for _ in range(job.connections)]

    def run(self) -> Result:
        ((watching, buffer),) = self._watcher.sockets
        selector = selectors.EpollSelector()
        for caller in self._callers:
            selector.register(caller.socket, selectors.EVENT_READ, caller)
        selector.register(watching, selectors.EVENT_READ, None)
        due: dict[int, float] = {}
        sent, calls = 0, self._job.changes
        cpu, began = time.process_time(), time.perf_counter()
        until = began + len(calls) / self._job.rate + _PATIENCE
        while len(self.result.took) < len(calls) or self.result.count < len(calls):
            now = time.perf_counter()
            if now > until:
                raise RuntimeError(
                    f"{len(calls) - len(self.result.took)} changes never arrived: {self.result.outcomes}"
                )
            while sent < len(calls) and now >= began + sent / self._job.rate:
                caller = self._callers[sent % len(self._callers)]
                due[calls[sent].ordinal] = time.perf_counter()
                caller.left.append(calls[sent].request)
                caller.next()
                sent += 1
            pause = began + sent / self._job.rate - time.perf_counter() if sent < len(calls) else 1.0
            for key, _ in selector.select(max(0.0, pause)):
                if key.data is None:
                    buffer += watching.recv(1 << 18)
                    self._seen(buffer, due)
                else:
                    self._answered(key.data)
        self.result.wall = time.perf_counter() - began
        self.result.busy = (time.process_time() - cpu) / self.result.wall
        return self.result

    def _answered(self, caller: _Caller) -> None:
        data = caller.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        caller.buffer += data
        answer = answer_of(caller.buffer)
        if answer is not None:
            self.result.outcomes[answer[0]] += 1
            caller.busy = False
            caller.next()

    def _seen(self, buffer: bytearray, due: dict[int, float]) -> None:
        now = time.perf_counter()
        for payload in frames_of(buffer):
            if b'"changes"' in payload:
                for ordinal, _ in orjson.loads(payload)["changes"]:
                    if ordinal in due:
                        self.result.took.append(now - due.pop(ordinal))


def _taken(job: Arrivals, wanted: int, spent: Callable[[], float]) -> Taken:
    with LoadGenerator(job) as load:
        before = spent()
        result = load.run()
        cpu = spent() - before
    if set(result.outcomes) != {wanted}:
        raise RuntimeError(f"a benchmark of something else: {dict(result.outcomes)}")
    return Taken(result.count, result.wall, {WEB: cpu}, result)


def _count(rate: int, effort: Effort) -> int:
    return effort.of(3 * rate, least=_LEAST, most=3 * rate)


def _ours(rate: int) -> Callable[[Served, Effort], Kind]:
    def prepare(served: Served, effort: Effort) -> Kind:
        count = _count(rate, effort)
        visitors = min(_VISITORS, count)
        slug = served.event(count)
        watcher, *tokens = served.inside(slug, visitors + 1)
        path = f"/api/events/{slug}/holds"
        changes = [
            Change(served.call("POST", path, tokens[n % visitors], {"seats": [n]}).request, n) for n in range(count)
        ]
        channel = Channel(served.channel(slug, watcher), text_frame(b'{"type":"join"}'), b'"board"')
        job = Arrivals(served.port, channel, changes, rate, visitors)
        release = [served.call("DELETE", path, token) for token in tokens]

        def once() -> Taken:
            taken = _taken(job, 201, lambda: seconds_of(served.web))
            served.send(release)
            return taken

        return once

    return prepare


def _bare(rate: int) -> Callable[[Bare, Effort], Kind]:
    def limit(bare: Bare, effort: Effort) -> Kind:
        count = _count(rate, effort)

        def message(ordinal: int) -> bytes:
            told: dict[str, Any] = {"type": "seats", "epoch": 1, "version": ordinal, "changes": [[ordinal, 1]]}
            return orjson.dumps(told)

        changes = [Change(bare.say(message(n)), n) for n in range(count)]
        channel = Channel(bare.handshake(), text_frame(b'{"type":"join"}'), b'"join"')
        job = Arrivals(bare.port, channel, changes, rate, min(_VISITORS, count))
        return lambda: _taken(job, 200, lambda: seconds_of(bare.process))

    return limit


def _figures(rate: int) -> Callable[[Sequence[Taken], Sequence[Taken]], list[Figure]]:
    """Of all rounds together: what is seldom is what p99 is about."""
    aims = (3.0, 20.0) if rate <= 200 else (27.0, 53.0)

    def figures(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
        made = []
        for name, part, most in (("p50", 0.5, aims[0]), ("p99", 0.99, aims[1])):
            value, bare = (1000 * _all(rounds).percentile(part) for rounds in (ours, limit))
            detail = {"changes": _all(ours).count, "web_us_each": min(one.each for one in ours)}
            title = f"hold call to another browser at {rate:,}/s, {name}"
            made.append(Figure(title, value, "ms", bare, "passed on at once", detail=detail, most=most))
        return made

    return figures


def _all(rounds: Sequence[Taken]) -> Result:
    together = Result()
    for one in rounds:
        together.took.extend(one.result.took)
        together.outcomes.update(one.result.outcomes)
    return together


ROWS: Final = tuple(ServedRow(f"arrival-{rate}", _ours(rate), _bare(rate), _figures(rate)) for rate in RATES)
