"""F4: a visitor's token has an end; made in store it is no head start; who has a place or has bought keeps it."""

from __future__ import annotations

import hashlib
import http.cookies
import uuid
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from itsdangerous import Signer
from starlette.applications import Starlette

from core.runtime import Runtime
from core.venue.event import SaleStatus
from core.venue.phase import Phase
from tests.conftest import MakeEvent
from tests.contract.api_client import Api, open_client
from tests.manual_clock import ManualClock
from web.visitors import COOKIE, FRESH_HOURS, TOKEN_DAYS, Visitors

Aged = Callable[[str, timedelta], str]

A_DAY = timedelta(hours=FRESH_HOURS, minutes=2)
MONTHS = timedelta(days=TOKEN_DAYS - 1)
OVER = timedelta(days=TOKEN_DAYS, minutes=2)


@pytest.fixture
def aged(runtime: Runtime) -> Aged:
    """A visitor's token as it was signed so long ago."""

    def token(visitor: str, age: timedelta) -> str:
        then = runtime.clock.now() - age
        return Visitors(runtime.secret, ManualClock(epoch=then.timestamp())).token(visitor)

    return token


async def test_tokens_made_in_store_take_no_place(visitor: Api, aged: Aged, make_event: MakeEvent) -> None:
    """Renewed it costs what a new one costs."""
    event = await make_event()
    queue = f"/api/events/{event.slug}/queue"
    visitor.token = aged(visitor.visitor, A_DAY)
    told = await visitor.refused("POST", queue, 401, "no_visitor")
    assert "renew" in told["detail"]
    await visitor.refused("GET", queue, 404, "not_in_queue")
    renewed = (await visitor.call("POST", "/api/visitors", expect=201)).json()
    assert renewed["visitor"] == visitor.visitor
    visitor.token = renewed["token"]
    await visitor.call("POST", queue, expect=200)


@pytest.mark.parametrize(
    ("status", "code"), [(SaleStatus.SCHEDULED, (403, "sale_not_open")), (SaleStatus.CLOSED, (410, "sale_closed"))]
)
async def test_who_gets_no_place_anyway_is_told_why(
    visitor: Api, aged: Aged, make_event: MakeEvent, status: SaleStatus, code: tuple[int, str]
) -> None:
    """A token that is renewed would get the same answer."""
    event = await make_event(status=status)
    visitor.token = aged(visitor.visitor, A_DAY)
    await visitor.refused("POST", f"/api/events/{event.slug}/queue", *code)


async def test_who_has_no_code_is_told_to_bring_one(
    visitor: Api, aged: Aged, runtime: Runtime, make_event: MakeEvent
) -> None:
    fans = Phase("fans", runtime.clock.now() - timedelta(hours=1), None, 0, "members")
    event = await make_event(status=SaleStatus.SCHEDULED, phases=(fans,))
    visitor.token = aged(visitor.visitor, A_DAY)
    await visitor.refused("POST", f"/api/events/{event.slug}/queue", 403, "code_required")


async def test_a_token_of_before_is_renewed_once(visitor: Api, runtime: Runtime, make_event: MakeEvent) -> None:
    event = await make_event()
    queue = f"/api/events/{event.slug}/queue"
    signer = Signer(runtime.secret, salt="onsale.visitor", key_derivation="hmac", digest_method=hashlib.sha256)
    visitor.token = signer.sign(visitor.visitor).decode()
    await visitor.refused("POST", queue, 401, "no_visitor")
    renewed = (await visitor.call("POST", "/api/visitors", expect=201)).json()
    assert renewed["visitor"] == visitor.visitor
    visitor.token = renewed["token"]
    await visitor.call("POST", queue, expect=200)


async def test_who_has_queued_keeps_the_place(visitor: Api, aged: Aged, make_event: MakeEvent) -> None:
    """While it is there, and after it by its ticket."""
    event = await make_event()
    queue = f"/api/events/{event.slug}/queue"
    first = (await visitor.call("POST", queue, expect=200)).json()
    visitor.token = aged(visitor.visitor, A_DAY)
    again = (await visitor.call("POST", queue, expect=200)).json()
    assert again["number"] == first["number"]
    await visitor.call("POST", f"/api/events/{event.slug}/heartbeat", expect=200)
    await visitor.call("DELETE", queue, expect=204)
    await visitor.refused("POST", queue, 401, "no_visitor")
    await visitor.call("POST", queue, json={"ticket": first["ticket"]}, expect=200)


async def test_a_purchase_is_found_and_paid_after_months(visitor: Api, aged: Aged, make_event: MakeEvent) -> None:
    event = await make_event()
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0]}, expect=201)
    visitor.token = aged(visitor.visitor, MONTHS)
    key = {"idempotency-key": str(uuid.uuid4())}
    path = f"/api/events/{event.slug}/reservations"
    begun = (await visitor.call("POST", path, json={"email": "kim@example.com"}, headers=key, expect=202)).json()
    assert (await visitor.call("GET", f"/api/reservations/{begun['id']}", expect=200)).json()["status"] == "PAYING"
    visitor.token = aged(visitor.visitor, OVER)
    await visitor.refused("GET", f"/api/reservations/{begun['id']}", 401, "no_visitor")
    assert (await visitor.call("POST", "/api/visitors", expect=201)).json()["visitor"] != visitor.visitor


@pytest.mark.parametrize("https", [False, True])
async def test_a_page_renews_the_cookie(app: Starlette, runtime: Runtime, aged: Aged, https: bool) -> None:
    """Whose it is stays, for all but what is over; a new one of the last hour is left alone."""
    visitors = Visitors(runtime.secret, runtime.clock)
    name = f"__Host-{COOKIE}" if https else COOKIE
    mine = visitors.new()
    async with open_client(app, https=https) as client:

        async def shown(age: timedelta) -> http.cookies.Morsel[str] | None:
            client.cookies.clear()
            page = await client.get("/tickets", headers={"cookie": f"{name}={aged(mine, age)}"})
            return _given(page, name)

        assert await shown(timedelta(minutes=50)) is None
        for age in (timedelta(hours=2), A_DAY, MONTHS):
            given = await shown(age)
            assert given is not None
            assert given["max-age"] == str(TOKEN_DAYS * 86_400)
            assert given.coded_value == given.value, "without quotes, which nobody takes away"
            known = visitors.of({"cookie": f"{name}={given.value}"})
            assert known is not None
            assert (known.id, known.fresh) == (mine, True)
        other = await shown(OVER)
        assert other is not None
        known = visitors.of({"cookie": f"{name}={other.value}"})
        assert known is not None
        assert known.id != mine


def _given(page: httpx.Response, name: str) -> http.cookies.Morsel[str] | None:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for value in page.headers.get_list("set-cookie"):
        jar.load(value)
    return jar.get(name)
