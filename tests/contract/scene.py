"""What the refusals of the API need to be met: callers, an open event, and calls made in the right way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx

from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, told, until
from tests.conftest import MakeEvent, small_plan
from tests.contract import waiting_list_refusals
from tests.contract.api_client import Api
from web.endpoint import Caller, Endpoint

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
            await self.hold(by, made, *seats)
        return by, made

    async def hold(self, by: Api, event: Event, *seats: int) -> None:
        await by.call("POST", f"/api/events/{event.slug}/holds", json={"seats": list(seats)}, expect=201)

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
        """In PostgreSQL, and Redis has heard of it: the buyer may hold seats again."""

        async def over() -> bool:
            found = (await by.call("GET", location)).json()
            return found["status"] != "PAYING" and await told(self.runtime, found["id"])

        await until(over)


Meet = Callable[[Scene, Endpoint], Awaitable[httpx.Response]]
