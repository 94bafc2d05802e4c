"""The installation of docker-compose.yml, natively: HAProxy with its own file, two web servers, a worker, a provider,
PostgreSQL, Valkey over TCP, Kafka, Prometheus with its own rules. One web server is killed in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from core.clock import SystemClock
from core.embedded import Engines
from core.payments.registry import PROVIDERS
from core.seats.board import SeatState
from tests.conftest import small_plan
from tests.debian_tools import ROOT, tool
from tests.http_client import HTTP
from tests.integration.onsale_process import Serving, environment, onsale, see_off, serving
from tests.kafka_broker import RunningKafka
from tests.live_server import Browser, LiveServer
from tests.own_database import own_database
from tests.topologies import single
from tests.waits import PATIENCE, free_port, until, wait_until
from web.visitors import Visitors

SECRET = "a-secret-of-all-processes"
OPERATOR = "operators-of-this-test"
SLUG = "gala"


@dataclass
class Web:
    """One `onsale serve`; what it prints as its address is the balancer's."""

    serving: Serving
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@dataclass
class Installation:
    """Two web servers behind the balancer at `port`."""

    port: int
    webs: list[Web]
    provider: Web
    worker_port: int
    worker_mail: Path
    buyers: LiveServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def program(command: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        see_off(process)


def _answers_or_ended(url: str, process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None or answers(url)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return HTTP.get(url, timeout=5).is_success
    return False


@pytest.fixture(scope="module")
async def installation(
    stores: Engines, running_kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    haproxy = tool("haproxy", "haproxy")
    tmp_path = tmp_path_factory.mktemp("installation")
    running_kafka.prepare("ticket.reservations", "ticket.reservations.dlq")
    port, status, worker_port = free_port(), free_port(), free_port()
    async with own_database(stores.database_url) as database_url:
        with contextlib.ExitStack() as stack:
            valkey = stack.enter_context(single("--maxmemory", "256mb", "--maxmemory-policy", "noeviction"))
            settings = {
                "DATABASE_URL": database_url,
                "REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0",
                "KAFKA_BOOTSTRAP_SERVERS": running_kafka.bootstrap_servers,
                "ONSALE_KAFKA_REPLICATION": "1",
                "ONSALE_SECRET_KEY": SECRET,
                "ONSALE_OPERATOR_TOKEN": OPERATOR,
                "ONSALE_BASE_URL": f"http://127.0.0.1:{port}",
                "ONSALE_PAYMENT": "simulator",
                # A dead process's payments are taken over sooner than in 30 s, so that nobody waits for the test.
                "ONSALE_CLAIM_SECONDS": "3",
                "ONSALE_RESOLVER_SECONDS": "1",
                # Nobody gives up waiting for the provider before the process is killed that waits for it.
                "ONSALE_PAYMENT_READ_SECONDS": "100",
            }
            (tmp_path / "plan.json").write_bytes(small_plan(20))
            made = await asyncio.to_thread(
                onsale,
                "event",
                "create",
                SLUG,
                "--plan",
                tmp_path / "plan.json",
                "--name",
                "Gala",
                "--price",
                "Standard=15000",
                "--currency",
                "KRW",
                "--open",
                ONSALE_DATA=str(tmp_path / "cli"),
                **settings,
            )
            assert made.returncode == 0, made.stderr

            def serve(name: str) -> Web:
                folder, web_port = tmp_path / name, free_port()
                folder.mkdir()
                started = serving(folder, PORT=str(web_port), ONSALE_DATA=str(folder), **settings)
                return Web(stack.enter_context(started), web_port)

            provider = await asyncio.to_thread(serve, "provider")
            settings["ONSALE_SIMULATOR_URL"] = f"{provider.url}/paysim"
            webs = await asyncio.gather(*(asyncio.to_thread(serve, name) for name in ("web1", "web2")))
            worker_env = environment(
                ONSALE_DATA=str(tmp_path / "worker"), ONSALE_WORKER_PORT=str(worker_port), **settings
            )
            worker = [sys.executable, "-m", "cli", "worker"]
            starting = {
                f"http://127.0.0.1:{worker_port}/actuator/health": stack.enter_context(
                    program(worker, tmp_path / "worker.log", worker_env)
                ),
            }
            places = {
                "ONSALE_LISTEN": f"127.0.0.1:{port}",
                "ONSALE_STATUS": f"127.0.0.1:{status}",
                "ONSALE_WEB1": webs[0].address,
                "ONSALE_WEB2": webs[1].address,
                "ONSALE_PROVIDER": provider.address,
            }
            config = str(ROOT / "deploy" / "haproxy.cfg")
            starting[f"http://127.0.0.1:{status}/healthz"] = stack.enter_context(
                program([haproxy, "-db", "-f", config], tmp_path / "haproxy.log", places)
            )
            for url, process in starting.items():
                await asyncio.to_thread(wait_until, partial(_answers_or_ended, url, process), url)
                assert process.poll() is None, [log.read_text() for log in tmp_path.glob("*.log")]
            yield Installation(
                port=port,
                webs=list(webs),
                provider=provider,
                worker_port=worker_port,
                worker_mail=tmp_path / "worker" / "mail",
                buyers=LiveServer(port, Visitors(SECRET, SystemClock())),
            )


def figure(url: str, name: str, **labels: str) -> float:
    """The sum of a figure over the series with these labels; 0 where there is none."""
    time.sleep(1.1)  # figures are made once a second, however many ask
    text = HTTP.get(f"{url}/metrics").raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


class Buyer:
    """A browser's HTTP calls, through the balancer unless `at` says otherwise."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def _call(self, method: str, url: str, **sent: Any) -> httpx.Response:
        """The answer of a server whose stores are there: a 503 changed nothing, and the call is made again."""

        async def answer() -> httpx.Response | None:
            response = await self._client.request(method, url, **sent)
            return response if response.status_code != httpx.codes.SERVICE_UNAVAILABLE else None

        return await until(answer, f"an answer to {method} {url}")

    async def pay(self, key: str, at: str = "") -> dict[str, Any]:
        """Order, window and return: the window is the provider's, the rest goes to `at`."""
        response = await self._call(
            "POST",
            f"{at}/api/events/{SLUG}/reservations",
            json={"email": "buyer@example.com"},
            headers={**self._headers, "Idempotency-Key": key},
        )
        assert response.status_code == 202, response.text
        body: dict[str, Any] = response.json()
        if body["status"] == "PAYING":
            page = await self._call("GET", f"{at}{body['payment']['page']}", headers={"Accept": "application/json"})
            opened = await self._call("POST", "/paysim/toss/windows", json=page.json()["fields"])
            window = f"/paysim/toss/windows/{opened.json()['window']}"
            approved = await self._call("POST", f"{window}/approve", json={"card": "good"})
            back = urlsplit(approved.json()["return"])
            returned = await self._call("GET", f"{at}{back.path}?{back.query}")
            assert returned.status_code == 303, returned.text
        return body

    async def status(self, id: str) -> str:
        response = await self._call("GET", f"/api/reservations/{id}", headers=self._headers)
        assert response.status_code == 200, response.text
        return str(response.json()["status"])

    async def confirmed(self, id: str) -> None:
        async def is_confirmed() -> bool:
            status = await self.status(id)
            assert status in ("PAYING", "CONFIRMED"), status
            return status == "CONFIRMED"

        await until(is_confirmed, f"reservation {id} confirmed")


async def held(browser: Browser, *seats: int) -> dict[str, Any]:
    """What the channel says of the hold, once the stores have answered."""

    async def answer() -> dict[str, Any] | None:
        told = await browser.ask("hold", seats=list(seats))
        return told if told.get("code") not in ("store_unavailable", "outcome_unknown") else None

    told: dict[str, Any] = await until(answer, "an answer of the stores")
    assert told["type"] == "held", told
    return told


def kill_web(web: Web) -> None:
    """The whole machine is gone: nothing is closed, nothing is said."""
    (child,) = web.serving.web_processes()
    parent = web.serving.process
    parent.send_signal(signal.SIGSTOP)  # it must not start a new one
    child.kill()
    parent.kill()
    parent.wait()


async def test_the_balancer_keeps_what_is_ours_to_itself(installation: Installation) -> None:
    """Figures, health and the provider's own calls are not for buyers; who they are is what the balancer saw."""
    async with httpx.AsyncClient(base_url=installation.url, timeout=PATIENCE) as client:
        closed = ("/metrics", "/%6detrics", "/METRICS", "/actuator/health", "/actuator%2Fhealth")
        played = ("/paysim/ledger", "/paysim/toss/payments", "/PAYSIM/ledger", "/paysim%2Fledger", "/paysim/rules")
        provider = ("/paysim/toss/v1/transactions", "/paysim/toss/windows/../ledger", "/paysim/kcp/std/inquery")
        for path in (*closed, *played, *provider):
            response = await client.get(path)
            assert (path, response.status_code) == (path, 404)
        scripts = [f"/paysim/{one.name}/{one.played_script}" for one in PROVIDERS.values() if one.played_script]
        for path in ("/paysim/assets/bank.css", *scripts):
            assert (path, (await client.get(path)).status_code) == (path, 200)
        page = await client.get(f"/events/{SLUG}")
        assert page.status_code == 200
        assert "Secure" not in page.headers["set-cookie"]
        # A buyer who claims to have come by https has not.
        client.cookies.clear()
        spoofed = await client.get(
            f"/events/{SLUG}", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
        )
        assert "Secure" not in spoofed.headers["set-cookie"]
        assert "strict-transport-security" not in spoofed.headers


async def test_prometheus_sees_this_installation_with_its_own_rules(installation: Installation, tmp_path: Path) -> None:
    """S30: what the rules ask for is there under the names and labels that a scrape gives it; nobody is woken."""
    prometheus = tool("prometheus", "prometheus")
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    places = {
        "web1:8080": installation.webs[0].address,
        "web2:8080": installation.webs[1].address,
        "provider:8080": installation.provider.address,
        "worker:8081": f"127.0.0.1:{installation.worker_port}",
    }
    port = free_port()
    for scrape in config["scrape_configs"]:
        for each in scrape["static_configs"]:
            each["targets"] = [places.get(target, f"127.0.0.1:{port}") for target in each["targets"]]
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / "deploy" / "prometheus" / "alerts.yml")]
    del config["alerting"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        prometheus,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE) as client:

        async def found(query: str) -> list[dict[str, Any]]:
            try:
                body = (await client.get("/query", params={"query": query})).json()
            except (httpx.HTTPError, json.JSONDecodeError):
                return []
            return list(body["data"]["result"]) if body["status"] == "success" else []

        with program(command, tmp_path / "prometheus.log", dict(os.environ)):
            for query in (
                'count(up{job="onsale-web"} == 1) == 2',
                'up{job="onsale-worker"} == 1',
                'time() - max(onsale_job_last_success_timestamp_seconds{exported_job="sweep"}) < 30',
                'max(onsale_store_up{store="redis"}) == 1',
                "max by (node) (onsale_redis_memory_max_bytes) == 256 * 1024 * 1024",
                "max by (node) (onsale_redis_noeviction) == 1",
                f'max(onsale_active_limit{{event="{SLUG}"}}) == 100',
                "onsale_database_pool_in_use / onsale_database_pool_size <= 1",
            ):
                await until(partial(_is_there, found, query), query)
            groups = (await client.get("/rules")).json()["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert len(rules) > 25
            assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] == "err"] == []
            firing = await found('ALERTS{alertstate="firing"}')
            assert [alert["metric"]["alertname"] for alert in firing] == []
            # Every panel of the dashboard asks something that Prometheus understands.
            dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "onsale.json").read_text())
            for panel in dashboard["panels"]:
                for target in panel.get("targets", ()):
                    query = re.sub(r"\$event", ".*", target["expr"])
                    answer = (await client.get("/query", params={"query": query})).json()
                    assert answer["status"] == "success", (panel["title"], answer)


