"""A bare Redis client, as `redis-benchmark` is one: commands built before, connections that each send the next
command when the reply has come (or `pipelined` of them at once), replies counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast
from urllib.parse import urlsplit

import hiredis


def command(*parts: str | bytes | int) -> bytes:
    """One command in Redis' protocol."""
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded)


class _Connection(asyncio.Protocol):
    def __init__(self, commands: Iterator[bytes], pipelined: int, check: Any) -> None:
        self._commands = commands
        self._pipelined = pipelined
        self._check = check
        self._reader = hiredis.Reader()
        self._under_way = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def start(self) -> None:
        self._send()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._under_way -= 1
            if not self._check(reply) and not self.done.done():
                self.done.set_exception(RuntimeError(f"the call was refused: {reply!r}"))
        if not self._under_way and not self.done.done():
            self._send()

    def _send(self) -> None:
        some = list(islice(self._commands, self._pipelined))
        if not some:
            self.done.set_result(None)
            return
        self._under_way = len(some)
        self._transport.write(b"".join(some))

    def close(self) -> None:
        self._transport.close()


class BareClient:
    """`connections` open connections to `url` (redis:// or unix://)."""

    def __init__(self, connections: Sequence[_Connection]) -> None:
        self._connections = connections

    @classmethod
    async def connect(
        cls, url: str, commands: Sequence[bytes], *, connections: int, pipelined: int, check: Any
    ) -> BareClient:
        """`check(reply)` tells whether a call did what it should."""
        left = iter(commands)
        loop, parts = asyncio.get_running_loop(), urlsplit(url)
        made = []
        for _ in range(connections):

            def protocol() -> _Connection:
                return _Connection(left, pipelined, check)

            if parts.scheme == "unix":
                _, one = await loop.create_unix_connection(protocol, parts.path)
            else:
                _, one = await loop.create_connection(protocol, parts.hostname or "", parts.port or 6379)
            made.append(one)
        return cls(made)

    async def run(self) -> None:
        """All commands, each once. Raises RuntimeError when one was refused."""
        for connection in self._connections:
            connection.start()
        await asyncio.gather(*(connection.done for connection in self._connections))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
