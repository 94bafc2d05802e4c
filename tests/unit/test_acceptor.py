"""R2: a burst of connections goes evenly to all who accept from one socket, and none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.waits import PATIENCE
from web.acceptor import Acceptor

BURST = 300


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen(2 * BURST)
        yield made


class Counted(asyncio.Protocol):
    """Says hello, and adds one to its acceptor's count."""

    def __init__(self, count: list[int], index: int) -> None:
        self._count, self._index = count, index

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._count[self._index] += 1
        transport.write(b"hello")
        transport.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def crowd(listening: socket.socket, size: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(listening.getsockname())) for _ in range(size)]


async def test_a_burst_goes_evenly_to_all_who_accept(listening: socket.socket) -> None:
    count = [0, 0]
    with crowd(listening, BURST) as connections:
        acceptors = [Acceptor(listening.dup(), partial(Counted, count, index)) for index in (0, 1)]
        for acceptor in acceptors:
            acceptor.start()
        await until(lambda: sum(count) == BURST)
        assert min(count) >= BURST // 4, count
        for connection in connections:
            connection.settimeout(60)
            assert await asyncio.to_thread(connection.recv, 5) == b"hello"
        for acceptor in acceptors:
            acceptor.close()


async def test_who_is_closed_leaves_the_rest_to_the_others(listening: socket.socket) -> None:
    count = [0, 0]
    gone, stays = (Acceptor(listening.dup(), partial(Counted, count, index)) for index in (0, 1))
    gone.start()
    with crowd(listening, 1):
        await until(lambda: count[0] == 1)
    gone.close()
    with crowd(listening, 20):
        await asyncio.sleep(0.05)
        assert count == [1, 0]
        stays.start()
        await until(lambda: count == [1, 20])
    stays.close()


async def test_without_a_free_file_it_waits_for_one(listening: socket.socket) -> None:
    """Rule 10: an acceptor that gave up would leave the process without visitors, and health UP."""

    class Full(socket.socket):
        refusals = 2

        def accept(self) -> tuple[socket.socket, object]:
            if self.refusals:
                self.refusals -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    count = [0]
    full = Full(fileno=listening.dup().detach())
    acceptor = Acceptor(full, lambda: Counted(count, 0))
    acceptor.start()
    with crowd(listening, 3):
        await until(lambda: count == [3])
    acceptor.close()
    full.close()
