"""A database that was filled under the first schema is brought to the newest: everything in it is still true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import core
from core.embedded import Engines
from core.runtime import open_runtime
from core.schema_postgres import migrate
from core.seats.board import SeatState
from core.settings import Settings
from tests.conftest import small_plan
from tests.own_database import own_database

pytestmark = pytest.mark.usefixtures("patient")

_SCRIPTS = Path(core.__file__).parent / "migrations"
_ID = "00000000-0000-4000-8000-{:012d}"
#: (status of the reservation, of its payment, of its seat); the seat's ordinal is the row's index.
_BOUGHT = [
    ("CONFIRMED", "APPROVED", "SOLD"),
    ("CANCELLED", "REFUNDED", "AVAILABLE"),
    ("FAILED", "DECLINED", "AVAILABLE"),
    ("CANCELLED", "REFUNDING", "AVAILABLE"),
]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def _revisions() -> list[str]:
    return [script.revision for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))]


async def _upgrade(url: str, revision: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)

    def upgrade(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["payments_were"] = "simulator"
        command.upgrade(config, revision)
        connection.commit()

    async with engine.connect() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


@pytest.fixture
async def first(stores: Engines) -> AsyncIterator[str]:
    """A database under the first schema, with a sale in it."""
    async with own_database(stores.database_url, migrated=False) as url:
        await _upgrade(url, _revisions()[0])
        connection = await asyncpg.connect(url)
        try:
            await _fill(connection)
        finally:
            await connection.close()
        yield url


async def _fill(connection: asyncpg.Connection[Any]) -> None:
    event = await connection.fetchval(
        "INSERT INTO events (slug, name, status, currency, prices, active_limit, hold_seconds, max_seats, "
        "seat_count, plan_digest, plan, epoch) VALUES ('first', 'The first night', 'OPEN', 'KRW', "
        "'{\"Standard\": 15000}', 100, 300, 4, 8, 'digest', $1, 3) RETURNING id",
        small_plan(8).decode(),
    )
    await connection.executemany(
        "INSERT INTO seats (event_id, ordinal, seat_guid, zone, row_label, seat_number, category, price) "
        "VALUES ($1, $2, $3, 'Stalls', '1', $4, 'Standard', 15000)",
        [(event, n, f"S-{n}", str(n + 1)) for n in range(8)],
    )
    await connection.execute("UPDATE seats SET status = 'BLOCKED', version = 1 WHERE ordinal = 7")
    for n, (reservation, payment, seat) in enumerate(_BOUGHT):
        id = UUID(_ID.format(n))
        await connection.execute(
            "INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, payment_key, "
            "status, reason, amount, currency, fence, ticket_code) "
            "VALUES ($1, $2, $3, 'key', 'digest', $4, 'pk', $5, $6, 15000, 'KRW', $7, $8)",
            id,
            event,
            f"visitor-{n}",
            f"buyer{n}@example.org",
            reservation,
            None if reservation == "CONFIRMED" else "declined" if reservation == "FAILED" else "cancelled_by_buyer",
            100 + n,
            f"ticket-{n}" if reservation != "FAILED" else None,
        )
        await connection.execute(
            "INSERT INTO reservation_seats (reservation_id, event_id, ordinal, price, live) "
            "VALUES ($1, $2, $3, 15000, $4)",
            id,
            event,
            n,
            seat == "SOLD",
        )
        await connection.execute(
            "INSERT INTO payments (reservation_id, provider, status, provider_key, deadline) "
            "VALUES ($1, 'toss', $2, $3, now())",
            id,
            payment,
            f"pay-{n}",
        )
        await connection.execute(
            "INSERT INTO outbox (reservation_id, type, payload, sent_at) VALUES ($1, $2, '{}', now())",
            id,
            f"reservation.{reservation.lower()}",
        )
        await connection.execute(
            "UPDATE seats SET status = $3, fence = $4, version = 2 WHERE event_id = $1 AND ordinal = $2",
            event,
            n,
            seat,
            100 + n + (seat == "AVAILABLE"),
        )
    await connection.execute("INSERT INTO audit (actor, action, subject) VALUES ('operator', 'sale.open', 'first')")
    await connection.execute("INSERT INTO processed_events (consumer, event_uid) VALUES ('email', gen_random_uuid())")


_COUNTED = ("events", "seats", "reservations", "reservation_seats", "outbox", "audit", "processed_events")


async def _counts(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in _COUNTED}
    finally:
        await connection.close()


async def test_a_filled_database_of_the_first_schema_is_brought_up(
    first: str, settings: Settings, stores: Engines
) -> None:
    before = await _counts(first)
    await asyncio.gather(
        *(migrate(first, payments_were="simulator") for _ in range(3))
    )  # as several processes do that start at once
    assert await _counts(first) == before
    async with open_runtime(settings, replace(stores, database_url=first)) as runtime:
        event = await runtime.events.get("first")
        assert (event.name, event.prices, event.seat_count, event.max_seats) == (
            "The first night",
            {"Standard": 15000},
            8,
            4,
        )
        board = await runtime.seats.board(event)
        assert list(board.states) == [SeatState.SOLD, 0, 0, 0, 0, 0, 0, SeatState.BLOCKED]
        assert board.epoch == 4
        for n, (status, _, _) in enumerate(_BOUGHT):
            reservation = await runtime.checkout.get(UUID(_ID.format(n)), f"visitor-{n}")
            assert (reservation.status, reservation.seats, reservation.amount) == (status, (n,), 15000)
        # What was sold stays sold, what is free can be held under a fence that PostgreSQL takes.
        await runtime.waiting_room.join(event, "new")
        assert (await runtime.seats.hold(event, "new", [1])).fence > 102
        assert (await runtime.reconcile.run(event)).found == []


async def test_every_migration_runs_on_filled_tables(first: str) -> None:
    """One by one, as an installation that was upgraded each time has run them."""
    before = await _counts(first)
    for revision in _revisions()[1:]:
        await _upgrade(first, revision)
        assert await _counts(first) == before, revision
