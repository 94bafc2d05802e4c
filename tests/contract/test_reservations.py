"""Checkout over HTTP (docs/http-api.md): S25-S28; rules 2 and 9."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.payments.breaker import Mode
from core.payments.links import PaymentLinks, Purpose
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, rows, until, way_back
from tests.conftest import MakeEvent
from tests.contract.api_client import Api

pytestmark = pytest.mark.usefixtures("bank")

BODY = {"email": "kim@example.org"}


async def hold(api: Api, event: Event, *seats: int) -> None:
    await api.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await api.call("POST", f"/api/events/{event.slug}/holds", json={"seats": list(seats)}, expect=201)


async def submit(api: Api, event: Event, key: str = "key-1", **sent: Any) -> Any:
    return await api.call(
        "POST",
        f"/api/events/{event.slug}/reservations",
        **{"json": BODY, "headers": {"idempotency-key": key}, "expect": 202, **sent},
    )


async def pay(api: Api, bank: Bank, accepted: Any) -> None:
    """The buyer goes through the window: the return is loaded by a browser without a cookie of ours."""
    order = accepted.json()["payment"]["order"]
    back = await api.client.get(way_back(bank, order))
    assert back.status_code == 303, back.text


async def bought(api: Api, bank: Bank, event: Event, *seats: int) -> str:
    """The path of a reservation whose payment was sent."""
    await hold(api, event, *seats)
    accepted = await submit(api, event)
    await pay(api, bank, accepted)
    return str(accepted.headers["location"])


async def ended(api: Api, path: str) -> dict[str, Any]:
    """The reservation, once it is over and its buyer's basket has heard of that."""

    async def over() -> dict[str, Any] | None:
        state: dict[str, Any] = (await api.call("GET", path, expect=200)).json()
        if state["status"] == "PAYING":
            return None
        basket = await api.call("GET", f"/api/events/{state['event']}/holds", expect=200)
        return None if basket.json()["paying"] else state

    return await until(over)


async def free_again(runtime: Runtime, event: Event, *seats: int) -> None:
    """The board hears of an end from the task that its statement made durable: a moment after the answer."""

    async def free() -> bool:
        states = (await runtime.seats.board(event)).states
        return not any(states[seat] for seat in seats)

    await until(free, f"the seats {seats} to be free")


