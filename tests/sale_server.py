"""`onsale serve` as its users run it, in a process of its own, for tests that look at it through a browser.

A package of tests imports the fixtures into its `conftest.py`.
"""

from __future__ import annotations

import base64
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from core.clock import SystemClock
from core.database import open_database
from core.embedded import Engines, engines
from core.errors import EventExists, StoreUnavailable
from core.seats.board import SeatState
from core.settings import Settings
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.conftest import small_plan
from tests.http_client import HTTP as HTTP
from tests.integration.onsale_process import serving
from tests.own_database import own_database_here
from tests.waits import PATIENCE as PATIENCE
from tests.waits import free_port, until, wait_until

HALL = Path(__file__).parent / "data" / "riethsporthalle.json"

OPERATOR_TOKEN = "operator-of-the-sale"

#: Short enough to wait for, long enough for a busy machine: a browser beats every four seconds, but not between two
#: pages, and who came back from a payment had been lost sight of in eight. A server that is silent for one and a half
#: beats loses the sockets of its pages.
SETTINGS = {
    "ONSALE_BEAT_SECONDS": "4",
    "ONSALE_ACTIVE_GRACE_SECONDS": "20",
    "ONSALE_WAITING_GRACE_SECONDS": "60",
    # At 0.3 a server that does nothing would cost nearly twice as much.
    "ONSALE_SWEEP_SECONDS": "0.6",
    "ONSALE_RATE_LIMITS": "off",
    "ONSALE_OPERATOR_TOKEN": OPERATOR_TOKEN,
    "ONSALE_SECRET_KEY": "the-key-of-browser-tests",
    "ONSALE_PAYMENT_READ_SECONDS": "2",
    "ONSALE_RESOLVER_SECONDS": "1",
    "ONSALE_RETURN_SECONDS": "0",
    "ONSALE_PAYMENT": "simulator:toss",
    # A bank that a busy machine makes late closes no circuit: tests that need one closed say so.
    "ONSALE_BREAKER_TIMEOUTS": "1000",
    "ONSALE_BREAKER_WINDOW": "1000",
    "ONSALE_BREAKER_MINIMUM_CALLS": "1000",
}


def answered(method: str, url: str, *, client: httpx.Client = HTTP, **options: Any) -> httpx.Response:
    """The answer of a server whose stores are there. A store that a busy machine makes late is told as a 503, by which
    nothing was changed: the same call is made again. Raises httpx.HTTPStatusError for other refusals.
    """
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(client.request(method, url, **options))
        return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

    wait_until(is_answered, "an answer of the stores")
    return answers[-1].raise_for_status()


async def carried_out(write: Callable[[], Awaitable[object]]) -> None:
    """Writes to PostgreSQL, however late a busy machine makes it: what was not done in time, or may have been done, is
    asked for again, and `write` is to do the same then.
    """

    async def is_done() -> bool:
        with suppress(StoreUnavailable):
            await write()
            return True
        return False

    await until(is_done, "PostgreSQL")


