"""A sale made and changed over HTTP: the command line's rules, a plan's errors with their places (S30)."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from core.runtime import Runtime
from core.venue.demo_plan import DEMO_PRICES
from core.venue.event_store_postgres import EventStore
from tests.booking import rows
from tests.conftest import MakeEvent, small_plan
from tests.contract.api_client import Api
from tests.contract.audit import trail

HALL = Path(__file__).parent.parent / "data" / "riethsporthalle.json"
EVENTS, CHECK = "/api/operator/events", "/api/operator/plans/check"


def sale(**changes: Any) -> dict[str, Any]:
    made = {
        "slug": f"t-{secrets.token_hex(5)}",
        "name": "Gala",
        "plan": small_plan().decode(),
        "prices": {"Standard": 15000},
    }
    return made | changes


async def test_a_sale_is_made_from_a_plan_and_bought_from(operator: Api, visitor: Api, runtime: Runtime) -> None:
    """The plan as a document; times of any zone; the settings' limits where nothing is said."""
    asked = sale(
        plan=json.loads(small_plan()),
        currency="EUR",
        opens_at="2026-05-01T20:00:00+09:00",
        closes_at="2030-01-01T00:00:00Z",
        starts_at="2030-02-01T19:30:00+01:00",
        max_seats=2,
        open=True,
    )
    response = await operator.call("POST", EVENTS, json=asked, expect=201)
    settings = runtime.settings
    assert response.json() == {
        "slug": asked["slug"],
        "warnings": [],
        "more_warnings": 0,
        "phases": [],
        "reopen_until": "2030-01-01T00:00:00.000Z",
        "name": "Gala",
        "status": "OPEN",
        "opens_at": "2026-05-01T11:00:00.000Z",
        "closes_at": "2030-01-01T00:00:00.000Z",
        "starts_at": "2030-02-01T18:30:00.000Z",
        "time_zone": "UTC",
        "currency": "EUR",
        "minor_digits": 2,
        "prices": {"Standard": 15000},
        "active_limit": settings.active_limit,
        "hold_seconds": round(settings.hold_seconds),
        "max_seats": 2,
        "prequeue_seconds": 900,
        "orphans": "allow",
        "focus": None,
        "companions": 0,
        "fees": [{"hours": 24, "percent": 0}],
        "seats": 20,
        "venue": "",
        "address": "",
        "description": "",
        "pictures": [],
    }
    path = response.headers["location"]
    assert (await visitor.call("GET", path, expect=200)).json()["status"] == "open"
    await visitor.call("POST", f"{path}/queue", expect=200)
    await visitor.call("POST", f"{path}/holds", json={"seats": [3, 4]}, expect=201)
    [entry] = await trail(runtime, asked["slug"])
    assert (entry["actor"], entry["action"]) == ("token@203.0.113.7", "sale.create")
    assert entry["detail"] == {"status": "OPEN", "seats": 20}


async def test_without_open_it_waits_for_its_time(operator: Api) -> None:
    asked = sale()
    assert (await operator.call("POST", EVENTS, json=asked, expect=201)).json()["status"] == "SCHEDULED"
    assert (await operator.call("GET", f"/api/events/{asked['slug']}")).json()["status"] == "before"


async def test_the_demonstration_hall_is_a_plan_like_any_other(operator: Api) -> None:
    plan = (await operator.call("GET", "/api/operator/plans/demonstration", expect=200)).text
    body = (await operator.call("POST", CHECK, json={"plan": plan}, expect=200)).json()
    assert {one["name"] for one in body["categories"]} == set(DEMO_PRICES)
    assert sum(one["seats"] for one in body["categories"]) == body["seats"] == len(body["plan"]["seats"])


async def test_a_real_hall_is_checked_with_what_the_form_needs(operator: Api) -> None:
    """More than an ordinary call's body; the picture's plan is the one that buyers will get."""
    asked = {"plan": HALL.read_text()}
    assert len(asked["plan"]) > 16 * 1024
    body = (await operator.call("POST", CHECK, json=asked, expect=200)).json()
    prices = {one["name"]: 1000 for one in body["categories"]}
    made = sale(plan=asked["plan"], prices=prices)
    assert (await operator.call("POST", EVENTS, json=made, expect=201)).json()["seats"] == body["seats"]
    plan = (await operator.call("GET", f"/api/events/{made['slug']}/plan")).json()
    assert body["zones"] == len(plan["zones"])
    assert body["plan"]["seats"] == plan["seats"]
    assert [one["price"] for one in body["plan"]["categories"]] == [0] * len(prices)


