"""The load generator: a process of its own with raw sockets and one epoll, which sends a request when it has an answer.

    job     what is to be sent, over how many connections; pickled on standard input
    ready   said once every connection is open (and every channel has heard what it waits for)
    go      a line on standard input: all begin
    result  pickled on standard output

It spends some 10 us on a request, a fifth of what the barest of servers does: `Result.busy` shows that it waited for
the server and not the other way round.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import math
import os
import pickle
import selectors
import socket
import subprocess
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final, Protocol, cast

import orjson

_CHUNK: Final = 1 << 18
_PATIENCE: Final = 300.0
#: A channel that was told to come back does so after this long.
_PAUSE_SECONDS: Final = 0.25
#: Of an answer: its status and its body.
Answer = tuple[int, bytes]
Steps = Generator[bytes, Answer, int]


@dataclass(frozen=True, slots=True)
class Call:
    """One request; its outcome is the status."""

    request: bytes

    def steps(self) -> Steps:
        status, _ = yield self.request
        return status


class Work(Protocol):
    """What one visitor does: requests that follow from answers; the outcome is counted."""

    def steps(self) -> Steps: ...


@dataclass(frozen=True, slots=True)
class Channel:
    """A live channel: it is open when `ready` stands in a frame that came after `first` was sent.

    Then each of `frames` is sent once the one before was answered: by a frame with `answer` in it, or by one of
    `refusals`.
    """

    handshake: bytes
    first: bytes
    ready: bytes
    frames: Sequence[bytes] = ()
    answer: bytes = b""
    refusals: Sequence[bytes] = (b'"refused"', b'"problem"')


@dataclass(frozen=True, slots=True)
class Job:
    """`works` are shared out over `connections`; channels have one each. `keep`: the answers' bodies are wanted.
    `longest`: seconds that a run may take, whatever else comes meanwhile.
    """

    port: int
    works: Sequence[Work] = ()
    connections: int = 0
    channels: Sequence[Channel] = ()
    keep: bool = False
    longest: float = math.inf

    def open(self) -> Opened:
        return Opened(self)


class Opening(Protocol):
    """A job, as the process takes it: `result` of opening, and `run`."""

    result: Result

    def run(self) -> Result: ...


class AnyJob(Protocol):
    def open(self) -> Opening: ...


@dataclass
class Result:
    """`seconds` of each work in `took`; `opened`: until all was ready; `busy`: this process's share of a core; `again`:
    channels that were told to come back before they were ready, and did.
    """

    outcomes: Counter[int] = field(default_factory=Counter)
    took: array[float] = field(default_factory=lambda: array("d"))
    bodies: list[bytes] = field(default_factory=list)
    opened: float = 0.0
    wall: float = 0.0
    busy: float = 0.0
    again: int = 0

    @property
    def count(self) -> int:
        return self.outcomes.total()

    def percentile(self, part: float) -> float:
        """In seconds."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


