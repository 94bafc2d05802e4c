"""Feeds against a real Valkey that stops, comes back, forgets, or drops connections (rule 6, S13, S16)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from redis.asyncio import Redis

from core import keys
from core.embedded import EmbeddedValkey, Engines
from core.process.store_redis import redis_client
from core.process.supervisor import Supervisor
from core.runtime import Runtime, open_runtime
from core.seats.board import SeatState
from core.settings import Settings
from core.venue.event import Event
from realtime.hub import Hub
from realtime.seat_feed import SeatFeed
from realtime.subscriptions import Subscriptions
from tests.conftest import MakeEvent
from tests.live_server import PATIENCE, Browser, LiveServer, live_server, sweeping
from tests.sale_keys import sale_keys
from tests.waits import until

HELD, FREE = SeatState.HELD, SeatState.AVAILABLE


@contextlib.asynccontextmanager
async def own_valkey(
    settings: Settings, stores: Engines, folder: Path, *, durable: bool
) -> AsyncIterator[tuple[LiveServer, EmbeddedValkey]]:
    """A server with a Valkey of its own, which the test may stop and start."""
    valkey = EmbeddedValkey(folder, durable=durable)
    url = await asyncio.to_thread(valkey.start)
    try:
        mine = settings.model_copy(update={"redis_url": url, "rate_limits": "off"})
        async with open_runtime(mine, Engines(stores.database_url, url)) as runtime, live_server(runtime) as started:
            yield started, valkey
    finally:
        await asyncio.to_thread(valkey.stop)


async def until_it_works(browser: Browser, ordinal: int) -> None:
    """Tries the hold again while the store is away, as a page does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await browser.ask("hold", seats=[ordinal])
            if answer["type"] == "held":
                return
            assert answer["code"] == "store_unavailable", answer
            await asyncio.sleep(0.1)


async def test_valkey_restarted_with_its_data(
    settings: Settings, stores: Engines, make_event: MakeEvent, tmp_path: Path
) -> None:
    """S16: while it is away commands are refused and channels stay; then the same channels go on."""
    event = await make_event()
    async with own_valkey(settings, stores, tmp_path, durable=True) as (server, valkey):  # noqa: SIM117
        async with server.browser(event.slug) as one, server.browser(event.slug) as two:
            await one.entered()
            await two.entered()
            await one.ask("hold", seats=[1])
            await two.until_seat(1, HELD)
            await asyncio.to_thread(valkey.stop)
            answer = await one.ask("hold", seats=[2])
            assert (answer["type"], answer["code"]) == ("problem", "store_unavailable")
            await asyncio.to_thread(valkey.start)
            await until_it_works(one, 2)
            await two.until_seat(2, HELD)
            await two.until_seat(1, HELD)
            assert two.epoch == 1


async def test_valkey_that_lost_everything(
    settings: Settings, stores: Engines, make_event: MakeEvent, tmp_path: Path
) -> None:
    """S13: the board is built anew and every browser gets it; who waited re-enters at the number on the ticket."""
    event = await make_event(active_limit=1)
    async with (
        own_valkey(settings, stores, tmp_path, durable=False) as (server, valkey),
        server.browser(event.slug) as inside,
        server.browser(event.slug) as first,
        server.browser(event.slug) as second,
        server.browser(event.slug) as watcher,
    ):
        await inside.entered()
        await inside.ask("hold", seats=[1])
        for browser in (first, second):
            await browser.send("join")
        tickets = [(await browser.until("queue"))["ticket"] for browser in (first, second)]
        await watcher.until_seat(1, HELD)
        await asyncio.to_thread(valkey.stop)
        await asyncio.to_thread(valkey.start)
        await watcher.until("board", lambda board: board["epoch"] == 2)
        assert watcher.states[1] == FREE
        for browser in (inside, first, second):
            assert (await browser.until("expired"))["reason"] == "heartbeat"
        # In the wrong order, and a newcomer before them.
        await watcher.send("join")
        await watcher.until("admitted")
        await second.send("join", ticket=tickets[1])
        assert (await second.until("queue"))["number"] == 3
        await first.send("join", ticket=tickets[0])
        place = await first.until("queue")
        assert (place["number"], place["ahead"]) == (2, 0)
        await second.until("queue", lambda message: message["ahead"] == 1)


