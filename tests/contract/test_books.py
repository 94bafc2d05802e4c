"""The export's sums are the provider's and the database's; nothing in it is a formula (P8)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.runtime import Runtime
from core.venue.event import Event
from core.venue.fees import FeeLine
from tests.booking import Bank, Desk, desk, finish_all, rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api

pytestmark = pytest.mark.usefixtures("at")


@pytest.fixture
def at(runtime: Runtime, bank: Bank) -> Desk:
    made = desk(runtime, bank)
    runtime.checkout = made.checkout
    return made


async def exported(operator: Api, event: Event, more: str = "") -> list[dict[str, Any]]:
    answer = await operator.call("GET", f"/api/operator/payments.csv?event={event.slug}{more}", expect=200)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_sums_agree_with_ledger_and_database(
    operator: Api, at: Desk, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    event = await runtime.events.update(event.slug, fees=(FeeLine(24, 10),))
    kept = await at.ended(await at.buy(event, "a", 1, 2))
    whole = await at.ended(await at.buy(event, "b", 3, 4))
    await finish_all(at, event)
    await at.checkout.cancel(kept.id, "a", [2])
    await at.checkout.cancel(whole.id, "b")
    # Charged, and refused here: the seats are gone, the money goes back.
    bank.says = "decline"
    await at.ended(await at.buy(event, "c", 5))
    await finish_all(at, event)
    lines = await exported(operator, event)
    assert sum(int(line["amount"]) for line in lines) == sum(entry.left for entry in bank.ledger.values())
    stored = await rows(
        runtime,
        "SELECT sum(a.amount - a.refunded)::bigint AS left FROM payment_attempts a JOIN reservations r "
        "ON r.id = a.reservation_id WHERE r.event_id = $1 AND a.state = 'APPROVED'",
        event.id,
    )
    assert sum(int(line["amount"]) for line in lines) == stored[0]["left"]
    assert sorted((line["kind"], int(line["amount"]), int(line["fee"])) for line in lines) == [
        ("charge", 30000, 0),
        ("charge", 30000, 0),
        ("fee", 0, 1500),
        ("fee", 0, 3000),
        ("refund", -27000, 0),
        ("refund", -13500, 0),
    ]
    assert {line["state"] for line in lines} == {"DONE"}
    assert {line["approval_number"] for line in lines} == {"00012345"}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert await exported(operator, event, f"&from={tomorrow}") == []
    assert len(await exported(operator, event, f"&to={tomorrow}")) == 6


async def test_what_others_wrote_is_no_formula(
    operator: Api, at: Desk, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    bought = await at.ended(await at.buy(event, "a", 1))
    await finish_all(at, event)
    await rows(
        runtime, "UPDATE payment_attempts SET method = $2 WHERE reservation_id = $1", bought.id, '=HYPERLINK("x"),1'
    )
    [line] = await exported(operator, event)
    assert line["method"] == '\'=HYPERLINK("x"),1'
    assert line["amount"] == "15000"


async def test_every_page_is_there(
    operator: Api, at: Desk, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.booking.books_postgres._PAGE", 2)
    event = await make_event()
    for visitor in range(5):
        await at.ended(await at.buy(event, f"v{visitor}", visitor))
    lines = await exported(operator, event)
    assert len({line["order"] for line in lines}) == len(lines) == 5


async def test_only_operators_and_only_what_can_be_read(operator: Api, visitor: Api) -> None:
    path = "/api/operator/payments.csv"
    await visitor.refused("GET", path, 403, "forbidden")
    await operator.refused("GET", f"{path}?event=nowhere", 404, "event_not_found")
    await operator.refused("GET", f"{path}?from=yesterday", 422, "invalid_request")
    for first, last in (("2026-05-02", "2026-05-01"), ("2026-05-01", "2026-05-01T00:00:00Z")):
        await operator.refused("GET", f"{path}?from={first}&to={last}", 422, "invalid_request")
