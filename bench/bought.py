"""Purchases over HTTP: from a held basket to the ticket, by the payment's window; the provider approves at once.

    POST .../reservations, GET /pay/{order} as JSON, GET the window's return; told when PostgreSQL says CONFIRMED and
    nobody has to be told any more; mailed when each ticket's e-mail lies in the folder

The provider is the bare server of the run, so that its time is not the web process's. With e-mails, and with e-mails
that wait for later (their pace is next to nothing): the difference is what an e-mail costs. The limit is the five
statements alone (`purchases.py`), in PostgreSQL and in this process.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import databases

from bench.load import Job, LoadGenerator
from bench.load_purchase import Purchase
from bench.measure import Effort, Figure, Round
from bench.purchases import statements_alone
from bench.served import POSTGRESQL, VALKEY, WEB, Served
from bench.served_row import Taken, cheapest
from core.runtime import Runtime

_PURCHASES: Final = 300
_BUYERS: Final = 50
_PATIENCE: Final = 300.0
_LOOK_SECONDS: Final = 0.02
#: The settings of a sale whose e-mails are for later: so many of them a second.
NO_MAILS: Final = {"mail_per_second": "0.001"}


async def bought(runtime: Runtime, serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale with these settings on the run's stores, in the place of the one before."""
    database = runtime.database
    with_mails = await asyncio.to_thread(serve)
    mailed = [await (await prepared(database, with_mails, effort, mails=True))() for _ in range(effort.rounds)]
    without = await asyncio.to_thread(serve, **NO_MAILS)
    later = [await (await prepared(database, without, effort, mails=False))() for _ in range(effort.rounds)]
    limit = await statements_alone(runtime, effort, without.cpu)
    return figures(mailed, later, limit, runtime.settings.database_pool)


def figures(
    mailed: Sequence[Taken], later: Sequence[Taken], limit: tuple[Round, float] | None = None, connections: int = 0
) -> list[Figure]:
    """Of rounds with e-mails, and with e-mails that wait. `limit`: what `statements_alone` tells."""
    best_mailed, best_later = cheapest(mailed), cheapest(later)
    web, postgresql, valkey = (1000 * best_later.cpu[part] / best_later.count for part in (WEB, POSTGRESQL, VALKEY))
    mail = best_mailed.each / 1000 - web
    rate, rate_later = (max(one.count / one.wall for one in rounds) for rounds in (mailed, later))
    rate_limit = client = limit_cpu = None
    if limit is not None:
        rate_limit, client, limit_cpu = limit[0].count / limit[0].wall, 1000 * limit[0].cpu / limit[0].count, limit[1]
    statements = "the five statements alone"
    with_ = f"{statements}, {connections} connections"
    return [
        Figure("purchases, e-mails among them", rate, "/s", rate_limit, with_, least=300.0),
        Figure("purchases, e-mails later", rate_later, "/s", rate_limit, with_, least=450.0),
        Figure("a purchase: web", web, "ms CPU", client, f"{statements}, their client", most=1.2),
        Figure("a purchase: e-mail", mail, "ms CPU", most=1.2),
        Figure("a purchase: PostgreSQL", postgresql, "ms CPU", limit_cpu, statements, most=0.8),
        Figure("a purchase: Valkey", valkey, "ms CPU"),
    ]


async def prepared(
    database: databases.Database, served: Served, effort: Effort, *, mails: bool
) -> Callable[[], Awaitable[Taken]]:
    """A round whose baskets are held: until all are told; with `mails`, until the last e-mail lies there. `database`:
    the sale's.
    """
    count = effort.of(_PURCHASES)
    slug = await asyncio.to_thread(served.event, count)
    tokens = await asyncio.to_thread(served.inside, slug, count)
    path = f"/api/events/{slug}/holds"
    holds = [served.call("POST", path, token, {"seats": [n]}) for n, token in enumerate(tokens)]
    await asyncio.to_thread(served.send, holds)
    # An address may buy no more seats than a visitor may: each buyer has one of their own.
    works = [Purchase(slug, token, f"{slug}-{n}@example.org") for n, token in enumerate(tokens)]

    async def buy() -> Taken:
        lying, before = _count(served), served.cpu()
        began = time.perf_counter()
        with LoadGenerator(Job(served.port, works, _BUYERS)) as load:
            result = await asyncio.to_thread(load.run)
            if set(result.outcomes) != {200}:
                raise RuntimeError(f"not every purchase went through: {dict(result.outcomes)}")
            async with asyncio.timeout(_PATIENCE):
                while await _told(database, slug) < count or (mails and _count(served) < lying + count):
                    await asyncio.sleep(_LOOK_SECONDS)
            wall = time.perf_counter() - began
            return Taken(count, wall, served.cpu().since(before), result)

    return buy


def _count(served: Served) -> int:
    return sum(name.endswith(".eml") for name in os.listdir(served.mails)) if served.mails.exists() else 0


async def _told(database: databases.Database, slug: str) -> int:
    """Confirmed, and told."""
    async with database.connection() as connection:
        row = await connection.fetch_one(
            "SELECT count(*) AS count FROM reservations r JOIN payment_attempts a ON a.reservation_id = r.id "
            "JOIN events e ON e.id = r.event_id WHERE e.slug = :slug AND r.status = 'CONFIRMED' AND NOT a.untold",
            {"slug": slug},
        )
    return int(row["count"]) if row else 0
