"""One message to 1,000 live channels: hub and `FrameProtocol` of a real server, against bare transport writes.

Both sides run in this process and on the same loop, write the same bytes to a process that throws them away, and are
counted when the last byte has arrived there. The ratio is of deliveries a second of this process's processor time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import uvicorn

from bench.measure import Figure, Round, Stopwatch, alternate, best_cpu, best_wall
from bench.sink import Sink, sink
from bench.stores import event_of
from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_room.composition import visit_times
from realtime import wire
from realtime.composition import open_live
from realtime.frames import text_frame
from realtime.hub import Hub
from realtime.live import Live
from web.app import create_app
from web.visitors import Visitors
from web.ws_protocol import socket_options

#: Seat changes in one message: what a busy 50 ms of a sale are.
_CHANGES: Final = 20
_MESSAGES: Final = 60
_PATIENCE: Final = 120.0


async def fan_out(runtime: Runtime, *, sockets: int = 1000, rounds: int = 7) -> list[Figure]:
    event = await event_of(runtime, 2000)
    async with _served(runtime) as (live, port), _bare() as (transports, bare_port):
        tokens = _tokens(runtime, sockets)
        with (
            sink(port, sockets, path=f"/ws/events/{event.slug}", tokens=tokens) as browsers,
            sink(bare_port, sockets) as plain,
        ):
            await asyncio.gather(asyncio.to_thread(browsers.wait_until_open), asyncio.to_thread(plain.wait_until_open))
            hub = await _watched(live, event, sockets)
            while len(transports) < sockets:
                await asyncio.sleep(0.01)
            await _quiet(browsers)

            async def through_hub() -> Round:
                return await _round(browsers, sockets, hub.broadcast)

            async def through_transports() -> Round:
                async def write(frame: Any) -> None:
                    for transport in transports:
                        transport.write(frame.wire)

                return await _round(plain, sockets, write)

            bare, ours = await alternate(rounds, through_transports, through_hub)
    return [
        Figure(
            f"fan-out to {sockets:,} channels",
            best_cpu(ours),
            "deliveries/s a core",
            best_cpu(bare),
            "bare transport writes",
            0.9,
            {"value_wall": best_wall(ours), "limit_wall": best_wall(bare)},
        )
    ]


async def _round(to: Sink, sockets: int, broadcast: Any) -> Round:
    """`_MESSAGES` broadcasts, each encoded once, until all bytes have arrived."""
    before, sent = to.bytes, 0
    with Stopwatch() as watch:
        for number in range(_MESSAGES):
            frame = text_frame(wire.seats(1, 1_000 + number, [(seat, 1) for seat in range(_CHANGES)]))
            await broadcast(frame)
            sent += len(frame.wire)
            # Other work of the loop gets its turn, as between two messages of a sale.
            await asyncio.sleep(0)
        async with asyncio.timeout(_PATIENCE):
            while to.bytes - before < sent * sockets:
                await asyncio.sleep(0.002)
    return watch.round(_MESSAGES * sockets)


async def _watched(live: Live, event: Event, sockets: int) -> Hub:
    """The event's hub once all channels watch the board."""
    async with asyncio.timeout(_PATIENCE):
        while event.slug not in live._live or len(live._live[event.slug].hub) < sockets:
            await asyncio.sleep(0.05)
    return live._live[event.slug].hub


async def _quiet(to: Sink) -> None:
    """Until the boards of the beginning have arrived."""
    seen = -1
    while seen != to.bytes:
        seen = to.bytes
        await asyncio.sleep(0.3)


def _tokens(runtime: Runtime, count: int) -> list[str]:
    visitors = Visitors(runtime.secret, runtime.clock)
    return [visitors.token(visitors.new()) for _ in range(count)]


@contextlib.asynccontextmanager
async def _served(runtime: Runtime) -> AsyncIterator[tuple[Live, int]]:
    """The application with its live channel in this process, on a port of its own."""
    live = open_live(runtime)
    await live.start()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        config = uvicorn.Config(
            create_app(runtime, live),
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            **socket_options(visit_times(runtime.settings)),
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield live, listening.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await serving
            await live.stop()


@contextlib.asynccontextmanager
async def _bare() -> AsyncIterator[tuple[list[asyncio.Transport], int]]:
    """A server that only keeps its connections' transports."""
    transports: list[asyncio.Transport] = []

    class Keep(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # uvloop's transports are none of asyncio's classes.
            transports.append(cast(asyncio.Transport, transport))

    server = await asyncio.get_running_loop().create_server(Keep, "127.0.0.1", 0, backlog=4096)
    try:
        yield transports, server.sockets[0].getsockname()[1]
    finally:
        for transport in transports:
            transport.abort()
        server.close()