class _Connection:
    """One HTTP connection: takes works until there are none."""

    def __init__(self, job: Job, left: deque[Work], result: Result) -> None:
        self.socket = socket.create_connection(("127.0.0.1", job.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._left, self._result, self._keep = left, result, job.keep
        self._steps: Steps | None = None
        self._buffer = bytearray()
        self._began = 0.0

    def begin(self) -> bool:
        """The next work; False when there is none."""
        if not self._left:
            return False
        self._steps = self._left.popleft().steps()
        self._began = time.perf_counter()
        send(self.socket, next(self._steps))
        return True

    def readable(self) -> bool:
        """False when this connection has nothing more to do."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise RuntimeError(f"the server closed a connection: {bytes(self._buffer)[:200]!r}")
        self._buffer += data
        answer = answer_of(self._buffer)
        if answer is None:
            return True
        assert self._steps is not None
        try:
            send(self.socket, self._steps.send(answer))
        except StopIteration as end:
            result = self._result
            result.took.append(time.perf_counter() - self._began)
            result.outcomes[end.value] += 1
            if self._keep:
                result.bodies.append(answer[1])
            return self.begin()
        return True


def answer_of(buffer: bytearray) -> Answer | None:
    """Takes one whole answer off the buffer."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0 and b"\r\ntransfer-encoding:" in head:
        raise RuntimeError("an answer in pieces is not understood here")
    length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    return int(head[9:12]), body


class Closed(RuntimeError):
    """By the server: a browser comes back then."""


class _Socket:
    """One live channel."""

    def __init__(self, port: int, channel: Channel, result: Result) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        if self.socket.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS):
            raise RuntimeError("no connection")
        self.channel, self._result = channel, result
        self._left = deque(channel.frames)
        #: What has come of a frame that is not whole.
        self.buffer = bytearray()
        self._head = True
        self._asking = False
        self._began = 0.0
        self.ready = False

    def connected(self) -> None:
        send(self.socket, self.channel.handshake)

    def begin(self) -> bool:
        if not self._left:
            return False
        self._asking = True
        self._began = time.perf_counter()
        send(self.socket, self._left.popleft())
        return True

    def readable(self) -> bool:
        """False when it has nothing more to do: its first answer was awaited, or its last."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise Closed("the server closed a channel")
        self.buffer += data
        if self._head:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return True
            if not self.buffer.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(f"no channel: {bytes(self.buffer)[:300]!r}")
            del self.buffer[: end + 4]
            self._head = False
            if self.channel.first:
                send(self.socket, self.channel.first)
        for payload in frames_of(self.buffer):
            if not self.ready:
                if self.channel.ready in payload:
                    self.ready = True
                    return False
                continue
            answered = self.channel.answer in payload
            if self._asking and (answered or any(one in payload for one in self.channel.refusals)):
                self._asking = False
                self._result.took.append(time.perf_counter() - self._began)
                self._result.outcomes[200 if answered else 409] += 1
                return self.begin()
        return True


def frames_of(buffer: bytearray) -> Iterator[bytes]:
    """Takes the whole frames of a server off the buffer."""
    while len(buffer) >= 2:
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + length:
            return
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        yield payload


def request(method: str, path: str, token: str = "", body: Any = None, **headers: str) -> bytes:
    content = b"" if body is None else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines.append("Content-Type: application/json")
    if method != "GET":
        lines.append(f"Content-Length: {len(content)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def text_frame(payload: bytes) -> bytes:
    """A browser's text frame; its mask is all zeros, so that the payload stays as it is."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


def send(to: socket.socket, data: bytes) -> None:
    while data:
        try:
            data = data[to.send(data) :]
        except BlockingIOError:
            # Requests are shorter than a socket's buffer: a server that does not read for so long is a fault.
            selector = selectors.PollSelector()
            selector.register(to, selectors.EVENT_WRITE)
            if not selector.select(_PATIENCE):
                raise RuntimeError("the server takes nothing") from None


class Opened:
    """All of a job's connections, open; `run` has them do their work."""

    def __init__(self, job: Job) -> None:
        self.result = Result()
        self._left = deque(job.works)
        self._selector = selectors.EpollSelector()
        began = time.perf_counter()
        count = min(job.connections, len(job.works))
        self._http = [_Connection(job, self._left, self.result) for _ in range(count)]
        self._sockets: list[_Socket] = []
        self._longest = job.longest
        self._connect(job)
        self.result.opened = time.perf_counter() - began
        for one in self._http:
            self._selector.register(one.socket, selectors.EVENT_READ, one)

    @property
    def sockets(self) -> list[tuple[socket.socket, bytearray]]:
        """Those of the channels, and what has come of a frame that is not whole."""
        return [(one.socket, one.buffer) for one in self._sockets]

    def _connect(self, job: Job) -> None:
        left, until = len(job.channels), time.monotonic() + _PATIENCE
        gone = deque((0.0, channel) for channel in job.channels)
        while left:
            now = time.monotonic()
            if now > until:
                raise RuntimeError(f"{left} channels do not open")
            while gone and gone[0][0] <= now:
                one = _Socket(job.port, gone.popleft()[1], self.result)
                self._sockets.append(one)
                self._selector.register(one.socket, selectors.EVENT_WRITE, one)
            for key, mask in self._selector.select(_PAUSE_SECONDS if gone else 1.0):
                one = cast(_Socket, key.data)
                if mask & selectors.EVENT_WRITE:
                    one.connected()
                    self._selector.modify(one.socket, selectors.EVENT_READ, one)
                else:
                    # A channel that is open hears news that it did not ask for.
                    was_ready = one.ready
                    try:
                        one.readable()
                    except (Closed, ConnectionResetError):
                        if was_ready:
                            raise
                        self._selector.unregister(one.socket)
                        one.socket.close()
                        self._sockets.remove(one)
                        self.result.again += 1
                        gone.append((now + _PAUSE_SECONDS, one.channel))
                    left -= one.ready and not was_ready

    def run(self) -> Result:
        cpu, began = time.process_time(), time.perf_counter()
        all_of_them: list[_Connection | _Socket] = [*self._http, *self._sockets]
        under_way = {one for one in all_of_them if one.begin()}
        started = last = time.monotonic()
        while under_way:
            events = self._selector.select(1.0)
            now = time.monotonic()
            last = now if events else last
            if now - last > _PATIENCE or now - started > self._longest:
                raise RuntimeError(f"{len(under_way)} get no answer")
            for key, _ in events:
                one = cast(_Connection | _Socket, key.data)
                if one not in under_way:
                    one.socket.recv(_CHUNK)  # a channel that only listens now
                elif not one.readable():
                    under_way.discard(one)
        self.result.wall = time.perf_counter() - began
        self.result.busy = (time.process_time() - cpu) / self.result.wall
        return self.result


def main() -> None:
    given, told = sys.stdin.buffer, sys.stdout.buffer
    job: AnyJob = pickle.load(given)
    gc.disable()  # nothing here is a cycle, and a pause would be the server's
    opened = job.open()
    _say(told, opened.result)
    if not given.readline():
        return
    _say(told, opened.run())
    given.readline()  # the connections stay open until the one that measures has looked


def _say(told: IO[bytes], result: Result) -> None:
    pickle.dump(result, told)
    told.flush()


class LoadGenerator:
    """The process, seen from the one that measures. All of it blocks: call it in a thread.

    `with LoadGenerator(job) as load: load.opened; load.run()`.
    """

    def __init__(self, job: AnyJob) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from bench.load import main; main()",
            ],  # not -m: what is pickled has the module's name
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._job = job
        self.opened: Result

    def __enter__(self) -> LoadGenerator:
        assert self._process.stdin is not None
        pickle.dump(self._job, self._process.stdin)
        self._process.stdin.flush()
        self.opened = self._heard()
        return self

    def run(self) -> Result:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> Result:
        assert self._process.stdout is not None
        try:
            heard: Result = pickle.load(self._process.stdout)
        except EOFError:
            raise RuntimeError("the load generator ended: see above") from None
        return heard

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()
