"""Jobs of the load generator: calls at a fixed rate, and how long each waits; or when their changes arrive on another
channel.

Apart from `arrival.py` and `watched.py`, because the load generator's process loads this and nothing of the product.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from bench.load import Channel, Job, Opened, Result, answer_of, frames_of, send

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


@dataclass(frozen=True, slots=True)
class Paced:
    """A job of the load generator: `requests` at `rate` a second over `connections` in turn."""

    port: int
    requests: Sequence[bytes]
    rate: int
    connections: int

    def open(self) -> Pacing:
        return Pacing(self)


class _Caller:
    """One HTTP connection that makes one call at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        #: When each was due, and what is to be sent.
        self.left: deque[tuple[float, bytes]] = deque()
        self.busy = False
        self.buffer = bytearray()

    def next(self) -> None:
        if self.left and not self.busy:
            self.busy = True
            send(self.socket, self.left[0][1])


class Pacing:
    """`run`: `Result.took` is from the moment in which a call was due, whatever those before it take, to its answer."""

    def __init__(self, job: Paced) -> None:
        self._requests, self._rate = job.requests, job.rate
        self.result = Result()
        self._callers = [_Caller(job.port) for _ in range(job.connections)]
        self._selector = selectors.EpollSelector()
        for caller in self._callers:
            self._selector.register(caller.socket, selectors.EVENT_READ, caller)

    def run(self) -> Result:
        sent, count, rate = 0, len(self._requests), self._rate
        cpu, began = time.process_time(), time.perf_counter()
        until = began + count / rate + _PATIENCE
        while not self._over():
            now = time.perf_counter()
            if now > until:
                raise RuntimeError(f"{count - len(self.result.took)} never came: {self.result.outcomes}")
            while sent < count and now >= began + sent / rate:
                caller, due = self._callers[sent % len(self._callers)], time.perf_counter()
                self._begins(sent, due)
                caller.left.append((due, self._requests[sent]))
                caller.next()
                sent += 1
            pause = began + sent / rate - time.perf_counter() if sent < count else 1.0
            for key, _ in self._selector.select(max(0.0, pause)):
                self._readable(key.data)
        self.result.wall = time.perf_counter() - began
        self.result.busy = (time.process_time() - cpu) / self.result.wall
        return self.result

    def _over(self) -> bool:
        return self.result.count == len(self._requests)

    def _begins(self, number: int, due: float) -> None:
        """Call `number` is sent, or waits for its connection."""

    def _readable(self, caller: _Caller) -> None:
        data = caller.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        caller.buffer += data
        answer = answer_of(caller.buffer)
        if answer is not None:
            self.result.outcomes[answer[0]] += 1
            self._answered(caller.left.popleft()[0])
            caller.busy = False
            caller.next()

    def _answered(self, due: float) -> None:
        self.result.took.append(time.perf_counter() - due)


class Watching(Pacing):
    """`run`: `Result.took` is from the moment in which a call was due to its change's arrival."""

    def __init__(self, job: Arrivals) -> None:
        self._watcher = Opened(Job(job.port, channels=[job.watcher]))
        super().__init__(Paced(job.port, [one.request for one in job.changes], job.rate, job.connections))
        self.result = self._watcher.result
        self._ordinals = [one.ordinal for one in job.changes]
        self._due: dict[int, float] = {}
        ((self._watching, self._buffer),) = self._watcher.sockets
        self._selector.register(self._watching, selectors.EVENT_READ, None)

    def _over(self) -> bool:
        return super()._over() and len(self.result.took) == len(self._ordinals)

    def _begins(self, number: int, due: float) -> None:
        self._due[self._ordinals[number]] = due

    def _answered(self, due: float) -> None:
        """What counts is the arrival."""

    def _readable(self, caller: _Caller | None) -> None:
        if caller is not None:
            super()._readable(caller)
            return
        self._buffer += self._watching.recv(1 << 18)
        now = time.perf_counter()
        for payload in frames_of(self._buffer):
            if b'"changes"' in payload:
                for ordinal, _ in orjson.loads(payload)["changes"]:
                    if ordinal in self._due:
                        self.result.took.append(now - self._due.pop(ordinal))
