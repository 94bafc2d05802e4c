"""Events in PostgreSQL (S13): creation in one transaction, reads through the cache, changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import databases
import pytest
import structlog

from core.database import open_database, raw
from core.errors import EventExists, EventNotFound, InvalidRequest, PlanInvalid, StoreUnavailable
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import CACHE_SECONDS, EventStore
from core.venue.new_event import NewEvent
from core.venue.phase import Phase
from core.venue.plan_import import load_plan
from core.venue.zone_change import moved_times
from tests.manual_clock import ManualClock
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

HALL = (Path(__file__).parent.parent / "data" / "riethsporthalle.json").read_bytes()
HALL_PRICES = {"Kategorie I": 4500, "Kategorie II": 3000, "VIP": 12000}


def small_plan(seats: int = 3, name: str = "Small") -> bytes:
    row = {
        "row_number": "1",
        "position": {"x": 0, "y": 0},
        "seats": [
            {"seat_guid": f"s{n}", "seat_number": str(n), "position": {"x": n * 25, "y": 0}, "category": "A"}
            for n in range(seats)
        ],
    }
    zone = {"name": "Z", "position": {"x": 0, "y": 0}, "rows": [row], "areas": []}
    return json.dumps({"name": name, "categories": [{"name": "A"}, {"name": "unused"}], "zones": [zone]}).encode()


def new_event(**changes: Any) -> NewEvent:
    values: dict[str, Any] = {"slug": f"e-{uuid4().hex[:12]}", "name": "A night", "prices": {"A": 15000}, **changes}
    return NewEvent(**values)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[databases.Database]:
    opened = await open_database(settings.database_url, 4)
    yield opened
    await opened.disconnect()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(database: databases.Database, clock: ManualClock) -> EventStore:
    return EventStore(database, clock)


async def test_an_event_and_its_seats_are_written_as_asked(store: EventStore, database: databases.Database) -> None:
    opens = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    new = new_event(
        prices=HALL_PRICES,
        currency="EUR",
        opens_at=opens,
        closes_at=opens + timedelta(days=1),
        starts_at=opens + timedelta(days=2),
        active_limit=7,
        hold_seconds=60,
        max_seats=2,
    )
    made = await store.create(new, HALL)
    assert made == await store.get(new.slug) == await store.by_id(made.id)
    assert (made.seat_count, made.currency, made.status) == (1231, "EUR", SaleStatus.SCHEDULED)
    assert (made.opens_at, made.active_limit, made.hold_seconds, made.max_seats) == (opens, 7, 60, 2)
    async with raw(database) as connection:
        rows = await connection.fetch("SELECT * FROM seats WHERE event_id = $1 ORDER BY ordinal", made.id)
    plan = load_plan(HALL)
    assert [row["ordinal"] for row in rows] == list(range(1231))
    assert [(row["seat_guid"], row["zone"], row["row_label"], row["seat_number"]) for row in rows] == [
        (seat.guid, seat.zone, seat.row, seat.number) for seat in plan.seats
    ]
    assert [row["price"] for row in rows] == await store.prices(made) == [HALL_PRICES[s.category] for s in plan.seats]
    assert {row["status"] for row in rows} == {"AVAILABLE"}


async def test_the_stored_plan_is_the_plan_of_the_file(store: EventStore, database: databases.Database) -> None:
    made = await store.create(new_event(prices=HALL_PRICES), HALL)
    elsewhere = EventStore(database, ManualClock())
    assert await elsewhere.plan(made) == load_plan(HALL)
    body = json.loads((await elsewhere.loaded_plan(made)).body)
    assert [seat["ordinal"] for seat in body["seats"]] == list(range(1231))
    assert {category["name"]: category["price"] for category in body["categories"]} == HALL_PRICES


async def test_a_process_keeps_a_bounded_number_of_plans(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store._plans, "most", 2)
    events = [await store.create(new_event(prices={"A": price}), small_plan()) for price in (1, 2, 3)]
    for event in [*events, *events]:
        assert (await store.plan(event)).seats
        assert json.loads((await store.loaded_plan(event)).body)["categories"][0]["price"] == event.prices["A"]
    assert len(store._plans) == 2


async def test_other_prices_make_another_digest(store: EventStore) -> None:
    """The digest is the plan body's ETag, and the body has the prices in it."""
    first = await store.create(new_event(), small_plan())
    same = await store.create(new_event(), small_plan())
    dearer = await store.create(new_event(prices={"A": 15001}), small_plan())
    assert first.plan_digest == same.plan_digest != dearer.plan_digest