async def test_what_concerns_the_drawing_alone_is_told_and_can_be_sold(operator: Api) -> None:
    """V5: a warning with its place; the sale is made all the same."""
    asked = {"plan": (HALL.parent / "plans" / "dup_labels.json").read_text()}
    body = (await operator.call("POST", CHECK, json=asked, expect=200)).json()
    assert [one["at"] for one in body["warnings"]] == ["zones[0].rows[0].seats[1].seat_number"]
    place = {"place": "zones[0].rows[0].seats[0]"}
    assert (body["warnings"][0]["key"], body["warnings"][0]["arguments"]) == ("plan.same_name", place)
    assert body["warnings"][0]["message"].endswith("also the name of zones[0].rows[0].seats[0]")
    made = sale(plan=asked["plan"], prices={one["name"]: 1000 for one in body["categories"]})
    assert (await operator.call("POST", EVENTS, json=made, expect=201)).json()["seats"] == 2


@pytest.mark.parametrize("path", [CHECK, EVENTS])
async def test_all_errors_of_a_plan_are_told_with_their_places(operator: Api, runtime: Runtime, path: str) -> None:
    plan = json.loads(small_plan())
    seats = plan["zones"][0]["rows"][0]["seats"]
    seats[2]["category"] = "Balcony"
    seats[3]["seat_guid"] = seats[0]["seat_guid"]
    asked = {"plan": plan} if path == CHECK else sale(plan=plan)
    body = await operator.refused("POST", path, 422, "plan_invalid", json=asked)
    assert [one["at"] for one in body["errors"]] == [
        "zones[0].rows[0].seats[2].category",
        "zones[0].rows[0].seats[3].seat_guid",
    ]
    assert not await rows(runtime, "SELECT 1 FROM events WHERE slug = $1", asked.get("slug", ""))


async def test_a_file_that_is_no_json_is_told_by_line(operator: Api) -> None:
    """And a key given twice, which a parsed document can no longer show."""
    body = await operator.refused("POST", CHECK, 422, "plan_invalid", json={"plan": '{\n  "zones": [,]\n}'})
    assert body["errors"][0]["at"].startswith("line 2,")
    assert (body["errors"][0]["key"], body["errors"][0]["line"]) == ("plan.not_json", 2)
    twice = small_plan().decode().replace('{"', '{"name": "first", "', 1)
    body = await operator.refused("POST", CHECK, 422, "plan_invalid", json={"plan": twice})
    assert [(one["at"], one["message"]) for one in body["errors"]] == [
        ("name", "this key occurs twice in the same object")
    ]


@pytest.mark.parametrize("plan", [5, [], None, True])
async def test_what_is_no_plan_at_all_is_told_once(operator: Api, plan: Any) -> None:
    """Rule 9: in the words of the call and not of our program."""
    refused = await operator.refused("POST", CHECK, 422, "invalid_request", json={"plan": plan})
    assert refused["errors"] == [{"at": "plan", "message": "Input should be an object, or the file's text"}]


