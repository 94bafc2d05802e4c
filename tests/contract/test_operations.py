"""Health and metrics (S29, S30), and what operators do to a sale."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core import keys
from core.embedded import Engines
from core.process.once import Once
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import SaleStatus
from realtime.composition import open_live
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api, open_client
from tests.contract.store_proxy import behind_proxies
from tests.waits import PATIENCE, until
from web import health_checks
from web.app import create_app
from web.composition import health_checks as health_checks_of
from web.ops.response_cache import ResponseCache
from web.schemas import ComponentHealth, Health


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests ask again within the second for which an answer is kept."""
    monkeypatch.setattr("web.composition.ResponseCache", partial(ResponseCache, seconds=0.0))


async def test_health_in_one_call(operator: Api, visitor: Api, other: Api, make_event: MakeEvent) -> None:
    """S29: database, Redis, Kafka or the local bus, queue size."""
    event = await make_event(active_limit=1)
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue")
    body = (await operator.call("GET", "/actuator/health", expect=200)).json()
    components = body["components"]
    assert set(components) == {"database", "redis", "kafka", "queue", "jobs", "tasks", "payment", "clock"}
    assert components["database"]["status"] == components["redis"]["status"] == "UP"
    assert all(one["latency_ms"] >= 0 for one in components.values())
    assert components["kafka"]["detail"]["bus"] == "local"
    assert components["queue"]["detail"]["events"][event.slug] == {"waiting": 1, "active": 1}
    assert components["queue"]["detail"]["waiting"] >= 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hanging", ["postgres", "redis", "both"])
async def test_health_answers_soon_when_a_store_hangs(hanging: str, settings: Settings, stores: Engines) -> None:
    """S29: within 2 s. Each check has a limit of its own below that and they run at once; the rest of the
    time that a call takes here is the machine's that runs the tests."""
    assert health_checks.LIMIT <= 1
    async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as runtime:
        app = create_app(runtime, None)
        async with open_client(app) as client:

            async def down() -> set[str]:
                """Of the two. A check that a busy machine makes later than its limit is asked again."""
                async with asyncio.timeout(PATIENCE):
                    response = await client.get("/actuator/health")
                body = response.json()
                found = {name for name, one in body["components"].items() if one["status"] == "DOWN"}
                assert not found & {"database", "redis"} or (response.status_code, body["status"]) == (503, "DOWN")
                return found & {"database", "redis"}

            async def only(*stores: str) -> bool:
                return await down() == set(stores)

            await until(only)
            for proxy, name in ((postgres, "postgres"), (redis, "redis")):
                if hanging in (name, "both"):
                    proxy.hang()
            names = {"postgres": "database", "redis": "redis"}
            await until(lambda: only(*(names.values() if hanging == "both" else [names[hanging]])))
            assert (await client.get("/actuator/health/liveness")).json() == {"status": "UP"}
            assert (await client.get("/actuator/health/readiness")).json() == {"status": "UP"}
            await redis.cut()  # the end of a process waits for no hanging PostgreSQL


async def test_what_fails_says_the_kind_of_fault_only(runtime: Runtime) -> None:
    async def refused() -> ComponentHealth:
        raise ConnectionRefusedError("postgresql://admin:hunter2@10.0.0.7/")

    found = await health_checks.examine(Once[Any]("probe"), {"database": refused})
    assert found.components["database"].detail == {"error": "ConnectionRefusedError"}


async def test_checks_run_at_once_and_have_a_limit(runtime: Runtime) -> None:
    async def never() -> ComponentHealth:
        await asyncio.Event().wait()
        raise AssertionError

    # One after the other they would take twice as long as this allows.
    async with asyncio.timeout(PATIENCE):
        found = await health_checks.examine(Once[Any]("probe"), dict.fromkeys(map(str, range(900)), never), limit=0.2)
    assert {one.status for one in found.components.values()} == {"DOWN"}


