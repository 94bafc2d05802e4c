"""How each refusal of the waiting list's calls is met (see `test_documented.py`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from core.errors import MailImpossible
from core.payments.breaker import Mode
from core.venue.event import Event, SaleStatus
from core.venue.phase import Phase
from tests.contract.api_client import Api
from web.endpoint import Endpoint

if TYPE_CHECKING:
    from tests.contract.scene import Scene

WISH = {"count": 1, "email": "kim@example.org"}


async def with_offer(scene: Scene, by: Api | None = None, *, seats: int = 1, **event: Any) -> tuple[Api, Event, str]:
    """Whose offer it is, the sale, and the place's id."""
    by, made = by or await scene.nobody.as_visitor(), await scene.make_event(**event)
    return by, made, await offered(scene, by, made, seats)


async def offered(scene: Scene, by: Api, event: Event, seats: int = 1) -> str:
    path = f"/api/events/{event.slug}/returns"
    joined = await by.call("POST", path, json={**WISH, "count": seats}, expect=201)
    for ordinal in range(10, 10 + seats):
        values = {"id": event.id, "ordinal": ordinal}
        await scene.runtime.database.execute(
            "UPDATE seats SET status = 'RETURNED' WHERE event_id = :id AND ordinal = :ordinal", values
        )
        await scene.runtime.database.execute(
            "INSERT INTO returned_seats (event_id, ordinal) VALUES (:id, :ordinal)", values
        )
    await scene.runtime.waiting_list.rounds.of_event(event)
    place = (await by.call("GET", path, expect=200)).json()
    assert place["state"] == "offered"
    return str(joined.json()["id"])


async def removed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event, id = await with_offer(scene)
    until = scene.runtime.clock.now() + timedelta(minutes=1)
    await scene.runtime.removals.add(event, visitor=by.visitor, until=until, actor="test")
    return await scene.call(endpoint, by=by, slug=event.slug, id=id)


async def over(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event, id = await with_offer(scene)
    await scene.runtime.database.execute(
        "UPDATE offers SET until = now(), state = CASE WHEN :ended THEN 'LAPSED' ELSE state END WHERE event_id = :id",
        {"id": event.id, "ended": endpoint.path.endswith("/pass")},
    )
    return await scene.call(endpoint, by=by, id=id)


async def taken(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    """By another device, with the link's secret."""
    by, event, id = await with_offer(scene)
    place = (await by.call("GET", f"/api/events/{event.slug}/returns")).json()
    await scene.call(endpoint, by=by, id=id)
    return await scene.call(endpoint, id=id, query=f"?{place['offer']['take'].partition('?')[2]}")


async def already(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, event, _ = await with_offer(scene)
    return await scene.call(endpoint, by=by, slug=event.slug, json={**WISH, "count": 2})


async def too_many_places(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    event = await scene.make_event()
    scene.runtime.waiting_list.waiting_list.wishes.places_of_network = 0
    return await scene.call(endpoint, slug=event.slug)


async def _in_another_sale(
    scene: Scene, endpoint: Endpoint, change: Callable[[Event], Awaitable[Any]]
) -> httpx.Response:
    by, event, id = await with_offer(scene, seats=2)
    await change(event)
    if endpoint.path.endswith("/returns"):
        by = await scene.nobody.as_visitor()
    return await scene.call(endpoint, by=by, slug=event.slug, id=id)


def _phase(scene: Scene, **phase: Any) -> Callable[[Event], Awaitable[Any]]:
    async def change(event: Event) -> None:
        opened = datetime.now(UTC) - timedelta(hours=1)
        await scene.runtime.events.update(event.slug, phases=(Phase("fans", opened, **phase),))
        await scene.runtime.events.set_status(event.slug, SaleStatus.SCHEDULED)

    return change


async def not_open(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await _in_another_sale(
        scene, endpoint, lambda event: scene.runtime.events.set_status(event.slug, SaleStatus.SCHEDULED)
    )


async def closed(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await _in_another_sale(
        scene, endpoint, lambda event: scene.runtime.events.set_status(event.slug, SaleStatus.CLOSED)
    )


async def code_required(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await _in_another_sale(scene, endpoint, _phase(scene, code_group="fans"))


async def quota_reached(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    return await _in_another_sale(scene, endpoint, _phase(scene, quota=1))


async def too_many_seats(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    if endpoint.path.endswith("/returns"):
        event = await scene.make_event(max_seats=1)
        return await scene.call(endpoint, slug=event.slug, json={**WISH, "count": 2})
    return await _in_another_sale(scene, endpoint, lambda event: scene.runtime.events.update(event.slug, max_seats=1))


async def payment_paused(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    scene.bank.says = "decline"
    by, event = await scene.holding()
    for number in range(5):
        await scene.hold(by, event, number)
        await scene.ended(by, await scene.paid(by, event, f"key-{number}"))
    return await scene.call(endpoint, by=by, id=await offered(scene, by, event))


async def payment_away(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, _, id = await with_offer(scene)
    await scene.runtime.checkout._payments.force_circuit("toss", Mode.FORCED_OPEN)
    return await scene.call(endpoint, by=by, id=id)


async def no_provider(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, _, id = await with_offer(scene)
    return await scene.call(endpoint, by=by, id=id, json={"provider": "nobody"})


async def currency_not_taken(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    by, _, id = await with_offer(scene)
    scene.bank.currencies = frozenset({"USD"})
    return await scene.call(endpoint, by=by, id=id)


async def mail_impossible(scene: Scene, endpoint: Endpoint) -> httpx.Response:
    def refuse(*_: object) -> None:
        raise MailImpossible()

    by, event, id = await with_offer(scene)
    scene.runtime.checkout._try_mail = scene.runtime.waiting_list.waiting_list.try_mail = refuse
    return await scene.call(endpoint, by=by, slug=event.slug, id=id)


Meet = Callable[["Scene", Endpoint], Awaitable[httpx.Response]]

MEET: dict[str, Meet] = {
    "removed": removed,
    "offer_over": over,
    "offer_taken": taken,
    "already_on_list": already,
    "too_many_places": too_many_places,
    "sale_not_open": not_open,
    "sale_closed": closed,
    "code_required": code_required,
    "quota_reached": quota_reached,
    "too_many_seats": too_many_seats,
    "payment_paused": payment_paused,
    "payment_unavailable": payment_away,
    "no_such_provider": no_provider,
    "currency_not_taken": currency_not_taken,
    "mail_impossible": mail_impossible,
}
