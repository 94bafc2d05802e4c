"""`onsale rush` and `onsale crowd` against a real server: what they count, and what a rush finds wrong."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.load import truth
from core.settings import Settings
from tests.http_client import HTTP
from tests.integration.onsale_process import Serving, environment, onsale_here, serving
from tests.own_database import own_database
from tests.waits import PATIENCE, wait_until


@dataclass(frozen=True)
class Installation:
    """A running server with stores of its own; `settings` are what commands beside it need."""

    server: Serving
    settings: dict[str, str]

    def rush(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The JSON result; the exit code must be `code`."""
        done = onsale_here("rush", "--url", self.server.url, "--json", "--latency", "0.05", *arguments, **self.settings)
        assert done.returncode == code, (done.stdout[-3000:], done.stderr)
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def until_closed(self, slug: str) -> None:
        """A rush closes its own event: nobody buys there any more. Servers notice within a second."""
        address = f"{self.server.url}/api/events/{slug}"
        wait_until(lambda: HTTP.get(address).json().get("status") == "closed", "the end of the sale")


@pytest.fixture(scope="module")
async def installation(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    home = tmp_path_factory.mktemp("rush")
    async with own_database(settings.database_url) as database_url:
        variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": settings.redis_url,
            "ONSALE_DATA": str(home / "data"),
            "ONSALE_RATE_LIMITS": "off",
            "ONSALE_LOG_LEVEL": "warning",
            "ONSALE_PAYMENT": "simulator",
        }
        with serving(home, **variables) as server:
            yield Installation(server, variables)


def kinds(result: dict[str, Any]) -> set[str]:
    return {difference["kind"] for difference in result["verdict"]["differences"]}


@pytest.mark.parametrize("channel", ["http", "ws"])
def test_every_seat_is_sold_once(installation: Installation, channel: str) -> None:
    """S35, rules 1 and 2: four visitors for each seat, every card good."""
    result = installation.rush("--visitors", "40", "--seats", "10", "--success-rate", "1", "--channel", channel)
    assert result["verdict"] == {"ok": True, "differences": []}
    assert result["sold"] == result["confirmed"] == result["funnel"]["ticket"] == 10
    assert sum(result["funnel"].values()) == 40
    assert result["funnel"]["error"] == result["funnel"]["payment_unknown"] == 0
    assert result["ledger"] == {"orders": 10, "charged": 10, "cancelled": 0}
    assert result["errors"] == {}
    holds = result["calls"]["channel hold" if channel == "ws" else "POST /api/events/{slug}/holds"]
    assert holds["count"] - holds["refused"] == 10
    assert 0 < holds["mean_ms"] <= holds["max_ms"]
    installation.until_closed(result["event"])


def test_declined_seats_go_to_somebody_else(installation: Installation) -> None:
    """S28: with patient visitors the hall is full in the end, however many cards are refused."""
    result = installation.rush(
        "--visitors", "40", "--seats", "10", "--success-rate", "0.7", "--tries", "1000", "--linger", "600"
    )
    assert result["verdict"]["ok"]
    assert result["sold"] == result["confirmed"] == 10
    ledger = result["ledger"]
    assert ledger["charged"] == 10
    # A visitor whose card is declined tries others: three orders at most, and each is one line (P11).
    assert ledger["orders"] >= 10 + 3 * result["funnel"]["payment_declined"]


def test_few_are_let_in_at_once(installation: Installation) -> None:
    """S8: the queue is part of the way, over HTTP."""
    result = installation.rush(
        "--visitors", "12", "--seats", "12", "--active-limit", "3", "--success-rate", "1", "--tries", "100"
    )
    assert result["verdict"]["ok"]
    assert result["active_limit"] == 3
    assert result["sold"] == 12
    assert result["calls"]["GET /api/events/{slug}/queue"]["count"] > 0


def test_the_behaviour_of_the_simulator_is_put_back(installation: Installation) -> None:
    server = installation.server
    headers = {"Authorization": f"Bearer {server.token}"}
    before = HTTP.get(f"{server.url}/paysim/behaviour", headers=headers).json()
    installation.rush("--visitors", "1", "--seats", "1", "--success-rate", "0.25")
    assert HTTP.get(f"{server.url}/paysim/behaviour", headers=headers).json() == before


