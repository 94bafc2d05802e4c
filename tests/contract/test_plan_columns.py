"""The plan in columns says what the plan says (V1); read here by docs/plan-columns.md alone."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

from bench.halls import PRICES, hall_of
from core.venue.demo_plan import demo_plan_json
from core.venue.plan_body import plan_body
from core.venue.plan_columns import plan_columns
from core.venue.plan_document import parse_document
from core.venue.plan_import import build_plan
from core.venue.seat_plan import SeatPlan
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from web.caching import Body
from web.encodings import CODINGS, Coding, chosen

RIETHSPORTHALLE = Path(__file__).parents[1] / "data" / "riethsporthalle.json"


def differences(values: Sequence[int]) -> list[int]:
    return list(accumulate(values))


def bends(values: Sequence[int]) -> list[int]:
    return differences(differences(values))


def runs(values: Sequence[int]) -> list[int]:
    return [one for value, count in zip(values[::2], values[1::2], strict=True) for one in [value] * count]


def seats_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The seats as `GET .../plan` has them, without guids."""
    unit, lines = columns["unit"], columns["lines"]
    places = [
        (columns["zones"][zone], columns["rows"][row])
        for zone, row, count in zip(lines["zone"], differences(lines["row"]), lines["seats"], strict=True)
        for _ in range(count)
    ]
    accessible = set(differences(columns["accessible"]))
    every = zip(
        places,
        bends(columns["x"]),
        bends(columns["y"]),
        runs(columns["radius"]),
        runs(columns["category"]),
        differences(columns["number"]),
        strict=True,
    )
    return [
        {
            "ordinal": ordinal,
            "zone": zone,
            "row": row,
            "number": columns["numbers"][number],
            "category": columns["categories"][category]["name"],
            "x": x * unit,
            "y": y * unit,
            "r": radius * unit,
            "accessible": ordinal in accessible,
        }
        for ordinal, ((zone, row), x, y, radius, category, number) in enumerate(every)
    ]


def same_seats(columns: dict[str, Any], plan: dict[str, Any]) -> None:
    exact = columns["unit"] / 2 + 0.005 + 1e-6
    seats = seats_of(columns)
    assert len(seats) == columns["seats"] == len(plan["seats"])
    for ours, theirs in zip(seats, plan["seats"], strict=True):
        for length in ("x", "y", "r"):
            assert abs(ours.pop(length) - theirs[length]) <= exact
        assert ours == {"accessible": False} | {
            key: theirs[key] for key in theirs if key not in ("guid", "x", "y", "r")
        }
    labels = columns["row_labels"]
    for text, x, y, theirs in zip(
        labels["text"], differences(labels["x"]), differences(labels["y"]), plan["row_labels"], strict=True
    ):
        assert text == theirs["text"]
        assert abs(x * columns["unit"] - theirs["x"]) <= exact
        assert abs(y * columns["unit"] - theirs["y"]) <= exact
    for same in ("name", "width", "height", "categories", "zones", "areas"):
        assert columns[same] == plan[same]


async def test_the_columns_say_what_the_plan_says(nobody: Api, make_event: MakeEvent) -> None:
    event = await make_event(plan=demo_plan_json(), prices={"VIP": 3, "Standard": 2, "Balcony": 1, "Wheelchair": 1})
    path = f"/api/events/{event.slug}/plan"
    plan = (await nobody.call("GET", path, expect=200)).json()
    columns = await nobody.call("GET", f"{path}/columns", expect=200)
    same_seats(columns.json(), plan)
    assert "guid" not in columns.text
    assert columns.json()["unit"] == 0.2
    again = {"if-none-match": columns.headers["etag"]}
    assert (await nobody.call("GET", f"{path}/columns", headers=again, expect=304)).content == b""
    pinned = await nobody.call("GET", f"{path}/columns?v={event.plan_digest}", expect=200)
    assert "immutable" in pinned.headers["cache-control"]
    assert pinned.headers["etag"] != (await nobody.call("GET", path, expect=200)).headers["etag"]


def plan_of(document: bytes) -> SeatPlan:
    return build_plan(parse_document(document))


@pytest.mark.parametrize("document", [demo_plan_json(), RIETHSPORTHALLE.read_bytes()], ids=["demo", "riethsporthalle"])
def test_whole_halls_are_the_same_in_columns(document: bytes) -> None:
    import orjson

    plan = plan_of(document)
    same_seats(orjson.loads(plan_columns(plan, {})), orjson.loads(plan_body(plan, {})))


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
def test_a_stadium_is_sent_in_five_bytes_a_seat(coding: Coding) -> None:
    """V1: at most 300 kB for 60,000 seats. A seat of a larger hall takes no more than one of this hall."""
    plan = plan_of(hall_of(6_000))
    coded = Body(plan_columns(plan, PRICES), "tag", "application/json").coded(coding)
    assert coded is not None
    assert len(coded) <= 5 * len(plan.seats)


UNDO: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "zstd": zstandard.decompress,
    "gzip": gzip.decompress,
}


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0, zstd;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*;q=0.5, gzip;q=0", "br"),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("identity", None),
        ("identity;q=0, *;q=0", None),
        ("deflate", None),
        ("br;q=often", None),
        ("", None),
        (None, None),
    ],
)
def test_who_takes_less_gets_less(accept: str | None, coding: str | None) -> None:
    """RFC 9110 section 12.5.3: by weight, then what is shortest; as it is only to whoever takes nothing of ours."""
    found = chosen(accept)
    assert (found.name if found else None) == coding


def test_every_coding_comes_back() -> None:
    content = plan_columns(plan_of(demo_plan_json()), {})
    for quick in (False, True):
        body = Body(content, "tag", "application/json", quick=quick)
        for coding in CODINGS:
            coded = body.coded(coding)
            assert coded is not None
            assert len(coded) < len(content) / 3
            assert UNDO[coding.name](coded) == content


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
async def test_a_plan_is_sent_compressed(nobody: Api, make_event: MakeEvent, coding: str) -> None:
    event = await make_event(seats=200)
    for path in ("plan", "plan/columns"):
        plain = await nobody.call(
            "GET", f"/api/events/{event.slug}/{path}", headers={"accept-encoding": "identity"}, expect=200
        )
        coded = await nobody.call(
            "GET", f"/api/events/{event.slug}/{path}", headers={"accept-encoding": coding}, expect=200
        )
        assert coded.headers["content-encoding"] == coding
        assert int(coded.headers["content-length"]) < len(plain.content)
        assert coded.headers["etag"] == plain.headers["etag"]
