"""The refund desk's calls: a reservation is found, its money seen; two operators at once make one refund (P7)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from core.runtime import Runtime
from tests.booking import Bank, until
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from tests.contract.test_reservations import bought, ended

pytestmark = pytest.mark.usefixtures("bank")


async def account(operator: Api, id: str) -> dict[str, Any]:
    body: dict[str, Any] = (await operator.call("GET", f"/api/operator/reservations/{id}", expect=200)).json()
    return body


async def settled(operator: Api, id: str) -> dict[str, Any]:
    """Its account, once all its refunds are made and nothing is done to it any more."""

    async def made() -> dict[str, Any] | None:
        found = await account(operator, id)
        return found if all(one["state"] == "DONE" for one in found["refunds"]) else None

    return await until(made)


def refund(operator: Api, id: str, key: str, **body: Any) -> Any:
    sent = {"Idempotency-Key": key}
    return operator.call("POST", f"/api/operator/reservations/{id}/refunds", headers=sent, json={"reason": "r"} | body)


async def test_a_reservation_is_found_by_its_order_and_its_money_seen(
    visitor: Api, operator: Api, bank: Bank, make_event: MakeEvent
) -> None:
    event = await make_event()
    state = await ended(visitor, await bought(visitor, bank, event, 3, 4))
    found = await account(operator, state["id"])
    assert (found["event"], found["status"], found["amount"], found["refunded"]) == (event.slug, "CONFIRMED", 30000, 0)
    assert [(one["ordinal"], one["row"], one["price"], one["live"]) for one in found["seats"]] == [
        (3, "1", 15000, True),
        (4, "1", 15000, True),
    ]
    (attempt,) = found["attempts"]
    assert (attempt["provider"], attempt["state"], attempt["amount"]) == ("toss", "APPROVED", 30000)
    for text in (attempt["order"], attempt["order"].upper(), state["id"]):
        listed = (await operator.call("POST", "/api/operator/reservations", json={"text": text}, expect=200)).json()
        assert [one["id"] for one in listed["reservations"]] == [state["id"]]
    # Who bought it stands where the look-up is written down, and not here.
    assert visitor.visitor not in str(found)
    assert "@" not in str(found)
    made = (await refund(operator, state["id"], "one", seats=[3], fee=1000, refunded_before=0)).json()
    assert (made["amount"], made["fee"]) == (14000, 1000)
    after = await settled(operator, state["id"])
    assert (after["refunded"], [one["live"] for one in after["seats"]]) == (14000, [False, True])
    (movement,) = after["refunds"]
    assert (movement["amount"], movement["fee"], movement["seats"], movement["reason"]) == (14000, 1000, [3], "r")
    assert movement["asked_by"].startswith("token@")


@pytest.mark.parametrize(
    "body", [{}, {"seats": [3]}, {"amount": 5000}, {"amount": 5000, "seats": [3], "release": True}]
)
async def test_two_operators_at_once_make_one_refund(
    visitor: Api, operator: Api, bank: Bank, make_event: MakeEvent, body: dict[str, Any]
) -> None:
    event = await make_event()
    state = await ended(visitor, await bought(visitor, bank, event, 3, 4))
    both = await asyncio.gather(
        *(refund(operator, state["id"], key, refunded_before=0, **body) for key in ("kim", "lee"))
    )
    (won,), lost = [one for one in both if one.status_code == 201], [one for one in both if one.status_code != 201]
    assert len(lost) == 1
    assert lost[0].json()["code"] in ("refund_changed", "not_refundable", "invalid_request")
    after = await settled(operator, state["id"])
    assert [one["amount"] for one in after["refunds"]] == [won.json()["amount"]]
    assert after["refunded"] == won.json()["amount"]
    assert sum(entry.left for entry in bank.ledger.values()) == 30000 - won.json()["amount"]


async def test_two_operators_with_different_seats_make_one_refund_too(
    visitor: Api, operator: Api, bank: Bank, make_event: MakeEvent
) -> None:
    """Each chose by what was seen; without `refunded_before` both would be made (the negative control)."""
    event = await make_event()
    state = await ended(visitor, await bought(visitor, bank, event, 3, 4))
    first = await refund(operator, state["id"], "kim", seats=[3], refunded_before=0)
    assert first.status_code == 201
    late = await refund(operator, state["id"], "lee", seats=[4], refunded_before=0)
    assert (late.status_code, late.json()["code"], late.json()["refunded"]) == (409, "refund_changed", 15000)
    assert (await refund(operator, state["id"], "lee2", seats=[4])).status_code == 201


@pytest.mark.parametrize("reason", [" ", "\u200b", "sorry\u202e", "two\nlines"])
async def test_a_reason_is_a_line_that_can_be_read(operator: Api, reason: str) -> None:
    """Rule 9, V4: it goes to the provider, who refuses an empty one, and into the books."""
    for path in (f"reservations/{uuid4()}", "events/nowhere"):
        refused = await operator.call(
            "POST", f"/api/operator/{path}/refunds", headers={"Idempotency-Key": "r"}, json={"reason": reason}
        )
        assert (refused.status_code, refused.json()["errors"][0]["at"]) == (422, "reason")


async def test_nobody_elses_reservation_is_shown(visitor: Api, operator: Api) -> None:
    for id in (str(uuid4()), "x"):
        await operator.refused("GET", f"/api/operator/reservations/{id}", 404, "reservation_not_found")
    await visitor.refused("GET", f"/api/operator/reservations/{uuid4()}", 403, "forbidden")


async def test_an_event_refund_names_what_the_provider_refuses(
    visitor: Api, operator: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    state = await ended(visitor, await bought(visitor, bank, event, 3))
    bank.refunds = False
    path = f"/api/operator/events/{event.slug}/refunds"
    begun = (
        await operator.call("POST", path, headers={"Idempotency-Key": "storm"}, json={"reason": "storm"}, expect=202)
    ).json()
    assert (begun["key"], begun["unmade"]) == ("storm", [])

    async def refused() -> list[dict[str, Any]]:
        await runtime.event_refunds.work()
        await runtime.checkout.finish_due()
        (report,) = (await operator.call("GET", path, expect=200)).json()["refunds"]
        return list(report["unmade"])

    (one,) = await until(refused)
    assert (one["reservation"], one["amount"], one["code"]) == (state["id"], 15000, "NOT_CANCELABLE_PAYMENT")
