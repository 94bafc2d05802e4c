"""OpenAPI is true: valid, complete, and every refusal that it names can be met. Rule 9."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Route

from core import keys
from core.booking.attempt import order_number
from core.booking.comparison import difference
from core.booking.taking import Taking
from core.embedded import Engines
from core.errors import Forbidden, MailImpossible, OnsaleError
from core.payments.breaker import Mode
from core.payments.gateway import ListedCharge
from core.payments.payments import Account
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, Orphans, SaleStatus
from core.venue.phase import Phase
from tests.booking import Bank, desk, until
from tests.conftest import MakeEvent, small_plan
from tests.contract import waiting_list_refusals
from tests.contract.api_client import Api, open_client
from tests.contract.store_proxy import behind_proxies
from web import api_docs
from web.app import ENDPOINTS, create_app
from web.endpoint import Caller, Endpoint
from web.openapi import operation_id
from web.security import Operators

GOOD_BODIES: dict[str, Any] = {
    "JoinQueue": {},
    "JoinList": waiting_list_refusals.WISH,
    "TakeOffer": {},
    "HoldSeats": {"seats": [0]},
    "Reserve": {"email": "kim@example.org"},
    "NextAttempt": {},
    "GiveBack": {},
    "AskMail": {},
    "RefundReservation": {"reason": "sorry"},
    "RefundEvent": {"reason": "storm"},
    "ComparePayments": {},
    "MendFinding": {},
    "BlockSeats": {"seats": [19], "blocked": True},
    "ChangeLimit": {"active_limit": 50},
    "ReleaseSeat": {"seat": 0},
    "Remove": {"visitor": "v_" + "a" * 22},
    "Reconcile": {"dry_run": True},
    "ForceCircuit": {"provider": "toss", "state": "automatic"},
    "Inspect": {},
    "Find": {"text": "kim@example.org"},
    "RetryDeadLetters": {"ids": [1]},
    "DiscardDeadLetters": {"ids": [1]},
    "NewSale": {"slug": "exists", "name": "Gala", "plan": small_plan().decode(), "prices": {"Standard": 15000}},
    "ChangeSale": {"hold_seconds": 120},
    "MakeCodes": {"group": "fans", "count": 2},
    "RevokeCodes": {"group": "fans"},
    "CheckPlan": {"plan": small_plan().decode()},
}


def filled(path: str, *, slug: str = "nowhere", id: str = "") -> str:
    return path.replace("{slug}", slug).replace("{id}", id or str(uuid4())).replace("{digest}", "0" * 32)


def good_body(endpoint: Endpoint) -> Any:
    return GOOD_BODIES[endpoint.body.__name__] if endpoint.body else None


def headers_of(endpoint: Endpoint) -> dict[str, str]:
    return {one.name: "a-key" for one in endpoint.parameters if one.required}


class Scene:
    """What the refusals need: callers and an open event; `call` makes the endpoint's call in the right way."""

    def __init__(self, nobody: Api, runtime: Runtime, make_event: MakeEvent, bank: Bank) -> None:
        self.nobody, self.runtime, self.make_event, self.bank = nobody, runtime, make_event, bank

    async def caller(self, endpoint: Endpoint) -> Api:
        if endpoint.caller is Caller.OPERATOR:
            return self.nobody.as_operator()
        return await self.nobody.as_visitor() if endpoint.caller is Caller.VISITOR else self.nobody

    async def call(
        self, endpoint: Endpoint, *, by: Api | None = None, slug: str = "nowhere", id: str = "", **sent: Any
    ) -> httpx.Response:
        by = by or await self.caller(endpoint)
        body = {} if "content" in sent or endpoint.body is None else {"json": good_body(endpoint)}
        headers = {**headers_of(endpoint), **sent.pop("headers", {})}
        path = filled(endpoint.path, slug=slug, id=id) + sent.pop("query", "")
        return await by.call(endpoint.method, path, **{**body, "headers": headers, **sent})

    async def holding(self, *seats: int, **event: Any) -> tuple[Api, Event]:
        made = await self.make_event(**event)
        by = await self.nobody.as_visitor()
        await by.call("POST", f"/api/events/{made.slug}/queue", expect=200)
        if seats:
            await by.call("POST", f"/api/events/{made.slug}/holds", json={"seats": list(seats)}, expect=201)
        return by, made

    async def submit(self, by: Api, event: Event, key: str = "a-key", **sent: Any) -> httpx.Response:
        path = f"/api/events/{event.slug}/reservations"
        return await by.call(
            "POST", path, **{"json": GOOD_BODIES["Reserve"], "headers": {"idempotency-key": key}, **sent}
        )

    async def ordered(self, by: Api, event: Event, key: str = "a-key") -> tuple[str, str]:
        """Path and order of a reservation that waits for its buyer."""
        accepted = await self.submit(by, event, key, expect=202)
        return accepted.headers["location"], accepted.json()["payment"]["order"]

    async def paid(self, by: Api, event: Event, key: str = "a-key") -> str:
        """Path of a reservation whose buyer has come back from the window."""
        location, order = await self.ordered(by, event, key)
        await self.runtime.checkout.returned(order, {"paymentKey": self.bank.authorise(order)}, {})
        return location

    async def confirmed(self, *seats: int) -> tuple[Api, str]:
        by, event = await self.holding(*seats)
        location = await self.paid(by, event)
        await self.ended(by, location)
        return by, location.rpartition("/")[2]

    async def ended(self, by: Api, location: str) -> None:
        async def over() -> bool:
            return bool((await by.call("GET", location)).json()["status"] != "PAYING")

        await until(over)


