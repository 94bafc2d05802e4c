"""R9: one gate for operators; who looked at a buyer and who changed the simulator stands in the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import audit_postgres
from core.errors import StoreUnavailable
from core.runtime import Runtime
from tests.booking import Desk, rows
from tests.conftest import MakeEvent
from tests.contract.api_client import OWN_PAGE, Api, open_client
from web.app import create_app
from web.paysim import SimulatorStore


@pytest.fixture
async def played(runtime: Runtime, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The application with the simulator beside it."""
    store = SimulatorStore(tmp_path / "paysim.sqlite3")
    async with open_client(create_app(runtime, None, store)) as client:
        yield client
    store.close()


async def trail(runtime: Runtime, action: str, whom: str) -> list[Any]:
    return list(
        await rows(
            runtime,
            "SELECT actor, subject, detail FROM audit WHERE action = $1 AND detail::text LIKE '%' || $2 || '%'",
            action,
            whom,
        )
    )


async def test_looking_at_a_buyer_is_written_down_once_a_minute(
    operator: Api, make_event: MakeEvent, runtime: Runtime, till: Desk
) -> None:
    """A console that is left open asks again every few seconds."""
    event, visitor = await make_event(), "v_" + "q" * 22
    await till.basket(event, visitor, 3)
    ordered = await till.submit(event, visitor, email=f"kim@{event.slug}.example")
    bought = await till.ended(await till.pay(ordered))
    base, id = "/api/operator", str(bought.id)
    for _ in range(3):
        await operator.call("POST", f"{base}/reservations", json={"text": f"kim@{event.slug}.example"}, expect=200)
        await operator.call("POST", f"{base}/reservations", json={"text": id}, expect=200)
        await operator.call("GET", f"{base}/reservations/{id}", expect=200)
        await operator.call("GET", f"{base}/events/{event.slug}/seat?seat=3", expect=200)
        question = {"event": event.slug, "visitor": visitor}
        await operator.call("POST", f"{base}/diagnosis", json=question, expect=200)
    for action, whom, subject in (
        ("buyer.find", f"k...@{event.slug}.example", "-"),
        ("buyer.find", id, "-"),
        ("buyer.account", id, "-"),
        ("buyer.diagnose", visitor, event.slug),
    ):
        (entry,) = await trail(runtime, action, whom)
        assert (entry["actor"], entry["subject"]) == ("token@203.0.113.7", subject), action
    of_sale = await rows(runtime, "SELECT action, detail FROM audit WHERE subject = $1 ORDER BY id", event.slug)
    assert ("buyer.seat", {"seat": 3}) in [(one["action"], one["detail"]) for one in of_sale]
    assert not await trail(runtime, "buyer.find", f"kim@{event.slug}"), "the trail is no list of addresses"
    # A seat that nobody has tells of nobody.
    await operator.call("GET", f"{base}/events/{event.slug}/seat?seat=4", expect=200)
    seats = await rows(runtime, "SELECT detail FROM audit WHERE action = 'buyer.seat' AND subject = $1", event.slug)
    assert [one["detail"] for one in seats] == [{"seat": 3}]


async def test_each_operator_and_each_minute_counts(operator: Api, make_event: MakeEvent, runtime: Runtime) -> None:
    visitor = {"text": f"v_{(await make_event()).slug.replace('-', '_'):_<22}"[:24]}
    await operator.call("POST", "/api/operator/reservations", json=visitor, expect=200)
    async with open_client(create_app(runtime, None)) as console:
        form = {"token": "operator", "name": "Kim", "next": "/ops"}
        await console.post("/ops/login", data=form, headers=OWN_PAGE)
        for _ in range(2):
            found = await console.post(
                "/api/operator/reservations", json=visitor, headers={**OWN_PAGE, "x-operator": "Somebody else"}
            )
            assert found.status_code == 200
    actors = [one["actor"] for one in await trail(runtime, "buyer.find", visitor["text"])]
    assert sorted(actors) == ["token@203.0.113.7", "unverified:Kim@203.0.113.7"], "the name of the sign-in, no header's"


async def test_a_look_that_was_not_written_down_begins_no_minute(
    operator: Api, make_event: MakeEvent, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL fails for the entry alone: the next look stands in the trail, and then none for a minute."""
    visitor = {"text": f"v_{(await make_event()).slug.replace('-', '_'):_<22}"[:24]}

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable()

    with monkeypatch.context() as failing:
        failing.setattr(audit_postgres, "record", away)
        await operator.call("POST", "/api/operator/reservations", json=visitor, expect=200)
    assert not await trail(runtime, "buyer.find", visitor["text"])
    for _ in range(2):
        await operator.call("POST", "/api/operator/reservations", json=visitor, expect=200)
        assert len(await trail(runtime, "buyer.find", visitor["text"])) == 1


async def test_whoever_changes_the_simulator_stands_in_the_trail(played: httpx.AsyncClient, runtime: Runtime) -> None:
    """Whoever makes payments succeed decides who has paid."""
    before = await rows(runtime, "SELECT coalesce(max(id), 0) AS id FROM audit")
    token = {"authorization": "Bearer operator"}
    assert (await played.get("/paysim/behaviour", headers=token)).status_code == 200
    assert (await played.put("/paysim/behaviour", json={"latency_seconds": "x"}, headers=token)).status_code == 422
    since = "SELECT actor, detail FROM audit WHERE action = 'simulator.change' AND id > $1 ORDER BY id"
    assert not await rows(runtime, since, before[0]["id"]), "nothing was changed"
    for path in ("behaviour", "kcp/behaviour"):
        changed = await played.put(f"/paysim/{path}", json={"latency_seconds": 0}, headers=token)
        assert changed.status_code == 200
    noted = await rows(runtime, since, before[0]["id"])
    assert [(one["actor"], one["detail"]["call"]) for one in noted] == [
        ("token@203.0.113.7", "PUT /paysim/behaviour"),
        ("token@203.0.113.7", "PUT /paysim/kcp/behaviour"),
    ]


@pytest.mark.usefixtures("still")
async def test_the_simulator_is_behind_the_same_gate(played: httpx.AsyncClient) -> None:
    """No token: 401; a session is no token; wrong ones are counted with those of the console and the API."""
    assert (await played.get("/paysim/ledger")).status_code == 401
    form = {"token": "operator", "name": "Kim", "next": "/ops"}
    assert (await played.post("/ops/login", data=form, headers=OWN_PAGE)).status_code == 303
    assert (await played.get("/paysim/ledger")).status_code == 401, "a session does not count there"
    paths = ("/paysim/ledger", "/api/operator/overview", "/actuator/health", "/paysim/toss/behaviour")
    answers = [
        (await played.get(path, headers={"authorization": f"Bearer guess-{turn}"})).status_code
        for turn in range(3)
        for path in paths
    ]
    assert (answers[:10], answers[-1]) == ([403] * 10, 429), answers
    assert (await played.get("/ops")).status_code == 200, "who is signed in goes on"
