"""Books of another environment, and books from before attempts: P1, P5, R10."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import databases
import pytest

from cli.worker import run_worker
from core.database import close_database, open_database, raw
from core.embedded import Engines
from core.errors import CurrencyNotTaken, StartupError
from core.payments.composition import chosen, require_payment
from core.payments.environments_postgres import check_environments
from core.payments.toss.settings import ProviderSettings as TossSettings
from core.runtime import Runtime
from core.schema_postgres import migrate
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from tests.booking import Bank, check_books, close_desks, desk, finish_all, payments_of, retire, rows
from tests.conftest import MakeEvent
from tests.own_database import own_database

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(autouse=True)
async def _alone(runtime: Runtime) -> AsyncIterator[None]:
    await retire(runtime)
    await rows(runtime, "UPDATE payment_attempts SET environment = 'played:x'")
    yield
    await retire(runtime)
    await close_desks()


async def test_attempts_under_way_need_their_account(runtime: Runtime, make_event: MakeEvent) -> None:
    """P1: refused while they are OPEN to CALLED, unless the old keys are given."""
    event, old, new = await make_event(), Bank(environment="live:old"), Bank(environment="live:new")
    at = desk(runtime, old)
    await at.order(event, "v", 3)
    await check_environments(runtime.database, payments_of(runtime, old))
    await check_environments(runtime.database, payments_of(runtime, new, former=[old]))
    with pytest.raises(StartupError, match=r"1 payments under way were made at toss .* ONSALE_TOSS_OLD_SECRET"):
        await check_environments(runtime.database, payments_of(runtime, new))
    played = payments_of(runtime, Bank(environment="played:x"))
    with pytest.raises(StartupError, match="in another environment"):
        await check_environments(runtime.database, played)
    # Over, nobody has to be asked about it any more.
    await rows(runtime, "UPDATE payment_attempts SET next_attempt_at = now() WHERE environment = 'live:old'")
    await check_environments(runtime.database, payments_of(runtime, new))


async def test_the_simulator_is_refused_on_real_books(runtime: Runtime, make_event: MakeEvent) -> None:
    """P5: a played payment there would give a ticket away."""
    event, real = await make_event(), Bank(environment="live:shop")
    at = desk(runtime, real)
    played = payments_of(runtime, Bank(environment="played:x"))
    await check_environments(runtime.database, played)
    await at.ended(await at.buy(event, "v", 3))
    with pytest.raises(StartupError, match="names the simulator, but the database has 1 payments that toss approved"):
        await check_environments(runtime.database, played)
    await check_environments(runtime.database, payments_of(runtime, real))
    await rows(runtime, "UPDATE payment_attempts SET environment = 'played:x' WHERE environment = 'live:shop'")


async def test_a_worker_with_other_keys_does_not_start(
    runtime: Runtime, make_event: MakeEvent, settings: Settings, stores: Engines
) -> None:
    """P1: it would take payments over that it can neither ask about nor give back."""
    await desk(runtime, Bank(environment="live:old")).order(await make_event(), "v", 3)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StartupError, match=r"1 payments under way were made at toss"):
        await run_worker(settings, stores, stop=stop)
    # One that has no provider at all leaves payments to others, and may help with the rest.
    assert await run_worker(settings.model_copy(update={"payment": ""}), stores, stop=stop) == 0


def test_what_the_setting_says() -> None:
    """Unset is an error of `onsale serve`; the old names are understood."""
    with pytest.raises(StartupError, match="ONSALE_PAYMENT is not set"):
        require_payment(Settings(payment=""))
    require_payment(Settings(payment="simulator"))
    assert chosen(Settings(payment="simulator")).names == ("toss",)
    assert chosen(Settings(payment="simulator:toss,kcp")).names == ("toss", "kcp")
    with pytest.raises(StartupError, match="one or the other"):
        chosen(Settings(payment="toss,simulator"))


def test_old_names_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONSALE_PAYMENT_PROVIDERS", "toss,kcp")
    monkeypatch.setenv("ONSALE_PAYMENT_SECRET", "test_sk_old")
    monkeypatch.setenv("ONSALE_PAYMENT_URL", "https://old.example")
    found = Settings.load()
    assert isinstance(found, TossSettings)
    assert (found.payment, found.toss_url) == ("toss,kcp", "https://old.example")
    assert found.toss_secret.get_secret_value() == "test_sk_old"
    monkeypatch.setenv("ONSALE_TOSS_SECRET", "test_sk_new")
    assert TossSettings().toss_secret.get_secret_value() == "test_sk_new"


async def test_a_currency_that_nobody_takes(runtime: Runtime, make_event: MakeEvent) -> None:
    """Refused when the event is made, and when it is opened; what is free needs nobody."""
    event = await make_event(currency="EUR", status=SaleStatus.SCHEDULED)
    store = EventStore(runtime.database, runtime.clock, payments_of(runtime, Bank(currencies=frozenset({"KRW"}))).takes)
    with pytest.raises(CurrencyNotTaken):
        await store.set_status(event.slug, SaleStatus.OPEN)
    assert (await store.fresh(event.slug)).status is SaleStatus.SCHEDULED
    free = await make_event(currency="EUR", prices={"Standard": 0}, status=SaleStatus.SCHEDULED)
    await store.set_status(free.slug, SaleStatus.OPEN)


# Books from before attempts

_OLD_ROWS = """
INSERT INTO reservations (id, event_id, visitor, idempotency_key, request_digest, email, payment_key, status, reason,
                          amount, currency, fence, ticket_code)
