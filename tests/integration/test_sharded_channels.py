"""What is published within a shard of a Cluster is heard there, whatever becomes of the shard (D5, S12)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from redis.exceptions import RedisError

from core import keys
from core.errors import StartupError
from core.process.lua_redis import Script, ScriptRunner
from core.process.source_files import SourceFiles
from core.process.store_redis import cluster_of, redis_client, require_sharded_channels
from core.process.supervisor import Supervisor
from core.runtime import Runtime
from core.seats.composition import seat_scripts
from realtime.cluster_subscriptions import ClusterSubscriptions, subscriptions_of
from realtime.subscriptions import Subscriptions
from tests import topologies
from tests.conftest import MakeEvent
from tests.waits import until

pytestmark = pytest.mark.usefixtures("patient")


class Ear:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.times = 0
        self.heard: list[bytes] = []

    def subscribed(self) -> None:
        self.times += 1

    def message(self, data: bytes) -> None:
        self.heard.append(data)


@pytest.mark.parametrize("room", ["seats", "waiting_room"])
def test_no_script_of_the_sharded_form_publishes_to_everybody(room: str) -> None:
    from core import seats, waiting_room

    files = SourceFiles(str({"seats": seats, "waiting_room": waiting_room}[room].__file__), "lua")
    publishing = [Script(files, name) for name in files if "PUBLISH" in files[name]]
    assert publishing
    for script in publishing:
        assert "'PUBLISH'" not in script.sharded_text, script.name
        assert script.sharded_text.count("'SPUBLISH'") == script.text.count("'PUBLISH'") > 0, script.name
        assert script.sharded_digest != script.digest


async def test_a_server_without_sharded_channels_is_told_at_the_start(runtime: Runtime) -> None:
    """S12: else every script that publishes would fail, one by one."""
    await require_sharded_channels(runtime.redis)
    with topologies.single("--rename-command", "SPUBLISH", "") as server:
        redis = redis_client(f"redis://127.0.0.1:{server.port}", 2)
        with pytest.raises(StartupError, match=r"^This Redis has no sharded channels .* ONSALE_REDIS_PUBSUB to plain$"):
            await require_sharded_channels(redis)
        await redis.aclose()


async def test_a_hold_is_published_within_the_shard_only(runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event(active_limit=10)
    await runtime.waiting_room.join(event, "v")
    scripts = seat_scripts(runtime.settings, ScriptRunner(runtime.redis, sharded=True))
    plain, sharded = Subscriptions(runtime.redis), Subscriptions(runtime.redis, sharded=True)
    ears = Ear(), Ear()
    channel = keys.seats_channel(event.slug)
    for subscriptions, ear in zip((plain, sharded), ears, strict=True):
        subscriptions.start(runtime.supervisor)
        subscriptions.add(channel, ear)
    try:
        await until(lambda: all(ear.times for ear in ears))
        await scripts.hold(event, "v", [3])
        await until(lambda: bool(ears[1].heard))
        await runtime.redis.publish(channel, b"plain")
        await until(lambda: bool(ears[0].heard))
        assert (ears[0].heard, len(ears[1].heard)) == ([b"plain"], 1)
    finally:
        await plain.stop()
        await sharded.stop()


async def test_one_server_is_no_cluster(runtime: Runtime) -> None:
    assert cluster_of(runtime.redis) is None
    assert isinstance(subscriptions_of(runtime.redis), Subscriptions)


async def test_a_channel_follows_its_slot_and_its_shards_new_master() -> None:
    """And what another process publishes plainly is heard as well: both ways, while processes are updated."""
    with contextlib.ExitStack() as stack:
        url, nodes = await asyncio.to_thread(stack.enter_context, topologies.cluster())
        redis, supervisor = redis_client(url, 16), Supervisor()
        subscriptions = subscriptions_of(redis)
        assert isinstance(subscriptions, ClusterSubscriptions)
        # One of each of two masters: to a Cluster they are two commands.
        moves, stays = _channels(nodes)
        ears = {moves: Ear(), stays: Ear(), moves.replace("seats", "queue"): Ear()}
        try:
            subscriptions.start(supervisor)
            for channel, ear in ears.items():
                subscriptions.add(channel, ear)
            await _hears_all(redis, ears, "SPUBLISH")
            await _hears_all(redis, ears, "PUBLISH")

            await asyncio.to_thread(_move, nodes, moves)
            await _hears_all(redis, ears, "SPUBLISH")

            await asyncio.to_thread(_owner(nodes, stays).kill)
            await _hears_all(redis, ears, "SPUBLISH")

            ear = ears.pop(stays)
            subscriptions.remove(stays, ear)
            await until(lambda: stays not in subscriptions._heard)
            await _hears_all(redis, ears, "SPUBLISH")
        finally:
            await subscriptions.stop()
            await supervisor.drain(10)
            await redis.aclose()
        await asyncio.to_thread(stack.close)


async def _hears_all(redis: Any, ears: dict[str, Ear], command: str) -> None:
    """Each hears what is published from now on, as soon as the Cluster and the subscription have come round."""
    for channel, ear in ears.items():
        ear.heard.clear()

        async def heard(channel: str = channel, ear: Ear = ear) -> bool:
            with contextlib.suppress(RedisError, OSError):
                await redis.execute_command(command, channel, b"news")
            return b"news" in ear.heard

        await until(heard)


#: For how long a master waits until its replica knows too, in milliseconds.
_PATIENT = ("TIMEOUT", 60_000)


def _channels(nodes: list[topologies.ValkeyProcess]) -> tuple[str, str]:
    """Channels of the first and of the second master."""
    by_slot: dict[int, str] = {}
    for number in range(200):
        channel = keys.seats_channel(f"event-{number}")
        slot = int(nodes[0].client().execute_command("CLUSTER KEYSLOT", channel))
        by_slot.setdefault(slot * 3 // 16384, channel)
    return by_slot[0], by_slot[1]


def _owner(nodes: list[topologies.ValkeyProcess], channel: str) -> topologies.ValkeyProcess:
    slot = int(nodes[0].client().execute_command("CLUSTER KEYSLOT", channel))
    return _master(nodes, slot * 3 // 16384)


def _master(nodes: list[topologies.ValkeyProcess], shard: int) -> topologies.ValkeyProcess:
    """Three masters come first, then the replica of each."""
    first, replica = nodes[shard], nodes[shard + 3]
    return first if first.client().role()[0] == b"master" else replica


def _move(nodes: list[topologies.ValkeyProcess], channel: str) -> None:
    """The slot goes from the first master to the third; it has no keys."""
    source, between, target = (_master(nodes, shard) for shard in range(3))
    slot = int(source.client().execute_command("CLUSTER KEYSLOT", channel))
    source_id, target_id = (node.client().execute_command("CLUSTER MYID") for node in (source, target))
    target.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source_id, *_PATIENT)
    source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target_id, *_PATIENT)
    for node in (target, source, between):
        node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", target_id, *_PATIENT)
