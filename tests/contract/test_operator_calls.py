"""Issue 4 section 3: what operators see and do over HTTP. Refused without the token, done as it says, and written down."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core import keys
from core.embedded import Engines
from core.events.pipeline import EventPipeline
from core.payments.breaker import Mode
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event
from tests.booking import Bank, Desk, close_desks, desk, rows, until
from tests.conftest import MakeEvent
from tests.contract.api_client import OWN_PAGE, Api, open_client
from tests.contract.store_proxy import behind_proxies
from web.app import ENDPOINTS, create_app
from web.endpoint import Caller
from web.security import OPERATOR_COOKIE, OPERATOR_SESSION_SECONDS

OPERATOR_ENDPOINTS = [one for one in ENDPOINTS if one.caller is Caller.OPERATOR]


@pytest.fixture
async def till(runtime: Runtime) -> Any:
    """A desk whose bank approves."""
    yield desk(runtime, Bank())
    await close_desks()


async def trail(runtime: Runtime, subject: str) -> list[Any]:
    return list(await rows(runtime, "SELECT actor, action, detail FROM audit WHERE subject = $1 ORDER BY id", subject))


@pytest.mark.parametrize("endpoint", OPERATOR_ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"cookie": f"{OPERATOR_COOKIE}=operator"}])
async def test_every_call_is_refused_without_the_token(
    client: httpx.AsyncClient, endpoint: Any, headers: dict[str, str]
) -> None:
    """Also with the bare token as the cookie: a session is signed."""
    response = await client.request(endpoint.method, endpoint.path.replace("{slug}", "any"), headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_the_limit_is_changed(operator: Api, make_event: MakeEvent, runtime: Runtime) -> None:
    event = await make_event(active_limit=1)
    base = f"/api/operator/events/{event.slug}"
    body = (await operator.call("POST", f"{base}/limit", json={"active_limit": 7}, expect=200)).json()
    assert body == {"slug": event.slug, "active_limit": 7, "before": 1}
    assert (await runtime.events.get(event.slug)).active_limit == 7
    await operator.refused("POST", f"{base}/limit", 422, "invalid_request", json={"active_limit": 0})
    [entry] = await trail(runtime, event.slug)
    assert (entry["action"], entry["detail"]) == ("sale.limit", {"before": 1, "after": 7})


async def test_a_held_seat_is_released_for_everybody(
    operator: Api, visitor: Api, other: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    event = await make_event()
    holds, releases = f"/api/events/{event.slug}/holds", f"/api/operator/events/{event.slug}/releases"
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await visitor.call("POST", holds, json={"seats": [4, 5]}, expect=201)
    body = (await operator.call("POST", releases, json={"seat": 4}, expect=200)).json()
    assert body == {"slug": event.slug, "seat": 4, "visitor": visitor.visitor, "left": [5]}
    await other.call("POST", holds, json={"seats": [4]}, expect=201)
    assert (await visitor.call("GET", holds)).json()["seats"] == [5]
    await operator.refused("POST", releases, 409, "seat_not_held", json={"seat": 9})
    [entry] = await trail(runtime, event.slug)
    assert (entry["action"], entry["detail"]) == ("seat.release", {"seat": 4, "visitor": visitor.visitor})


async def test_who_is_paying_is_neither_released_nor_removed(
    operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    """Rule 5: a visitor whose payment is under way is never cut off."""
    event = await make_event()
    await runtime.waiting_room.join(event, visitor.visitor)
    await runtime.seats.hold(event, visitor.visitor, [3])
    basket = await runtime.seats.begin_payment(event, visitor.visitor)
    base = f"/api/operator/events/{event.slug}"
    await operator.refused("POST", f"{base}/releases", 409, "payment_in_progress", json={"seat": 3})
    body = {"visitor": visitor.visitor}
    await operator.refused("POST", f"{base}/removals", 409, "payment_in_progress", json=body)
    assert (await visitor.call("GET", f"/api/events/{event.slug}/queue")).json()["state"] == "active"
    assert not await trail(runtime, event.slug)
    await runtime.seats.abort_payment(event, visitor.visitor, basket.fence)


async def test_a_visitor_is_removed_and_the_next_comes_in(
    operator: Api, visitor: Api, other: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    event = await make_event(active_limit=1)
    queue = f"/api/events/{event.slug}/queue"
    await visitor.call("POST", queue, expect=200)
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0]}, expect=201)
    await other.call("POST", queue, expect=200)
    removals = f"/api/operator/events/{event.slug}/removals"
    async with runtime.redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.queue_channel(event.slug))
        await operator.call("POST", removals, json={"visitor": visitor.visitor}, expect=200)

        async def told() -> bytes | None:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            return message["data"] if message else None

        assert f'["{visitor.visitor}","removed"]' in (await until(told)).decode()
    await visitor.refused("GET", queue, 404, "not_in_queue")
    assert (await other.call("GET", queue)).json()["state"] == "active"
    assert not any((await runtime.seats.board(event)).states), "the seat is free"
    again = (await operator.call("POST", removals, json={"visitor": visitor.visitor}, expect=200)).json()
    assert again["removed"] is False
    first = (await trail(runtime, event.slug))[0]
    assert (first["action"], first["detail"]["seats"]) == ("visitor.remove", [0])


async def test_a_circuit_is_forced_and_let_go(operator: Api, runtime: Runtime) -> None:
    """Open keeps charges back, closed lets all through, automatic ends either; a second process follows."""
    circuits = "/api/operator/circuits"

    async def force(state: str) -> str:
        sent = {"provider": "toss", "state": state}
        body = (await operator.call("POST", circuits, json=sent, expect=200)).json()
        return next(one["mode"] for one in body["circuits"] if one["provider"] == "toss")

    try:
        assert await force("open") == "FORCED_OPEN"
        async with open_runtime(runtime.settings, _engines_of(runtime)) as second:
            await second.payments.refresh()
            assert second.payments.circuits()[0].mode is Mode.FORCED_OPEN
        assert await force("closed") == "DISABLED"
    finally:
        assert await force("automatic") == "CLOSED"
    assert [one["provider"] for one in (await operator.call("GET", circuits)).json()["circuits"]] == ["toss", "kcp"]
    done = [row["action"] for row in await trail(runtime, "toss")][-3:]
    assert done == ["circuit.open", "circuit.closed", "circuit.automatic"]


def _engines_of(runtime: Runtime) -> Engines:
    return Engines(database_url=runtime.settings.database_url, redis_url=runtime.settings.redis_url)


async def test_reconcile_finds_without_mending_and_then_mends(
    operator: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    """S14: a sold seat that Redis shows free."""
    event = await make_event()
    await runtime.seats.ensure_board(event)
    await runtime.database.execute(
        "UPDATE seats SET status = 'SOLD', updated_at = now() WHERE event_id = :id AND ordinal = 6", {"id": event.id}
    )
    path = f"/api/operator/events/{event.slug}/reconcile"
    dry = (await operator.call("POST", path, json={"dry_run": True}, expect=200)).json()
    assert (dry["seats"], dry["mended"], [one["seat"] for one in dry["found"]]) == (20, 0, [6])
    assert (await runtime.seats.board(event)).states[6] == 0
    done = (await operator.call("POST", path, expect=200)).json()
    assert (done["mended"], done["found"][0]["kind"]) == (1, "sold_not_shown")
    assert (await runtime.seats.board(event)).states[6] == 2
    assert [row["detail"]["dry_run"] for row in await trail(runtime, event.slug)] == [True, False]


async def test_the_inspector_shows_a_seat(
    operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime, till: Desk
) -> None:
    event = await make_event()
    path = f"/api/operator/events/{event.slug}/seat?seat="
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [11]}, expect=201)
    held = (await operator.call("GET", f"{path}11", expect=200)).json()
    assert (held["zone"], held["row"], held["number"], held["price"]) == ("Stalls", "2", "2", 15000)
    assert (held["status"], held["shown"], held["holder"]["visitor"]) == ("AVAILABLE", "held", visitor.visitor)
    assert 200 < held["holder"]["seconds_left"] <= 300
    assert held["holder"]["paying"] is False
    assert held["lock_seconds"] is None
    bought = await till.ended(await till.buy(event, "v_" + "b" * 22, 12))
    sold = (await operator.call("GET", f"{path}12", expect=200)).json()
    assert (sold["status"], sold["shown"], sold["holder"]) == ("SOLD", "sold", None)
    assert [(one["id"], one["live"]) for one in sold["reservations"]] == [(str(bought.id), True)]
    await runtime.redis.set(keys.seat_lock(event.slug, 11), "somebody")
    assert (await operator.call("GET", f"{path}11")).json()["lock_seconds"] == -1
    for wrong in ("20", ""):
        assert (await operator.call("GET", path + wrong)).status_code == 422


async def test_reservations_are_found_by_what_the_customer_gives(
    operator: Api, make_event: MakeEvent, till: Desk
) -> None:
    event, visitor = await make_event(), "v_" + "c" * 22
    await till.basket(event, visitor, 1, 2)
    bought = await till.ended(await till.submit(event, visitor, email=f"Kim@{event.slug}.example"))
    for text in (f"kim@{event.slug}.EXAMPLE", str(bought.id), f"  {str(bought.id).upper()} "):
        found = (await operator.call("POST", "/api/operator/reservations", json={"text": text}, expect=200)).json()
        [one] = found["reservations"]
        assert (one["id"], one["visitor"], one["seats"], one["status"]) == (str(bought.id), visitor, [1, 2], "CONFIRMED")
    nobody = {"text": "v_" + "d" * 22}
    found = (await operator.call("POST", "/api/operator/reservations", json=nobody, expect=200)).json()
    assert found == {"reservations": []}
    for text in ("somebody", "a@\x00"):
        await operator.refused("POST", "/api/operator/reservations", 422, "invalid_request", json={"text": text})


async def test_the_diagnosis_names_the_cause_and_the_reply(
    operator: Api, visitor: Api, other: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    """S33: over HTTP what `onsale diagnose` says."""
    event = await make_event(active_limit=1)
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await runtime.waiting_room.sweep(event)
    await runtime.redis.set(keys.job_lease("sweep"), "somebody", px=60_000)
    question = {"event": event.slug, "visitor": other.visitor}
    body = (await operator.call("POST", "/api/operator/diagnosis", json=question, expect=200)).json()
    assert body["cause"] in ("queue_full", "visitor_waiting")
    assert set(body["reply"]) == {"en", "ko"}
    steps = {one["step"]: one for one in body["steps"]}
    assert "number 2, 1 ahead" in steps["visitor"]["detail"] or "number 2, 0 ahead" in steps["visitor"]["detail"]
    assert not await trail(runtime, event.slug), "looking changes nothing"
    # A lock that nobody will release: named, and mended on demand.
    await runtime.redis.set(keys.seat_lock(event.slug, 3), "gone")
    question = {"event": event.slug, "seat": 3}
    body = (await operator.call("POST", "/api/operator/diagnosis", json=question, expect=200)).json()
    assert (body["cause"], [one["fixable"] for one in body["steps"] if one["step"] == "seat lock"]) == (
        "lock_without_ttl", [True],
    )  # fmt: skip
    body = (await operator.call("POST", "/api/operator/diagnosis", json={**question, "fix": True}, expect=200)).json()
    assert [one["fixed"] for one in body["steps"] if one["step"] == "seat lock"] == [True]
    assert not await runtime.redis.exists(keys.seat_lock(event.slug, 3))
    [entry] = await trail(runtime, event.slug)
    assert (entry["action"], entry["detail"]["fixed"], entry["detail"]["seat"]) == ("diagnosis.fix", ["seat lock"], 3)


async def test_dead_letters_are_listed_and_sent_again(operator: Api, runtime: Runtime) -> None:
    await runtime.pipeline.dead_letters.bury(
        consumer="email", source="outbox/test-operator", error="MailRefused: 550 no such user", attempts=5,
        type_="reservation.confirmed", payload={"event": "summer"},
    )  # fmt: skip
    body = (await operator.call("GET", "/api/operator/dead-letters", expect=200)).json()
    letter = next(one for one in body["letters"] if one["source"] == "outbox/test-operator")
    assert (letter["consumer"], letter["event"], letter["attempts"]) == ("email", "summer", 5)
    assert body["waiting"] >= 1
    path = "/api/operator/dead-letters/retries"
    assert (await operator.call("POST", path, json={"ids": [letter["id"]]}, expect=200)).json() == {"retried": 1}
    assert (await operator.call("POST", path, json={"ids": [letter["id"]]}, expect=200)).json() == {"retried": 0}
    after = (await operator.call("GET", "/api/operator/dead-letters")).json()
    assert letter["id"] not in [one["id"] for one in after["letters"]]
    found = await rows(runtime, "SELECT detail FROM audit WHERE action = 'dead_letters.retry' ORDER BY id DESC LIMIT 2")
    assert [row["detail"]["retried"] for row in found] == [0, 1]
    await runtime.database.execute("DELETE FROM outbox WHERE type = 'reservation.confirmed' AND payload->>'event' = 'summer'")


async def test_the_audit_trail_comes_in_pages(operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    for limit in range(1, 54):
        path = f"/api/operator/events/{event.slug}/limit"
        await operator.call("POST", path, json={"active_limit": limit}, headers={"x-operator": "kim <b>"}, expect=200)
    first = (await operator.call("GET", f"/api/operator/audit?subject={event.slug}", expect=200)).json()
    assert [one["detail"]["after"] for one in first["entries"]] == list(range(53, 3, -1))
    assert first["entries"][0]["actor"] == "kim b@203.0.113.7", "what a name may not hold is left out"
    rest = (await operator.call("GET", f"/api/operator/audit?subject={event.slug}&before={first['next']}")).json()
    assert ([one["detail"]["after"] for one in rest["entries"]], rest["next"]) == ([3, 2, 1], None)
    for wrong in ("before=-1", "before=x", "before=99999999999999999999", "subject=%00"):
        await operator.refused("GET", f"/api/operator/audit?{wrong}", 422, "invalid_request")


class TestFigures:
    """One body with everything that the live page shows."""

    async def test_they_are_those_of_the_sale(
        self, operator: Api, visitor: Api, other: Api, make_event: MakeEvent, runtime: Runtime, till: Desk
    ) -> None:
        event = await make_event(active_limit=2)
        await till.ended(await till.buy(event, "v_" + "e" * 22, 0, 1))
        await self._project(runtime, event)
        await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
        await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [5, 6, 7]}, expect=201)
        await other.call("POST", f"/api/events/{event.slug}/queue", expect=200)
        await operator.call(
            "POST", f"/api/operator/events/{event.slug}/blocks", json={"seats": [19], "blocked": True}, expect=200
        )
        await runtime.vitals.publish()
        await runtime.load.publish()
        body = (await operator.call("GET", f"/api/operator/events/{event.slug}/figures", expect=200)).json()
        assert body["away"] == []
        assert body["admission"] | {"pace": None} == {
            "waiting": 1, "active": 2, "paying": 0, "baskets": 1, "seats_held": 3, "cap": None, "pace": None,
        }  # fmt: skip
        assert body["board"] == {"available": 14, "held": 3, "sold": 2, "blocked": 1}
        assert (body["sales"]["sold"], body["sales"]["revenue"]) == (2, 30000)
        assert body["sales"]["by_category"] == [{"category": "Standard", "sold": 2, "revenue": 30000}]
        assert (body["checkouts"]["confirmed"], body["checkouts"]["failed"]) == (1, 0)
        assert body["checkouts"]["median_seconds"] >= 0
        assert {one["provider"] for one in body["circuits"]} == {"toss", "kcp"}
        own = next(one for one in body["processes"] if one["process"] == runtime.process)
        assert own["locks"]["wait_seconds"] == 1.0
        assert 0 <= own["cpu"] <= 1
        assert body["active_limit"] == 2

    @staticmethod
    async def _project(runtime: Runtime, event: Event) -> None:
        """Lets the sales projection catch up, as the job list of a process does."""
        pipeline = EventPipeline(
            database=runtime.database, settings=runtime.settings, supervisor=runtime.supervisor, process="figures"
        )
        await pipeline.start()
        try:
            query = "SELECT sold FROM sales_by_category WHERE event_id = $1"
            await until(lambda: rows(runtime, query, event.id))
        finally:
            await pipeline.stop()

    async def test_they_are_read_once_a_second_however_many_ask(
        self, operator: Api, make_event: MakeEvent, runtime: Runtime
    ) -> None:
        event = await make_event()
        path = f"/api/operator/events/{event.slug}/figures"
        bodies = await asyncio.gather(*(operator.call("GET", path, expect=200) for _ in range(8)))
        assert len({response.json()["now"] for response in bodies}) == 1

        async def newer() -> bool:
            return bool((await operator.call("GET", path)).json()["now"] != bodies[0].json()["now"])

        await until(newer)

    @pytest.mark.parametrize("away", ["redis", "postgresql"])
    @pytest.mark.parametrize("how", ["cut", "hang"])
    async def test_half_of_them_are_better_than_none(
        self, away: str, how: str, settings: Settings, stores: Engines, make_event: MakeEvent
    ) -> None:
        """At 2 a.m. the page says which store is away, within 3 s, and shows the rest."""
        event = await make_event()
        async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as runtime:
            await runtime.events.get(event.slug)
            async with open_client(create_app(runtime, None)) as client:
                api = Api(client, (await client.get("/openapi.json")).json()).as_operator()
                proxy = redis if away == "redis" else postgres
                if how == "cut":
                    await proxy.cut()
                else:
                    proxy.hang()
                async with asyncio.timeout(3):
                    body = (await api.call("GET", f"/api/operator/events/{event.slug}/figures", expect=200)).json()
                async with asyncio.timeout(3):
                    everything = (await api.call("GET", "/api/operator/overview", expect=200)).json()
                assert away in body["away"]
                assert everything["status"] == "DOWN"
                if away == "redis":
                    assert (body["admission"], body["processes"]) == (None, None)
                    assert body["sales"]["sold"] == 0
                else:
                    assert (body["sales"], body["checkouts"], body["events"]) == (None, None, None)
                    assert body["admission"]["waiting"] == 0
                await postgres.cut()
                await redis.cut()

    async def test_the_last_hour_is_there_when_the_page_opens(
        self, operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime
    ) -> None:
        event = await make_event(active_limit=1)
        await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
        await runtime.history.run()
        await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)
        await runtime.history.run()
        body = (await operator.call("GET", f"/api/operator/events/{event.slug}/history", expect=200)).json()
        field = {name: index for index, name in enumerate(body["fields"])}
        assert [sample[field["held"]] for sample in body["samples"]] == [0, 1]
        assert [sample[field["active"]] for sample in body["samples"]] == [1, 1]
        assert 0 < await runtime.redis.ttl(keys.history(event.slug)) <= 7200
        await runtime.redis.delete(keys.history(event.slug))

    async def test_the_overview_lists_the_sales(
        self, operator: Api, visitor: Api, make_event: MakeEvent
    ) -> None:
        event = await make_event()
        await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)

        async def listed() -> Any:
            body = (await operator.call("GET", "/api/operator/overview", expect=200)).json()
            return next((one for one in body["sales"] if one["slug"] == event.slug), None)

        found = await until(listed)
        assert (found["active"], found["waiting"], found["sold"], found["status"]) == (1, 0, 0, "open")


class TestConsole:
    """Signing in: a signed, strict cookie that ends; never the token in an address."""

    async def _sign_in(self, client: httpx.AsyncClient, **form: str) -> httpx.Response:
        fields = {"token": "operator", "name": "Kim", "next": "/ops/audit"} | form
        return await client.post("/ops/login", data=fields, headers=OWN_PAGE)

    async def test_the_session_opens_the_pages_and_the_calls(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        page = await client.get("/ops/events/summer", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["cache-control"]) == (401, "private, no-store")
        assert 'value="/ops/events/summer"' in page.text
        signed_in = await self._sign_in(client)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/ops/audit")
        cookie = signed_in.headers["set-cookie"]
        assert all(word in cookie.lower() for word in ("httponly", "samesite=strict", "path=/"))
        assert f"Max-Age={OPERATOR_SESSION_SECONDS}" in cookie
        assert "operator" not in cookie.replace(OPERATOR_COOKIE, ""), "the cookie does not hold the token"
        page = await client.get("/ops/audit")
        assert page.status_code == 200
        assert 'data-view="audit"' in page.text
        assert "Kim" in page.text
        assert (await client.get("/api/operator/session")).json() == {"name": "Kim", "by": "cookie"}
        [opened] = await rows(runtime, "SELECT actor, action FROM audit WHERE action = 'session.open' ORDER BY id DESC LIMIT 1")
        assert opened["actor"] == "Kim@203.0.113.7"

    async def test_pages_keep_to_the_content_security_policy(self, client: httpx.AsyncClient) -> None:
        """No inline script, style or handler; nothing from elsewhere."""
        await self._sign_in(client)
        for path in ("/ops", "/ops/events/summer", "/ops/dead-letters", "/ops/audit"):
            page = await client.get(path)
            assert "script-src 'self'" in page.headers["content-security-policy"]
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", page.text)

    async def test_calls_by_cookie_must_come_from_our_own_page(
        self, client: httpx.AsyncClient, make_event: MakeEvent
    ) -> None:
        event = await make_event()
        await self._sign_in(client)
        path = f"/api/operator/events/{event.slug}/pause"
        for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            response = await client.post(path, headers=headers)
            assert (response.status_code, response.json()["code"]) == (403, "cross_site")
        assert (await client.post(path, headers=OWN_PAGE)).json()["paused"] is True

    @pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}])
    async def test_nobody_is_signed_in_or_out_by_another_site(
        self, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        response = await client.post("/ops/login", data={"token": "operator"}, headers=headers)
        assert (response.status_code, "set-cookie" in response.headers) == (403, False)
        await self._sign_in(client)
        assert (await client.post("/ops/logout", headers=headers)).status_code == 403
        assert (await client.get("/ops")).status_code == 200

    async def test_signing_out_ends_it(self, client: httpx.AsyncClient) -> None:
        await self._sign_in(client)
        assert (await client.post("/ops/logout", headers=OWN_PAGE)).status_code == 303
        assert (await client.get("/ops")).status_code == 401

    @pytest.mark.parametrize(
        "next", ["https://evil.example/", "//evil.example", "/ops//evil.example", "/ops/../", "/events", "", "/ops?x"]
    )
    async def test_nobody_is_sent_elsewhere(self, client: httpx.AsyncClient, next: str) -> None:
        assert (await self._sign_in(client, next=next)).headers["location"] == "/ops"

    async def test_a_wrong_token_is_said_and_guessing_is_limited(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        response = await self._sign_in(client, token="wrong")
        assert (response.status_code, "set-cookie" in response.headers) == (401, False)
        assert "This is not the operator token." in response.text
        statuses = [(await self._sign_in(client, token="wrong")).status_code for _ in range(12)]
        assert 429 in statuses
        assert (await self._sign_in(client)).status_code == 429, "also the right one, for a while"

    async def test_an_old_console_does_not_lock_its_operator_out(self, client: httpx.AsyncClient) -> None:
        """A page that is left open asks each second with a session that has ended."""
        client.cookies.set(OPERATOR_COOKIE, "ended")
        for _ in range(30):
            assert (await client.get("/api/operator/overview")).status_code == 403
        assert (await self._sign_in(client)).status_code == 303

    async def test_a_session_ends_by_time_by_tampering_and_with_the_token(
        self, runtime: Runtime, app: Starlette, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with open_client(app) as client:
            await self._sign_in(client)
            value = client.cookies[OPERATOR_COOKIE]
            assert (await client.get("/ops")).status_code == 200
            tampered = value[:-2] + ("AA" if not value.endswith("AA") else "BB")
            assert await self._opens(app, tampered) == 401
            changed = runtime.settings.operator_token
            runtime.settings = runtime.settings.model_copy(update={"operator_token": type(changed)("another")})
            assert await self._opens(create_app(runtime, None), value) == 401
            import itsdangerous.timed

            late = itsdangerous.timed.time.time() + OPERATOR_SESSION_SECONDS + 5
            monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: late)
            assert await self._opens(app, value) == 401

    @staticmethod
    async def _opens(app: Starlette, cookie: str) -> int:
        async with open_client(app) as client:
            return (await client.get("/ops", headers={"cookie": f"{OPERATOR_COOKIE}={cookie}"})).status_code

    async def test_the_cookie_is_secure_over_https(self, app: Starlette) -> None:
        async with open_client(app, https=True) as client:
            assert "Secure" in (await self._sign_in(client)).headers["set-cookie"]

    async def test_operators_get_in_while_postgresql_is_away(self, settings: Settings, stores: Engines) -> None:
        async with behind_proxies(stores) as (engines, postgres, _), open_runtime(settings, engines) as runtime:
            async with open_client(create_app(runtime, None)) as client:
                await postgres.cut()
                assert (await self._sign_in(client)).status_code == 303
                assert (await client.get("/ops/events/summer")).status_code == 200
