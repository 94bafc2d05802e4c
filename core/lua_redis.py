"""Lua scripts as files: loaded once, joined with the preludes they include, run by digest, batched.

Calls that many tasks make in the same turn of the event loop leave in one pipeline: measured, that is twice the
scripts a second of one call after the other over a connection pool (`bench/`), and no caller sees a difference.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from core.errors import StoreUnavailable

Argument = str | bytes | int | float

# How Redis says that it cannot serve just now: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_REFUSALS = (
    "READONLY", "OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY", "UNBLOCKED",
)  # fmt: skip

_INCLUDE = re.compile(r"^--#include (\S+)$", re.MULTILINE)


class Script:
    """One Lua file; `--#include name.lua` lines are replaced by that file of the same folder or of a sister's."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.text = _joined(path)
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _joined(path: Path) -> str:
    return _INCLUDE.sub(lambda match: _joined((path.parent / match[1]).resolve()), path.read_text())


class _Call:
    __slots__ = ("arguments", "future", "keys", "script")

    def __init__(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument], future: asyncio.Future[Any]
    ) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self.future = future


class ScriptRunner:
    """Runs scripts. A lost, hanging or refusing Redis is `StoreUnavailable`; the call may then have happened or not."""

    #: Calls of one pipeline, at most: bounds what one slow answer delays.
    BATCH = 64
    #: Pipelines under way at once: a second one fills while the first is on its way.
    PIPELINES = 4

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: deque[_Call] = deque()
        self._senders = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(script, keys, arguments, future))
        if not self._senders or (self._senders < self.PIPELINES and len(self._waiting) >= self.BATCH):
            self._senders += 1
            sender = asyncio.create_task(self._send())
            self._tasks.add(sender)
            sender.add_done_callback(self._tasks.discard)
        return await future

    async def _send(self) -> None:
        try:
            await self._send_all()
        finally:
            # Counted here and not when the task is reaped: a call that comes in between must start a new sender.
            self._senders -= 1

    async def _send_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self.BATCH, len(self._waiting)))]
            try:
                answers = await self._pipeline(batch)
            except (RedisError, OSError, TimeoutError) as error:
                answers = [error] * len(batch)
            except asyncio.CancelledError:
                for call in batch:
                    call.future.cancel()
                raise
            for call, answer in zip(batch, answers, strict=True):
                if call.future.done():
                    continue
                if isinstance(answer, NoScriptError):
                    answer = await self._eval(call)
                if isinstance(answer, ResponseError) and _is_a_bug(answer):
                    call.future.set_exception(answer)
                elif isinstance(answer, Exception):
                    refused = StoreUnavailable(retry_after=2)
                    refused.__cause__ = answer
                    call.future.set_exception(refused)
                else:
                    call.future.set_result(answer)

    async def _pipeline(self, batch: list[_Call]) -> list[Any]:
        if len(batch) == 1:
            call = batch[0]
            try:
                return [await self._redis.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)]
            except NoScriptError as error:
                return [error]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for call in batch:
                pipeline.execute_command("EVALSHA", call.script.digest, len(call.keys), *call.keys, *call.arguments)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers

    async def _eval(self, call: _Call) -> Any:
        try:
            return await self._redis.eval(call.script.text, len(call.keys), *call.keys, *call.arguments)
        except (RedisError, OSError, TimeoutError) as error:
            return error


def _is_a_bug(error: ResponseError) -> bool:
    """A script that fails for its own reasons; a store that refuses (read-only, out of memory, loading) is none."""
    text = str(error)
    return not any(word in text for word in _REFUSALS)
