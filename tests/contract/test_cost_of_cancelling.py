"""What a cancel costs is told before it is pressed, and what was paid is on a receipt (P7, P8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import iso
from core.runtime import Runtime
from core.venue.fees import FeeLine
from tests.booking import Bank, rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from tests.contract.test_reservations import bought, ended

pytestmark = pytest.mark.usefixtures("bank")


async def page_of(visitor: Api, state: dict[str, Any]) -> str:
    sent = {"authorization": f"Bearer {visitor.token}"}
    return (await visitor.client.get(f"/reservations/{state['id']}", headers=sent)).text


async def test_what_is_quoted_is_what_is_refunded(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    starts_at = (datetime.now(UTC) + timedelta(hours=30)).replace(microsecond=0)
    event = await make_event(starts_at=starts_at)
    await runtime.events.update(event.slug, fees=(FeeLine(48, 0), FeeLine(24, 33)))
    path = await bought(visitor, bank, event, 3, 4)
    quote = (await ended(visitor, path))["cancel"]
    until = iso(starts_at - timedelta(hours=24))
    assert {name: quote[name] for name in ("possible", "fee", "refund", "until")} == {
        "possible": True,
        "fee": 9900,
        "refund": 20100,
        "until": until,
    }
    # Of one seat: its price, less the fee of that.
    assert (quote["percent"], quote["left"]) == (33, 30000)
    assert quote["seats"] == [{"seat": 3, "price": 15000}, {"seat": 4, "price": 15000}]
    # One seat goes back: what the other one is worth is told then.
    one = (await visitor.call("POST", f"{path}/cancel", json={"seats": [3]}, expect=200)).json()
    assert (one["refunded"], one["cancel"]["fee"], one["cancel"]["refund"]) == (10050, 4950, 10050)
    assert (one["cancel"]["left"], one["cancel"]["seats"]) == (19950, [{"seat": 4, "price": 15000}])
    over = (await visitor.call("POST", f"{path}/cancel", json={}, expect=200)).json()
    assert (over["status"], over["refunded"]) == ("CANCELLED", 20100)
    assert "cancel" not in over
    kept = await rows(
        runtime, "SELECT sum(fee)::bigint AS fee FROM refunds WHERE reservation_id = $1::uuid", over["id"]
    )
    assert kept[0]["fee"] == 9900


@pytest.mark.parametrize(
    ("starts_in", "fees"),
    [(None, (FeeLine(1, 0),)), (timedelta(hours=23), (FeeLine(24, 0),)), (timedelta(hours=99), ())],
)
async def test_too_late_is_told_before_it_is_tried(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent, starts_in: timedelta | None, fees: Any
) -> None:
    event = await make_event(starts_at=datetime.now(UTC) + starts_in if starts_in else None)
    await runtime.events.update(event.slug, fees=fees)
    path = await bought(visitor, bank, event, 3)
    assert (await ended(visitor, path))["cancel"] == {"possible": False, "fee": 0, "refund": 0}
    await visitor.call("POST", f"{path}/cancel", json={}, expect=409, code="not_cancellable")


async def test_the_receipt_is_in_the_answer_and_on_the_page(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    path = await bought(visitor, bank, await make_event(), 3)
    state = await ended(visitor, path)
    receipt = state["receipt"]
    assert (receipt["method"], receipt["approval_number"], receipt["url"]) == (
        "card",
        "00012345",
        "https://receipt.example/1",
    )
    assert abs(datetime.fromisoformat(receipt["approved_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    page = await page_of(visitor, state)
    assert "00012345" in page
    assert 'href="https://receipt.example/1"' in page


async def test_a_receipt_is_no_script(visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent) -> None:
    """Whatever a provider sends as an address: only a web address becomes a link."""
    path = await bought(visitor, bank, await make_event(), 3)
    state = await ended(visitor, path)
    await rows(
        runtime,
        "UPDATE payment_attempts SET receipt_url = 'javascript:alert(1)' WHERE reservation_id = $1::uuid",
        state["id"],
    )
    assert "url" not in (await ended(visitor, path))["receipt"]
    page = await page_of(visitor, state)
    assert "00012345" in page
    assert "javascript:alert" not in page
