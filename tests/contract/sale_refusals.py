"""How each refusal of the queue, of holds and of an operator's steering is met."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from core import keys
from core.venue.event import Event, Orphans, SaleStatus
from core.venue.phase import Phase
from tests.booking import until
from tests.contract.payment_refusals import full_address
from tests.contract.scene import Meet, Scene, good_body
from web.endpoint import Caller, Endpoint


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
    """At checkout, whose seats a sale that closes leaves: the event does not take place."""
    if endpoint.path.endswith("/reservations"):
        by, event = await scene.holding(0)
        await scene.runtime.database.execute("UPDATE events SET cancelled_at = now() WHERE id = :id", {"id": event.id})
        return await scene.call(endpoint, by=by, slug=event.slug)
    return await scene.call(endpoint, slug=(await scene.make_event(status=SaleStatus.CLOSED)).slug)


async def new_sale(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """In which nobody has been in yet, nothing is held and nothing was drawn."""
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


MEET: dict[str, Meet] = {
    "sale_not_open": not_open,
    "code_required": code_required,
    "code_not_valid": code_not_valid,
    "code_used": code_used,
    "quota_reached": quota_reached,
    "reopen_too_late": reopen_too_late,
    "proof_required": proof_required,
    "draw_not_found": new_sale,
    "sale_closed": closed,
    "not_in_queue": new_sale,
    "not_on_list": new_sale,
    "not_active": new_sale,
    "seat_taken": seat_taken,
    "too_many_seats": too_many_seats,
    "cool_down": cool_down,
    "not_together": not_together,
    "leaves_single_seat": leaves_single,
    "no_such_seat": no_such_seat,
    "hold_not_extendable": not_extendable,
    "hold_expired": hold_expired,
    "seat_not_held": new_sale,
    "removed": removed,
    "network_too_wide": network_too_wide,
}