async def test_a_slug_is_taken_once_even_when_two_ask_at_once(store: EventStore, database: databases.Database) -> None:
    new = new_event()
    results = await asyncio.gather(*(store.create(new, small_plan()) for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Event", "EventExists", "EventExists", "EventExists"]
    async with raw(database) as connection:
        count = await connection.fetchval(
            "SELECT count(*) FROM seats JOIN events ON events.id = event_id WHERE slug = $1", new.slug
        )
    assert count == 3
    with pytest.raises(EventExists, match=new.slug):
        await store.create(new, small_plan())


async def test_a_failing_seat_copy_leaves_no_event(store: EventStore, database: databases.Database) -> None:
    new = new_event()
    async with raw(database) as connection:
        await connection.execute(
            "CREATE FUNCTION refuse_seats() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.seat_guid = 'refused' THEN RAISE 'refused'; END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER refuse_seats BEFORE INSERT ON seats FOR EACH ROW EXECUTE FUNCTION refuse_seats()"
        )
        try:
            with pytest.raises(Exception, match="refused"):
                await store.create(new, small_plan().replace(b'"s2"', b'"refused"'))
        finally:
            await connection.execute("DROP TRIGGER refuse_seats ON seats; DROP FUNCTION refuse_seats")
    with pytest.raises(EventNotFound):
        await store.get(new.slug)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "a" * 65}, "slug"),
        ({"slug": "{x}"}, "slug"),
        ({"slug": "ends-"}, "slug"),
        ({"name": "  "}, "name"),
        ({"name": "line\nbreak"}, "name"),
        ({"prices": {}}, "no price for 'A'"),
        ({"prices": {"A": 1, "B": 2}}, "no category 'B'"),
        ({"prices": {"A": -1}}, "price of 'A'"),
        ({"prices": {"A": 10**13}}, "price of 'A'"),
        ({"currency": "krw"}, "KRW"),
        ({"currency": "XXY"}, "currency"),
        ({"active_limit": 0}, "active_limit"),
        ({"hold_seconds": 0}, "hold_seconds"),
        ({"max_seats": 101}, "max_seats"),
        ({"opens_at": datetime(2030, 1, 1)}, "time zone"),
        (
            {"opens_at": datetime(2030, 1, 2, tzinfo=UTC), "closes_at": datetime(2030, 1, 2, tzinfo=UTC)},
            "close after it opens",
        ),
    ],
)
async def test_what_is_not_valid_is_refused_in_one_sentence_and_writes_nothing(
    store: EventStore, changes: dict[str, Any], said: str
) -> None:
    new = new_event(**changes)
    with pytest.raises(InvalidRequest, match=said):
        await store.create(new, small_plan())
    assert new.slug not in [event.slug for event in await store.list()]


async def test_a_bad_plan_is_refused(store: EventStore) -> None:
    with pytest.raises(PlanInvalid, match="not JSON"):
        await store.create(new_event(), b"<plan/>")


async def test_changes_are_seen_by_other_processes_within_a_second(
    store: EventStore, database: databases.Database
) -> None:
    made = await store.create(new_event(), small_plan())
    other_clock = ManualClock()
    other = EventStore(database, other_clock)
    assert (await other.get(made.slug)).status is SaleStatus.SCHEDULED

    opened = await store.set_status(made.slug, SaleStatus.OPEN)
    assert opened.status is SaleStatus.OPEN == (await store.get(made.slug)).status
    assert (await other.get(made.slug)).status is SaleStatus.SCHEDULED  # from its cache
    other_clock.advance(CACHE_SECONDS)
    assert (await other.get(made.slug)).status is SaleStatus.OPEN

    await store.update(made.slug, active_limit=5, paused=True, name="Another night")
    other.forget(made.slug)
    seen = await other.get(made.slug)
    assert (seen.active_limit, seen.paused, seen.name) == (5, True, "Another night")


