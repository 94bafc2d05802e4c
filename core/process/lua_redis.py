"""Lua scripts: loaded once, run by digest, batched.

Calls that many tasks make in the same turn of the event loop leave in one pipeline: measured, that is twice the
scripts a second of one call after the other over a connection pool (`bench/`), and no caller sees a difference.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, NoScriptError, ResponseError

from core.errors import OutcomeUnknown, StoreUnavailable
from core.process.exchange_redis import Command, Exchange
from core.process.line import Begins, Line
from core.process.source_files import SourceFiles
from core.process.store_redis import ANSWER_SECONDS, REDIS_LOST
from core.process.tasks import awaited
from core.process.waits import AnswerTimeouts, Wait

#: `ScriptRunner.LONGEST`: who would wait for longer need not begin to.
_LINE_SECONDS: Final = 3.0

Argument = str | bytes | int | float

#: Stands, among a call's arguments, for Redis' time (milliseconds) up to which the script may still do its work: the
#: moment at which whoever waits for it gives up. A script that is met later, because Redis or the way to it hung,
#: answers `late` and changes nothing. 0 where Redis' time is not known.
BY: Final = "\0by"

# How Redis says that it cannot serve just now, where the client library has no exception of its own for it:
# https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
# How redis-py says that it had no connection to send a command on. What else it says leaves open whether the command
# arrived (`tests/integration/test_lost_answers.py`).
_NOT_SENT = ("connecting to", "No connection available", "No master found")

_REFUSALS = ("MISCONF", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "BUSY", "UNBLOCKED")


class Script:
    """A Lua file, for a ScriptRunner."""

    def __init__(
        self,
        files: SourceFiles,
        name: str,
        *,
        repeatable: bool = True,
        changes: bool = True,
        begins: Begins | None = None,
    ) -> None:
        """`repeatable`: doing it twice is the same as once, so a call whose answer was lost may be made again.

        `changes`: it writes; a call whose answer was lost is then OutcomeUnknown. `begins`: where the line is too long
        it is refused before it waits; None: never.
        """
        self.name = name
        self.repeatable = repeatable
        self.changes = changes
        self.begins = begins
        self.text = files[name]
        self.digest = _digest(self.text)
        #: The same, but what it publishes goes to the nodes that have its keys and to no others of a Cluster.
        self.sharded_text = self.text.replace("redis.call('PUBLISH'", "redis.call('SPUBLISH'")
        self.sharded_digest = _digest(self.sharded_text)


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _ScriptCall:
    __slots__ = ("arguments", "by", "ends", "future", "keys", "script", "sent", "wait")

    def __init__(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument], future: asyncio.Future[Any]
    ) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self.future = future
        self.wait = Wait()
        self.sent = False
        self.by = 0
        #: When who called gives up, by the loop's clock.
        self.ends = math.inf


class ScriptRunner:
    """Runs scripts. A lost, hanging or refusing Redis is `StoreUnavailable`; OutcomeUnknown, which is one, where a
    script that changes something was sent and not answered.
    """

    #: Calls of one pipeline, at most: bounds what one slow answer delays.
    BATCH = 64
    #: Pipelines under way at once: a second one fills while the first is on its way.
    PIPELINES = 4
    #: A lost Redis is tried this often, this many seconds apart (S16), and all of it takes `LONGEST` seconds at most.
    ATTEMPTS = 3
    PAUSE = 1.0
    LONGEST = _LINE_SECONDS
    #: What a call may take when it is this process that has no time.
    LONGEST_BUSY = 15.0

    def __init__(self, redis: Redis, now_ms: Callable[[], int] = lambda: 0, *, sharded: bool = False) -> None:
        """`now_ms`: Redis' time in milliseconds as this process knows it, 0 when it does not. `sharded`: what scripts
        publish stays within the shard (`docs/decisions/sharded-channels.md`).
        """
        self._redis = redis
        self._sharded = sharded
        self._now_ms = now_ms
        self._waiting: deque[_ScriptCall] = deque()
        self.line = Line("redis", most=_LINE_SECONDS, most_busy=self.LONGEST_BUSY)
        self._senders = 0
        self._failing = False
        self._timeouts = AnswerTimeouts()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        if script.begins is not None and self.line.waiting:
            self.line.require(script.begins)
        loop = asyncio.get_running_loop()
        began = loop.time()
        unknown: OutcomeUnknown | None = None
        for attempt in range(1, self.ATTEMPTS + 1):
            call = self._enqueue(script, keys, arguments)
            try:
                if attempt == 1:
                    self._timeouts.bound(call.future, call.wait, self.LONGEST, self.LONGEST_BUSY)
                    return await call.future
                call.ends = began + self.LONGEST
                async with asyncio.timeout_at(began + self.LONGEST):
                    return await call.future
            except (StoreUnavailable, TimeoutError) as error:
                refused = _unanswered(call, error) if isinstance(error, TimeoutError) else error
                if isinstance(refused, OutcomeUnknown):
                    # Also when a later attempt is refused: this one may have been done.
                    unknown = refused
                time_left = began + self.LONGEST - loop.time() - self.PAUSE
                if attempt == self.ATTEMPTS or not script.repeatable or time_left <= 0:
                    raise (unknown or refused) from error
                await asyncio.sleep(self.PAUSE)
        raise AssertionError

    def _enqueue(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> _ScriptCall:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = _ScriptCall(script, keys, arguments, future)
        self._waiting.append(call)
        self.line.join()
        if not self._senders or (self._senders < self.PIPELINES and len(self._waiting) >= self.BATCH):
            self._senders += 1
            sender = awaited("redis sender", self._send())
            self._tasks.add(sender)
            sender.add_done_callback(self._tasks.discard)
        return call

    async def _send(self) -> None:
        exchange = Exchange(self._redis)
        try:
            await self._send_all(exchange)
        finally:
            # Counted here and not when the task is reaped: a call that comes in between must start a new sender.
            self._senders -= 1
            await exchange.end()

    async def _send_all(self, exchange: Exchange) -> None:
        while self._waiting:
            batch = self._take()
            try:
                answers = await self._answers(exchange, batch)
            except asyncio.CancelledError:
                for call in batch:
                    call.future.cancel()
                raise
            except Exception as error:
                # No fault of Redis: whoever called hears it, and the calls behind go on.
                for call in batch:
                    if not call.future.done():
                        call.future.set_exception(error)
                continue
            for call, answer in zip(batch, answers, strict=True):
                if call.future.done():
                    continue
                if isinstance(answer, ResponseError) and _is_a_bug(answer):
                    call.future.set_exception(answer)
                elif isinstance(answer, Exception):
                    call.future.set_exception(_unanswered(call, answer))
                else:
                    call.future.set_result(answer)

    async def _answers(self, exchange: Exchange, batch: list[_ScriptCall]) -> list[Any]:
        if not batch:
            return []
        try:
            answers = await exchange([_command("EVALSHA", self._digest(call.script), call) for call in batch])
            self._failing = False
        except REDIS_LOST as error:
            answers = [error] * len(batch)
            self._failing = True
        await self._load_missing(exchange, batch, answers)
        return answers

    def _digest(self, script: Script) -> str:
        return script.sharded_digest if self._sharded else script.digest

    def _text(self, script: Script) -> str:
        return script.sharded_text if self._sharded else script.text

    def _take(self) -> list[_ScriptCall]:
        """The next batch. What has waited too long behind a lost Redis is refused, so that nobody hangs (S16).

        A long wait that is this process's own lack of time is no reason: refusing would only bring the call back.
        """
        batch: list[_ScriptCall] = []
        taken = 0
        while self._waiting and len(batch) < self.BATCH:
            call = self._waiting.popleft()
            taken += 1
            if call.future.done():
                continue
            too_long = call.wait.seconds() > self.LONGEST - ANSWER_SECONDS
            if too_long and (self._failing or not call.wait.is_our_own_fault()):
                call.future.set_exception(_refused(TimeoutError("waited too long for Redis")))
            else:
                self._date(call)
                batch.append(call)
        self.line.leave(len(batch), taken - len(batch))
        return batch

    def _date(self, call: _ScriptCall) -> None:
        """It is about to be sent, and nobody waits for it for longer than `ANSWER_SECONDS`."""
        call.sent = True
        try:
            at = call.arguments.index(BY)
        except ValueError:
            return
        now = self._now_ms()
        seconds = ANSWER_SECONDS
        if call.ends < math.inf:
            seconds = min(seconds, call.ends - asyncio.get_running_loop().time())
        call.by = now + int(seconds * 1000) if now else 0
        # A list of its own: the same arguments are sent again where the answer was lost.
        call.arguments = [*call.arguments[:at], call.by, *call.arguments[at + 1 :]]

    async def _load_missing(self, exchange: Exchange, batch: list[_ScriptCall], answers: list[Any]) -> None:
        """Calls whose script Redis does not know (it was restarted) are made again with the script's text, together."""
        missing = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if not missing:
            return
        try:
            again = await exchange([_command("EVAL", self._text(batch[n].script), batch[n]) for n in missing])
        except REDIS_LOST as error:
            again = [error] * len(missing)
        for n, answer in zip(missing, again, strict=True):
            answers[n] = answer


def _command(name: str, script: str, call: _ScriptCall) -> Command:
    return (name, script, len(call.keys), *call.keys, *call.arguments)


def _refused(cause: BaseException) -> StoreUnavailable:
    if isinstance(cause, StoreUnavailable):
        return cause
    refused = StoreUnavailable(retry_after=2)
    refused.__cause__ = cause
    return refused


def _unanswered(call: _ScriptCall, cause: Exception) -> StoreUnavailable:
    """Nothing was changed; or, where the call may have arrived, OutcomeUnknown."""
    answered = isinstance(cause, (ResponseError, BusyLoadingError, AuthenticationError, StoreUnavailable))
    if not call.script.changes or not call.sent or answered or any(word in str(cause) for word in _NOT_SENT):
        return _refused(cause)
    unknown = OutcomeUnknown(retry_after=ANSWER_SECONDS, until_ms=call.by)
    unknown.__cause__ = cause
    return unknown


def _is_a_bug(error: ResponseError) -> bool:
    """A script that fails for its own reasons; a store that refuses (read-only, out of memory, loading) is none."""
    text = str(error)
    return type(error) is ResponseError and not any(word in text for word in _REFUSALS)
