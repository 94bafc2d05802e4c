"""How each refusal of orders, payments, refunds and ticket mails is met."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from core.booking.attempt import order_number
from core.booking.comparison import difference
from core.errors import MailImpossible
from core.payments.account import Account
from core.payments.breaker import Mode
from core.payments.gateway import ListedCharge
from core.venue.event import SaleStatus
from tests.contract.scene import Meet, Scene, good_body
from web.endpoint import Caller, Endpoint


async def full_address(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """A ticket is to move to the address of who has all the seats that one buyer may have."""
    first, event = await scene.holding(0, max_seats=1)
    await scene.ended(first, await scene.paid(first, event))
    by = await scene.nobody.as_visitor()
    await by.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)
    accepted = await scene.submit(by, event, json={"email": "lee@example.org"}, expect=202)
    order = accepted.json()["payment"]["order"]
    await scene.runtime.checkout.returned(order, {"paymentKey": scene.bank.authorise(order)}, {})
    await scene.ended(by, accepted.headers["location"])
    caller = scene.nobody.as_operator() if endpoint.caller is Caller.OPERATOR else by
    return await scene.call(endpoint, by=caller, id=accepted.json()["id"], json={"email": "kim@example.org"})


async def not_confirmed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    location, _ = await scene.ordered(by, event)
    caller = scene.nobody.as_operator() if endpoint.caller is Caller.OPERATOR else by
    return await scene.call(endpoint, by=caller, id=location.rpartition("/")[2])


async def mailed_often(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, id = await scene.confirmed(0)
    await scene.call(endpoint, by=by, id=id)
    return await scene.call(endpoint, by=by, id=id)


async def no_seats(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding()
    return await scene.call(endpoint, by=by, slug=event.slug)


async def paying(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """A payment is under way and its provider does not answer."""
    if endpoint.path.endswith(("/cancel", "/refunds")):
        return await at_work(scene, endpoint)
    scene.bank.gate = asyncio.Event()
    try:
        by, event = await scene.holding(1)
        location = await scene.paid(by, event, "another-key")
        if endpoint.caller is Caller.OPERATOR:
            sent = {"seat": 1} if endpoint.path.endswith("/releases") else {"visitor": by.visitor}
            return await scene.call(endpoint, slug=event.slug, json=sent)
        return await scene.call(endpoint, by=by, slug=event.slug, id=location.rpartition("/")[2])
    finally:
        scene.bank.gate.set()


async def at_work(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """A confirmed payment that another process is still telling the result of."""
    by, id = await scene.confirmed(0)
    await scene.runtime.database.execute(
        "UPDATE payment_attempts SET claimed_by = 'another process', claimed_until = now() + interval '1 minute' "
        "WHERE reservation_id = :id",
        {"id": id},
    )
    return await scene.call(endpoint, by=scene.nobody.as_operator() if "operator" in endpoint.path else by, id=id)


async def key_reused(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if "{id}" in endpoint.path:
        _, id = await scene.confirmed(0, 1)
        await scene.call(endpoint, id=id, json={"reason": "sorry", "seats": [0]})
        return await scene.call(endpoint, id=id, json={"reason": "sorry", "seats": [1]})
    if endpoint.caller is Caller.OPERATOR:
        event = await scene.make_event()
        await scene.call(endpoint, slug=event.slug)
        return await scene.call(endpoint, slug=event.slug, json={"reason": "another"})
    by, event = await scene.holding(0)
    await scene.submit(by, event, expect=202)
    return await scene.call(endpoint, by=by, slug=event.slug, json={**good_body(endpoint), "provider": "toss"})


async def not_cancellable(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    scene.bank.says = "decline"
    by, id = await scene.confirmed(0)
    return await scene.call(endpoint, by=by, id=id)


async def not_refundable(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    scene.bank.says = "decline"
    _, id = await scene.confirmed(0)
    return await scene.call(endpoint, id=id)


async def refund_changed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    _, id = await scene.confirmed(0)
    return await scene.call(endpoint, id=id, json={"reason": "sorry", "amount": 1})


async def refund_too_large(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    _, id = await scene.confirmed(0)
    return await scene.call(endpoint, id=id, json={"reason": "sorry", "amount": 10**9, "refunded_before": 0})


async def not_mended(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """Nobody can ask the provider: the charge is at an account that there are no keys for."""
    number = order_number(uuid4(), 1)
    charge = ListedCharge(number, "key", 15_000, 15_000, "KRW", datetime.now(UTC))
    found = difference(charge, None)
    assert found is not None
    await scene.runtime.findings.add(Account("toss", "test:gone"), found, datetime.now(UTC))
    (id,) = [one.id for one in await scene.runtime.findings.latest(500) if one.order == number]
    return await scene.call(endpoint, id=str(id))


async def window_over(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    location, order = await scene.ordered(by, event)
    await scene.runtime.checkout.give_back(order)
    return await scene.call(endpoint, by=by, id=location.rpartition("/")[2])


async def no_attempts_left(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    location, order = await scene.ordered(by, event)
    id = location.rpartition("/")[2]
    for number in (2, 3, 4):
        await scene.runtime.checkout.closed(order, None)
        response = await scene.call(endpoint, by=by, id=id)
        order = f"{order.rpartition('a')[0]}a{number}"
    return response


async def after_a_closed_window(scene: Scene, endpoint: Endpoint, **sent: Any) -> httpx.Response:
    by, event = await scene.holding(0)
    if "{id}" not in endpoint.path:
        return await scene.call(endpoint, by=by, slug=event.slug, **sent)
    location, order = await scene.ordered(by, event)
    await scene.runtime.checkout.closed(order, None)
    return await scene.call(endpoint, by=by, id=location.rpartition("/")[2], **sent)


async def no_provider(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.caller is Caller.VISITOR:
        return await after_a_closed_window(scene, endpoint, json={**good_body(endpoint), "provider": "nobody"})
    return await scene.call(endpoint, json={**good_body(endpoint), "provider": "nobody"})


async def currency_not_taken(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.caller is Caller.OPERATOR:
        event = await scene.make_event(status=SaleStatus.SCHEDULED)
        scene.runtime.events._takes = lambda currency: False
        if endpoint.method == "PATCH":
            return await scene.call(endpoint, slug=event.slug, json={"opens_at": "2030-01-01T00:00:00Z"})
        return await scene.call(endpoint, slug=event.slug)
    by, event = await scene.holding(0)
    location = ""
    if "{id}" in endpoint.path:
        location, order = await scene.ordered(by, event)
        await scene.runtime.checkout.closed(order, None)
    scene.bank.currencies = frozenset({"USD"})
    return await scene.call(endpoint, by=by, slug=event.slug, id=location.rpartition("/")[2])


async def payment_away(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    location = ""
    if "{id}" in endpoint.path:
        location, order = await scene.ordered(by, event)
        await scene.runtime.checkout.closed(order, None)
    await scene.runtime.checkout._payments.force_circuit("toss", Mode.FORCED_OPEN)
    return await scene.call(endpoint, by=by, slug=event.slug, id=location.rpartition("/")[2])


async def mail_impossible(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    def refuse(*_: object) -> None:
        raise MailImpossible()

    if endpoint.path.endswith("/mails"):
        by, id = await scene.confirmed(0)
        scene.runtime.mails._try_mail = refuse
        caller = scene.nobody.as_operator() if endpoint.caller is Caller.OPERATOR else by
        return await scene.call(endpoint, by=caller, id=id)
    by, event = await scene.holding(0)
    scene.runtime.checkout._try_mail = refuse
    return await scene.call(endpoint, by=by, slug=event.slug)


async def payment_paused(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    scene.bank.says = "decline"
    by, event = await scene.holding()
    for number in range(5):
        await scene.hold(by, event, number)
        await scene.ended(by, await scene.paid(by, event, f"key-{number}"))
    await scene.hold(by, event, 9)
    return await scene.call(endpoint, by=by, slug=event.slug)


MEET: dict[str, Meet] = {
    "not_mended": not_mended,
    "no_seats_held": no_seats,
    "payment_in_progress": paying,
    "idempotency_key_reused": key_reused,
    "no_such_provider": no_provider,
    "not_cancellable": not_cancellable,
    "not_refundable": not_refundable,
    "refund_changed": refund_changed,
    "refund_too_large": refund_too_large,
    "window_over": window_over,
    "no_attempts_left": no_attempts_left,
    "currency_not_taken": currency_not_taken,
    "payment_paused": payment_paused,
    "mail_impossible": mail_impossible,
    "not_confirmed": not_confirmed,
    "mailed_often": mailed_often,
    "payment_unavailable": payment_away,
}