async def test_a_new_zone_keeps_what_the_clocks_show(store: EventStore) -> None:
    """T9: shell, API and console alike; the times of parts as well. What is named with the zone is as it is named."""
    berlin, seoul = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Seoul")
    opens = datetime(2030, 7, 1, 20, 0, tzinfo=berlin)
    part = Phase("Fans", opens, opens + timedelta(hours=2))
    new = new_event(
        time_zone="Europe/Berlin",
        opens_at=opens,
        starts_at=datetime(2030, 12, 1, 19, 30, tzinfo=berlin),
        phases=[part],
    )
    await store.create(new, small_plan())
    named = datetime(2030, 7, 9, tzinfo=UTC)
    moved = await store.update(new.slug, time_zone="Asia/Seoul", closes_at=named)
    there = opens.replace(tzinfo=seoul)
    assert (moved.opens_at, moved.closes_at) == (there, named)
    assert moved.starts_at == datetime(2030, 12, 1, 19, 30, tzinfo=seoul)
    [shown] = moved.phases
    assert (shown.opens_at, shown.closes_at) == (there, there + timedelta(hours=2))
    assert await store.update(new.slug, time_zone="Asia/Seoul") == moved


@pytest.mark.parametrize(("hour", "said"), [("03-31T02:30", "does not exist"), ("10-27T02:30", "exists twice")])
async def test_a_time_that_the_new_zones_clocks_do_not_show_once_is_asked_about(
    store: EventStore, hour: str, said: str
) -> None:
    new = new_event(starts_at=datetime.fromisoformat(f"2030-{hour}:00+00:00"))
    before = await store.create(new, small_plan())
    with pytest.raises(InvalidRequest, match=said) as refused:
        await store.update(new.slug, time_zone="Europe/Berlin")
    assert [one["at"] for one in refused.value.data["errors"]] == ["starts_at"]
    assert await store.fresh(new.slug) == before
    named = datetime(2030, 10, 27, 0, 30, tzinfo=UTC)
    assert (await store.update(new.slug, time_zone="Europe/Berlin", starts_at=named)).starts_at == named


@pytest.mark.parametrize(
    ("hours", "zone"),
    [
        ({"opens_at": -1}, "Europe/Berlin"),  # it is on sale, and would not be for hours
        ({"opens_at": -9, "closes_at": -1}, "Europe/Berlin"),  # it is over, and would begin anew
        ({"opens_at": 1}, "Pacific/Auckland"),  # it would open at this moment
        ({"opens_at": -9, "closes_at": 1}, "Pacific/Auckland"),  # it would be over
    ],
)
async def test_a_new_zone_alone_neither_opens_nor_stops_a_sale(
    store: EventStore, hours: dict[str, int], zone: str
) -> None:
    """T9: the clocks' times are named with the zone where that is meant."""
    now = datetime(2030, 7, 1, 12, tzinfo=UTC)
    times = {name: now + timedelta(hours=hour) for name, hour in hours.items()}
    made = await store.create(new_event(time_zone="Asia/Seoul", opens_at=now), small_plan())
    event = replace(made, opens_at=times["opens_at"], closes_at=times.get("closes_at"))
    with pytest.raises(InvalidRequest, match="name its times") as refused:
        moved_times(event, {"time_zone": zone}, now)
    assert [one["at"] for one in refused.value.data["errors"]] == ["time_zone"]
    assert moved_times(event, {"time_zone": zone, **times}, now) == {}


