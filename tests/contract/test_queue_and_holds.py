"""The calls of docs/http-api.md: events, waiting room, holds. Rows S3, S7, S8; rules 4 and 9."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core.runtime import Runtime
from core.venue.event import Orphans, SaleStatus
from tests.conftest import MakeEvent
from tests.contract.api_client import Api


async def states(api: Api, slug: str) -> list[int]:
    board = (await api.call("GET", f"/api/events/{slug}/board", expect=200)).json()
    return list(base64.b64decode(board["states"]))


async def test_a_visitor_is_made_and_proved_by_its_token(nobody: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    first, second = await nobody.as_visitor(), await nobody.as_visitor()
    assert first.visitor != second.visitor
    assert first.visitor.startswith("v_")
    assert len(first.visitor) >= 2 + 22, "128 bits"
    await first.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    assert "reason" not in await second.refused("GET", f"/api/events/{event.slug}/queue", 404, "not_in_queue")


async def test_events_are_listed_and_described(nobody: Api, make_event: MakeEvent) -> None:
    event = await make_event(seats=12, active_limit=7, hold_seconds=120, max_seats=3, currency="EUR")
    listed = (await nobody.call("GET", "/api/events", expect=200)).json()["events"]
    summary = next(one for one in listed if one["slug"] == event.slug)
    assert summary["name"] == "Test night"
    assert summary["status"] == "open"
    assert summary["seats"] == 12
    details = (await nobody.call("GET", f"/api/events/{event.slug}", expect=200)).json()
    assert {key: details[key] for key in summary} == summary
    assert details["active_limit"] == 7
    assert details["hold_seconds"] == 120
    assert details["max_seats"] == 3
    assert details["categories"] == [{"name": "Standard", "color": "#336699", "price": 15000}]
    assert details["currency"] == "EUR"
    await nobody.refused("GET", "/api/events/nowhere", 404, "event_not_found")


async def test_times_are_iso_8601_in_utc(nobody: Api, make_event: MakeEvent) -> None:
    opens = datetime(2031, 5, 17, 11, 0, tzinfo=UTC)
    event = await make_event(status=SaleStatus.SCHEDULED, opens_at=opens, starts_at=opens + timedelta(days=9))
    details = (await nobody.call("GET", f"/api/events/{event.slug}", expect=200)).json()
    assert details["opens_at"] == "2031-05-17T11:00:00.000Z"
    assert details["closes_at"] is None
    assert details["status"] == "before"
    assert details["now"].endswith("Z")


async def test_the_plan_is_cacheable_and_compressed(nobody: Api, make_event: MakeEvent) -> None:
    event = await make_event(seats=40)
    path = f"/api/events/{event.slug}/plan"
    plain = await nobody.call("GET", path, headers={"accept-encoding": "identity"}, expect=200)
    assert [seat["ordinal"] for seat in plain.json()["seats"]] == list(range(40))
    assert "public" in plain.headers["cache-control"]
    zipped = await nobody.call("GET", path, headers={"accept-encoding": "gzip"}, expect=200)
    assert zipped.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in zipped.headers["vary"]
    assert zipped.content == plain.content
    assert int(zipped.headers["content-length"]) < len(plain.content) / 2
    again = await nobody.call("GET", path, headers={"if-none-match": plain.headers["etag"]}, expect=304)
    assert again.content == b""
    version = (await nobody.call("GET", f"/api/events/{event.slug}")).json()["plan_version"]
    pinned = await nobody.call("GET", f"{path}?v={version}", expect=200)
    assert "immutable" in pinned.headers["cache-control"]
    wrong = await nobody.call("GET", f"{path}?v=other", expect=200)
    assert "immutable" not in wrong.headers["cache-control"]


async def test_the_board_shows_a_hold_to_who_made_it_and_to_others(
    visitor: Api, other: Api, make_event: MakeEvent
) -> None:
    """A board that is answered is never older than the question, whoever else asks at the same time."""
    event = await make_event(seats=20)
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    assert await states(visitor, event.slug) == [0] * 20
    for seat in range(4):
        await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [seat]}, expect=201)
        assert (await states(other, event.slug))[: seat + 1] == [1] * (seat + 1)
    board = await other.call("GET", f"/api/events/{event.slug}/board")
    known = {"if-none-match": board.headers["etag"]}
    await other.call("GET", f"/api/events/{event.slug}/board", headers=known, expect=304)
    await visitor.call("DELETE", f"/api/events/{event.slug}/holds", expect=204)
    changed = await other.call("GET", f"/api/events/{event.slug}/board", headers=known, expect=200)
    assert changed.json()["version"] > board.json()["version"]
    assert set(await states(other, event.slug)) == {0}


async def test_the_best_seats_are_held_together(visitor: Api, other: Api, make_event: MakeEvent) -> None:
    """F8: like a hold, with `together`; nothing together: how many are, and what can be had instead."""
    event = await make_event(seats=20, max_seats=12)
    holds = f"/api/events/{event.slug}/holds"
    await visitor.refused("POST", holds, 403, "not_active", json={"best": {"count": 2}})
    for one in (visitor, other):
        await one.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    best = {"count": 2, "category": "Standard", "zone": "Stalls"}
    body = (await visitor.call("POST", holds, json={"best": best}, expect=201)).json()
    assert (body["seats"], body["together"]) == ([4, 5], True)
    assert body["fence"] > 0
    assert body["until"] is not None
    refused = await other.refused("POST", holds, 409, "not_together", json={"best": {"count": 11}})
    assert (refused["largest"], refused["alternatives"]) == (10, [{"count": 10}])
    await other.refused("POST", holds, 409, "not_together", json={"best": {"count": 1, "accessible": True}})
    await other.refused("POST", holds, 422, "too_many_seats", json={"best": {"count": 13}})
    bodies: list[dict[str, Any]] = [
        {"best": {"count": 0}},
        {"best": {}},
        {"best": best, "seats": [1]},
        {},
        {"best": {"count": 2, "category": "None"}},
        {"best": {"count": 2, "row": "A"}},
        {"best": {"count": 2, "groups": 3}},
        {"best": {"count": 2, "groups": 0}},
        {"best": {"count": 10, "groups": 9}},
        {"best": None},
    ]
    for wrong in bodies:
        await other.refused("POST", holds, 422, "invalid_request", json=wrong)
    instead = {"best": refused["alternatives"][0]}
    again = (await other.call("POST", holds, json=instead, expect=201)).json()
    assert again["seats"] == list(range(10, 20))


async def test_what_is_wrong_is_said_at_its_place_in_the_body(visitor: Api, make_event: MakeEvent) -> None:
    """Rule 9: one clear answer, in the words of the call and not of our program."""
    event = await make_event()
    holds = f"/api/events/{event.slug}/holds"
    wrongs: list[tuple[Any, str, str]] = [
        ({"best": {"count": "2"}}, "best.count", "Input should be a valid integer"),
        ({"best": {"count": 2, "accessible": None}}, "best.accessible", "Input should be a valid boolean"),
        ({"best": []}, "best", "Input should be an object"),
        ([], "", "Input should be an object"),
    ]
    for body, at, message in wrongs:
        refused = await visitor.refused("POST", holds, 422, "invalid_request", json=body)
        assert refused["errors"] == [{"at": at, "message": message}]
        assert refused["detail"] == (f"{at}: {message}" if at else message)


async def test_no_single_seat_is_left_over_where_the_event_forbids_it(visitor: Api, make_event: MakeEvent) -> None:
    event = await make_event(seats=20, orphans=Orphans.FORBID)
    holds = f"/api/events/{event.slug}/holds"
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    assert (await visitor.call("GET", f"/api/events/{event.slug}")).json()["orphans"] == "forbid"
    refused = await visitor.refused("POST", holds, 409, "leaves_single_seat", json={"seats": [1]})
    assert refused["seats"] == [0]
    await visitor.call("POST", holds, json={"seats": [0, 1]}, expect=201)


async def test_join_place_beat_and_leave(nobody: Api, make_event: MakeEvent, runtime: Runtime) -> None:
    """S7, S8: the first one is let in, the others wait in order; asking changes nothing."""
    event = await make_event(active_limit=1)
    queue = f"/api/events/{event.slug}/queue"
    crowd = [await nobody.as_visitor() for _ in range(3)]
    joined = [(await one.call("POST", queue, expect=200)).json() for one in crowd]
    assert [place["state"] for place in joined] == ["active", "waiting", "waiting"]
    assert joined[0]["until"] is not None
    assert [place["ahead"] for place in joined[1:]] == [0, 1]
    assert joined[1]["until"] is None
    for _ in range(3):
        place = (await crowd[2].call("GET", queue, expect=200)).json()
        assert (place["number"], place["ahead"], place["waiting"]) == (joined[2]["number"], 1, 2)
    again = (await crowd[2].call("POST", queue, expect=200)).json()
    assert again["number"] == joined[2]["number"]
    beat = (await crowd[2].call("POST", f"/api/events/{event.slug}/heartbeat", expect=200)).json()
    assert beat["number"] == joined[2]["number"]
    await crowd[1].call("DELETE", queue, expect=204)
    # V3: with why, for a browser that polls.
    for method, path in (("GET", queue), ("POST", f"/api/events/{event.slug}/heartbeat")):
        assert (await crowd[1].refused(method, path, 404, "not_in_queue"))["reason"] == "left"
    assert (await crowd[2].call("GET", queue)).json()["ahead"] == 0
    await crowd[0].call("DELETE", queue, expect=204)
    await runtime.waiting_room.sweep(event)
    assert (await crowd[2].call("GET", queue)).json()["state"] == "active"


async def test_a_ticket_gives_the_place_back_to_its_owner_only(
    nobody: Api, visitor: Api, other: Api, make_event: MakeEvent
) -> None:
    event = await make_event(active_limit=1)
    queue = f"/api/events/{event.slug}/queue"
    blocker, last = await nobody.as_visitor(), await nobody.as_visitor()
    await blocker.call("POST", queue)
    mine = (await visitor.call("POST", queue)).json()
    await last.call("POST", queue)
    # Another's ticket, and nonsense, are no ticket: their bearers join at the tail.
    stolen = (await other.call("POST", queue, json={"ticket": mine["ticket"]}, expect=200)).json()
    assert stolen["number"] > mine["number"]
    forged = (await (await nobody.as_visitor()).call("POST", queue, json={"ticket": "x" * 1024}, expect=200)).json()
    assert forged["number"] > stolen["number"]


async def test_a_sale_that_is_not_open_lets_nobody_join(visitor: Api, make_event: MakeEvent) -> None:
    before = await make_event(status=SaleStatus.SCHEDULED)
    later = await make_event(status=SaleStatus.SCHEDULED, opens_at=datetime(2100, 1, 2, 3, 4, tzinfo=UTC))
    closed = await make_event(status=SaleStatus.CLOSED)
    refused = await visitor.refused("POST", f"/api/events/{before.slug}/queue", 403, "sale_not_open")
    assert refused["opens_at"] is None
    refused = await visitor.refused("POST", f"/api/events/{later.slug}/queue", 403, "sale_not_open")
    assert refused["opens_at"] == "2100-01-02T03:04:00.000Z"
    await visitor.refused("POST", f"/api/events/{closed.slug}/queue", 410, "sale_closed")


async def test_holds_add_up_and_are_all_or_nothing(visitor: Api, other: Api, make_event: MakeEvent) -> None:
    event = await make_event(max_seats=3)
    holds = f"/api/events/{event.slug}/holds"
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    first = (await visitor.call("POST", holds, json={"seats": [5]}, expect=201)).json()
    second = (await visitor.call("POST", holds, json={"seats": [6, 7]}, expect=201)).json()
    assert second["seats"] == [5, 6, 7]
    assert second["fence"] > first["fence"]
    assert second["until"] == first["until"]
    refused = await other.refused("POST", holds, 409, "seat_taken", json={"seats": [8, 6]})
    assert 6 in refused["seats"]
    assert (await other.call("GET", holds, expect=200)).json()["seats"] == []
    await visitor.refused("POST", holds, 422, "too_many_seats", json={"seats": [9]})
    await visitor.refused("POST", holds, 422, "no_such_seat", json={"seats": [20]})
    await visitor.refused("POST", holds, 422, "no_such_seat", json={"seats": [2**31 - 1]})
    assert (await visitor.call("GET", holds, expect=200)).json()["seats"] == [5, 6, 7]


async def test_seats_are_let_go_one_by_one_or_all(visitor: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    holds = f"/api/events/{event.slug}/holds"
    await visitor.call("POST", f"/api/events/{event.slug}/queue")
    await visitor.call("POST", holds, json={"seats": [1, 2, 3]}, expect=201)
    await visitor.call("DELETE", f"{holds}?seats=1,3", expect=204)
    assert (await visitor.call("GET", holds)).json()["seats"] == [2]
    for wrong in ("", "1,,2", "-1", "a", "1;2", "9" * 10, "²", ",".join(["1"] * 101)):
        await visitor.refused("DELETE", f"{holds}?seats={wrong}", 422, "invalid_request")
    assert (await visitor.call("GET", holds)).json()["seats"] == [2]
    await visitor.call("DELETE", holds, expect=204)
    left = (await visitor.call("GET", holds)).json()
    assert left == {"seats": [], "fence": None, "until": None, "extensions_left": 0, "paying": False}


async def test_the_time_of_held_seats_is_extended_once(visitor: Api, make_event: MakeEvent) -> None:
    event = await make_event(hold_seconds=60)
    extend = f"/api/events/{event.slug}/holds/extend"
    await visitor.call("POST", f"/api/events/{event.slug}/queue")
    await visitor.refused("POST", extend, 422, "no_seats_held")
    held = (await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)).json()
    assert held["extensions_left"] == 1
    longer = (await visitor.call("POST", extend, expect=200)).json()
    assert longer["until"] > held["until"]
    assert longer["extensions_left"] == 0
    await visitor.refused("POST", extend, 409, "hold_not_extendable")


async def test_who_is_not_active_holds_nothing(nobody: Api, visitor: Api, other: Api, make_event: MakeEvent) -> None:
    """Rule 4."""
    event = await make_event(active_limit=1)
    await visitor.call("POST", f"/api/events/{event.slug}/queue")
    await other.call("POST", f"/api/events/{event.slug}/queue")
    stranger = await nobody.as_visitor()
    for api in (other, stranger):
        await api.refused("POST", f"/api/events/{event.slug}/holds", 403, "not_active", json={"seats": [1]})
    assert set(await states(visitor, event.slug)) == {0}


async def test_a_visitor_cannot_touch_anothers_seats(visitor: Api, other: Api, make_event: MakeEvent) -> None:
    """Rule 9: nobody can hold, see or let go as another; no body or address names who the caller is."""
    event = await make_event()
    holds = f"/api/events/{event.slug}/holds"
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue")
    await visitor.call("POST", holds, json={"seats": [1]}, expect=201)
    await other.call("DELETE", holds, expect=204)
    await other.call("DELETE", f"{holds}?seats=1", expect=204)
    assert (await other.call("GET", holds)).json()["seats"] == []
    await other.refused("POST", holds, 422, "invalid_request", json={"seats": [2], "visitor": visitor.visitor})
    await other.call("DELETE", f"/api/events/{event.slug}/queue?visitor={visitor.visitor}", expect=204)
    assert (await visitor.call("GET", holds)).json()["seats"] == [1]


WRONG_HOLDS: list[tuple[Any, str]] = [
    ({}, ""),
    ({"seats": []}, "seats"),
    ({"seats": "1"}, "seats"),
    ({"seats": None}, "seats"),
    ({"seats": {"0": 1}}, "seats"),
    ({"seats": [1, 1]}, "seats"),
    ({"seats": [-1]}, "seats[0]"),
    ({"seats": [1, 2**31]}, "seats[1]"),
    ({"seats": [10**30]}, "seats[0]"),
    ({"seats": [1.5]}, "seats[0]"),
    ({"seats": [1.0]}, "seats[0]"),
    ({"seats": ["1"]}, "seats[0]"),
    ({"seats": [True]}, "seats[0]"),
    ({"seats": [None]}, "seats[0]"),
    ({"seats": [[1]]}, "seats[0]"),
    ({"seats": list(range(101))}, "seats"),
    ({"seats": [1], "extra": 1}, "extra"),
    ([1], ""),
    ("seats", ""),
    (7, ""),
    (None, ""),
]


@pytest.mark.parametrize(("body", "at"), WRONG_HOLDS, ids=[json.dumps(body)[:30] for body, _ in WRONG_HOLDS])
async def test_a_body_of_the_wrong_shape_says_what_is_wrong(
    visitor: Api, make_event: MakeEvent, body: Any, at: str
) -> None:
    """Rule 9: bad input changes nothing and gets one clear problem response."""
    event = await make_event()
    await visitor.call("POST", f"/api/events/{event.slug}/queue")
    problem = await visitor.refused(
        "POST",
        f"/api/events/{event.slug}/holds",
        422,
        "invalid_request",
        content=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    assert problem["errors"][0]["at"] == at
    assert problem["errors"][0]["message"]
    assert set(await states(visitor, event.slug)) == {0}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1,", b"{'seats': [1]}", b'{"seats": [NaN]}', b"\x00"])
async def test_what_is_no_json_is_malformed(visitor: Api, make_event: MakeEvent, body: bytes) -> None:
    event = await make_event()
    sent = {"content": body, "headers": {"content-type": "application/json"}}
    await visitor.refused("POST", f"/api/events/{event.slug}/holds", 400, "invalid_request", **sent)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_only_json_is_read(visitor: Api, make_event: MakeEvent, media_type: str) -> None:
    """A form of another site can send these types without asking the browser's leave; JSON it cannot."""
    event = await make_event()
    sent = {"content": b'{"seats": [1]}', "headers": {"content-type": media_type}}
    await visitor.refused("POST", f"/api/events/{event.slug}/holds", 400, "invalid_request", **sent)


