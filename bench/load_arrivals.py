"""A job of the load generator: calls at a fixed rate, and when their changes arrive on another channel.

Apart from `arrival.py`, because the load generator's process loads this and nothing of the product.
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
