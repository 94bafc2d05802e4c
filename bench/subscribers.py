"""What a change costs Valkey by the number of web processes that hear it: the same message, published again and again.

Each process has one connection for all that it hears. Published one after the other, so that each is written to each
process by itself, as changes that come singly are: what comes together costs less. `SPUBLISH` beside `PUBLISH` says
what the sharded channels of a Cluster cost the node that publishes; what they save the others, one server cannot show
(`docs/decisions/sharded-channels.md`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import psutil

from bench.capacity import told_to
from bench.measure import Figure
from bench.resp import command
from bench.served import seconds_of
from core.runtime import Runtime
from realtime import wire

COUNTS: Final = (1, 8, 32, 128)
_MESSAGES: Final = 500
_ROUNDS: Final = 3
_PATIENCE: Final = 60.0
_CHANNEL: Final = "seats:{bench}"
#: Of the shape and the length of what a hold publishes.
_MESSAGE: Final = wire.seats(1, 12_345, [(1_207, 1), (1_208, 1)])


class _Ear(asyncio.Protocol):
    def __init__(self) -> None:
        self.bytes = 0

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)


async def subscribers(runtime: Runtime) -> list[Figure]:
    """The limit is the same message within a shard."""
    valkey = psutil.Process(int((await runtime.redis.info("server"))["process_id"]))
    figures = []
    for count in COUNTS:
        each: dict[str, float] = {}
        for _ in range(_ROUNDS):  # the best of them, in turns
            for subscribe, publish in (("SUBSCRIBE", "PUBLISH"), ("SSUBSCRIBE", "SPUBLISH")):
                async with _listening(runtime, subscribe, publish, count) as ears:
                    cost = await _published(runtime, publish, ears, valkey)
                each[publish] = min(cost, each.get(publish, cost))
        figures.append(Figure(told_to(count), each["PUBLISH"], "us CPU", each["SPUBLISH"], "SPUBLISH"))
    return figures


async def _published(runtime: Runtime, publish: str, ears: list[_Ear], valkey: psutil.Process) -> float:
    """Microseconds of Valkey for one message, to all of them."""
    before, heard = seconds_of(valkey), sum(ear.bytes for ear in ears)
    for _ in range(_MESSAGES):
        told = await runtime.redis.execute_command(publish, _CHANNEL, _MESSAGE)
        if told != len(ears):
            raise RuntimeError(f"{told} heard it, not {len(ears)}")
    async with asyncio.timeout(_PATIENCE):
        while sum(ear.bytes for ear in ears) - heard < _MESSAGES * len(ears) * len(_MESSAGE):
            await asyncio.sleep(0.001)
    return 1e6 * (seconds_of(valkey) - before) / _MESSAGES


@contextlib.asynccontextmanager
async def _listening(runtime: Runtime, subscribe: str, publish: str, count: int) -> AsyncIterator[list[_Ear]]:
    pool = runtime.redis.connection_pool.connection_kwargs
    loop, ears = asyncio.get_running_loop(), []
    transports = []
    try:
        for _ in range(count):
            if "path" in pool:
                transport, ear = await loop.create_unix_connection(_Ear, pool["path"])
            else:
                transport, ear = await loop.create_connection(_Ear, pool["host"], pool["port"])
            if pool.get("password"):
                transport.write(command("AUTH", pool.get("username") or "default", pool["password"]))
            transport.write(command(subscribe, _CHANNEL))
            ears.append(ear)
            transports.append(transport)
        # Published until all of them have heard it.
        async with asyncio.timeout(_PATIENCE):
            while await runtime.redis.execute_command(publish, _CHANNEL, b"") < count:
                await asyncio.sleep(0.01)
        yield ears
    finally:
        for transport in transports:
            transport.abort()