async def test_queue_begun_anew_without_a_lost_connection(server: LiveServer, make_event: MakeEvent) -> None:
    """Somebody flushed the keys: no reconnection tells of it, only versions that go back."""
    event = await make_event(active_limit=1)
    runtime = server.runtime
    async with server.browser(event.slug) as inside, server.browser(event.slug) as waiter:
        await inside.entered()
        await waiter.send("join")
        await waiter.until("queue")
        for _ in range(3):  # versions grow
            other = server.visitor()
            await runtime.waiting_room.join(event, other)
            await runtime.waiting_room.leave(event, other)
        await runtime.redis.delete(*sale_keys(event.slug))
        async with sweeping(runtime, event.slug):
            assert (await inside.until("expired"))["reason"] == "heartbeat"
            assert (await waiter.until("expired"))["reason"] == "heartbeat"
            await waiter.send("join")
            await waiter.until("admitted")
            await inside.send("join")
            assert (await inside.until("queue"))["ahead"] == 0


async def hold_unheard(redis: Redis, event: Event, ordinal: int) -> None:
    """A change whose message nobody gets."""
    async with redis.pipeline() as pipeline:
        pipeline.setrange(keys.board(event.slug), ordinal, bytes([HELD]))
        pipeline.hincrby(keys.board_version(event.slug), "counter", 1)
        await pipeline.execute()


async def test_gap_in_the_counter_leads_to_a_fresh_board(server: LiveServer, make_event: MakeEvent) -> None:
    event = await make_event()
    async with server.browser(event.slug) as one, server.browser(event.slug) as two:
        await one.entered()
        await two.until("board")
        await hold_unheard(server.runtime.redis, event, 8)
        boards = two.boards
        await one.ask("hold", seats=[9])
        await two.until_seat(9, HELD)
        assert (two.states[8], two.boards > boards) == (HELD, True)
        await one.ask("hold", seats=[10])
        for browser in (one, two):
            await browser.until_seat(10, HELD)
        assert two.states == one.states


async def test_connection_cut_while_seats_change(server: LiveServer, make_event: MakeEvent) -> None:
    """Pub/sub drops what is sent while disconnected: the cut and the changes reach Valkey together."""
    event = await make_event(seats=60)
    runtime = server.runtime
    async with server.browser(event.slug) as one:
        await one.entered()
        for turn in range(5):
            visitor = server.visitor()
            await runtime.waiting_room.join(event, visitor)
            async with runtime.redis.pipeline(transaction=False) as pipeline:
                pipeline.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await pipeline.execute()
            await runtime.seats.hold(event, visitor, [turn])
        await one.until_seat(4, HELD)
        assert bytes(one.states[:6]) == bytes([HELD] * 5 + [FREE])


async def test_place_follows_after_a_lost_message(server: LiveServer, make_event: MakeEvent) -> None:
    """A gap in the queue's versions: all places are fetched in one call."""
    event = await make_event(active_limit=1)
    runtime = server.runtime
    async with server.browser(event.slug) as waiter:
        others = [server.visitor() for _ in range(4)]
        for other in others:
            await runtime.waiting_room.join(event, other)
        await waiter.send("join")
        assert (await waiter.until("queue"))["ahead"] == 3
        # One before the waiter vanishes and nobody hears of it.
        await runtime.redis.zrem(keys.waiting_queue(event.slug), others[1])
        await runtime.redis.incr(keys.queue_version(event.slug))
        await runtime.waiting_room.leave(event, others[2])
        await waiter.until("queue", lambda message: message["ahead"] == 1)


async def test_admission_that_was_not_heard(server: LiveServer, make_event: MakeEvent) -> None:
    """Let in while the connection was down: told as soon as it is back."""
    event = await make_event(active_limit=1)
    runtime = server.runtime
    async with server.browser(event.slug) as waiter:
        first = server.visitor()
        await runtime.waiting_room.join(event, first)
        await waiter.send("join")
        await waiter.until("queue")
        await runtime.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await runtime.waiting_room.leave(event, first)
        await waiter.until("admitted")


