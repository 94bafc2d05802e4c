"""R9: a removal lasts, of a visitor or of a network, until its time or an operator ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core.errors import NetworkTooWide
from core.runtime import Runtime
from core.seats.basket import Basket
from core.waiting_room.removals_postgres import network_of
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from tests.live_server import live_server
from tests.waits import until


@pytest.fixture
async def elsewhere(app: Starlette, description: dict[str, Any]) -> AsyncIterator[Api]:
    """A visitor of another network than the others' 203.0.113.7."""
    transport = httpx.ASGITransport(app=app, client=("198.51.100.9", 5000), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield await Api(client, description).as_visitor()


async def test_a_removed_visitor_stays_out_until_it_is_over(
    operator: Api, visitor: Api, other: Api, make_event: MakeEvent
) -> None:
    event, another = await make_event(), await make_event()
    queue, holds = f"/api/events/{event.slug}/queue", f"/api/events/{event.slug}/holds"
    for one in (visitor, other):
        await one.call("POST", queue, expect=200)
    await visitor.call("POST", holds, json={"seats": [0]}, expect=201)
    removals = f"/api/operator/events/{event.slug}/removals"
    body = {"visitor": visitor.visitor, "minutes": 30}
    made = (await operator.call("POST", removals, json=body, expect=200)).json()
    assert made["removed"] is True
    assert made["until"]
    refused = await visitor.refused("POST", queue, 403, "removed")
    assert refused["until"] == made["until"]
    await visitor.refused("POST", holds, 403, "removed", json={"seats": [0]})
    await visitor.refused("POST", f"{holds}/extend", 403, "removed")
    await visitor.refused("POST", f"/api/events/{event.slug}/heartbeat", 403, "removed")
    await other.call("POST", holds, json={"seats": [0]}, expect=201)
    await visitor.call("POST", f"/api/events/{another.slug}/queue", expect=200)

    (listed,) = (await operator.call("GET", removals, expect=200)).json()["removals"]
    assert (listed["id"], listed["visitor"], listed["network"]) == (made["id"], visitor.visitor, None)
    await operator.call("DELETE", f"{removals}/{made['id']}", expect=204)
    await operator.refused("DELETE", f"{removals}/{made['id']}", 404, "not_found")
    await operator.refused("DELETE", f"{removals}/{'9' * 30}", 404, "not_found")
    await operator.refused("DELETE", f"/api/operator/events/{another.slug}/removals/{made['id']}", 404, "not_found")
    assert (await operator.call("GET", removals)).json()["removals"] == []
    await visitor.call("POST", queue, expect=200)


async def test_a_network_is_out_and_its_neighbour_is_not(
    operator: Api, visitor: Api, elsewhere: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    event = await make_event()
    queue, beat = f"/api/events/{event.slug}/queue", f"/api/events/{event.slug}/heartbeat"
    for one in (visitor, elsewhere):
        await one.call("POST", queue, expect=200)
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0]}, expect=201)
    body = {"network": "203.0.113.9/24", "minutes": 5}
    made = (await operator.call("POST", f"/api/operator/events/{event.slug}/removals", json=body, expect=200)).json()
    assert (made["network"], made["removed"]) == ("203.0.113.0/24", None)
    # The next sign of life of who is in already is the last one: place and seats are given up.
    await visitor.refused("POST", beat, 403, "removed")
    await visitor.refused("GET", queue, 404, "not_in_queue")
    assert not any((await runtime.seats.board(event)).states)
    await elsewhere.call("POST", beat, expect=200)


async def test_it_ends_by_itself(operator: Api, visitor: Api, make_event: MakeEvent, runtime: Runtime) -> None:
    event = await make_event()
    queue, seconds = f"/api/events/{event.slug}/queue", 0.5
    while True:
        ends = runtime.clock.now() + timedelta(seconds=seconds)
        await runtime.removals.add(event, visitor=visitor.visitor, until=ends, actor="test")
        answer = await visitor.call("POST", queue)
        if runtime.clock.now() < ends:
            break
        seconds *= 2  # it was over before the answer: the machine is busy
    assert (answer.status_code, answer.json()["code"]) == (403, "removed")

    async def let_in() -> bool:
        return (await visitor.call("POST", queue)).status_code == 200

    await until(let_in)
    assert runtime.clock.now() >= ends


async def test_who_is_paying_is_not_cut_off(
    visitor: Api, make_event: MakeEvent, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5, also where a network is removed."""
    event = await make_event()
    await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
    await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [0]}, expect=201)
    until = runtime.clock.now() + timedelta(minutes=1)
    await runtime.removals.add(event, network=network_of("203.0.113.0/24"), until=until, actor="test")
    found = runtime.seats.basket

    async def paying(*given: object) -> Basket | None:
        basket = await found(*given)  # type: ignore[arg-type]
        return replace(basket, paying=True) if basket else None

    monkeypatch.setattr(runtime.seats, "basket", paying)
    await visitor.call("POST", f"/api/events/{event.slug}/heartbeat", expect=200)
    monkeypatch.undo()
    await visitor.refused("POST", f"/api/events/{event.slug}/heartbeat", 403, "removed")


async def test_an_open_page_is_put_out_within_seconds(make_event: MakeEvent, runtime: Runtime) -> None:
    """By the process that has its channel, whoever made the removal; and it cannot join again."""
    event = await make_event()
    async with live_server(runtime) as server, server.browser(event.slug) as browser:
        await browser.entered()
        assert (await browser.ask("hold", seats=[3]))["type"] == "held"
        until = runtime.clock.now() + timedelta(minutes=1)
        await runtime.removals.add(event, network=network_of("127.0.0.1"), until=until, actor="test")
        assert (await browser.until("expired"))["reason"] == "removed"
        await browser.send("join")
        assert (await browser.until("problem"))["code"] == "removed"
        assert (await browser.ask("hold", seats=[3]))["code"] == "removed"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "invalid_request"),
        ({"visitor": "v_" + "a" * 22, "network": "203.0.113.0/24", "minutes": 5}, "invalid_request"),
        ({"network": "203.0.113.0/24"}, "invalid_request"),
        ({"network": "nowhere", "minutes": 5}, "invalid_request"),
        ({"network": "203.0.113.0/99", "minutes": 5}, "invalid_request"),
        ({"network": "0.0.0.0/0", "minutes": 5}, "network_too_wide"),
        ({"network": "2001::/16", "minutes": 5}, "network_too_wide"),
        ({"network": "::ffff:0.0.0.0/96", "minutes": 5}, "network_too_wide"),
        ({"visitor": "v_" + "a" * 22, "minutes": 0}, "invalid_request"),
        ({"visitor": "v_" + "a" * 22, "minutes": 43_201}, "invalid_request"),
    ],
)
async def test_what_cannot_be_removed(operator: Api, make_event: MakeEvent, sent: dict[str, object], code: str) -> None:
    event = await make_event()
    path = f"/api/operator/events/{event.slug}/removals"
    await operator.refused("POST", path, 422, code, json=sent)
    assert (await operator.call("GET", path)).json()["removals"] == []


def test_networks() -> None:
    assert str(network_of("203.0.113.7")) == "203.0.113.7/32"
    assert str(network_of("2001:db8::7/48")) == "2001:db8::/48"
    assert str(network_of("::ffff:203.0.113.7")) == "203.0.113.7/32"
    with pytest.raises(NetworkTooWide):
        network_of("10.0.0.0/15")
