"""Holds a second: `Seats.hold` as a server process calls it, against the same script called by a bare client."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from bench.measure import Figure, Round, Stopwatch, alternate, best_cpu, best_wall
from bench.resp import BareClient, command
from bench.stores import event_of, let_in
from core import keys
from core.runtime import Runtime
from core.seats.hold_scripts_redis import SCRIPTS
from core.venue.event import Event

#: Holds of one round, each by a visitor of its own of a seat of its own.
_HOLDS: Final = 4000
#: Visitors who hold at the same time: as many as a full active limit.
_TASKS: Final = 100
#: As `redis-benchmark` does without options.
_CONNECTIONS: Final = 50


async def holds(runtime: Runtime, *, rounds: int = 7) -> list[Figure]:
    event = await event_of(runtime, _HOLDS)
    visitors = [f"v_{number:022d}" for number in range(_HOLDS)]
    await let_in(runtime, event, visitors)
    commands = [_command(runtime, event, visitor, seat) for seat, visitor in enumerate(visitors)]

    async def through_seats() -> Round:
        await _all_free(runtime, event)
        left = list(enumerate(visitors))

        async def hold() -> None:
            while left:
                seat, visitor = left.pop()
                await runtime.seats.hold(event, visitor, [seat])

        with Stopwatch() as watch:
            await asyncio.gather(*(hold() for _ in range(_TASKS)))
        await _check(runtime, event)
        return watch.round(_HOLDS)

    async def bare(connections: int, pipelined: int) -> Round:
        await _all_free(runtime, event)
        client = await BareClient.connect(
            runtime.settings.redis_url, commands, connections=connections, pipelined=pipelined, check=_held
        )
        with Stopwatch() as watch:
            await client.run()
        client.close()
        await _check(runtime, event)
        return watch.round(_HOLDS)

    await through_seats()  # warms the script cache and the pool
    plain, pipelined, ours = await alternate(rounds, lambda: bare(_CONNECTIONS, 1), lambda: bare(4, 16), through_seats)
    detail = {
        "client_cpu_ms": 1000 / best_cpu(ours),
        "limit_client_cpu_ms": 1000 / best_cpu(plain),
        "tasks": _TASKS,
        "connections": _CONNECTIONS,
    }
    value = best_wall(ours)
    one_by_one, sixteen = f"same script, bare client, {_CONNECTIONS} connections", "same, 4 connections, 16 pipelined"
    return [
        Figure("holds", value, "/s", best_wall(plain), one_by_one, 0.5, detail),
        Figure("holds", value, "/s", best_wall(pipelined), sixteen),
    ]


def _command(runtime: Runtime, event: Event, visitor: str, seat: int) -> bytes:
    """What `SeatScripts.hold` sends."""
    slug = event.slug
    names = [
        keys.board(slug),
        keys.board_version(slug),
        keys.holds(slug),
        keys.baskets(slug),
        keys.basket_deadlines(slug),
        keys.active_users(slug),
        keys.active_until(slug),
        keys.fence(slug),
        keys.shares(slug),
        keys.places(slug),
        keys.stop(slug),
        keys.owed(slug),
    ]
    arguments: list[str | int] = [
        visitor,
        keys.seat_state_prefix(slug),
        event.hold_seconds * 1000,
        event.max_seats,
        runtime.settings.hold_extensions,
        keys.seats_channel(slug),
        "1000000000|0|0|0",
        0,
        "",
        "check",
        "",
        seat,
    ]
    return command("EVALSHA", SCRIPTS["hold"].digest, len(names), *names, *arguments)


def _held(reply: Any) -> bool:
    return isinstance(reply, list) and reply[0] == b"ok"


async def _all_free(runtime: Runtime, event: Event) -> None:
    """As before the first hold."""
    slug = event.slug
    await runtime.redis.delete(keys.holds(slug), keys.baskets(slug), keys.basket_deadlines(slug))
    await runtime.redis.delete(*(keys.seat_state(slug, seat) for seat in range(event.seat_count)))
    await runtime.redis.set(keys.board(slug), bytes(event.seat_count))


async def _check(runtime: Runtime, event: Event) -> None:
    """A benchmark of something that was not done would be a fast one."""
    if await runtime.redis.hlen(keys.baskets(event.slug)) != _HOLDS:
        raise RuntimeError("not every hold was granted")