async def test_last_message_before_a_calm_is_missed_only_until_the_audit(
    runtime: Runtime, make_event: MakeEvent
) -> None:
    """Nothing follows that would show the gap: the mirror is compared with Redis now and then."""
    event = await make_event()
    subscriptions = Subscriptions(runtime.redis)
    feed = SeatFeed(
        event.slug, Hub(event.slug, 100_000), lambda: runtime.seats.board(event), coalesce_ms=50, audit_seconds=0.1
    )
    subscriptions.start(runtime.supervisor)
    services = feed.start(runtime.supervisor)
    try:
        subscriptions.add(keys.seats_channel(event.slug), feed)
        async with asyncio.timeout(PATIENCE):
            await feed.ready.wait()
            await hold_unheard(runtime.redis, event, 5)
            while feed.states()[5] != HELD:
                await asyncio.sleep(0.02)
    finally:
        await asyncio.gather(*(service.end() for service in services))
        await subscriptions.stop()


class _Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.times_subscribed = 0
        self.messages: list[bytes] = []

    def subscribed(self) -> None:
        self.times_subscribed += 1

    def message(self, data: bytes) -> None:
        self.messages.append(data)


def _both_subscribed(one: _Heard, two: _Heard, times: int) -> bool:
    return one.times_subscribed >= times and two.times_subscribed >= times


async def test_each_reconnection_is_told_to_every_listener(runtime: Runtime) -> None:
    subscriptions = Subscriptions(runtime.redis)
    subscriptions.start(runtime.supervisor)
    one, two = _Heard(), _Heard()
    try:
        subscriptions.add("t-one", one)
        subscriptions.add("t-two", two)
        for times in (1, 2, 3):
            await until(partial(_both_subscribed, one, two, times))
            await runtime.redis.publish("t-one", f"m{times}")
            await until(partial(one.messages.__contains__, f"m{times}".encode()))
            await runtime.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: one.times_subscribed >= 4)
        subscriptions.remove("t-one", two)
        await runtime.redis.publish("t-one", "still heard")
        await until(lambda: b"still heard" in one.messages)
        subscriptions.remove("t-one", one)
        subscriptions.add("t-three", two)
        await until(lambda: two.times_subscribed >= 5)
        await runtime.redis.publish("t-one", "not wanted")
        await runtime.redis.publish("t-three", "wanted")
        await until(lambda: b"wanted" in two.messages)
        assert b"not wanted" not in one.messages
    finally:
        await subscriptions.stop()


async def test_connection_that_is_open_but_dead_is_noticed(settings: Settings, stores: Engines, tmp_path: Path) -> None:
    """No end of file, no error, only silence: a process that is stopped looks like a cable that was pulled."""
    valkey = EmbeddedValkey(tmp_path, durable=False)
    url = await asyncio.to_thread(valkey.start)
    pid = int((tmp_path / "valkey" / "valkey.pid").read_text())
    redis = redis_client(url, 4)
    subscriptions = Subscriptions(redis, silence_seconds=1.0)
    subscriptions.start(Supervisor())
    heard = _Heard()
    try:
        subscriptions.add("t-silence", heard)
        await until(lambda: heard.times_subscribed)

        async def stays() -> bool:
            """Longer than silence is borne. A machine that stood still meanwhile looks like a dead one."""
            before = heard.times_subscribed
            await asyncio.sleep(2.5)
            return subscriptions.connected and heard.times_subscribed == before

        await until(stays, "a quiet channel that answers pings to be taken for alive")
        before = heard.times_subscribed
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: not subscriptions.connected)
        os.kill(pid, signal.SIGCONT)
        await until(lambda: heard.times_subscribed > before)
    finally:
        os.kill(pid, signal.SIGCONT)
        await subscriptions.stop()
        await redis.aclose()
        await asyncio.to_thread(valkey.stop)