@dataclass(frozen=True)
class Server:
    """A running `onsale serve`."""

    url: str
    database_url: str
    redis_url: str

    def operator(self, method: str, path: str, **options: Any) -> Any:
        """An operator's call; the answer's body."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        response = answered(method, self.url + path, headers=headers, **options)
        return response.json() if response.content else None

    def sold_out(self, slug: str) -> bool:
        """Redis, which lets nobody in then, has heard of the last purchase: a moment after its buyer may."""
        board = self.operator("GET", f"/api/events/{slug}/board")
        return set(base64.b64decode(board["states"])) == {SeatState.SOLD}

    def bank(self, **behaviour: float) -> None:
        """How the simulated payment provider behaves from now on."""
        calm = {"success_rate": 1.0, "latency_seconds": 0.2, "hang_rate": 0.0, "error_rate": 0.0}
        self.operator("PUT", "/paysim/behaviour", json=calm | behaviour)

    def orders(self) -> set[str]:
        """All that the provider has ever been asked about, by this and earlier tests."""
        return {entry["order_id"] for entry in self.operator("GET", "/paysim/ledger")}

    def charges(self, *, but: set[str]) -> list[str]:
        """The orders besides those `but` that the provider has charged and not given back."""
        return [
            entry["order_id"]
            for entry in self.operator("GET", "/paysim/ledger")
            if entry["charged"] and not entry["cancelled"] and entry["order_id"] not in but
        ]


@contextmanager
def sale_server(shared: Engines | None = None, **changes: str) -> Iterator[Server]:
    """A server with these settings besides SETTINGS, and stores of its own: of the `shared` PostgreSQL a database."""
    with (
        tempfile.TemporaryDirectory(prefix="onsale-pages-") as folder,
        own_database_here(shared.database_url) if shared else nullcontext("") as database_url,
        engines(Settings.load(data=Path(folder), database_url=database_url), durable=False) as started,
    ):
        port = free_port()
        stores = {
            "DATABASE_URL": started.database_url,
            "REDIS_URL": started.redis_url,
            "ONSALE_DATA": folder,
            "PORT": str(port),
            # The provider is another *site* than the shop, so that cookies, SameSite and policies are real (P5).
            "ONSALE_SIMULATOR_PAGE": f"http://localhost:{port}/paysim",
        }
        with serving(Path(folder), **{**SETTINGS, **stores, **changes}) as running:
            yield Server(running.url, started.database_url, started.redis_url)


_ASK_NOBODY = """
CREATE FUNCTION asks_nobody() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'CALLED' AND NEW.claimed_by IS NULL THEN NEW.next_attempt_at := 'infinity'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER asks_nobody BEFORE UPDATE ON payment_attempts FOR EACH ROW EXECUTE FUNCTION asks_nobody();
"""
_ASK_AGAIN = """
DROP FUNCTION asks_nobody CASCADE;
UPDATE payment_attempts SET next_attempt_at = now() WHERE state = 'CALLED' AND next_attempt_at = 'infinity';
"""


@asynccontextmanager
async def unanswered(server: Server) -> AsyncIterator[None]:
    """Meanwhile a bank that has not answered is not asked again: pages show that as long as a test looks at them."""
    connection = await asyncpg.connect(server.database_url)
    try:
        await connection.execute(_ASK_NOBODY)
        try:
            yield
        finally:
            await connection.execute(_ASK_AGAIN)
    finally:
        await connection.close()


@pytest.fixture(scope="package")
def server(started_engines: Engines) -> Iterator[Server]:
    with sale_server(started_engines) as running:
        yield running


@pytest.fixture(scope="module")
async def events(server: Server) -> AsyncIterator[EventStore]:
    database = await open_database(server.database_url, 2)
    yield EventStore(database, SystemClock())
    await database.disconnect()


class Guest:
    """A visitor without a browser, who holds a place in the queue and is heard of until leaving it; with the `token` of
    one who has a browser, another voice of theirs."""

    def __init__(self, server: Server, slug: str, token: str = "") -> None:
        token = token or answered("POST", f"{server.url}/api/visitors").json()["token"]
        self._event = f"{server.url}/api/events/{slug}"
        self._gone = threading.Event()
        self._headers = {"Authorization": f"Bearer {token}"}

    def join(self) -> str:
        """ "active" or "waiting". A browser may take its time to come in behind: the guest beats meanwhile."""
        state = str(answered("POST", f"{self._event}/queue", json={}, headers=self._headers).json()["state"])
        self.beat()
        return state

    def beat(self) -> None:
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._gone.wait(1.0):
            try:
                answer = HTTP.post(f"{self._event}/heartbeat", headers=self._headers)
            except httpx.ConnectError:  # the server has ended, and the test before it
                return
            except httpx.HTTPError:  # one answer that was lost: who stays away for that would lose its place
                continue
            if answer.status_code in (404, 410):  # it is in no more, or the sale of the test is over
                return

    def hold(self, *seats: int) -> None:
        answered("POST", f"{self._event}/holds", json={"seats": list(seats)}, headers=self._headers)

    def be_silent(self) -> None:
        self._gone.set()

    def leave(self) -> None:
        self.be_silent()
        answered("DELETE", f"{self._event}/queue", headers=self._headers)


MakeSale = Callable[..., Awaitable[str]]


@pytest.fixture
async def make_sale(events: EventStore) -> AsyncIterator[MakeSale]:
    """`await make_sale(seats=40, active_limit=100, ...)` -> slug of an open sale; `plan=` for another hall."""
    made = []

    async def make(*, seats: int = 40, plan: bytes | None = None, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "slug": f"e-{secrets.token_hex(5)}",
            "name": "Test night",
            "currency": "KRW",
            "prices": {"Standard": 15000},
            "active_limit": 100,
            "hold_seconds": 300,
            "max_seats": 4,
            "status": SaleStatus.OPEN,
        }
        event = NewEvent(**(fields | changes))
        asked = False

        async def create() -> None:
            nonlocal asked
            try:
                await events.create(event, plan or small_plan(seats))
            except EventExists:
                if not asked:
                    raise
            finally:
                asked = True

        await carried_out(create)
        made.append(event.slug)
        return event.slug

    yield make
    # A server sweeps each open sale.
    for slug in made:
        await carried_out(partial(events.set_status, slug, SaleStatus.CLOSED))


@pytest.fixture(autouse=True)
def calm_bank(server: Server) -> None:
    """Also forgotten: three timeouts of earlier tests would open the circuit for half a minute (S24)."""
    server.bank()
    for provider in ("toss",):
        server.operator("POST", "/api/operator/circuits", json={"provider": provider, "state": "automatic"})
