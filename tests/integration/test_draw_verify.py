"""`onsale draw verify` on a draw of a running server, and on saved ones (F2)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.draw import draw_address
from cli.main import app
from core.runtime import Runtime
from core.venue.event import SaleStatus
from core.waiting_room import draw
from tests.conftest import MakeEvent
from tests.live_server import live_server
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

SEED = bytes(range(32))
RECEIPTS = [draw.receipt(f"{n:032x}", f"{n + 1:032x}") for n in range(20)]


def published() -> dict[str, object]:
    order = draw.drawn_order(SEED, RECEIPTS)
    return {
        "phase": "general",
        "algorithm": draw.ALGORITHM,
        "state": "drawn",
        "commitment": draw.commitment(SEED),
        "beacon": None,
        "draw_at": "2026-05-01T20:00:00Z",
        "count": len(order),
        "root": draw.root(order),
        "seed": SEED.hex(),
        "entries": order,
    }


def verify(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["draw", "verify", *arguments])
    return result.exit_code, result.output


def saved(folder: Path, **changes: object) -> str:
    file = folder / "gala.json"
    file.write_text(json.dumps({**published(), **changes}))
    return str(file)


def test_a_saved_draw_holds_and_says_a_receipts_line(tmp_path: Path) -> None:
    order = published()["entries"]
    assert isinstance(order, list)
    code, said = verify(saved(tmp_path), "--receipt", str(order[4]))
    assert (code, "The draw holds: 20 entries" in said, "line 5" in said) == (0, True, True), said
    code, said = verify(saved(tmp_path), "--receipt", "ab" * 32)
    assert (code, "NOT in the list" in said) == (1, True)
    beside = {key: value for key, value in published().items() if key != "entries"}
    (tmp_path / "two.json").write_text(json.dumps(beside))
    (tmp_path / "two.entries.txt").write_text("".join(f"{line}\n" for line in order))
    assert verify(str(tmp_path / "two.json"))[0] == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": "00" * 32}, "committed"),
        ({"root": "00" * 32}, "frozen"),
        ({"count": 19}, "19 entries were announced"),
        ({"entries": RECEIPTS}, "the order is not the seed's"),
        ({"beacon": {"source": "x", "round": 1, "value": "9"}}, "order"),
        ({"algorithm": "dice"}, "algorithm"),
        ({"state": "announced"}, "not happened yet"),
        ({"state": "none"}, "no draw"),
        ({"seed": None}, "seed"),
    ],
)
def test_what_does_not_hold_is_named(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    code, said = verify(saved(tmp_path, **changes))
    assert code == 1
    assert says in said


def test_what_is_no_draw_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("nothing")
    code, said = verify(str(tmp_path / "x.json"))
    assert (code, "not JSON" in said) == (1, True)
    assert verify(str(tmp_path / "missing.json"))[0] == 2
    code, said = verify("http://127.0.0.1:9/events/gala")
    assert (code, "cannot be reached" in said) == (1, True)
    code, said = verify("http://127.0.0.1:9/")
    assert (code, "names no sale" in said) == (1, True)
    code, said = verify("http://[x/events/gala")
    assert (code, "is no address" in said) == (1, True)
    (tmp_path / "x.json").write_text("[" * 100_000)
    code, said = verify(str(tmp_path / "x.json"))
    assert (code, "not JSON" in said) == (1, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"beacon": {"value": "9"}},
        {"beacon": {"value": "9", "source": "x"}},
        {"beacon": "9"},
        {"beacon": {"source": "x", "round": 1, "value": "\ud800"}},
        {"count": float("inf")},
        {"count": None},
    ],
)
def test_what_is_written_oddly_is_no_trace_and_does_not_hold(tmp_path: Path, changes: dict[str, object]) -> None:
    """R6, F2: a beacon that nobody could compare with its source proves nothing, whatever the order says."""
    beacon = changes.get("beacon")
    text = str(beacon["value"]) if isinstance(beacon, dict) else ""
    order = draw.drawn_order(SEED, RECEIPTS, text) if text.isascii() else RECEIPTS
    code, said = verify(saved(tmp_path, entries=order, **changes))
    assert (code, "no published draw" in said) == (1, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://t.example/events/gala",
        "https://t.example/events/gala/",
        "https://t.example/events/gala/draw?lang=ko",
        "https://t.example/api/events/gala",
        "https://t.example/api/events/gala/draw/entries",
    ],
)
def test_every_address_of_a_sale_leads_to_its_draw(url: str) -> None:
    assert draw_address(url) == "https://t.example/api/events/gala/draw"


async def test_a_draw_of_a_running_server_holds(runtime: Runtime, make_event: MakeEvent) -> None:
    opens_at = datetime.now(UTC) + timedelta(seconds=600)
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=opens_at, prequeue_seconds=900)
    async with live_server(runtime) as server:
        url = f"http://127.0.0.1:{server.port}/events/{event.slug}"
        for n in range(30):
            await runtime.waiting_room.join(await runtime.events.fresh(event.slug), f"v{n}")
        code, said = await asyncio.to_thread(verify, url)
        assert (code, "not happened yet" in said) == (1, True), said
        await runtime.events.set_status(event.slug, SaleStatus.OPEN)
        async with asyncio.timeout(PATIENCE):
            while (await runtime.events.fresh(event.slug)).opening is not None:
                await runtime.drawing.run()
        code, said = await asyncio.to_thread(verify, url)
    assert (code, "The draw holds: 30 entries" in said) == (0, True), said