def test_a_tampered_database_fails_the_verdict(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seat that was sold is made free behind the system's back: named, and exit code 1."""

    async def tamper() -> None:
        connection = await asyncpg.connect(installation.settings["DATABASE_URL"])
        try:
            await connection.execute(
                "UPDATE seats SET status = 'AVAILABLE' FROM events e "
                "WHERE e.id = event_id AND e.slug = $1 AND ordinal = 1",
                slug,
            )
        finally:
            await connection.close()

    bought = installation.rush("--visitors", "3", "--seats", "3", "--success-rate", "1")
    slug = bought["event"]
    assert bought["sold"] == 3
    installation.until_closed(slug)
    asyncio.run(tamper())
    # It is never true again, however long a rush looks.
    monkeypatch.setattr(truth, "_CONVERGE_SECONDS", 1.0)
    result = installation.rush("--event", slug, "--visitors", "2", code=1)
    assert not result["verdict"]["ok"]
    assert "ticket_without_seat" in kinds(result)
    assert result["funnel"]["queue"] == 2  # the sale of an earlier rush is closed
    assert result["details"] == [{"outcome": "queue", "detail": "sale_closed", "visitors": 2}]
    address = ("--url", installation.server.url)
    text = onsale_here("rush", *address, "--event", slug, "--visitors", "1", **installation.settings)
    assert text.returncode == 1
    assert "verdict: NOT ok" in text.stdout
    assert "seat 1 confirmed to a buyer, but not sold in the database" in text.stdout


def refused(*arguments: str, settings: dict[str, str]) -> str:
    """The one line on stderr of a rush that cannot be."""
    done = onsale_here("rush", "--visitors", "200", "--seats", "1", *arguments, **settings)
    assert done.returncode in (1, 2), done.stdout
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_rate_limits_are_said_in_one_line(installation: Installation, tmp_path: Path) -> None:
    """A place that costs a program minutes of work is one as well."""
    limited = {**installation.settings, "ONSALE_RATE_LIMITS": "on", "ONSALE_PROOF_TRIES": "1000000"}
    with serving(tmp_path, **limited) as server:
        assert "start it with ONSALE_RATE_LIMITS=off" in refused("--url", server.url, settings=installation.settings)


def test_no_server_is_said_in_one_line(installation: Installation) -> None:
    line = refused("--url", "http://127.0.0.1:9", settings=installation.settings)
    assert "no server answers at http://127.0.0.1:9/ (connection refused)" in line


def test_an_unknown_event_is_said_in_one_line(installation: Installation) -> None:
    line = refused("--url", installation.server.url, "--event", "nowhere", settings=installation.settings)
    assert "no event 'nowhere'" in line


@pytest.fixture
async def other_database(settings: Settings) -> AsyncIterator[str]:
    async with own_database(settings.database_url) as other:
        yield other


def test_another_database_is_said_in_one_line(installation: Installation, other_database: str) -> None:
    variables = {**installation.settings, "DATABASE_URL": other_database}
    line = refused("--url", installation.server.url, settings=variables)
    assert "works on another database" in line


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that is not Onsale's."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>It works</h1>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("url", ["stranger", "ftp://127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:port"])
def test_a_wrong_address_is_said_in_one_line(url: str, stranger: str, installation: Installation) -> None:
    assert "check --url" in refused("--url", stranger if url == "stranger" else url, settings=installation.settings)


def test_a_crowd_waits_picks_and_goes_home(installation: Installation, tmp_path: Path) -> None:
    """`make demo`: more visitors than are let in, seats that go, and nobody left behind when it ends."""
    settings, url = installation.settings, installation.server.url
    plan = Path(__file__).parents[1] / "data" / "riethsporthalle.json"
    prices = ("--price", "Kategorie I=1000", "--price", "Kategorie II=2000", "--price", "VIP=3000")
    made = onsale_here("event", "create", "night", "--plan", plan, *prices, "--active-limit", "5", "--open", **settings)
    assert made.returncode == 0, made.stderr

    def figure(name: str, **labels: str) -> float:
        wanted = ",".join(f'{key}="{value}"' for key, value in {"event": "night", **labels}.items())
        for line in HTTP.get(f"{url}/metrics").text.splitlines():
            if line.startswith(f"{name}{{{wanted}}}"):
                return float(line.rpartition(" ")[2])
        return 0.0

    errors = tmp_path / "errors"
    with errors.open("wb") as stderr:
        crowd = subprocess.Popen(
            [sys.executable, "-m", "cli", "crowd", "night", "--visitors", "30", "--url", url],
            env=environment(**settings),
            stderr=stderr,
            start_new_session=True,
        )
    try:
        wait_until(lambda: figure("onsale_queue_waiting") > 0, "somebody who waits")
        wait_until(lambda: figure("onsale_seats", state="held") > 1, "seats that are held")
        assert 0 < figure("onsale_active_visitors") <= 5
        assert crowd.poll() is None
    finally:
        os.kill(crowd.pid, signal.SIGTERM)
        assert crowd.wait(PATIENCE) == 0
    lines = errors.read_text().splitlines()
    assert len(lines) == 1, lines
    assert "30 simulated visitors" in lines[0]
    # Those who were paying stay until the result is there.
    wait_until(lambda: figure("onsale_queue_waiting") + figure("onsale_active_visitors") == 0, "an empty house")
    wait_until(lambda: figure("onsale_seats", state="held") == 0, "free seats")


def test_a_crowd_needs_an_event(installation: Installation) -> None:
    done = onsale_here("crowd", "nowhere", "--url", installation.server.url, **installation.settings)
    assert done.returncode == 2
    assert "no event 'nowhere'" in done.stderr
