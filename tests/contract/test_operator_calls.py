"""What operators see and do over HTTP: refused without the token, done as said, written down."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
import structlog

from core import keys
from core.embedded import Engines
from core.messaging.composition import open_pipeline
from core.messaging.sales_projection_postgres import SalesProjection
from core.payments.breaker import Mode
from core.process.successes_redis import Successes
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event
from tests.booking import Desk, rows, until
from tests.conftest import MakeEvent
from tests.contract.api_client import Api, open_client
from tests.contract.audit import trail
from tests.contract.store_proxy import behind_proxies
from tests.waits import PATIENCE
from web.app import ENDPOINTS, create_app
from web.endpoint import Caller
from web.security import OPERATOR_COOKIE

OPERATOR_ENDPOINTS = [one for one in ENDPOINTS if one.caller is Caller.OPERATOR]


async def test_every_call_is_refused_without_the_token(client: httpx.AsyncClient) -> None:
    """Also with the bare token as the cookie: a session is signed. With a wrong token: `test_documented.py`."""
    for endpoint in OPERATOR_ENDPOINTS:
        for headers in ({}, {"cookie": f"{OPERATOR_COOKIE}=operator"}):
            response = await client.request(endpoint.method, endpoint.path.replace("{slug}", "any"), headers=headers)
            assert (response.status_code, response.json()["code"]) == (401, "sign_in_required"), endpoint
            assert response.headers["www-authenticate"].startswith("Bearer")


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
        return str(next(one["mode"] for one in body["circuits"] if one["provider"] == "toss"))

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


async def test_a_circuit_is_forced_while_postgresql_is_away(settings: Settings, stores: Engines) -> None:
    """What was done is not answered with a refusal, and the log keeps what the trail could not."""
    async with (
        behind_proxies(stores) as (engines, postgres, _),
        open_runtime(settings, engines) as runtime,
        open_client(create_app(runtime, None)) as client,
    ):
        api = Api(client, (await client.get("/openapi.json")).json()).as_operator()
        await postgres.cut()
        sent = {"provider": "kcp", "state": "open"}
        with structlog.testing.capture_logs() as lines:
            await api.call("POST", "/api/operator/circuits", json=sent, expect=200)
        assert runtime.payments.circuits()[1].mode is Mode.FORCED_OPEN
        lost = [line for line in lines if line["event"].startswith("audit entry lost")]
        assert [(line["action"], line["actor"]) for line in lost] == [("circuit.open", "token@203.0.113.7")]
        await api.call("POST", "/api/operator/circuits", json={**sent, "state": "automatic"}, expect=200)


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
    ordered = await till.submit(event, visitor, email=f"Kim@{event.slug}.example")
    bought = await till.ended(await till.pay(ordered))
    for text in (f"kim@{event.slug}.EXAMPLE", str(bought.id), f"  {str(bought.id).upper()} "):
        found = (await operator.call("POST", "/api/operator/reservations", json={"text": text}, expect=200)).json()
        [one] = found["reservations"]
        assert (one["id"], one["visitor"], one["seats"]) == (str(bought.id), visitor, [1, 2])
        assert one["status"] == "CONFIRMED"
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
    await Successes(runtime.redis).note("sweep", 600)
    # Events of other tests wait in the outbox: they are not this visitor's trouble.
    await runtime.database.execute("UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL")
    question = {"event": event.slug, "visitor": other.visitor}
    body = (await operator.call("POST", "/api/operator/diagnosis", json=question, expect=200)).json()
    assert body["cause"] in ("queue_full", "visitor_waiting")
    assert set(body["reply"]) == {"en", "ko"}
    steps = {one["step"]: one for one in body["steps"]}
    assert "number 2, 1 ahead" in steps["visitor"]["detail"] or "number 2, 0 ahead" in steps["visitor"]["detail"]
    looked = [entry["action"] for entry in await trail(runtime, event.slug)]
    assert set(looked) <= {"buyer.diagnose"}, "looking changes nothing, and at a buyer it is written down"
    # A lock that nobody will release: named, and mended on demand.
    await runtime.redis.set(keys.seat_lock(event.slug, 3), "gone")
    of_the_seat: dict[str, Any] = {"event": event.slug, "seat": 3}
    body = (await operator.call("POST", "/api/operator/diagnosis", json=of_the_seat, expect=200)).json()
    assert (body["cause"], [one["fixable"] for one in body["steps"] if one["step"] == "seat lock"]) == (
        "lock_without_ttl",
        [True],
    )
    of_the_seat["fix"] = True
    body = (await operator.call("POST", "/api/operator/diagnosis", json=of_the_seat, expect=200)).json()
    assert [one["fixed"] for one in body["steps"] if one["step"] == "seat lock"] == [True]
    assert not await runtime.redis.exists(keys.seat_lock(event.slug, 3))
    *_, entry = await trail(runtime, event.slug)
    assert (entry["action"], entry["detail"]["fixed"], entry["detail"]["seat"]) == ("diagnosis.fix", ["seat lock"], 3)


async def test_dead_letters_are_listed_and_sent_again(operator: Api, runtime: Runtime) -> None:
    await runtime.pipeline.dead_letters.bury(
        consumer="email",
        source="outbox/test-operator",
        error="MailRefused: 550 no such user",
        attempts=5,
        type_="reservation.confirmed",
        payload={"event": "summer"},
    )
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
    await runtime.database.execute("DELETE FROM outbox WHERE payload->>'event' = 'summer'")


async def test_a_dead_letter_is_let_go_of(operator: Api, runtime: Runtime) -> None:
    """R7: what can never be sent does not stand in the way for ever, and does not come back."""
    letters = runtime.pipeline.dead_letters
    source = "ticket.reservations/0/7"

    async def bury() -> None:
        await letters.bury(consumer="email", source=source, error="MailRefused: 550", attempts=5)

    await bury()
    body = (await operator.call("GET", "/api/operator/dead-letters", expect=200)).json()
    letter = next(one for one in body["letters"] if one["source"] == source)
    path = "/api/operator/dead-letters/discards"
    assert (await operator.call("POST", path, json={"ids": [letter["id"]]}, expect=200)).json() == {"discarded": 1}
    assert (await operator.call("POST", path, json={"ids": [letter["id"]]}, expect=200)).json() == {"discarded": 0}
    await operator.call("POST", path, json={"ids": []}, expect=422)
    await operator.call("POST", path, json={}, expect=422)
    await bury()  # Kafka delivers it once more
    after = (await operator.call("GET", "/api/operator/dead-letters")).json()
    assert source not in [one["source"] for one in after["letters"]]
    assert after["waiting"] == body["waiting"] - 1
    assert await letters.retry([letter["id"]]) == 0
    found = await rows(runtime, "SELECT detail FROM audit WHERE action = 'dead_letters.discard' ORDER BY id LIMIT 1")
    assert found[0]["detail"] == {"ids": [letter["id"]], "discarded": 1}


async def test_the_audit_trail_comes_in_pages(operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    for limit in range(1, 54):
        path = f"/api/operator/events/{event.slug}/limit"
        await operator.call("POST", path, json={"active_limit": limit}, headers={"x-operator": "kim <b>"}, expect=200)
    first = (await operator.call("GET", f"/api/operator/audit?subject={event.slug}", expect=200)).json()
    assert [one["detail"]["after"] for one in first["entries"]] == list(range(53, 3, -1))
    assert first["entries"][0]["actor"] == "token@203.0.113.7", "a token has no name, whatever a header says"
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

        async def whole() -> Any:
            body = (await operator.call("GET", f"/api/operator/events/{event.slug}/figures", expect=200)).json()
            return None if body["away"] else body  # a busy machine may leave parts out

        body = await until(whole, "all figures")
        assert body["admission"] | {"pace": None} == {
            "waiting": 1,
            "active": 2,
            "paying": 0,
            "baskets": 1,
            "entered": 0,
            "seats_held": 3,
            "cap": None,
            "pace": None,
            "came_back": 0,
            "came_late": 0,
        }
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
        pipeline = open_pipeline(
            runtime.settings,
            database=runtime.database,
            supervisor=runtime.supervisor,
            process="figures",
            consumers=[SalesProjection()],
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
        began = time.monotonic()
        bodies = await asyncio.gather(*(operator.call("GET", path, expect=200) for _ in range(8)))
        assert len({response.json()["now"] for response in bodies}) <= 1 + int(time.monotonic() - began)

        async def newer() -> bool:
            return bool((await operator.call("GET", path)).json()["now"] != bodies[0].json()["now"])

        await until(newer)

    @pytest.mark.usefixtures("impatient")
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
                async with asyncio.timeout(PATIENCE):
                    body = (await api.call("GET", f"/api/operator/events/{event.slug}/figures", expect=200)).json()
                async with asyncio.timeout(PATIENCE):
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

    async def test_the_overview_lists_the_sales(self, operator: Api, visitor: Api, make_event: MakeEvent) -> None:
        event = await make_event()
        await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)

        async def listed() -> Any:
            body = (await operator.call("GET", "/api/operator/overview", expect=200)).json()
            return next((one for one in body["sales"] if one["slug"] == event.slug), None)

        found = await until(listed)
        assert (found["active"], found["waiting"], found["sold"], found["status"]) == (1, 0, 0, "open")
