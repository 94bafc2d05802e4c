"""One Redis pub/sub connection for a whole server process, whatever happens to it.

Pub/sub forgets: what is published while the connection is down is lost. So a listener is told `subscribed` each time
that its channel is (again) subscribed: from then on nothing is missed, and what came before may have been. It
fetches its state after that (register, fetch, apply). This holds for reconnections that the client library makes by
itself as well, because Redis confirms each of them in the same stream as the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError

from core.process.backoff import Backoff
from core.process.store_redis import REDIS_LOST
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled, first_of
from realtime import metrics

#: Silence for this long is answered with a ping; silence for twice as long is a lost connection.
_SILENCE_SECONDS: Final = 5.0
_PAUSES: Final = Backoff(first=0.1, longest=2.0, jitter=0.3)

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Both calls come from the connection's reader and must return at once."""

    def subscribed(self) -> None:
        """From here on nothing is missed; what came before may have been."""
        ...

    def message(self, data: bytes) -> None: ...


class Subscribed(Protocol):
    """What keeps channels subscribed."""

    def start(self, supervisor: Supervisor) -> None: ...

    async def stop(self) -> None: ...

    def add(self, channel: str, listener: Listener) -> None: ...

    def remove(self, channel: str, listener: Listener) -> None: ...


class Subscriptions:
    """Keeps the wanted channels subscribed. `start`, then `add` and `remove` at will, then `stop`."""

    def __init__(
        self,
        redis: Redis,
        *,
        silence_seconds: float = _SILENCE_SECONDS,
        sharded: bool = False,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`sharded`: `redis` is a node of a Cluster, and hears what is published within its shard. `lost` is called
        each time that the connection is given up, before it is made anew.
        """
        self._redis = redis
        self._silence = silence_seconds
        self._sharded = sharded
        self._lost = lost
        self._wanted: dict[str, Listener] = {}
        #: Channels that Redis was asked to say no more of, and has not confirmed yet.
        self._leaving: set[str] = set()
        self._changed = asyncio.Event()
        self._connected = False
        self._service: Service | None = None

    def start(self, supervisor: Supervisor) -> None:
        self._service = supervisor.run_forever("realtime.subscriptions", self._run, backoff=_PAUSES)

    async def stop(self) -> None:
        if self._service is not None:
            await self._service.end()
            self._service = None

    @property
    def connected(self) -> bool:
        return self._connected

    def add(self, channel: str, listener: Listener) -> None:
        """In place of the channel's last listener. `subscribed` tells when it is so."""
        self._wanted[channel] = listener
        self._changed.set()

    def remove(self, channel: str, listener: Listener) -> None:
        """Does nothing when the channel has another listener by now."""
        if self._wanted.get(channel) is listener:
            del self._wanted[channel]
            self._changed.set()

    async def _run(self) -> None:
        failures = 0
        while not cancelled():
            while not self._wanted:
                self._changed.clear()
                await self._changed.wait()
            pubsub = self._redis.pubsub()
            self._leaving.clear()
            try:
                asked = await self._ask(pubsub, {})
                self._connected = True
                failures = 0
                ended = await first_of(self._read(pubsub), self._follow(pubsub, asked))
                if ended is not None:
                    ended.result()
            except REDIS_LOST as error:
                failures += 1
                metrics.SUBSCRIPTION_DROPS.inc()
                log.warning("pub/sub connection lost", error=str(error), times=failures)
                self._lost()
            finally:
                self._connected = False
                await self._discard(pubsub)
            await asyncio.sleep(_PAUSES.seconds(failures))

    async def _follow(self, pubsub: PubSub, asked: dict[str, Listener]) -> NoReturn:
        """Asks Redis for what is wanted, whenever that changes."""
        while True:
            await self._changed.wait()
            if cancelled():
                raise asyncio.CancelledError
            asked = await self._ask(pubsub, asked)

    async def _ask(self, pubsub: PubSub, asked: dict[str, Listener]) -> dict[str, Listener]:
        """One command for all that is new (a Cluster takes those of one slot), also for a channel with a new listener,
        whom Redis is to confirm it to."""
        self._changed.clear()
        wanted = dict(self._wanted)
        old = [channel for channel in asked if channel not in wanted]
        new = [channel for channel, listener in wanted.items() if asked.get(channel) is not listener]
        self._leaving.update(old)
        if not self._sharded:
            if old:
                await pubsub.unsubscribe(*old)
            if new:
                await pubsub.subscribe(*new)
            return wanted
        for channels in _by_slot(old):
            await pubsub.sunsubscribe(*channels)
        for channels in _by_slot(new):
            await pubsub.ssubscribe(*channels)
        return wanted

    async def _read(self, pubsub: PubSub) -> NoReturn:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=self._silence)
            if cancelled():
                raise asyncio.CancelledError
            if message is None:
                if asked:
                    raise RedisConnectionError("no answer to a ping")
                asked = True
                await pubsub.ping()
                continue
            asked = False
            if message["type"] in ("unsubscribe", "sunsubscribe"):
                self._ended(_text(message["channel"]))
            elif message["type"] != "pong":
                self._tell(message)

    def _ended(self, channel: str) -> None:
        """Redis says no more of it: as it was asked to, or because its slot has moved to another node."""
        if channel in self._leaving:
            self._leaving.discard(channel)
        elif channel in self._wanted:
            raise RedisConnectionError(f"{channel} has moved")

    def _tell(self, message: dict[str, Any]) -> None:
        listener = self._wanted.get(_text(message["channel"]))
        if listener is None:
            return
        if message["type"] in ("subscribe", "ssubscribe"):
            listener.subscribed()
            return
        try:
            listener.message(message["data"])
        except Exception:
            # One listener's bug must not end the live channel of the whole process; it has missed something now.
            log.exception("message not taken", channel=message["channel"])
            listener.subscribed()

    @staticmethod
    async def _discard(pubsub: PubSub) -> None:
        with contextlib.suppress(*REDIS_LOST):
            await pubsub.aclose()


def _by_slot(channels: Iterable[str]) -> list[list[str]]:
    slots: dict[int, list[str]] = {}
    for channel in channels:
        slots.setdefault(key_slot(channel.encode()), []).append(channel)
    return list(slots.values())


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