async def _is_there(found: Callable[[str], Awaitable[list[dict[str, Any]]]], query: str) -> bool:
    return bool(await found(query))


async def test_a_workers_port_in_use_is_named(installation: Installation, stores: Engines, tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        onsale,
        "worker",
        ONSALE_DATA=str(tmp_path),
        ONSALE_WORKER_PORT=str(installation.worker_port),
        DATABASE_URL=stores.database_url,
        REDIS_URL=stores.redis_url,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "ONSALE_WORKER_PORT" in line


async def test_a_sale_behind_a_balancer_survives_a_web_server(installation: Installation) -> None:
    """D5, S26, rules 2, 3 and 7: hold, pay and mail across processes; the process that takes the payment is killed."""
    at_once = httpx.Limits(max_keepalive_connections=0)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=installation.url, timeout=PATIENCE, limits=at_once)
        )
        # The balancer takes the one with the fewest channels: two browsers come to two processes.
        visitor = installation.buyers.visitor()
        buyer_channel = await stack.enter_async_context(installation.buyers.browser(SLUG, visitor))
        await buyer_channel.entered()
        channels: list[float] = []

        async def is_told() -> bool:
            """Figures are a second old, or more on a busy machine."""
            asked = (asyncio.to_thread(figure, web.url, "onsale_channels", event=SLUG) for web in installation.webs)
            channels[:] = await asyncio.gather(*asked)
            return sum(channels) > 0

        await until(is_told, "the first channel")
        assert sorted(channels) == [0, 1]
        victim = installation.webs[channels.index(1)]
        watcher = await stack.enter_async_context(installation.buyers.browser(SLUG))
        await watcher.until("board")

        async def both_have_one() -> bool:
            await is_told()
            return channels == [1, 1]

        await until(both_have_one, "a channel each")

        buyer = Buyer(client, installation.buyers.token(visitor))
        await held(buyer_channel, 3, 4)
        await watcher.until_seat(3, SeatState.HELD)
        first = await buyer.pay("first")
        await buyer.confirmed(first["id"])
        await watcher.until_seat(3, SeatState.SOLD)

        # Again, and the process that took it on is gone when the provider has charged, but not answered yet.
        provider = httpx.AsyncClient(
            base_url=f"{installation.provider.url}/paysim",
            headers={"Authorization": f"Bearer {OPERATOR}"},
            timeout=PATIENCE,
        )
        await stack.enter_async_context(provider)
        (await provider.put("/behaviour", json={"latency_seconds": 100.0})).raise_for_status()
        await held(buyer_channel, 7)
        await watcher.until_seat(7, SeatState.HELD)
        second = await buyer.pay("second", at=victim.url)
        await until(partial(_is_charged, provider, second["id"]), "the second charge")
        assert await buyer.status(second["id"]) == "PAYING"
        kill_web(victim)
        assert await buyer_channel.close_code() == 1006

        # Back through the balancer, at once: still active, and nothing is lost.
        async with installation.buyers.browser(SLUG, visitor) as again:
            assert (await again.until("welcome"))["state"] == "active"
            await again.until("board")
            assert again.states[3] == again.states[4] == SeatState.SOLD
            await buyer.confirmed(second["id"])
            await again.until_seat(7, SeatState.SOLD)
            await watcher.until_seat(7, SeatState.SOLD)
            assert watcher.states == again.states
            assert (await buyer.pay("second"))["id"] == second["id"]

        for each in (first, second):
            await until(partial(_mail_names, installation.worker_mail, each["id"]), "the e-mail")
        charges = (await provider.get("/ledger")).json()
        kept = [_reservation(row) for row in charges if row["charged"] and not row["cancelled"]]
        assert sorted(kept) == sorted((first["id"], second["id"]))


