"""A draw with a beacon: a small server plays drand's HTTP API, and gives no round before its time (F2)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest

from core.diagnosis import draws_postgres
from core.diagnosis.finding import Cause
from core.embedded import Engines
from core.errors import StartupError, StoreUnavailable
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import DrawState, Event, SaleStatus
from core.waiting_room import draw
from core.waiting_room.beacon_http import HttpBeacon, beacon_source
from core.waiting_room.draw import PublishedDraw
from core.waiting_room.drawing import BEACON_WAIT
from core.waiting_room.draws_postgres import BeaconRound
from tests.booking import rows
from tests.conftest import MakeEvent

pytestmark = pytest.mark.usefixtures("patient")

GENESIS, PERIOD = 1_595_431_050, 3


class Drand:
    """`silent`: answers nothing; `forged`: a randomness that is not its signature's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.silent = False
        self.forged = False
        self.ahead = 0.0

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if self.silent:
            return 503, {}
        if not path.startswith("/chain/"):
            return 404, {}
        if path == "/chain/info":
            return 200, {"genesis_time": GENESIS, "period": PERIOD, "schemeID": "pedersen-bls-chained"}
        number = int(path.removeprefix("/chain/public/"))
        if GENESIS + (number - 1) * PERIOD > time.time() + self.ahead:
            return 404, {"error": "not yet"}
        signature = hashlib.sha512(str(number).encode()).hexdigest()
        randomness = hashlib.sha256(bytes.fromhex(signature)).hexdigest()
        return 200, {"round": number, "randomness": "00" * 32 if self.forged else randomness, "signature": signature}


@pytest.fixture
def drand() -> Iterator[Drand]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = played.answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(orjson.dumps(body))

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played = Drand(f"http://127.0.0.1:{server.server_port}/chain")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield played
    server.shutdown()
    server.server_close()


async def rounds(runtime: Runtime, turns: int = 6) -> None:
    for _ in range(turns):
        await runtime.drawing.run()


async def gathered(runtime: Runtime, make_event: MakeEvent) -> Event:
    event = await make_event(
        status=SaleStatus.SCHEDULED, opens_at=datetime.now(UTC) + timedelta(seconds=600), prequeue_seconds=900
    )
    for n in range(5):
        await runtime.waiting_room.join(await runtime.events.fresh(event.slug), f"v{n}")
    return event