async def test_a_feed_that_stands_still_while_the_stores_answer_is_named(
    runtime: Runtime, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1: nothing else would tell that the pages of this process show an old map."""
    monkeypatch.setattr(health_checks, "_FEED_SECONDS", 0.2)
    live = open_live(runtime)

    async def asked() -> Health:
        return await health_checks.examine(Once[Any]("probe"), health_checks_of(runtime, live))

    assert (await asked()).components["feeds"].status == "UP"
    event = await make_event()
    live._event(event)  # nobody reads the subscription yet: the feeds never hear that they are subscribed
    behind = {f"seats {event.slug}", f"queue {event.slug}"}

    async def named() -> bool:
        found = await asked()
        # A store that a busy machine makes late is told as well, until it answers.
        degraded = (found.status, found.components["feeds"].status) == ("DEGRADED", "DEGRADED")
        return degraded and set(found.components["feeds"].detail["behind"]) == behind

    await until(named, "both feeds are named, and nothing else is wrong")
    await live.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while (await asked()).components["feeds"].status != "UP":
                await asyncio.sleep(0.05)
    finally:
        await live.stop()


async def test_a_store_that_hangs_is_asked_once(runtime: Runtime) -> None:
    """Health calls during a hang must not use up the connections that the sale needs when it is over."""
    asked = 0
    answers = asyncio.Event()

    async def slow() -> ComponentHealth:
        nonlocal asked
        asked += 1
        await answers.wait()
        return ComponentHealth(status="UP")

    probes = Once[Any]("probe")
    for _ in range(3):
        assert (await health_checks.examine(probes, {"database": slow}, limit=0.05)).status == "DOWN"
    assert asked == 1
    answers.set()
    assert (await health_checks.examine(probes, {"database": slow}, limit=5)).status == "UP"
    assert (await health_checks.examine(probes, {"database": slow}, limit=5)).status == "UP"
    assert asked == 2


@pytest.mark.parametrize(
    ("database", "kafka", "expected"),
    [("UP", "UP", "UP"), ("UP", "DEGRADED", "DEGRADED"), ("UP", "DOWN", "DEGRADED"), ("DOWN", "UP", "DOWN")],
)
def test_only_what_is_vital_brings_all_down(database: Any, kafka: Any, expected: str) -> None:
    """Events that wait in the outbox cost nobody a ticket; without PostgreSQL nobody can buy."""
    components = {"database": ComponentHealth(status=database), "kafka": ComponentHealth(status=kafka)}
    assert health_checks.overall(components) == expected


async def test_an_old_event_in_the_outbox_is_said(nobody: Api, runtime: Runtime) -> None:
    await runtime.database.execute(
        "INSERT INTO outbox (reservation_id, type, payload, created_at) "
        "VALUES (gen_random_uuid(), 'reservation.paying', '{}', now() - interval '1 hour')"
    )
    try:
        kafka = (await nobody.call("GET", "/actuator/health")).json()["components"]["kafka"]
        assert kafka["status"] == "DEGRADED"
        assert kafka["detail"]["oldest_seconds"] >= 3600
    finally:
        await runtime.database.execute("DELETE FROM outbox WHERE created_at < now() - interval '50 minutes'")


async def test_a_kafka_that_is_away_is_said(runtime: Runtime) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    runtime.settings = runtime.settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:1,127.0.0.1:{port}"})
    assert (await health_checks_of(runtime)["kafka"]()).status != "DOWN", "one broker of two is enough to begin with"
    listener.close()
    await listener.wait_closed()
    assert (await health_checks_of(runtime)["kafka"]()).status == "DOWN"


async def test_a_closing_process_is_not_ready(nobody: Api, runtime: Runtime) -> None:
    await nobody.call("GET", "/actuator/health/readiness", expect=200)
    await runtime.supervisor.drain(0)
    await nobody.call("GET", "/actuator/health/readiness", expect=503)
    await nobody.call("GET", "/actuator/health/liveness", expect=200)


def figures(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_metrics_tell_what_is_in_the_stores(
    client: httpx.AsyncClient, visitor: Api, other: Api, make_event: MakeEvent
) -> None:
    event = await make_event(seats=20, active_limit=1)
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue")
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1, 2]}, expect=201)
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    found = figures(response.text)

    def of(name: str, **labels: str) -> float:
        wanted = {"event": event.slug, **labels}
        return next(value for got, value in found[name] if got == wanted)

    assert of("onsale_queue_waiting") == 1
    assert of("onsale_active_visitors") == 1
    assert of("onsale_active_limit") == 1
    assert of("onsale_seats", state="held") == 2
    assert of("onsale_seats", state="available") == 18
    assert visitor.visitor not in response.text


async def test_looking_at_figures_brings_no_closed_sale_back(
    client: httpx.AsyncClient, make_event: MakeEvent, runtime: Runtime
) -> None:
    """Rule 8: a closed sale's keys end; a scrape every few seconds must not renew them."""
    closed = await make_event(status=SaleStatus.CLOSED)
    assert closed.slug not in (await client.get("/metrics")).text
    assert not await runtime.redis.exists(keys.board(closed.slug))


async def test_requests_are_counted_by_route_and_not_by_address(
    client: httpx.AsyncClient, make_event: MakeEvent
) -> None:
    """A label with as many values as there are addresses would fill the memory of whoever keeps them."""
    event = await make_event()
    before = figures((await client.get("/metrics")).text)
    for path in (f"/api/events/{event.slug}", "/api/events/nowhere", "/nowhere/1", "/nowhere/2"):
        await client.get(path)
    await client.request("BREW", "/api/events")
    text = (await client.get("/metrics")).text
    assert "/nowhere/1" not in text
    assert "BREW" not in text
    after = figures(text)

    def count(found: Any, route: str, status: str, method: str = "GET") -> float:
        labels = {"method": method, "route": route, "status": status}
        return next((v for got, v in found["onsale_http_requests_total"] if got == labels), 0.0)

    for route, status, more in (
        ("/api/events/{slug}", "200", 1),
        ("/api/events/{slug}", "404", 1),
        ("-", "404", 2),
    ):
        assert count(after, route, status) - count(before, route, status) == more


async def test_metrics_without_a_store(settings: Settings, stores: Engines) -> None:
    async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as runtime:
        app = create_app(runtime, None)
        async with open_client(app) as client:
            await redis.cut()
            up = figures((await client.get("/metrics")).text)["onsale_store_up"]
            assert sorted((labels["store"], value) for labels, value in up) == [("database", 1), ("redis", 0)]
            await postgres.cut()
            response = await client.get("/metrics")
            assert response.status_code == 200
            assert ({"store": "database"}, 0) in figures(response.text)["onsale_store_up"]


async def test_metrics_of_several_processes_are_added_up(tmp_path: Path) -> None:
    """S30: whichever process Prometheus asks, it gets the figures of all."""
    # Processes as a server has them: each of its own, with what was imported before.
    code = (
        "import os\n"
        "from web.metrics import request_seen, _of_processes\n"
        "from prometheus_client import generate_latest\n"
        "for _ in range(3):\n"
        "    if not (child := os.fork()):\n"
        "        request_seen('GET', '/api/events', 200, 0.01)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "print(generate_latest(_of_processes()).decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = figures(ran.stdout)["onsale_http_requests_total"]
    assert found == [({"method": "GET", "route": "/api/events", "status": "200"}, 3)]


class TestOperator:
    """Behind the operator token; each thing done leaves a row in `audit`."""

    async def test_a_sale_is_opened_paused_and_closed(
        self, operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime
    ) -> None:
        event = await make_event(status=SaleStatus.SCHEDULED, active_limit=1)
        base, queue = f"/api/operator/events/{event.slug}", f"/api/events/{event.slug}/queue"
        await visitor.refused("POST", queue, 403, "sale_not_open")
        opened = (await operator.call("POST", f"{base}/open", expect=200)).json()
        assert opened.pop("reopen_until"), "until then a closing could be taken back"
        assert opened == {"slug": event.slug, "status": "open", "paused": False}
        assert (await operator.call("POST", f"{base}/pause", expect=200)).json()["paused"] is True
        assert (await visitor.call("POST", queue, expect=200)).json()["state"] == "waiting", "nobody is let in"
        assert (await operator.call("POST", f"{base}/resume", expect=200)).json()["paused"] is False
        await runtime.waiting_room.sweep(await runtime.events.get(event.slug))
        assert (await visitor.call("GET", queue)).json()["state"] == "active"
        assert (await operator.call("POST", f"{base}/close", expect=200)).json()["status"] == "closed"
        await visitor.refused("POST", queue, 410, "sale_closed")
        done = await rows(runtime, "SELECT action, actor FROM audit WHERE subject = $1 ORDER BY id", event.slug)
        assert [row["action"] for row in done] == ["sale.open", "sale.pause", "sale.resume", "sale.close"]
        assert done[0]["actor"] == "token@203.0.113.7"

    async def test_seats_are_blocked_and_opened(
        self, operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime
    ) -> None:
        event = await make_event()
        blocks = f"/api/operator/events/{event.slug}/blocks"
        body = (await operator.call("POST", blocks, json={"seats": [2, 1], "blocked": True}, expect=200)).json()
        assert body == {"slug": event.slug, "seats": [1, 2], "unchanged": [], "blocked": True}
        await visitor.call("POST", f"/api/events/{event.slug}/queue")
        await visitor.refused("POST", f"/api/events/{event.slug}/holds", 409, "seat_taken", json={"seats": [1]})
        assert list((await runtime.seats.board(event)).states[:4]) == [0, 3, 3, 0]
        await operator.call("POST", blocks, json={"seats": [1], "blocked": False}, expect=200)
        await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)
        done = await rows(runtime, "SELECT action, detail FROM audit WHERE subject = $1 ORDER BY id", event.slug)
        assert [(row["action"], row["detail"]["seats"]) for row in done] == [
            ("seats.block", [1, 2]),
            ("seats.unblock", [1]),
        ]

    async def test_what_a_block_leaves_as_it_was_is_named_with_why(
        self, operator: Api, make_event: MakeEvent, runtime: Runtime
    ) -> None:
        """V5: of those that are asked for, the sold, the paid for, the blocked and those that were given back."""
        event = await make_event()
        blocks = f"/api/operator/events/{event.slug}/blocks"
        states = {2: "SOLD", 3: "PAYING", 4: "BLOCKED", 6: "RETURNED"}
        for seat, status in states.items():
            await runtime.database.execute(
                "UPDATE seats SET status = :status WHERE event_id = :id AND ordinal = :seat",
                {"status": status, "id": event.id, "seat": seat},
            )
        body = (
            await operator.call("POST", blocks, json={"seats": [6, 5, 4, 3, 2], "blocked": True}, expect=200)
        ).json()
        assert body["seats"] == [5]
        assert body["unchanged"] == [{"seat": seat, "status": status} for seat, status in states.items()]
        body = (await operator.call("POST", blocks, json={"seats": [0, 5], "blocked": False}, expect=200)).json()
        assert (body["seats"], body["unchanged"]) == ([5], [{"seat": 0, "status": "AVAILABLE"}])

    @pytest.mark.parametrize("token", ["", "wrong", "operato", "operatorr", "Operator", "öperator"])
    async def test_only_the_operator_may(
        self, nobody: Api, make_event: MakeEvent, runtime: Runtime, token: str
    ) -> None:
        event = await make_event()
        headers = {b"authorization": f"Bearer {token}".encode()} if token else {}
        for what in ("open", "close", "pause", "resume", "blocks"):
            response = await nobody.client.post(f"/api/operator/events/{event.slug}/{what}", headers=headers)
            expected = (403, "forbidden") if token else (401, "sign_in_required")
            assert (response.status_code, response.json()["code"]) == expected
        assert not await rows(runtime, "SELECT 1 FROM audit WHERE subject = $1", event.slug)

    async def test_an_installation_without_a_token_has_no_operator(
        self, runtime: Runtime, make_event: MakeEvent
    ) -> None:
        event = await make_event()
        runtime.settings = runtime.settings.model_copy(
            update={"operator_token": type(runtime.settings.operator_token)("")}
        )
        async with open_client(create_app(runtime, None)) as client:
            for value in ("Bearer ", "Bearer", ""):
                response = await client.post(
                    f"/api/operator/events/{event.slug}/close", headers={"authorization": value}
                )
                assert response.status_code == (403 if value else 401)
