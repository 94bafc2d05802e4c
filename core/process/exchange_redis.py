"""Several commands and their answers over one connection of the client's pool, without what the library does for each.

redis-py bounds, counts and reports every single answer, and takes and gives back a connection for every pipeline: of a
script's call from a busy process that was more than all the rest. Here one bound is for all of an exchange, and whoever
makes one exchange after the other keeps its connection meanwhile. Where the client is none that we have opened
ourselves (a Cluster, Sentinel), the library's own pipeline does the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError, NoScriptError, ReadOnlyError, TimeoutError

#: A command: its name, as Redis spells it, and its arguments.
Command = tuple[Any, ...]

#: How much later than asked for a bound may be reached, in seconds: it is not moved for every answer.
_SLACK = 0.1


def exchanging(connection: type[Any]) -> type[Any]:
    """The same class of connections, whose commands are put together in C (of a hold, with its twenty-five arguments,
    that was a quarter of what the process had to do), and which can do several at once.
    """

    class Exchanging(connection):  # type: ignore[misc]
        def pack_command(self, *args: Any) -> list[bytes]:
            name = args[0]
            if " " in name if isinstance(name, str) else b" " in name:
                return super().pack_command(*args)  # type: ignore[no-any-return]
            try:
                return [hiredis.pack_command(args)]
            except TypeError:
                # What it does not take (a view of memory), or nobody does: then the library says so.
                return super().pack_command(*args)  # type: ignore[no-any-return]

        async def exchange(self, commands: Sequence[Command]) -> list[Any]:
            """The answers in the commands' order; what Redis refuses is a ResponseError among them.

            Raises ConnectionError and TimeoutError of the library: then the connection is closed. Answers may come as
            far apart as `socket_timeout` allows.
            """
            clock, seconds = asyncio.get_running_loop().time, self.socket_timeout
            try:
                self._writer.write(b"".join([piece for command in commands for piece in self.pack_command(*command)]))
                answers = []
                async with asyncio.timeout(seconds) as limit:
                    began = clock()
                    await self._writer.drain()
                    for _ in commands:
                        answers.append(await self._parser.read_response())
                        if (now := clock()) - began > _SLACK:
                            began = now
                            limit.reschedule(now + seconds)
                return answers
            except BaseException as error:
                # Asked before it is closed here: what anything else lacks is no loss of Redis.
                gone = self._writer is None
                # Whatever it was, an answer may still be on its way: nobody else is to read it.
                await self.disconnect(nowait=True)
                if isinstance(error, asyncio.TimeoutError):
                    raise TimeoutError("Timeout reading from the socket") from error
                if isinstance(error, OSError) or (gone and isinstance(error, AttributeError)):
                    raise ConnectionError(f"Error while talking to Redis: {error}") from error
                raise

    return Exchanging


class Exchange:
    """`await exchange(commands)`, any number of times, then `await exchange.end()`, which gives the connection back.

    Raises what `REDIS_LOST` names. One exchange at a time.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        pool = getattr(redis, "connection_pool", None)
        lean = isinstance(pool, BlockingConnectionPool) and hasattr(pool.connection_class, "exchange")
        self._pool: BlockingConnectionPool | None = pool if lean else None
        self._connection: Any = None

    async def __call__(self, commands: Sequence[Command]) -> list[Any]:
        if self._pool is None:
            return await self._by_library(commands)
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        try:
            answers: list[Any] = await self._connection.exchange(commands)
        except BaseException:
            await self.end()
            raise
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            await self._look_for_the_primary(self._pool)
        return answers

    async def _look_for_the_primary(self, pool: BlockingConnectionPool) -> None:
        """Who answers has become a replica. This connection and those that nobody has are made anew, so that the
        primary is found as soon as it is at our address."""
        await self._connection.disconnect(nowait=True)
        await self.end()
        await pool.disconnect(inuse_connections=False)

    async def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pool is not None:
            await self._pool.release(connection)

    async def _by_library(self, commands: Sequence[Command]) -> list[Any]:
        if len(commands) == 1 and commands[0][0] == "EVALSHA":
            try:
                return [await self._redis.evalsha(*commands[0][1:])]
            except NoScriptError as error:
                return [error]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers
