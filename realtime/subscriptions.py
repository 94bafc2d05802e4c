"""One Redis pub/sub connection for a whole server process, whatever happens to it.

Pub/sub forgets: what is published while the connection is down is lost. So a listener is told `subscribed` each time
that its channel is (again) subscribed: from then on nothing is missed, and what came before may have been. It
fetches its state after that (register, fetch, apply). This holds for reconnections that the client library makes by
itself as well, because Redis confirms each of them in the same stream as the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Final, Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from core.process.store_redis import REDIS_LOST
from realtime import metrics

#: Silence for this long is answered with a ping; silence for twice as long is a lost connection.
_SILENCE_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Both calls come from the connection's reader and must return at once."""

    def subscribed(self) -> None:
        """From here on nothing is missed; what came before may have been."""
        ...

    def message(self, data: bytes) -> None: ...


class Subscriptions:
    """Keeps the wanted channels subscribed. `start`, then `add` and `remove` at will, then `stop`."""

    def __init__(self, redis: Redis, *, silence_seconds: float = _SILENCE_SECONDS) -> None:
        self._redis = redis
        self._silence = silence_seconds
        self._wanted: dict[str, Listener] = {}
        self._changed = asyncio.Event()
        self._asking = asyncio.Lock()
        self._pubsub: PubSub | None = None
        self._broken = False
        self._reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._reader = asyncio.create_task(self._run(), name="realtime.subscriptions")

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None

    @property
    def connected(self) -> bool:
        return self._pubsub is not None

    async def add(self, channel: str, listener: Listener) -> None:
        """Returns when Redis was asked, or will be as soon as it can be reached; `subscribed` tells when it is so."""
        self._wanted[channel] = listener
        self._changed.set()
        await self._ask("subscribe", channel)

    async def remove(self, channel: str, listener: Listener) -> None:
        """Does nothing when the channel has another listener by now."""
        if self._wanted.get(channel) is listener:
            del self._wanted[channel]
            await self._ask("unsubscribe", channel)

    async def _ask(self, what: str, channel: str) -> None:
        try:
            async with self._asking:  # in the order in which they were wanted
                if self._pubsub is not None:  # else the next connection asks for all that is wanted
                    await getattr(self._pubsub, what)(channel)
        except REDIS_LOST:
            # The client may connect again by itself, without this channel: only a new session asks for all of them.
            self._broken = True

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            pubsub = self._redis.pubsub()
            try:
                await self._wait_for_work()
                asked = list(self._wanted)
                await pubsub.subscribe(*asked)
                self._pubsub, self._broken = pubsub, False
                added = self._wanted.keys() - set(asked)  # while the call was under way
                if added:
                    await pubsub.subscribe(*added)
                pause = _FIRST_PAUSE_SECONDS
                await self._read(pubsub)
            except REDIS_LOST as error:
                metrics.SUBSCRIPTION_DROPS.inc()
                log.warning("pub/sub connection lost", error=str(error), retry_in=pause)
            except Exception:
                # A listener's bug must not end the live channel of the whole process.
                log.exception("pub/sub reader failed")
            finally:
                self._pubsub = None
                await self._discard(pubsub)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _wait_for_work(self) -> None:
        while not self._wanted:
            self._changed.clear()
            await self._changed.wait()

    async def _read(self, pubsub: PubSub) -> None:
        asked = False
        while not self._broken:
            message = await pubsub.get_message(timeout=self._silence)
            if message is None:
                if asked:
                    raise RedisConnectionError("no answer to a ping")
                asked = True
                await pubsub.ping()
                continue
            asked = False
            kind = message["type"]
            if kind == "pong":
                continue
            listener = self._wanted.get(_text(message["channel"]))
            if listener is None:
                continue
            if kind == "message":
                listener.message(message["data"])
            elif kind == "subscribe":
                listener.subscribed()
        raise RedisConnectionError("a channel could not be subscribed")

    @staticmethod
    async def _discard(pubsub: PubSub) -> None:
        with contextlib.suppress(*REDIS_LOST):
            await pubsub.aclose()


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
