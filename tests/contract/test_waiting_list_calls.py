"""The waiting list by HTTP, as an API client uses it (F10)."""

from __future__ import annotations

import pytest

from core.runtime import Runtime
from tests.booking import Bank, rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api

pytestmark = pytest.mark.usefixtures("bank")


async def test_join_offer_take(
    runtime: Runtime, bank: Bank, make_event: MakeEvent, visitor: Api, other: Api, operator: Api
) -> None:
    """A place, an offer in it, and the reservation that another device begins with the link's secret."""
    event = await make_event()
    path = f"/api/events/{event.slug}/returns"
    assert (await visitor.call("GET", path, expect=404)).json()["code"] == "not_on_list"
    wish = {"count": 2, "category": "Standard", "email": "kim@example.org"}
    place = (await visitor.call("POST", path, json=wish, expect=201)).json()
    assert (place["state"], place["count"], place["category"], place["ahead"]) == ("waiting", 2, "Standard", 0)
    assert "offer" not in place or place["offer"] is None
    assert (await visitor.call("POST", path, json=wish, expect=201)).json() | {"now": place["now"]} == place
    second = (await other.call("POST", path, json={"count": 1, "email": "lee@example.org"}, expect=201)).json()
    assert second["ahead"] == 1

    for ordinal in (3, 4):
        await rows(
            runtime, "UPDATE seats SET status = 'RETURNED' WHERE event_id = $1 AND ordinal = $2", event.id, ordinal
        )
        await rows(runtime, "INSERT INTO returned_seats (event_id, ordinal) VALUES ($1, $2)", event.id, ordinal)
    await runtime.waiting_list.rounds.of_event(event)
    offered = (await visitor.call("GET", path, expect=200)).json()
    assert (offered["state"], offered["offer"]["seats"], offered["offer"]["amount"]) == ("offered", [3, 4], 30000)
    assert offered["offer"]["take"].startswith(f"/api/returns/{place['id']}/take?s=")
    told = (await operator.call("GET", f"/api/operator/events/{event.slug}/returns", expect=200)).json()
    assert (told["waiting"], told["offered"], told["kept"]) == (1, 1, 2)
    assert "example.org" not in str(told), "no addresses here"

    # Another's place is not there, with a wrong secret or none.
    for query in ("", "?s=", "?s=" + "0" * 32):
        refused = await other.call("POST", f"/api/returns/{place['id']}/take{query}", expect=404)
        assert refused.json()["code"] == "not_on_list"
    page = await other.call(
        "GET", f"/api/returns/{place['id']}?s={offered['offer']['take'].partition('s=')[2]}", expect=200
    )
    assert page.json()["offer"]["seats"] == [3, 4]
    taken = await other.call("POST", offered["offer"]["take"], expect=202)
    body = taken.json()
    assert (body["status"], body["seats"], body["amount"], body["currency"]) == ("PAYING", [3, 4], 30000, "KRW")
    assert taken.headers["location"] == f"/api/reservations/{body['id']}"
    assert (await other.call("POST", offered["offer"]["take"], expect=202)).json()["id"] == body["id"]
    assert (await other.call("GET", taken.headers["location"], expect=200)).json()["payment"]["page"]
    after = (await visitor.call("GET", path, expect=200)).json()
    assert after["state"] == "taken"
    assert after.get("reservation") is None, "it is the other device's"
    assert (await visitor.call("POST", offered["offer"]["take"], expect=409)).json()["code"] == "offer_taken"


async def test_leave_and_pass(runtime: Runtime, bank: Bank, make_event: MakeEvent, visitor: Api) -> None:
    event = await make_event()
    path = f"/api/events/{event.slug}/returns"
    place = (await visitor.call("POST", path, json={"count": 1, "email": "kim@example.org"}, expect=201)).json()
    await rows(runtime, "UPDATE seats SET status = 'RETURNED' WHERE event_id = $1 AND ordinal = 0", event.id)
    await rows(runtime, "INSERT INTO returned_seats (event_id, ordinal) VALUES ($1, 0)", event.id)
    await runtime.waiting_list.rounds.of_event(event)
    passed = (await visitor.call("POST", f"/api/returns/{place['id']}/pass", expect=200)).json()
    assert (passed["state"], passed["offer"]["state"]) == ("waiting", "passed")
    for _ in range(2):
        await visitor.call("DELETE", path, expect=204)
    await visitor.call("GET", path, expect=404)
    again = (await visitor.call("POST", path, json={"count": 1, "email": "kim@example.org"}, expect=201)).json()
    assert again["id"] != place["id"]


@pytest.mark.parametrize(
    "body",
    [
        {"count": 0, "email": "a@b.example"},
        {"count": 1},
        {"count": 1, "email": "no"},
        {"count": 1, "email": "a@b.example", "category": "Nowhere"},
    ],
)
async def test_what_is_no_wish(make_event: MakeEvent, bank: Bank, visitor: Api, body: dict[str, object]) -> None:
    event = await make_event()
    refused = await visitor.call("POST", f"/api/events/{event.slug}/returns", json=body, expect=422)
    assert refused.json()["code"] == "invalid_request"
    await visitor.call("GET", f"/api/events/{event.slug}/returns", expect=404)
