"""A store that can be taken away: a TCP port that passes everything on to the real store, until it is cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

from core.embedded import Engines
from tests.waits import free_port


class StoreProxy:
    """`await cut()` drops every connection and refuses new ones; `hang()` takes them and says nothing.

    `address`: a Unix socket's path, or (host, port). `mute()` passes everything on, but no answer back; `slow(seconds)`
    keeps each answer back for so long.
    After `restore()` all is as before, on the same port; what was kept back meanwhile is lost.
    """

    def __init__(self, address: str | tuple[str, int]) -> None:
        self._address = address
        self._muted = False
        self._late = 0.0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        #: How often it was cut.
        self._cuts = 0
        #: How many have connected.
        self.connections = 0
        self._talks = asyncio.Event()
        self._talks.set()
        self.port = 0

    async def open(self) -> None:
        # Not one of those that the kernel gives to any connection: while this is cut, another process may be given it.
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        assert self._server is not None
        self._cuts += 1
        self._server.close()
        cut = list(self._writers)
        for writer in cut:
            writer.transport.abort()
        self._talks.set()
        # Whoever sends something from now on finds the connection gone, and has not sent it: the other ends have heard.
        await asyncio.gather(*(writer.wait_closed() for writer in cut), return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)

    def lead_to(self, address: str | tuple[str, int]) -> None:
        """Who connects from now on; who is connected stays where it is."""
        self._address = address

    def mute(self) -> None:
        self._muted = True

    def slow(self, seconds: float) -> None:
        self._late = seconds

    async def restore(self) -> None:
        if self._muted:
            await self.cut()
        self._muted, self._late = False, 0.0
        self._talks.set()
        if self._server is None or not self._server.is_serving():
            await self.open()

    def hang(self) -> None:
        """From now on nothing is passed on, and nothing is refused."""
        self._talks.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cuts = self._cuts
        self.connections += 1
        try:
            if isinstance(self._address, str):
                there, to_there = await asyncio.open_unix_connection(self._address)
            else:
                there, to_there = await asyncio.open_connection(*self._address)
        except OSError:
            writer.close()
            return
        if self._cuts != cuts or self._server is None or not self._server.is_serving():
            # Cut while it was being led through, so that it is none of those that were dropped.
            writer.transport.abort()
            to_there.close()
            return
        self._writers |= {writer, to_there}
        try:
            await asyncio.gather(self._pass_on(reader, to_there), self._pass_on(there, writer, answers=True))
        finally:
            self._writers -= {writer, to_there}
            writer.close()
            to_there.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._talks.wait()
                if answers and self._late:
                    await asyncio.sleep(self._late)
                if answers and self._muted:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def behind_proxies(engines: Engines) -> AsyncIterator[tuple[Engines, StoreProxy, StoreProxy]]:
    """(the same engines, PostgreSQL's proxy, Redis' proxy)."""
    folder = parse_qs(urlsplit(engines.database_url).query)["host"][0]
    name = urlsplit(engines.database_url).path
    postgres = StoreProxy(f"{folder}/.s.PGSQL.5432")
    redis = StoreProxy(urlsplit(engines.redis_url).path)
    await postgres.open()
    await redis.open()
    try:
        yield (
            Engines(
                database_url=f"postgresql://postgres@127.0.0.1:{postgres.port}{name}",
                redis_url=f"redis://127.0.0.1:{redis.port}/0",
            ),
            postgres,
            redis,
        )
    finally:
        await postgres.cut()
        await redis.cut()
