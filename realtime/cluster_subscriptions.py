"""Subscriptions on a Redis Cluster: to what is published to all of it, and to what is published within a shard.

What is published plainly goes to every node of a Cluster, and is heard at any. What is published within a shard is
heard at the nodes that have the channel's slot and nowhere else: so one connection each for the masters that have a
sale of this process, and a channel follows its slot. Both are heard, because processes of one sale may publish
differently while they are updated (`docs/decisions/sharded-channels.md`); where nobody publishes the one way it costs a
quiet connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, NamedTuple

import structlog
from redis.asyncio import Redis, RedisCluster

from core.process.backoff import Backoff
from core.process.store_redis import REDIS_LOST, cluster_of, node_client
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from realtime.subscriptions import Listener, Subscribed, Subscriptions

#: How often slots are looked at that nobody said have moved.
_LOOK_SECONDS: Final = 1.0
#: How long a node may take to say so: the client itself asks a silent one ten times.
_ANSWER_SECONDS: Final = 5.0
_PAUSES: Final = Backoff(first=0.1, longest=2.0, jitter=0.3)

log = structlog.get_logger(__name__)


class _Node(NamedTuple):
    """A master, and the connection to it."""

    redis: Redis
    subscriptions: Subscriptions


def subscriptions_of(redis: Redis) -> Subscribed:
    """To be started and stopped by the caller."""
    cluster = cluster_of(redis)
    return Subscriptions(redis) if cluster is None else ClusterSubscriptions(redis, cluster)


class ClusterSubscriptions:
    """As `Subscriptions`; `subscribed` tells of each of the two ways."""

    def __init__(self, redis: Redis, cluster: RedisCluster) -> None:
        """`redis` is the same client."""
        self._cluster = cluster
        self._everywhere = Subscriptions(redis)
        self._wanted: dict[str, Listener] = {}
        self._nodes: dict[tuple[str, int], _Node] = {}
        #: Channel -> the master where it is heard, and who hears it.
        self._heard: dict[str, tuple[tuple[str, int], Listener]] = {}
        self._changed = asyncio.Event()
        self._doubtful = False
        self._supervisor: Supervisor | None = None
        self._service: Service | None = None

    def start(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._everywhere.start(supervisor)
        self._service = supervisor.run_forever("realtime.shards", self._run, backoff=_PAUSES)

    async def stop(self) -> None:
        if self._service is not None:
            await self._service.end()
            self._service = None
        await self._everywhere.stop()
        for master in list(self._nodes):
            await self._let_go(master)
        self._heard.clear()

    def add(self, channel: str, listener: Listener) -> None:
        """In place of the channel's last listener. `subscribed` tells when it is so."""
        self._wanted[channel] = listener
        self._everywhere.add(channel, listener)
        self._changed.set()

    def remove(self, channel: str, listener: Listener) -> None:
        """Does nothing when the channel has another listener by now."""
        self._everywhere.remove(channel, listener)
        if self._wanted.get(channel) is listener:
            del self._wanted[channel]
            self._changed.set()

    async def _run(self) -> None:
        while not cancelled():
            self._changed.clear()
            # A node that is silent keeps nobody from hearing the others: what is known is followed before it is asked.
            self._follow()
            if self._doubtful:
                self._doubtful = False
                await self._look()
                self._follow()
            used = {master for master, _ in self._heard.values()}
            for master in [master for master in self._nodes if master not in used]:
                await self._let_go(master)
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        """Asks for something of each sale: the client follows what the nodes answer, and knows their slots then."""
        for channel in list(self._wanted):
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._cluster.exists(channel)
            except (*REDIS_LOST, TimeoutError) as error:
                self._doubtful = True
                log.warning("no node has the sale", channel=channel, error=repr(error))
            self._follow()

    def _follow(self) -> None:
        """Each channel is heard where its slot is now."""
        for channel in [channel for channel in self._heard if channel not in self._wanted]:
            self._unhear(channel)
        for channel, listener in self._wanted.items():
            master = self._master(channel)
            heard = self._heard.get(channel)
            if master is None or heard == (master, listener):
                continue
            if heard is not None and heard[0] != master:
                self._unhear(channel)
            self._node(master).subscriptions.add(channel, listener)
            self._heard[channel] = master, listener

    def _unhear(self, channel: str) -> None:
        master, listener = self._heard.pop(channel)
        self._nodes[master].subscriptions.remove(channel, listener)

    def _master(self, channel: str) -> tuple[str, int] | None:
        """None while nobody has its slot."""
        try:
            node = self._cluster.get_node_from_key(channel)
        except REDIS_LOST:
            node = None
        if node is None:
            self._doubtful = True
            return None
        return str(node.host), int(node.port)

    def _node(self, master: tuple[str, int]) -> _Node:
        node = self._nodes.get(master)
        if node is None:
            redis = node_client(self._cluster, *master)
            node = self._nodes[master] = _Node(redis, Subscriptions(redis, sharded=True, lost=self._doubt))
            assert self._supervisor is not None  # noqa: S101 - it runs
            node.subscriptions.start(self._supervisor)
        return node

    async def _let_go(self, master: tuple[str, int]) -> None:
        node = self._nodes[master]
        await node.subscriptions.stop()
        with contextlib.suppress(*REDIS_LOST):
            await node.redis.aclose()
        # Only now: one who is cancelled before has it in his list still.
        del self._nodes[master]

    def _doubt(self) -> None:
        """A node is gone, or has no more what it had."""
        self._doubtful = True
        self._changed.set()