async def test_fees_are_set_and_changed(operator: Api, runtime: Runtime) -> None:
    """P7: the sale's own table, the most hours first; none at all: buyers cannot give back; null: the default."""
    fees = [{"hours": 24, "percent": 50}, {"hours": 72.5, "percent": 10}]
    asked = sale(fees=fees)
    body = (await operator.call("POST", EVENTS, json=asked, expect=201)).json()
    assert body["fees"] == fees[::-1]
    path = f"{EVENTS}/{asked['slug']}"
    assert (await operator.call("PATCH", path, json={"fees": []}, expect=200)).json()["fees"] == []
    assert (await runtime.events.fresh(asked["slug"])).fees == ()
    assert (await operator.call("PATCH", path, json={"name": "Other"}, expect=200)).json()["fees"] == []
    body = (await operator.call("PATCH", path, json={"fees": None}, expect=200)).json()
    assert body["fees"] == [{"hours": 24, "percent": 0}]
    for wrong in ([{"hours": 1, "percent": 101}], [{"hours": -1, "percent": 1}], [{"hours": 1, "percent": 1}] * 2):
        await operator.refused("PATCH", path, 422, "invalid_request", json={"fees": wrong})
    changes = [entry["detail"].get("fees") for entry in await trail(runtime, asked["slug"])]
    assert changes[1] == [[{"hours": 72.5, "percent": 10}, {"hours": 24, "percent": 50}], []]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"slug": "Big Night"}, ["slug"]),
        ({"slug": "x" * 65}, ["slug"]),
        ({"name": " "}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"currency": "krw"}, ["currency"]),
        ({"prices": {}}, ["prices.Standard"]),
        ({"prices": {"Standard": 1, "VIP": 2, "Box": 3}}, ["prices.Box", "prices.VIP"]),
        ({"prices": {"Standard": -1}}, ["prices.Standard"]),
        ({"prices": {"Standard": "15000"}}, ["prices.Standard"]),
        ({"opens_at": "2026-05-01T20:00"}, ["opens_at"]),
        ({"opens_at": 1777600800}, ["opens_at"]),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, ["starts_at"]),
        ({"starts_at": "0521-05-01T20:00Z"}, ["starts_at"]),
        ({"closes_at": "2021-05-01T20:00Z"}, ["closes_at"]),
        ({"opens_at": "2026-05-01T20:00Z", "closes_at": "2026-05-01T20:00Z"}, ["closes_at"]),
        ({"active_limit": 0, "hold_seconds": 86_401, "max_seats": 101}, ["active_limit", "hold_seconds", "max_seats"]),
        ({"open": "yes"}, ["open"]),
        ({"plan": 7}, ["plan"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_what_is_wrong_is_told_with_its_field(
    operator: Api, runtime: Runtime, changes: dict[str, Any], at: list[str]
) -> None:
    asked = sale(**changes)
    body = await operator.refused("POST", EVENTS, 422, "invalid_request", json=asked)
    assert sorted({one["at"].partition(".dict")[0].partition(".str")[0] for one in body["errors"]}) == at
    assert not await rows(runtime, "SELECT 1 FROM events WHERE slug = $1", asked["slug"])


async def test_a_slug_that_is_taken_is_refused_and_changes_nothing(
    operator: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    event = await make_event()
    body = await operator.refused("POST", EVENTS, 409, "event_exists", json=sale(slug=event.slug, name="Other"))
    assert event.slug in body["detail"]
    assert (await operator.call("GET", f"/api/events/{event.slug}")).json()["name"] == "Test night"
    assert not await trail(runtime, event.slug)


async def test_two_who_create_the_same_sale_at_once_make_one(operator: Api, runtime: Runtime) -> None:
    asked = sale()
    answers = await asyncio.gather(*(operator.call("POST", EVENTS, json=asked) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    assert len(await trail(runtime, asked["slug"])) == 1


async def test_who_is_no_operator_is_refused_before_the_body_is_taken(visitor: Api, nobody: Api) -> None:
    """R9: without a token 401, with one that is not the operator's 403."""
    for api, status, code in ((visitor, 403, "forbidden"), (nobody, 401, "sign_in_required")):
        for path in (EVENTS, CHECK):
            await api.refused("POST", path, status, code, content=b" " * 70_000_000)


async def test_only_these_calls_take_large_bodies(operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    sent: dict[str, Any] = {"content": b" " * 20_000, "headers": {"content-type": "application/json"}}
    await operator.refused("PATCH", f"{EVENTS}/{event.slug}", 413, "too_large", **sent)
    await operator.refused("POST", EVENTS, 400, "invalid_request", **sent)
    sent["content"] = b" " * 64_000_001
    assert (await operator.refused("POST", EVENTS, 413, "too_large", **sent))["limit"] == 64_000_000


async def test_a_sale_is_changed_and_the_trail_says_from_what_to_what(
    operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    """Held seats keep their end; what is picked from then on has the new time and the new most."""
    event = await make_event(starts_at=None)
    holds = f"/api/events/{event.slug}/holds"
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    held = (await visitor.call("POST", holds, json={"seats": [0, 1]}, expect=201)).json()
    asked = {"name": " New name ", "hold_seconds": 900, "max_seats": 1, "starts_at": "2030-05-01T20:00:00+09:00"}
    body = (await operator.call("PATCH", f"{EVENTS}/{event.slug}", json=asked, expect=200)).json()
    assert (body["name"], body["hold_seconds"], body["max_seats"]) == ("New name", 900, 1)
    assert body["starts_at"] == "2030-05-01T11:00:00.000Z"
    assert (await visitor.call("GET", holds)).json()["until"] == held["until"]
    await visitor.refused("POST", holds, 422, "too_many_seats", json={"seats": [2]})
    [entry] = await trail(runtime, event.slug)
    assert (entry["action"], entry["detail"]) == (
        "sale.change",
        {
            "name": ["Test night", "New name"],
            "hold_seconds": [300, 900],
            "max_seats": [4, 1],
            "starts_at": [None, "2030-05-01T11:00:00.000Z"],
        },
    )
    cleared = (await operator.call("PATCH", f"{EVENTS}/{event.slug}", json={"starts_at": None}, expect=200)).json()
    assert cleared["starts_at"] is None
    await operator.call("PATCH", f"{EVENTS}/{event.slug}", json={"max_seats": 1}, expect=200)
    assert len(await trail(runtime, event.slug)) == 2, "what changes nothing leaves no entry"


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"name": ""}, "name"),
        ({"hold_seconds": 0}, "hold_seconds"),
        ({"max_seats": None}, "max_seats"),
        ({"closes_at": "2020-01-01T00:00Z"}, "closes_at"),
        ({"currency": "EUR"}, "currency"),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused(
    operator: Api, make_event: MakeEvent, runtime: Runtime, changes: dict[str, Any], at: str
) -> None:
    """The rules are those of the whole sale: a sale must close after it opens."""
    event = await make_event()
    path = f"{EVENTS}/{event.slug}"
    await operator.call("PATCH", path, json={"opens_at": "2026-05-01T20:00:00Z"}, expect=200)
    body = await operator.refused("PATCH", path, 422, "invalid_request", json=changes)
    assert [one["at"] for one in body["errors"]] == [at]
    assert (await runtime.events.get(event.slug)).name == "Test night"
    assert len(await trail(runtime, event.slug)) == 1


async def test_a_change_is_compared_with_what_is_true_now(
    operator: Api, runtime: Runtime, make_event: MakeEvent
) -> None:
    """Another process changed the sale a moment ago, and the operator takes that back here."""
    event = await make_event(max_seats=4)
    other = EventStore(runtime.database, runtime.clock)
    await runtime.events.get(event.slug)
    await other.update(event.slug, max_seats=6)
    await operator.call("PATCH", f"{EVENTS}/{event.slug}", json={"max_seats": 4}, expect=200)
    other.forget(event.slug)
    assert (await other.get(event.slug)).max_seats == 4
    assert (await trail(runtime, event.slug))[-1]["detail"] == {"max_seats": [6, 4]}


@pytest.mark.parametrize(
    ("case", "at"),
    [
        ("category_number", "zones[0].rows[0].seats[0].category"),
        ("guid_number_twice", "zones[0].rows[0].seats[1].seat_guid"),
    ],
)
async def test_numbers_for_names_are_compared_as_they_are_stored(operator: Api, case: str, at: str) -> None:
    """A seat of category 7, which was none, was sold for nothing; two seats 1 were an error of ours (V4)."""
    plan = json.loads((HALL.parent / "plans" / f"{case}.json").read_text())
    for path, body in ((CHECK, {"plan": plan}), (EVENTS, sale(plan=plan, prices={"A": 15000}))):
        refused = await operator.refused("POST", path, 422, "plan_invalid", json=body)
        assert [one["at"] for one in refused["errors"]] == [at]


async def test_who_makes_a_sale_is_told_what_is_drawn_otherwise(operator: Api) -> None:
    """All are counted, a hundred listed: by the check as when the sale is made (V4)."""
    plan = json.loads((HALL.parent / "plans" / "dup_labels.json").read_text())
    [seat, _] = plan["zones"][0]["rows"][0]["seats"]
    plan["zones"][0]["rows"][0]["seats"] = [
        {**seat, "seat_guid": f"g{n}", "position": {"x": n, "y": 0}} for n in range(151)
    ]
    checked = (await operator.call("POST", CHECK, json={"plan": plan}, expect=200)).json()
    made = (await operator.call("POST", EVENTS, json=sale(plan=plan, prices={"A": 15000}), expect=201)).json()
    for told in (checked, made):
        assert (len(told["warnings"]), told["more_warnings"]) == (100, 50)
        assert told["warnings"][0]["at"] == "zones[0].rows[0].seats[1].seat_number"


async def test_a_stored_plan_with_a_category_that_is_none_is_shown_and_not_sold(
    operator: Api, nobody: Api, runtime: Runtime
) -> None:
    """As one was taken before: its plan can be drawn, and the seat has no price."""
    plan = json.loads((HALL.parent / "plans" / "category_numbers.json").read_text())
    asked = sale(plan=plan, prices={"7": 15000}, open=True)
    await operator.call("POST", EVENTS, json=asked, expect=201)
    await rows(
        runtime,
        "UPDATE events SET plan = jsonb_set(plan, '{categories,0,name}', '\"A\"'), prices = '{\"A\": 15000}', "
        "plan_digest = $2 WHERE slug = $1",
        asked["slug"],
        secrets.token_hex(16),
    )
    runtime.events.forget(asked["slug"])
    path = f"/api/events/{asked['slug']}"
    columns = (await nobody.call("GET", f"{path}/plan/columns", expect=200)).json()
    assert {one["name"]: one["price"] for one in columns["categories"]} == {"A": 15000, "7": None}
    assert [one["name"] for one in (await nobody.call("GET", path, expect=200)).json()["categories"]] == ["A"]


async def test_a_new_zone_moves_the_times_that_are_not_named_with_it(operator: Api, runtime: Runtime) -> None:
    """T9: the clocks show what they showed; a time that is named stays, even when it is the one that was."""
    asked = sale(opens_at="2030-01-01T20:00:00Z", starts_at="2030-02-01T20:00:00Z", time_zone="UTC")
    await operator.call("POST", EVENTS, json=asked, expect=201)
    change = {"time_zone": "Asia/Seoul", "starts_at": asked["starts_at"]}
    made = (await operator.call("PATCH", f"{EVENTS}/{asked['slug']}", json=change, expect=200)).json()
    assert (made["opens_at"], made["starts_at"]) == ("2030-01-01T11:00:00.000Z", "2030-02-01T20:00:00.000Z")
    told = (await trail(runtime, asked["slug"]))[-1]["detail"]
    assert told == {
        "time_zone": ["UTC", "Asia/Seoul"],
        "opens_at": ["2030-01-01T20:00:00.000Z", "2030-01-01T11:00:00.000Z"],
    }


@pytest.mark.parametrize(("seats", "takes", "coding"), [(100, "br", "br"), (100, "identity", None), (1, "br", None)])
async def test_a_long_refusal_is_compressed_as_any_answer_is(
    operator: Api, seats: int, takes: str, coding: str | None
) -> None:
    """V5: a plan with a hundred errors; a short refusal is not worth it."""
    plan = json.loads((HALL.parent / "plans" / "category_number.json").read_text())
    [seat, _] = plan["zones"][0]["rows"][0]["seats"]
    plan["zones"][0]["rows"][0]["seats"] = [{**seat, "seat_guid": f"g{n}"} for n in range(seats)]
    refused = await operator.call("POST", CHECK, json={"plan": plan}, headers={"accept-encoding": takes}, expect=422)
    assert refused.headers.get("content-encoding") == coding
    assert ("vary" in refused.headers) is (seats > 1)
    assert len(refused.json()["errors"]) == seats