async def test_bought_seats_are_confirmed_and_have_a_ticket(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    event = await make_event()
    await hold(visitor, event, 3, 4)
    accepted = await submit(visitor, event)
    body = accepted.json()
    assert body["status"] == "PAYING"
    assert body["seats"] == [3, 4]
    assert body["amount"] == 2 * 15000
    assert body["currency"] == "KRW"
    assert "ticket_code" not in body
    payment = body["payment"]
    assert (payment["provider"], payment["state"], payment["order"]) == ("toss", "OPEN", UUID(body["id"]).hex + "a1")
    assert payment["page"].startswith(f"/pay/{payment['order']}?s=")
    assert body["attempts_left"] == 2
    assert bank.calls == 0, "the order comes before the money"
    shown = (await visitor.call("GET", accepted.headers["location"], expect=200)).json()
    assert shown["payment"] | {"now": payment["now"]} == payment, "`continue` works after a reload"
    await pay(visitor, bank, accepted)
    assert accepted.headers["location"] == f"/api/reservations/{body['id']}"
    final = await ended(visitor, accepted.headers["location"])
    assert final["status"] == "CONFIRMED"
    assert final["ticket_code"]
    assert "reason" not in final
    assert final["payment"] is None
    board = (await visitor.call("GET", f"/api/events/{event.slug}/board")).json()
    assert board["states"].startswith("AAAAAgI")  # base64 of 0 0 0 2 2


async def test_a_declined_payment_says_why_and_frees_the_seats(
    visitor: Api, other: Api, bank: Bank, make_event: MakeEvent
) -> None:
    """S28."""
    bank.says = "decline"
    event = await make_event()
    final = await ended(visitor, await bought(visitor, bank, event, 3))
    assert (final["status"], final["reason"]) == ("FAILED", "declined")
    await hold(other, event, 3)


async def test_the_same_key_is_the_same_reservation(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    answers = await asyncio.gather(*(submit(visitor, event) for _ in range(8)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    await pay(visitor, bank, answers[0])
    await ended(visitor, answers[0].headers["location"])
    assert (await submit(visitor, event)).json()["id"] == answers[0].json()["id"]
    assert bank.calls == 1
    other_body = {**BODY, "email": "lee@example.org"}
    await submit(visitor, event, json=other_body, expect=409, code="idempotency_key_reused")


@pytest.mark.parametrize("key", [None, "", " ", "a b", "k" * 256, "ключ".encode(), "a\tb"])
async def test_an_idempotency_key_is_required(visitor: Api, bank: Bank, make_event: MakeEvent, key: Any) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    headers = {} if key is None else {"idempotency-key": key}
    await submit(visitor, event, headers=headers, expect=400, code="invalid_request")
    assert (await visitor.call("GET", f"/api/events/{event.slug}/holds")).json()["paying"] is False


async def test_two_idempotency_keys_are_none(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    response = await visitor.client.post(
        f"/api/events/{event.slug}/reservations",
        json=BODY,
        headers=[("authorization", f"Bearer {visitor.token}"), ("idempotency-key", "a"), ("idempotency-key", "b")],
    )
    assert response.status_code == 400


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"email": "nobody"}, "email"),
    ({"email": "kim@gmail"}, "email"),
    ({"email": "a@b@example.org"}, "email"),
    ({"email": "jürgen@example.org"}, "email"),
    ({"email": "k@127.0.0.1"}, "email"),
    ({"email": "k@1.1"}, "email"),
    ({"email": "a@example.org\r\nBcc: x@example.org"}, "email"),
    ({"email": "kim\u0000@example.org"}, "email"),
    ({"email": "a b@example.org"}, "email"),
    ({"email": f"{'a' * 250}@example.org"}, "email"),
    ({"email": ""}, "email"),
    ({"email": None}, "email"),
    ({"email": 7}, "email"),
    ({"provider": ""}, "provider"),
    ({"provider": "TOSS; DROP"}, "provider"),
    ({"provider": 5}, "provider"),
    ({"language": "tlh"}, "language"),
    ({"amount": 1}, "amount"),
    ({"visitor": "v_other"}, "visitor"),
    ({"seats": [1]}, "seats"),
]


@pytest.mark.parametrize(("changed", "at"), WRONG, ids=[str(changed)[:30] for changed, _ in WRONG])
async def test_what_is_wrong_with_a_reservation_is_said(
    visitor: Api, bank: Bank, make_event: MakeEvent, changed: dict[str, Any], at: str
) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    refused = await submit(visitor, event, json={**BODY, **changed}, expect=422, code="invalid_request")
    assert refused.json()["errors"][0]["at"] == at
    assert bank.calls == 0
    assert (await visitor.call("GET", f"/api/events/{event.slug}/holds")).json()["paying"] is False


async def test_a_domain_of_any_script_is_an_address(
    visitor: Api, bank: Bank, make_event: MakeEvent, runtime: Runtime
) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    body = (await submit(visitor, event, json={**BODY, "email": "kim@예.한국"})).json()
    stored = await rows(runtime, "SELECT email FROM reservations WHERE id = $1", UUID(body["id"]))
    assert stored[0]["email"] == "kim@예.한국", "shown as it was typed"


@pytest.mark.parametrize(
    ("sent", "language"),
    [({}, "en"), ({"accept-language": "ko-KR,ko;q=0.9,en;q=0.1"}, "ko"), ({"cookie": "onsale_language=ko"}, "ko")],
)
async def test_e_mails_are_in_the_buyers_language(
    visitor: Api, bank: Bank, make_event: MakeEvent, runtime: Runtime, sent: dict[str, str], language: str
) -> None:
    event = await make_event()
    await hold(visitor, event, 1)
    body = (await submit(visitor, event, headers={"idempotency-key": "k", **sent})).json()
    stored = await rows(runtime, "SELECT language FROM reservations WHERE id = $1", UUID(body["id"]))
    assert stored[0]["language"] == language


async def test_no_seats_held_is_refused(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    event = await make_event()
    await visitor.call("POST", f"/api/events/{event.slug}/queue")
    await submit(visitor, event, expect=422, code="no_seats_held")


async def test_payment_that_is_away_is_said_before_anything_happens(
    visitor: Api, bank: Bank, make_event: MakeEvent, runtime: Runtime
) -> None:
    """S25: the seats stay held, and the answer says when to try again."""
    event = await make_event()
    await runtime.checkout._payments.force_circuit("toss", Mode.FORCED_OPEN)
    await hold(visitor, event, 1)
    refused = await submit(visitor, event, expect=503, code="payment_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await visitor.call("GET", f"/api/events/{event.slug}/holds")).json()["seats"] == [1]


async def test_another_visitors_reservation_is_not_there(
    nobody: Api, visitor: Api, other: Api, bank: Bank, make_event: MakeEvent
) -> None:
    """Nobody can see or cancel as another: the answer is that of a reservation that does not exist."""
    event = await make_event()
    path = await bought(visitor, bank, event, 1)
    await ended(visitor, path)
    missing = f"/api/reservations/{uuid4()}"
    for method, suffix in (("GET", ""), ("POST", "/cancel"), ("POST", "/payments")):
        anothers = await other.refused(method, path + suffix, 404, "reservation_not_found")
        nothing = await other.refused(method, missing + suffix, 404, "reservation_not_found")
        assert {**anothers, "instance": "", "request_id": ""} == {**nothing, "instance": "", "request_id": ""}
        await nobody.refused(method, path + suffix, 401, "no_visitor")
    assert (await visitor.call("GET", path)).json()["status"] == "CONFIRMED"


@pytest.mark.parametrize("wrong", ["x", "1", "%00", "00000000-0000-0000-0000-00000000000g"])
async def test_what_is_no_id_is_no_reservation(visitor: Api, bank: Bank, wrong: str) -> None:
    response = await visitor.client.get(
        f"/api/reservations/{wrong}", headers={"authorization": f"Bearer {visitor.token}"}
    )
    assert response.status_code == 404


async def test_a_ticket_is_given_back_once(
    visitor: Api, other: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    path = await bought(visitor, bank, event, 1)
    await ended(visitor, path)
    cancelled = (await visitor.call("POST", f"{path}/cancel", expect=200)).json()
    assert cancelled["status"] == "CANCELLED"
    assert "ticket_code" not in cancelled
    await visitor.call("POST", f"{path}/cancel", expect=200)
    await free_again(runtime, event, 1)
    await hold(other, event, 1)


@pytest.mark.parametrize("key", ["pay-1", "", None, 5, {"a": 1}])
async def test_the_old_way_is_named_the_new_one(visitor: Api, bank: Bank, make_event: MakeEvent, key: Any) -> None:
    """P1: the order comes first; nothing changes."""
    event = await make_event()
    await hold(visitor, event, 1)
    refused = await submit(visitor, event, json={**BODY, "payment_key": key}, expect=422, code="invalid_request")
    assert "the order comes first" in refused.json()["detail"]
    assert "payment.page" in refused.json()["detail"]
    assert (await visitor.call("GET", f"/api/events/{event.slug}/holds")).json()["paying"] is False


async def test_another_attempt_after_a_closed_window(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    """P11: 201 with a new order; 200 with the one that is open; then there are none left."""
    event = await make_event()
    await hold(visitor, event, 1)
    accepted = await submit(visitor, event)
    path = accepted.headers["location"]
    body = accepted.json()
    same = (await visitor.call("POST", f"{path}/payments", expect=200)).json()
    assert same["payment"] | {"now": body["payment"]["now"]} == body["payment"]
    await visitor.call("POST", f"{path}/payments", json={"provider": "nobody"}, expect=200)
    for number in (2, 3):
        s = PaymentLinks("test-secret").sign(Purpose.CLOSED, body["payment"]["order"])
        closed = await visitor.client.post(f"/pay/toss/closed/{body['payment']['order']}?s={s}")
        assert closed.status_code == 303
        shown = (await visitor.call("GET", path, expect=200)).json()
        assert (shown["reason"], shown["payment"]["state"]) == ("closed", "CLOSED")
        await visitor.refused("POST", f"{path}/payments", 422, "no_such_provider", json={"provider": "nobody"})
        body = (await visitor.call("POST", f"{path}/payments", expect=201)).json()
        assert body["payment"]["order"].endswith(f"a{number}")
        assert body["payment"]["until"] == accepted.json()["payment"]["until"], "it never moves"
    assert body["attempts_left"] == 0


async def test_what_costs_nothing_is_confirmed_at_once(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    event = await make_event(prices={"Standard": 0})
    await hold(visitor, event, 1)
    body = (await submit(visitor, event)).json()
    assert (body["status"], body["payment"]) == ("CONFIRMED", None)
    assert body["ticket_code"]
    assert bank.calls == 0


async def test_seats_are_given_back_before_they_are_paid(
    visitor: Api, other: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    await hold(visitor, event, 1, 2)
    path = (await submit(visitor, event)).headers["location"]
    await visitor.refused("POST", f"{path}/cancel", 422, "invalid_request", json={"seats": [1]})
    given = (await visitor.call("POST", f"{path}/cancel", expect=200)).json()
    assert (given["status"], given["reason"], given["payment"]) == ("CANCELLED", "cancelled_by_buyer", None)
    await free_again(runtime, event, 1, 2)
    await hold(other, event, 1, 2)


async def test_single_seats_are_given_back(
    visitor: Api, other: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    path = await bought(visitor, bank, event, 1, 2)
    await ended(visitor, path)
    left = (await visitor.call("POST", f"{path}/cancel", json={"seats": [1]}, expect=200)).json()
    assert (left["status"], left["seats"], left["refunded"]) == ("CONFIRMED", [2], 15000)
    await free_again(runtime, event, 1)
    await hold(other, event, 1)


async def test_what_failed_cannot_be_cancelled(visitor: Api, bank: Bank, make_event: MakeEvent) -> None:
    bank.says = "decline"
    event = await make_event()
    path = await bought(visitor, bank, event, 1)
    await ended(visitor, path)
    await visitor.refused("POST", f"{path}/cancel", 409, "not_cancellable")