Meet = Callable[[Scene, Endpoint], Awaitable[httpx.Response]]


async def no_visitor(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, by=scene.nobody)


async def forbidden(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, by=await scene.nobody.as_visitor())


async def sign_in_required(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, by=scene.nobody)


async def not_found(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, query="" if "{" in endpoint.path else "?event=nowhere")


async def cross_site(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    operators = Operators(scene.nobody.as_operator().token, scene.runtime.secret)
    cookie = f"onsale_operator={operators.session('kim', str(uuid4()))}"
    if endpoint.caller is Caller.VISITOR:
        cookie = f"onsale_visitor={(await scene.nobody.as_visitor()).token}"
    return await scene.call(endpoint, by=scene.nobody, headers={"cookie": cookie, "sec-fetch-site": "cross-site"})


async def malformed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, content=b"{", headers={"content-type": "application/json"})


async def too_large(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    content = b" " * (endpoint.most_body + 1)
    return await scene.call(endpoint, content=content, headers={"content-type": "application/json"})


async def invalid(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.body_type is not None:
        event, sent = await scene.make_event(), {"content-type": endpoint.body_type}
        return await scene.call(endpoint, slug=event.slug, content=b"no\n", headers=sent, query="?group=fans")
    if endpoint.body is None:
        event = await scene.make_event()
        return await scene.call(endpoint, slug=event.slug, query="?seats=x&seat=x&before=x&from=x&phase=%0A")
    return await scene.call(endpoint, json={"unknown": 1})


async def event_exists(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, json={**good_body(endpoint), "slug": (await scene.make_event()).slug})


async def plan_invalid(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, json={**good_body(endpoint), "plan": {"zones": []}})


async def not_open(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.path.endswith("/holds"):
        return await scene.call(endpoint, slug=(await in_phase(scene, opens=1)).slug)
    return await scene.call(endpoint, slug=(await scene.make_event(status=SaleStatus.SCHEDULED)).slug)


async def proof_required(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """Of the ninth visitor of a network."""
    event = await scene.make_event()
    await scene.runtime.redis.zadd(keys.networks(event.slug), {"203.0.113.0/24": 8})
    return await scene.call(endpoint, slug=event.slug)


async def closed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, slug=(await scene.make_event(status=SaleStatus.CLOSED)).slug)


async def outside(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """Of a visitor who is neither waiting nor active."""
    return await scene.call(endpoint, slug=(await scene.make_event()).slug)


async def not_drawn(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, slug=(await scene.make_event()).slug)


async def seat_taken(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """Held by another; at checkout: sold in PostgreSQL although Redis had granted the hold (rule 1)."""
    first, event = await scene.holding(0)
    if endpoint.path.endswith("/holds"):
        by = await scene.nobody.as_visitor()
        await by.call("POST", f"/api/events/{event.slug}/queue")
        return await scene.call(endpoint, by=by, slug=event.slug)
    await scene.runtime.database.execute("UPDATE seats SET status = 'SOLD' WHERE event_id = :id", {"id": event.id})
    return await scene.call(endpoint, by=first, slug=event.slug)


async def too_many_seats(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.path.endswith("/mails"):
        return await full_address(scene, endpoint)
    if endpoint.path.endswith("/reservations"):
        by, event = await scene.holding(5, 6, max_seats=2)
        await scene.runtime.events.update(event.slug, max_seats=1)
    else:
        by, event = await scene.holding(5, max_seats=1)
    return await scene.call(endpoint, by=by, slug=event.slug)


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


async def cool_down(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding()
    inside: Any = await scene.runtime.redis.zrange(keys.active_users(event.slug), 0, -1)
    await scene.runtime.redis.hset(
        keys.shares(event.slug), f"u|{inside[0].decode()}", f"{10**10}|{int(time.time() * 1000)}"
    )
    return await scene.call(endpoint, by=by, slug=event.slug)


async def not_together(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding()
    return await scene.call(endpoint, by=by, slug=event.slug, json={"best": {"count": 2, "accessible": True}})


async def leaves_single(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(orphans=Orphans.FORBID)
    return await scene.call(endpoint, by=by, slug=event.slug, json={"seats": [1]})


async def no_such_seat(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding()
    by = scene.nobody.as_operator() if endpoint.caller is Caller.OPERATOR else by
    if endpoint.body is None:
        return await scene.call(endpoint, by=by, slug=event.slug, query="?seat=500")
    name = "seat" if "seat" in endpoint.body.model_fields else "seats"
    wrong = {**good_body(endpoint), name: 500 if name == "seat" else [500]}
    return await scene.call(endpoint, by=by, slug=event.slug, json=wrong)


async def no_seats(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding()
    return await scene.call(endpoint, by=by, slug=event.slug)


async def not_held(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, slug=(await scene.make_event()).slug)


async def not_extendable(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    await by.call("POST", f"/api/events/{event.slug}/holds/extend", expect=200)
    return await scene.call(endpoint, by=by, slug=event.slug)


async def hold_expired(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0, hold_seconds=1)

    async def lapsed() -> bool:
        board = (await scene.runtime.seats.board(event)).states
        await scene.runtime.waiting_room.sweep(event)
        return not any(board)

    await until(lapsed)
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


async def in_phase(scene: Scene, *, opens: float = -1, quota: int | None = None, codes: bool = False) -> Event:
    """A sale of one part, which opens so many hours from now."""
    event = await scene.make_event(status=SaleStatus.SCHEDULED)
    opens_at = datetime.now(UTC) + timedelta(hours=opens)
    phase = Phase("fans", opens_at, code_group="fans" if codes else None, quota=quota)
    return await scene.runtime.events.update(event.slug, phases=(phase,))


async def code_required(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await scene.call(endpoint, slug=(await in_phase(scene, codes=True)).slug)


async def code_not_valid(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event = await in_phase(scene, codes=True)
    return await scene.call(endpoint, slug=event.slug, json={"code": "WRONG-CODE"})


async def code_used(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event, by = await in_phase(scene, codes=True), await scene.nobody.as_visitor()
    (code,) = await scene.runtime.codes.make(event, "fans", 1)
    scene.runtime.events.forget(event.slug)
    await by.call("POST", f"/api/events/{event.slug}/queue", json={"code": code}, expect=200)
    if not endpoint.path.endswith("/reservations"):
        return await scene.call(endpoint, slug=event.slug, json={"code": code})
    await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0]}, expect=201)
    await scene.runtime.codes.revoke(event, "fans", None)
    return await scene.call(endpoint, by=by, slug=event.slug)


async def quota_reached(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event, by = await in_phase(scene, quota=1), await scene.nobody.as_visitor()
    await by.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0, 1]}, expect=201)
    return await scene.call(endpoint, by=by, slug=event.slug)


async def reopen_too_late(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event = await scene.make_event(starts_at=datetime.now(UTC) - timedelta(hours=1))
    return await scene.call(endpoint, slug=event.slug)


async def removed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event = await scene.holding(0)
    until = scene.runtime.clock.now() + timedelta(minutes=1)
    await scene.runtime.removals.add(event, visitor=by.visitor, until=until, actor="test")
    return await scene.call(endpoint, by=by, slug=event.slug)


async def network_too_wide(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event = await scene.make_event()
    return await scene.call(endpoint, slug=event.slug, json={"network": "0.0.0.0/0", "minutes": 1})


async def payment_paused(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    scene.bank.says = "decline"
    by, event = await scene.holding()
    for number in range(5):
        await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [number]}, expect=201)
        await scene.ended(by, await scene.paid(by, event, f"key-{number}"))
    await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [9]}, expect=201)
    return await scene.call(endpoint, by=by, slug=event.slug)


async def too_many_requests(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    limits = {"calls_per_minute": 1}
    runtime = scene.runtime
    runtime.settings = runtime.settings.model_copy(update=limits)
    async with open_client(create_app(runtime, None)) as client:
        api = Api(client, (await client.get("/openapi.json")).json())
        by = await api.as_visitor() if endpoint.caller is Caller.VISITOR else api
        if Forbidden in endpoint.all_refusals():  # who shows a token, where nobody must
            by = api.as_operator("wrong")
        for _ in range(11):
            response = await scene.call(endpoint, by=by)
        return response


#: How each code is met. `store_unavailable` has tests of its own below.
MEET: dict[str, Meet] = {
    "no_visitor": no_visitor,
    "forbidden": forbidden,
    "sign_in_required": sign_in_required,
    "event_not_found": not_found,
    "reservation_not_found": not_found,
    "finding_not_found": not_found,
    "not_mended": not_mended,
    "cross_site": cross_site,
    "too_large": too_large,
    "sale_not_open": not_open,
    "code_required": code_required,
    "code_not_valid": code_not_valid,
    "code_used": code_used,
    "quota_reached": quota_reached,
    "reopen_too_late": reopen_too_late,
    "proof_required": proof_required,
    "draw_not_found": not_drawn,
    "sale_closed": closed,
    "not_in_queue": outside,
    "not_on_list": outside,
    "not_active": outside,
    "seat_taken": seat_taken,
    "too_many_seats": too_many_seats,
    "cool_down": cool_down,
    "not_together": not_together,
    "leaves_single_seat": leaves_single,
    "no_such_seat": no_such_seat,
    "no_seats_held": no_seats,
    "hold_not_extendable": not_extendable,
    "hold_expired": hold_expired,
    "payment_in_progress": paying,
    "idempotency_key_reused": key_reused,
    "event_exists": event_exists,
    "plan_invalid": plan_invalid,
    "picture_unusable": invalid,
    "picture_not_found": not_found,
    "seat_not_held": not_held,
    "no_such_provider": no_provider,
    "not_cancellable": not_cancellable,
    "not_refundable": not_refundable,
    "refund_changed": refund_changed,
    "refund_too_large": refund_too_large,
    "window_over": window_over,
    "no_attempts_left": no_attempts_left,
    "currency_not_taken": currency_not_taken,
    "payment_paused": payment_paused,
    "removed": removed,
    "network_too_wide": network_too_wide,
    "mail_impossible": mail_impossible,
    "not_confirmed": not_confirmed,
    "mailed_often": mailed_often,
    "payment_unavailable": payment_away,
    "too_many_requests": too_many_requests,
}

#: Refused before anything is looked at or changed, at nearly every endpoint.
AT_THE_DOOR = (
    "invalid_request",
    "forbidden",
    "sign_in_required",
    "no_visitor",
    "cross_site",
    "too_large",
    "event_not_found",
    "too_many_requests",
)
DOCUMENTED = [
    (endpoint, refusal)
    for endpoint in ENDPOINTS
    for refusal in endpoint.all_refusals()
    # What stores do when they are away: below, and `tests/integration/test_lost_answers.py`.
    if refusal.code not in ("store_unavailable", "outcome_unknown")
]
REFUSALS = [
    pytest.param(endpoint, refusal, id=f"{operation_id(endpoint)}-{refusal.status}-{refusal.code}")
    for endpoint, refusal in DOCUMENTED
    if refusal.code not in AT_THE_DOOR
]


@pytest.fixture
def bank(runtime: Runtime) -> Bank:
    bank = Bank()
    runtime.checkout = desk(runtime, bank).checkout
    runtime.waiting_list.waiting_list.checkout = cast(Taking, runtime.checkout)
    return bank


@pytest.fixture
def app(runtime: Runtime, bank: Bank) -> Starlette:
    return create_app(runtime, None)


@pytest.mark.parametrize(("endpoint", "refusal"), REFUSALS)
async def test_every_documented_refusal_is_real(
    endpoint: Endpoint,
    refusal: type[OnsaleError],
    nobody: Api,
    runtime: Runtime,
    make_event: MakeEvent,
    bank: Bank,
) -> None:
    response = await met(Scene(nobody, runtime, make_event, bank), endpoint, refusal)
    assert (response.status_code, response.json()["code"]) == (refusal.status, refusal.code), response.text


async def met(scene: Scene, endpoint: Endpoint, refusal: type[OnsaleError]) -> httpx.Response:
    own = waiting_list_refusals.MEET if "/returns" in endpoint.path else {}
    meet = own.get(refusal.code) or MEET.get(refusal.code) or (malformed if refusal.status == 400 else invalid)
    return await meet(scene, endpoint)


@pytest.mark.parametrize("code", AT_THE_DOOR)
async def test_what_is_refused_at_the_door_is_so_at_every_call(
    code: str, description: dict[str, Any], runtime: Runtime, make_event: MakeEvent, bank: Bank
) -> None:
    """Each call meets an application of its own, which remembers nothing of the refusals before it."""
    asked = [(endpoint, refusal) for endpoint, refusal in DOCUMENTED if refusal.code == code]
    assert len(asked) > 10
    wrong = {}
    for endpoint, refusal in asked:
        async with open_client(create_app(runtime, None)) as client:
            response = await met(Scene(Api(client, description), runtime, make_event, bank), endpoint, refusal)
        if (response.status_code, response.json()["code"]) != (refusal.status, refusal.code):
            wrong[operation_id(endpoint), refusal.status] = response.text
    assert not wrong


@pytest.mark.parametrize("away", ["postgres", "redis"])
async def test_a_store_that_is_away_is_said_plainly(
    away: str, settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """S16: refused within 3 s with when to come back, nothing hangs, nothing is an unexpected error."""
    event = await make_event()
    async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as runtime:
        app = create_app(runtime, None)
        async with open_client(app) as client:
            api = Api(client, (await client.get("/openapi.json")).json())
            visitor = await api.as_visitor()
            await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
            await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)
            await (postgres if away == "postgres" else redis).cut()
            told: dict[str, int] = {}

            async def ask(endpoint: Endpoint) -> None:
                # A visitor's token is not the operator's, whom health tells more.
                anybody = api if endpoint.path.startswith("/actuator") else visitor
                by = api.as_operator() if endpoint.caller is Caller.OPERATOR else anybody
                # S16's 3 s, and some for a machine that is busy with other tests.
                async with asyncio.timeout(10):
                    response = await by.call(
                        endpoint.method,
                        filled(endpoint.path, slug=event.slug),
                        headers=headers_of(endpoint),
                        json=good_body(endpoint),
                    )
                told[operation_id(endpoint)] = response.status_code
                assert response.status_code != 500, (operation_id(endpoint), response.text)
                if response.status_code == 503 and endpoint.uses_stores:
                    # The first call over a connection that was cut cannot know what became of it.
                    assert response.json()["code"] in ("store_unavailable", "outcome_unknown")

            # Each waits for a store most of the time: a few at once wait no longer.
            for some in (ENDPOINTS[first : first + 8] for first in range(0, len(ENDPOINTS), 8)):
                await asyncio.gather(*map(ask, some))
    refused = {operation for operation, status in told.items() if status == 503}
    assert "get_actuator_health" in refused
    assert told["get_metrics"] == 200
    assert told["get_actuator_health_liveness"] == told["get_actuator_health_readiness"] == 200
    if away == "postgres":
        assert {"get_events", "get_events_slug_plan", "post_events_slug_reservations", "get_reservations_id"} <= refused
        assert told["post_events_slug_queue"] == 200, "the waiting room goes on"
    else:
        assert {"post_events_slug_queue", "post_events_slug_holds", "post_events_slug_heartbeat"} <= refused
        assert told["get_events"] == 200
        assert told["get_events_slug_board"] == 200, "reads fall back to PostgreSQL (S16)"


async def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(description).validate()
    assert description["openapi"].startswith("3.1")
    assert json.loads(json.dumps(description)) == description


async def test_every_api_route_is_described(description: dict[str, Any], app: Starlette) -> None:
    served = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route)
        and route.path.startswith(("/api", "/actuator", "/metrics", "/openapi.json", "/pictures"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method.upper()) for path, operations in description["paths"].items() for method in operations}
    assert described == served


async def test_operations_have_names_of_their_own(description: dict[str, Any]) -> None:
    names = [one["operationId"] for operations in description["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))


def test_the_page_about_the_api_is_current() -> None:
    """`make docs` writes it."""
    assert Path("docs/http-api.md").read_text() == api_docs.document()


def test_the_table_of_the_design_is_there() -> None:
    """What API clients rely on, whatever else is added."""
    table = {
        ("POST", "/api/visitors"): 201,
        ("GET", "/api/events"): 200,
        ("GET", "/api/events/{slug}"): 200,
        ("GET", "/api/events/{slug}/plan"): 200,
        ("GET", "/api/events/{slug}/board"): 200,
        ("POST", "/api/events/{slug}/queue"): 200,
        ("GET", "/api/events/{slug}/queue"): 200,
        ("POST", "/api/events/{slug}/heartbeat"): 200,
        ("DELETE", "/api/events/{slug}/queue"): 204,
        ("POST", "/api/events/{slug}/holds"): 201,
        ("GET", "/api/events/{slug}/holds"): 200,
        ("DELETE", "/api/events/{slug}/holds"): 204,
        ("POST", "/api/events/{slug}/reservations"): 202,
        ("POST", "/api/events/{slug}/returns"): 201,
        ("GET", "/api/events/{slug}/returns"): 200,
        ("DELETE", "/api/events/{slug}/returns"): 204,
        ("POST", "/api/returns/{id}/take"): 202,
        ("GET", "/api/reservations/{id}"): 200,
        ("POST", "/api/reservations/{id}/cancel"): 200,
        ("POST", "/api/reservations/{id}/payments"): 201,
        ("POST", "/api/operator/reservations/{id}/refunds"): 201,
        ("POST", "/api/operator/events/{slug}/refunds"): 202,
        ("GET", "/actuator/health"): 200,
        ("GET", "/metrics"): 200,
    }
    declared = {(one.method, one.path): one.success for one in ENDPOINTS}
    assert table.items() <= declared.items()
