"""The web process that waits forks one that serves whenever it is asked to: that one begins at once, and shares what
was loaded with the one that waits and with all others that were forked (E1, R4).

Two sides of one socket. `onsale serve` sends the descriptors of a new process, and is told its number; that process
serves when its own pipe says so, and ends when nobody can say so any more (`cli/web_server.py`). A process belongs to
who forked it. So that it is `onsale serve` that hears how it ended, it is forked by one in between, which ends at once:
an orphan belongs to its nearest ancestor that asks for orphans (PR_SET_CHILD_SUBREAPER, prctl(2)). Linux only:
elsewhere the one that waits serves itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_NUMBER_BYTES: Final = 20
#: More than an order has.
_DESCRIPTORS: Final = 8
#: As `ps` and `top` show them: all have the same command line.
WAITS: Final = "onsale-waits"
SERVES: Final = "onsale-web"
#: What `onsale serve` is told where no process could be forked.
_NONE: Final = b"0"


def can_adopt() -> bool:
    """Whether this machine lets `onsale serve` have what the one that waits forks."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and _adopt_orphans(False)


def _adopt_orphans(on: bool) -> bool:
    """Whether it could be set."""
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


class Adopted:
    """A child of this process that another one has forked, as `asyncio.subprocess.Process` shows those of our own."""

    def __init__(self, pid: int) -> None:
        """Raises OSError when there is no such child."""
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._has_ended)

    def _has_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        try:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        except ChildProcessError:  # as asyncio tells of one whose end somebody else has heard of
            self.returncode = 255
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None  # noqa: S101
        return self.returncode

    def send_signal(self, number: int) -> None:
        # Until it was waited for its number is nobody else's.
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Waiting:
    """The side of `onsale serve`: `process` loads the program, or has; it forks one order after the other."""

    def __init__(self, process: asyncio.subprocess.Process, orders: socket.socket) -> None:
        self.process = process
        self._orders = orders
        self._orders.setblocking(False)
        self._one_at_a_time = asyncio.Lock()

    async def fork(self, *descriptors: int) -> Adopted:
        """A process that serves, and has these as its own. Raises OSError when there is none to be had.

        To be given a limit: one that hangs answers nothing. Who gives up ends it, since its answer may still come.
        """
        async with self._one_at_a_time:
            _adopt_orphans(True)
            try:
                socket.send_fds(self._orders, [b"."], descriptors)
                told = await asyncio.get_running_loop().sock_recv(self._orders, _NUMBER_BYTES)
            finally:
                # An engine's orphans are none of ours: nobody would wait for them.
                _adopt_orphans(False)
            if told in (b"", _NONE):
                raise ChildProcessError("the web process that waits could not fork")
            return Adopted(int(told))

    def let_go(self) -> None:
        """It ends by that."""
        self._orders.close()


def forked(orders: socket.socket) -> tuple[int, ...]:
    """The side of the one that waits: returns in each process that is to serve, with the descriptors of its order.

    What is loaded by now is set aside from the cycle collector, which would write to all of it in each process.
    """
    _called(WAITS)
    gc.collect()
    gc.freeze()
    while True:
        told, descriptors, _, _ = socket.recv_fds(orders, 1, _DESCRIPTORS)
        if not told:
            sys.exit(1)  # `onsale serve` is gone, or will have no more
        number = _fork(orders) if _is_alone() else _NONE
        if number is None:
            return tuple(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        try:
            orders.send(number)
        except BrokenPipeError:
            sys.exit(1)


def _is_alone() -> bool:
    """A fork has this thread only: what another one has locked would be locked for ever."""
    return threading.active_count() == 1 and len(list(Path("/proc/self/task").iterdir())) == 1


def _fork(orders: socket.socket) -> bytes | None:
    """None in the process that was forked; its number in the one that waits, or `_NONE`."""
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    try:
        between = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        return _NONE
    if between == 0:
        os.close(read)
        orders.close()
        _orphaned(write)
        return None
    os.close(write)
    os.waitpid(between, 0)  # who was forked has its new parent by now
    try:
        return os.read(read, _NUMBER_BYTES) or _NONE
    finally:
        os.close(read)


def _orphaned(write: int) -> None:
    """Forks once more and ends; returns in what was forked, which tells its number."""
    try:
        between = os.fork() != 0
    except OSError:
        between = True
    if between:
        os._exit(0)  # nothing of what was loaded is cleaned up here
    with contextlib.suppress(BrokenPipeError):  # nobody will tell it to serve, so it ends
        os.write(write, str(os.getpid()).encode())
    os.close(write)
    os.setsid()
    _called(SERVES)


def _called(name: str) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)
