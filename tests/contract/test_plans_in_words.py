"""V4, V5: seats and categories are called what their plan calls them, and what is not for sale is never sold."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from tests.contract.api_client import Api

PLANS = Path(__file__).parent.parent / "data" / "plans"
KEY = "3f0c9d2e-5b1a-4c77-9d57-0a4a5f2e7b11"


def sale(plan: str, prices: dict[str, int | None], **more: Any) -> dict[str, Any]:
    document = json.loads((PLANS / f"{plan}.json").read_text())
    return {
        "slug": f"t-{secrets.token_hex(5)}",
        "name": "Gala",
        "plan": document,
        "prices": prices,
        "open": True,
    } | more


async def made(operator: Api, asked: dict[str, Any]) -> str:
    return str((await operator.call("POST", "/api/operator/events", json=asked, expect=201)).json()["slug"])


async def test_the_ticket_says_what_the_plan_says(operator: Api, visitor: Api) -> None:
    slug = await made(operator, sale("row_label_seat_label", {"A": 0}))
    await visitor.call("POST", f"/api/events/{slug}/queue", expect=200)
    await visitor.call("POST", f"/api/events/{slug}/holds", json={"seats": [0]}, expect=201)
    accepted = await visitor.call(
        "POST",
        f"/api/events/{slug}/reservations",
        json={"email": "kim@example.org"},
        headers={"idempotency-key": "k"},
        expect=202,
    )
    assert accepted.json()["status"] == "CONFIRMED"
    id, code = accepted.json()["id"], accepted.json()["ticket_code"]
    ticket = await visitor.client.get(f"/reservations/{id}/ticket?code={code}")
    assert "Main - Tisch 5 - Stuhl 1" in ticket.text


async def test_a_label_stands_everywhere_and_what_is_blocked_is_never_for_sale(operator: Api, visitor: Api) -> None:
    slug = await made(
        operator, sale("internal_category_names", {KEY: 15000, "NOT AVAILABLE": None}, labels={KEY: "Stalls"})
    )
    event = (await visitor.call("GET", f"/api/events/{slug}", expect=200)).json()
    assert [(one["name"], one["price"]) for one in event["categories"]] == [("Stalls", 15000)]
    plan = (await visitor.call("GET", f"/api/events/{slug}/plan", expect=200)).json()
    assert [seat["category"] for seat in plan["seats"]] == ["Stalls", "Stalls", "NOT AVAILABLE", "NOT AVAILABLE"]
    assert [(one["name"], one["price"]) for one in plan["categories"]] == [("Stalls", 15000), ("NOT AVAILABLE", None)]
    board = (await visitor.call("GET", f"/api/events/{slug}/board", expect=200)).json()
    assert base64.b64decode(board["states"]) == bytes([0, 0, 3, 3])
    await visitor.call("POST", f"/api/events/{slug}/queue", expect=200)
    await visitor.refused("POST", f"/api/events/{slug}/holds", 409, "seat_taken", json={"seats": [1, 2]})
    best = await visitor.call("POST", f"/api/events/{slug}/holds", json={"best": {"count": 2}}, expect=201)
    assert sorted(best.json()["seats"]) == [0, 1]


async def test_what_has_no_price_stays_blocked(operator: Api) -> None:
    slug = await made(operator, sale("internal_category_names", {KEY: 15000, "NOT AVAILABLE": None}))
    blocks = f"/api/operator/events/{slug}/blocks"
    asked = {"seats": [0, 2], "blocked": False}
    refused = await operator.refused("POST", blocks, 422, "invalid_request", json=asked)
    assert "'NOT AVAILABLE' have no price" in refused["detail"]
    for blocked, changed in ((True, [0]), (False, [0])):
        body = await operator.call("POST", blocks, json={"seats": [0], "blocked": blocked}, expect=200)
        assert body.json()["seats"] == changed


async def test_a_wrong_label_or_nothing_for_sale_is_refused(operator: Api) -> None:
    wrong: list[tuple[dict[str, int | None], dict[str, str], str]] = [
        ({KEY: None, "NOT AVAILABLE": None}, {}, "blocked"),
        ({KEY: 1, "NOT AVAILABLE": 1, "Balcony": None}, {}, "blocked"),
        ({KEY: 1, "NOT AVAILABLE": 1}, {"Balcony": "B"}, "labels.Balcony"),
        ({KEY: 1, "NOT AVAILABLE": 1}, {KEY: "NOT AVAILABLE"}, f"labels.{KEY}"),
        ({KEY: 1, "NOT AVAILABLE": 1}, {KEY: "a\u202eb"}, f"labels.{KEY}"),
    ]
    for prices, labels, at in wrong:
        asked = sale("internal_category_names", prices, labels=labels)
        refused = await operator.refused("POST", "/api/operator/events", 422, "invalid_request", json=asked)
        assert [one["at"] for one in refused["errors"]] == [at]