async def test_a_body_past_16_kib_is_not_read(visitor: Api, client: httpx.AsyncClient, make_event: MakeEvent) -> None:
    event = await make_event()
    path = f"/api/events/{event.slug}/holds"
    json_type = {"content-type": "application/json"}
    fits = b'{"seats": []}'.ljust(16 * 1024)
    await visitor.refused("POST", path, 422, "invalid_request", content=fits, headers=json_type)
    await visitor.refused("POST", path, 413, "too_large", content=fits + b" ", headers=json_type)

    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1024
            yield b" " * 1024

    headers = {"authorization": f"Bearer {visitor.token}", **json_type}
    response = await client.post(path, content=endless(), headers=headers)
    assert response.status_code == 413
    assert sent <= 18 * 1024, "no Content-Length: reading stops at the limit"


async def test_a_body_that_says_it_is_too_long_is_not_waited_for(
    app: Starlette, visitor: Api, make_event: MakeEvent
) -> None:
    event = await make_event()
    statuses: list[int] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    path = f"/api/events/{event.slug}/holds"
    headers = {"host": "onsale.test", "authorization": f"Bearer {visitor.token}", "content-length": "100000000"}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("203.0.113.9", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    assert statuses[0] == 413


async def test_a_compressed_board_is_the_same_board(client: httpx.AsyncClient, make_event: MakeEvent) -> None:
    event = await make_event(seats=3000)
    async with client.stream("GET", f"/api/events/{event.slug}/board", headers={"accept-encoding": "gzip"}) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert len(base64.b64decode(json.loads(gzip.decompress(raw))["states"])) == 3000


async def test_promised_and_actual_waits_are_published(nobody: Api, runtime: Runtime, make_event: MakeEvent) -> None:
    """F9: without a visitor, and with nothing about anybody."""
    event = await make_event(active_limit=1)
    path = f"/api/events/{event.slug}/waits"
    assert (await nobody.call("GET", path, expect=200)).json() == {"waits": [], "kept": 0}
    first, second = await nobody.as_visitor(), await nobody.as_visitor()
    await first.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    waiting = (await second.call("POST", f"/api/events/{event.slug}/queue", expect=200)).json()
    assert waiting["wait"]["low"] < waiting["eta_seconds"] < waiting["wait"]["high"]
    await first.call("DELETE", f"/api/events/{event.slug}/queue", expect=204)
    published = (await nobody.call("GET", path, expect=200)).json()
    (wait,) = published["waits"]
    assert wait["promised"] == waiting["wait"]
    assert (wait["actual"], wait["kept"], published["kept"]) == (wait["actual"], False, 0)
    assert wait["actual"] < 60