SELECT $1, id, $1::uuid::text, 'k', 'd', 'a@example.org', 'old-key', $2, $3, 15000, 'KRW', 1, $4 FROM events LIMIT 1
"""
_OLD_PAYMENT = """
INSERT INTO payments (reservation_id, provider, status, provider_key, attempts, deadline, needs_person_at)
VALUES ($1, $2, $3, $4, 2, now() + interval '5 minutes', CASE WHEN $3 = 'REFUNDING' THEN now() END)
"""
#: status, reason, ticket code, payment's status, provider -> attempt's state, refund's state
OLD = [
    ("CONFIRMED", None, "t", "APPROVED", "toss", "APPROVED", None),
    ("PAYING", None, None, "NEW", None, "OPEN", None),
    ("PAYING", "payment_checking", None, "CALLED", "kcp", "CALLED", None),
    ("FAILED", "declined", None, "DECLINED", "toss", "DECLINED", None),
    ("CANCELLED", "cancelled_by_buyer", "t", "REFUNDED", "toss", "APPROVED", "DONE"),
    ("CANCELLED", "cancelled_by_buyer", "t", "REFUNDING", "toss", "APPROVED", "PENDING"),
    ("FAILED", "payment_unknown_cancelled", None, "REFUNDING", "toss", "VOIDED", "PENDING"),
]


@pytest.fixture
async def old_books(stores: Engines) -> AsyncIterator[tuple[str, list[uuid.UUID]]]:
    """A database of before, with a payment of each kind."""
    async with own_database(stores.database_url, migrated=False) as url:
        await migrate(url, revision="0006")
        database = await open_database(url, 2)
        ids = [uuid.uuid4() for _ in OLD]
        async with raw(database) as connection:
            await connection.execute(
                "INSERT INTO events (slug, name, currency, prices, active_limit, hold_seconds, max_seats, plan, "
                "plan_digest, seat_count) VALUES ('e', 'E', 'KRW', '{}', 1, 1, 1, '{}', '', 0)"
            )
            for id, (status, reason, code, payment, provider, _, _) in zip(ids, OLD, strict=True):
                await connection.execute(_OLD_ROWS, id, status, reason, code)
                await connection.execute(_OLD_PAYMENT, id, provider, payment, "pk" if provider else None)
        await close_database(database)
        yield url, ids


async def test_old_payments_ask_whom_they_were_made_with(old_books: tuple[str, list[uuid.UUID]]) -> None:
    """`onsale migrate --payments-were`: it is not guessed, and nothing is changed before it is said."""
    url, _ = old_books
    with pytest.raises(StartupError, match="--payments-were simulator"):
        await migrate(url)
    database = await open_database(url, 2)
    async with raw(database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM payments") == len(OLD)
    await close_database(database)


@pytest.mark.parametrize("were", ["simulator", "live"])
async def test_old_payments_become_first_attempts(were: str, old_books: tuple[str, list[uuid.UUID]]) -> None:
    """Each with the order id that was sent; look-ups and refunds go where it was made."""
    url, ids = old_books
    await migrate(url, payments_were=were)
    database = await open_database(url, 2)
    try:
        for id, (_, _, _, _, provider, state, refund) in zip(ids, OLD, strict=True):
            (attempt,) = await _rows(database, "SELECT * FROM payment_attempts WHERE reservation_id = $1", id)
            assert (attempt["order_no"], attempt["number"], attempt["state"]) == (str(id), 1, state)
            assert attempt["provider"] == (provider or "none")
            back = await _rows(database, "SELECT * FROM refunds WHERE reservation_id = $1", id)
            assert [row["state"] for row in back] == ([refund] if refund else [])
            assert (attempt["next_attempt_at"].year < 9000) == (state in ("OPEN", "CALLED"))
        await migrate(url)
    finally:
        await close_database(database)


async def test_old_payments_are_finished_and_given_back(runtime: Runtime, make_event: MakeEvent) -> None:
    """A refund of an old charge goes to the keys of now, where they are of the same kind."""
    event, bank = await make_event(), Bank(environment="live:now")
    at = desk(runtime, bank)
    bought = await at.ended(await at.buy(event, "v", 3))
    await finish_all(at, event)
    await rows(
        runtime,
        "UPDATE payment_attempts SET environment = 'live:before-0007:toss' WHERE reservation_id = $1",
        bought.id,
    )
    played = desk(runtime, Bank(environment="played:x"))
    await played.checkout.cancel(bought.id, "v")
    assert (await played.checkout.refund_now(bought.id)).owed == 1, "a real charge was given back by a player"
    await finish_all(at, event)
    assert await check_books(runtime, event, bank) == {"CANCELLED": 1}


async def _rows(database: databases.Database, query: str, *values: Any) -> list[Any]:
    async with raw(database) as connection:
        return list(await connection.fetch(query, *values))