async def _is_charged(provider: httpx.AsyncClient, id: str) -> bool:
    return any(_reservation(row) == id and row["charged"] for row in (await provider.get("/ledger")).json())


def _reservation(row: dict[str, Any]) -> str:
    """Of a ledger's line: the order number begins with its digits."""
    return str(UUID(row["order_id"][:32]))


async def _mail_names(folder: Path, id: str) -> bool:
    return folder.is_dir() and any(id in file.read_text(errors="replace") for file in folder.glob("*.eml"))


async def _number(browser: Browser) -> int:
    """Waits in the queue. Who was let in before the channels had heard of the new limit gives the place up again."""
    while True:
        await browser.send("join")
        while (told := await browser.next())["type"] not in ("queue", "admitted"):
            pass
        if told["type"] == "queue":
            return int(told["number"])
        await browser.send("leave")
        await browser.until("expired")
        await asyncio.sleep(0.5)  # so many messages a second are taken of one channel


async def test_a_web_server_that_is_stopped_says_where_to_go_on(installation: Installation) -> None:
    """D5, S9: SIGTERM, as at every deployment: each browser hears 4002, and keeps its place and its seats elsewhere."""
    stopping = next(web for web in installation.webs if web.serving.process.poll() is None)
    here, there = (LiveServer(web.port, Visitors(SECRET, SystemClock())) for web in (stopping, installation.provider))
    operator = httpx.AsyncClient(headers={"Authorization": f"Bearer {OPERATOR}"}, timeout=PATIENCE)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(operator)
        holder, *waiting = [await stack.enter_async_context(here.browser(SLUG)) for _ in range(4)]
        await holder.entered()
        basket_before = await held(holder, 11, 12)
        limit = await operator.post(f"{stopping.url}/api/operator/events/{SLUG}/limit", json={"active_limit": 1})
        limit.raise_for_status()
        numbers = []
        for browser in waiting:
            await browser.until("welcome")
            numbers.append(await _number(browser))
        stopping.serving.process.send_signal(signal.SIGTERM)
        assert [await browser.close_code() for browser in (holder, *waiting)] == [4002] * 4

        async with there.browser(SLUG, holder.visitor) as again:
            assert (await again.until("welcome"))["state"] == "active"
            basket = await again.until("held")
            assert (basket["seats"], basket["fence"]) == ([11, 12], basket_before["fence"])
        for browser, number in zip(waiting, numbers, strict=True):
            async with there.browser(SLUG, browser.visitor) as again:
                assert (await again.until("welcome"))["state"] == "waiting"
                assert (await again.until("queue"))["number"] == number
        assert await asyncio.to_thread(stopping.serving.process.wait, PATIENCE) == 0