async def test_a_draw_waits_for_its_beacon_and_never_goes_on_without(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
        announced = await runtime.draws.shown(event)
        assert announced is not None
        assert announced.beacon is not None
        made_at = GENESIS + (announced.beacon.round - 1) * PERIOD
        assert 10 <= made_at - announced.draw_at.timestamp() < 10 + PERIOD

        drand.silent = True
        opens_at = datetime.now(UTC) - timedelta(seconds=90)
        await runtime.events.update(event.slug, opens_at=opens_at)
        await rounds(runtime)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert (row.state, row.told, row.root is not None) == (DrawState.FROZEN, False, True)
        found = [finding async for finding in draws_postgres.draws(runtime.database)]
        assert Cause.DRAW_WAITS in {finding.cause for finding in found}

        drand.silent, drand.forged, drand.ahead = False, True, 3600.0
        await rounds(runtime)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert row.state is DrawState.FROZEN, "a value that is not its signature's is not believed"

        drand.forged = False
        await rounds(runtime)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert row.told
        assert row.beacon_value
        order = await runtime.draws.receipts(row.id)
        about = PublishedDraw(
            draw.ALGORITHM, row.commitment, row.seed.hex(), row.root or "", row.count, row.beacon_value
        )
        assert draw.differences(about, order) == []
        assert draw.differences(PublishedDraw(*about_without(about)), order), "the order depends on the beacon"


def about_without(about: PublishedDraw) -> tuple[str, str, str, str, int, str]:
    return about.algorithm, about.commitment, about.seed, about.root, about.count, ""


async def test_a_root_that_comes_after_its_beacon_names_a_later_round(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: every server was down at the opening, and the value is known. Who has the entries could still choose them."""
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
        announced = await runtime.draws.shown(event)
        assert announced is not None
        assert announced.beacon is not None
        past = datetime.now(UTC) - timedelta(seconds=120)
        known = (await runtime.announcer._beacon.round_after(past.timestamp() + 10, drand.url)).round
        await rows(runtime, "UPDATE events SET opens_at = $2 WHERE id = $1", event.id, past)
        await rows(
            runtime, "UPDATE draws SET draw_at = $2, beacon_round = $3 WHERE event_id = $1", event.id, past, known
        )
        runtime.events.doubt(event.slug)
        began = time.time()
        await rounds(runtime, 2)
        frozen = await runtime.draws.shown(event)
        assert frozen is not None
        assert frozen.beacon is not None
        assert (frozen.state, frozen.commitment) == (DrawState.FROZEN, announced.commitment)
        assert frozen.root is not None
        made_at = GENESIS + (frozen.beacon.round - 1) * PERIOD
        assert began + 9 <= made_at <= time.time() + 11 + PERIOD
        await rounds(runtime, 3)
        again = await runtime.draws.shown(event)
        assert again is not None
        assert again.beacon == frozen.beacon, "settled by the freeze: nobody looks again until it pleases"

        drand.ahead = 3600.0
        await rounds(runtime, 2)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert row.told
        about = PublishedDraw(
            draw.ALGORITHM, row.commitment, row.seed.hex(), row.root or "", row.count, row.beacon_value or ""
        )
        assert row.beacon == frozen.beacon
        assert row.beacon_value == drand.answer(f"/chain/public/{frozen.beacon.round}")[1]["randomness"]
        assert draw.differences(about, await runtime.draws.receipts(row.id)) == []


async def test_another_beacon_that_is_set_since_changes_no_draw_that_has_one(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: the servers start again with a mistyped address; the root that comes late is guarded all the same, by the
    source that was named, and by some seconds more than its freeze.
    """
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
        past = datetime.now(UTC) - timedelta(seconds=120)
        await rows(runtime, "UPDATE events SET opens_at = $2 WHERE id = $1", event.id, past)
        await rows(runtime, "UPDATE draws SET draw_at = $2, beacon_round = 7 WHERE event_id = $1", event.id, past)
    mistyped = drand.url.replace("/chain", "/chian")
    async with open_runtime(settings.model_copy(update={"beacon_url": mistyped}), stores) as runtime:
        BEACON_WAIT.set(0)
        await rounds(runtime, 2)
        frozen = await runtime.draws.shown(event)
        assert frozen is not None
        assert frozen.beacon is not None
        assert frozen.frozen_at is not None
        assert BEACON_WAIT._value.get() > 100
        later = GENESIS + (frozen.beacon.round - 1) * PERIOD - frozen.frozen_at.timestamp()
        assert 10 <= later < 10 + PERIOD
        # The next one after the freeze comes while the root may not have been read by anybody.
        near = int((frozen.frozen_at.timestamp() - GENESIS) // PERIOD) + 2
        await rows(runtime, "UPDATE draws SET beacon_round = $2 WHERE event_id = $1", event.id, near)
        await rounds(runtime, 1)
        again = await runtime.draws.shown(event)
        assert again is not None
        assert again.beacon == frozen.beacon
        assert again.beacon.source == drand.url
        drand.ahead = 3600.0
        await rounds(runtime, 2)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert row.told


async def test_a_beacon_that_is_set_no_more_is_read_all_the_same(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: the servers start again without ONSALE_BEACON_URL. The draw has named its beacon: it neither goes on without
    nor waits for ever, and moving the opening does not get rid of it.
    """
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
        announced = await runtime.draws.shown(event)
        assert announced is not None
        assert announced.beacon is not None
    async with open_runtime(settings, stores) as runtime:
        await runtime.events.update(event.slug, opens_at=datetime.now(UTC) + timedelta(seconds=300))
        await runtime.drawing.run()
        moved = await runtime.draws.shown(event)
        assert moved is not None
        assert moved.beacon is not None
        assert (moved.beacon.source, moved.commitment) == (drand.url, announced.commitment)
        made_at = GENESIS + (moved.beacon.round - 1) * PERIOD
        assert 10 <= made_at - moved.draw_at.timestamp() < 10 + PERIOD

        drand.silent = True
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
        await rounds(runtime)
        waits = await runtime.draws.shown(event)
        assert waits is not None
        assert (waits.state, waits.beacon_value) == (DrawState.FROZEN, None)
        drand.silent, drand.ahead = False, 3600.0
        await rounds(runtime, 2)
        row = await runtime.draws.shown(event)
        assert row is not None
        assert row.told
        assert row.beacon_value
    async with open_runtime(settings, stores) as runtime:
        event = await gathered(runtime, make_event)
        plain = await runtime.draws.shown(event)
        assert plain is not None
        assert plain.beacon is None, "where none was named none is waited for"


async def test_a_beacon_that_does_not_answer_keeps_no_opening_from_being_moved_to_later(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: the servers have started again and know nothing of the source. An earlier opening waits for its answer: its
    draw would hang on the round of the time that was set before.
    """
    of_drand = settings.model_copy(update={"beacon_url": drand.url})
    async with open_runtime(of_drand, stores) as runtime:
        event = await gathered(runtime, make_event)
        announced = await runtime.draws.shown(event)
        assert announced is not None
    drand.silent = True
    async with open_runtime(of_drand, stores) as runtime:
        later = announced.draw_at + timedelta(seconds=300)
        await runtime.events.update(event.slug, opens_at=later)
        await runtime.drawing.run()
        moved = await runtime.draws.shown(event)
        assert moved is not None
        assert (moved.draw_at, moved.beacon, moved.id) == (later, announced.beacon, announced.id)

        await runtime.events.update(event.slug, opens_at=announced.draw_at)
        with pytest.raises(StoreUnavailable):
            await runtime.drawing.run()
        waits = await runtime.draws.shown(event)
        assert waits is not None
        assert waits.draw_at == later
        drand.silent = False
        await runtime.drawing.run()
        back = await runtime.draws.shown(event)
        assert back is not None
        assert (back.draw_at, back.beacon) == (announced.draw_at, announced.beacon)


async def test_a_draw_that_could_not_be_moved_does_not_happen_at_the_time_it_had(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    """F2: another source is set since, and does not answer: it cannot be named, and the old one is not gone on with."""
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
    other = settings.model_copy(update={"beacon_url": drand.url.replace("/chain", "/nothing")})
    async with open_runtime(other, stores) as runtime:
        await runtime.events.update(event.slug, opens_at=datetime.now(UTC) + timedelta(seconds=900))
        past = datetime.now(UTC) - timedelta(seconds=5)
        await rows(runtime, "UPDATE draws SET draw_at = $2 WHERE event_id = $1", event.id, past)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await runtime.drawing.run()
        row = await runtime.draws.shown(event)
        assert row is not None
        assert (row.state, row.root) == (DrawState.ANNOUNCED, None)


async def test_an_opening_by_hand_names_a_round_of_its_own(
    settings: Settings, stores: Engines, make_event: MakeEvent, drand: Drand
) -> None:
    async with open_runtime(settings.model_copy(update={"beacon_url": drand.url}), stores) as runtime:
        event = await gathered(runtime, make_event)
        before = await runtime.draws.shown(event)
        began = time.time()
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
        await runtime.drawing.run()
        row = await runtime.draws.shown(event)
        assert before is not None
        assert row is not None
        assert before.beacon is not None
        assert row.beacon is not None
        assert row.beacon.round < before.beacon.round
        made_at = GENESIS + (row.beacon.round - 1) * PERIOD
        assert began + 9 <= made_at <= time.time() + 11 + PERIOD


async def test_the_first_round_at_or_after_a_moment(drand: Drand) -> None:
    beacon = HttpBeacon()
    assert (await beacon.round_after(GENESIS, drand.url)).round == 1
    assert (await beacon.round_after(GENESIS + 1, drand.url)).round == 2
    assert (await beacon.round_after(GENESIS + PERIOD, drand.url)).round == 2
    assert await beacon.value(BeaconRound(drand.url, 10**9)) is None, "not yet"
    await beacon.aclose()


@pytest.mark.parametrize("url", ["http://api.drand.sh/x", "ftp://x", "drand"])
def test_a_beacon_without_encryption_is_refused(url: str) -> None:
    with pytest.raises(StartupError):
        beacon_source(url)
