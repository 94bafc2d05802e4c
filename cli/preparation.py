"""What `onsale serve` has done once before its web processes serve: `python -m cli.preparation [demo]`.

A process of its own, because it loads much that is never needed again: the schema is brought up to date, the signing
key, the payment accounts and Redis are looked at, the demonstration's event is made. Each line on stdout is for the
operator; with exit code `REFUSED` the last one says why nothing can start.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from core.errors import OnsaleError, StartupError

if TYPE_CHECKING:
    from core.settings import Settings

DEMO_SLUG: Final = "demo"
REFUSED: Final = 3


async def prepare(settings: Settings, *, demo: bool) -> None:
    """`settings` name the stores and have their secrets. Raises StartupError."""
    from core.schema_postgres import migrate
    from core.signing_key_postgres import require_signing_key

    url = settings.database_url
    await migrate(url)
    await require_signing_key(url, settings.secret_key.get_secret_value())
    await _check_payments(url, settings)
    await _check_redis(settings.redis_url)
    if demo:
        await _make_demo_event(url, settings)


async def _check_payments(url: str, settings: Settings) -> None:
    """Raises StartupError when the books speak of accounts that this installation has no keys for (P1, P5)."""
    from core.clock import SystemClock
    from core.database import close_database, open_database
    from core.payments.composition import open_payments
    from core.payments.environments_postgres import check_environments

    payments = open_payments(settings=settings, redis=None, clock=SystemClock())
    database = await open_database(url, 2)
    try:
        await check_environments(database, payments)
    finally:
        await close_database(database)
        await payments.aclose()


async def _check_redis(url: str) -> None:
    """Raises StartupError when it cannot be reached; warns of one that would lose holds (S11)."""
    from core.errors import StoreUnavailable
    from core.process.store_redis import open_redis
    from core.upkeep.memory_redis import memory

    redis = await open_redis(url, 4)
    try:
        for node in await memory(redis):
            if node.evicts:
                print(
                    f"warning: when Redis is full it throws holds and boards away (maxmemory-policy {node.policy}): "
                    "set maxmemory-policy to noeviction, see docs/memory.md"
                )
    except StoreUnavailable:
        pass  # it answers, but may not be asked about itself
    finally:
        await redis.aclose()


async def _make_demo_event(url: str, settings: Settings) -> None:
    import contextlib
    from functools import partial

    from core.clock import SystemClock
    from core.database import open_database
    from core.errors import EventExists
    from core.payments.composition import takes
    from core.venue.demo_plan import DEMO_PLAN, DEMO_PRICES
    from core.venue.event import SaleStatus
    from core.venue.event_store_postgres import EventStore
    from core.venue.new_event import NewEvent

    database = await open_database(url, 2)
    try:
        events = EventStore(database, SystemClock(), partial(takes, settings))
        if await events.list():
            return
        new = NewEvent(
            slug=DEMO_SLUG,
            name="Opening night at Onsale Hall",
            prices=DEMO_PRICES,
            status=SaleStatus.OPEN,
            active_limit=settings.active_limit,
            hold_seconds=round(settings.hold_seconds),
            max_seats=settings.max_seats,
        )
        with contextlib.suppress(EventExists):  # another process was first
            await events.create(new, DEMO_PLAN.read_bytes())
    finally:
        await database.disconnect()


def main() -> None:
    # Of what is made while modules are loaded nothing is garbage (cli/web_worker.py), and this process ends soon.
    gc.disable()
    from core.logs import configure_logs
    from core.settings import Settings

    try:
        settings = Settings.load()
        # To stderr: what is on stdout is for the operator, line by line.
        configure_logs(level=settings.log_level, form=settings.log_format)
        asyncio.run(prepare(settings, demo=sys.argv[1:] == ["demo"]))
    except StartupError as error:
        _refuse(str(error))
    except OnsaleError as error:  # a store that was there a step ago is not any more
        _refuse(error.detail)


def _refuse(reason: str) -> NoReturn:
    print(" ".join(reason.split()))
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