async def test_a_change_that_breaks_the_rules_changes_nothing(store: EventStore) -> None:
    opens = datetime(2030, 1, 2, tzinfo=UTC)
    made = await store.create(new_event(opens_at=opens), small_plan())
    past = datetime(2001, 1, 2, tzinfo=UTC)  # before this store's clock
    for bad in (
        {"active_limit": 0},
        {"closes_at": opens},
        {"closes_at": past},
        {"starts_at": past.replace(year=521)},
        {"slug": "other"},
        {"id": 3},
        {"status": "OPEN"},
    ):
        with pytest.raises(InvalidRequest):
            await store.update(made.slug, **bad)
    store.forget(made.slug)
    assert await store.get(made.slug) == made


async def test_unknown_events_are_not_found(store: EventStore) -> None:
    with pytest.raises(EventNotFound):
        await store.get("no-such-event")
    with pytest.raises(EventNotFound):
        await store.by_id(2**40)
    with pytest.raises(EventNotFound):
        await store.set_status("no-such-event", SaleStatus.OPEN)
    with pytest.raises(EventNotFound):
        await store.update("no-such-event", paused=True)


async def test_many_readers_at_once_are_one_statement(settings: Settings) -> None:
    """A thousand requests arrive in the second in which the cached event runs out."""
    database = await open_database(settings.database_url, 2)
    clock = ManualClock()
    store = EventStore(database, clock)
    made = await store.create(new_event(), small_plan())
    clock.advance(CACHE_SECONDS)
    reads = 0
    read = store._read

    async def counted(slug: str) -> Any:
        nonlocal reads
        reads += 1
        return await read(slug)

    store._read = counted  # type: ignore[method-assign]
    events = await asyncio.gather(*(store.get(made.slug) for _ in range(1000)))
    assert all(event == made for event in events)
    assert reads == 1
    await database.disconnect()


async def test_while_postgresql_is_away_the_last_known_event_is_given(settings: Settings) -> None:
    """Holds and the waiting room go on without PostgreSQL; what was never read is StoreUnavailable."""
    database = await open_database(settings.database_url, 2)
    clock = ManualClock()
    store = EventStore(database, clock)
    made = await store.create(new_event(), small_plan())

    async def away(slug: str) -> Any:
        raise StoreUnavailable()

    store._read = away  # type: ignore[method-assign]
    clock.advance(CACHE_SECONDS)
    assert await store.get(made.slug) == made
    with pytest.raises(StoreUnavailable):
        await store.get("never-read")

    tested = asyncio.Event()

    async def hangs(slug: str) -> Any:
        await tested.wait()
        raise StoreUnavailable()

    store._read = hangs  # type: ignore[method-assign]
    clock.advance(CACHE_SECONDS)
    assert await asyncio.wait_for(store.get(made.slug), PATIENCE) == made
    tested.set()
    await database.disconnect()


@pytest.mark.parametrize(
    ("statement", "argument", "by_postgresql"),
    [
        ("SELECT 2147483647 + $1::int", 1, True),
        ("SELECT $1::jsonb ->> 0", ["\0"], True),
        ("SELECT $1::int", 2**40, False),
        ("SELECT $1::text", "\ud800", False),
    ],
)
async def test_a_value_that_nothing_can_keep_is_the_callers(
    database: databases.Database, statement: str, argument: Any, by_postgresql: bool
) -> None:
    """What PostgreSQL says of it leaves a trace: it may be a statement of ours that overflows."""
    with structlog.testing.capture_logs() as lines, pytest.raises(InvalidRequest):
        async with raw(database) as connection:
            await connection.fetchval(statement, argument)
    assert ("PostgreSQL refuses a value" in [line["event"] for line in lines]) is by_postgresql


async def test_a_connections_statements_are_planned_once_and_not_compiled(database: databases.Database) -> None:
    """E1: a sequential scan that is forbidden and done all the same counts as so dear that it would be compiled."""
    async with raw(database) as connection:
        told = [await connection.fetchval(f"SHOW {name}") for name in ("plan_cache_mode", "enable_seqscan", "jit")]
    assert told == ["force_generic_plan", "off", "off"]
