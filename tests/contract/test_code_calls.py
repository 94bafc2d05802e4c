"""Phases and access codes over HTTP: made once, brought along, counted, given with a join (F7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import iso
from core.runtime import Runtime
from core.venue.event import SaleStatus
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api

NOW = datetime.now(UTC).replace(microsecond=0)
FANS = {"name": "fans", "opens_at": iso(NOW - timedelta(hours=1)), "code_group": "fans", "quota": 10}


@pytest.fixture
async def slug(runtime: Runtime, make_event: MakeEvent, operator: Api) -> str:
    """A sale whose only part is for those who have a code."""
    event = await make_event(status=SaleStatus.SCHEDULED)
    changed = (
        await operator.call("PATCH", f"/api/operator/events/{event.slug}", json={"phases": [FANS]}, expect=200)
    ).json()
    assert changed["phases"] == [FANS | {"closes_at": None, "prequeue_seconds": 900, "max_seats": None}]
    return event.slug


async def test_codes_from_the_desk_to_the_queue(slug: str, operator: Api, visitor: Api, other: Api) -> None:
    path, queue = f"/api/operator/events/{slug}/codes", f"/api/events/{slug}/queue"
    shown = (await visitor.call("GET", f"/api/events/{slug}", expect=200)).json()
    assert (shown["code_wanted"], shown["phases"][0]["needs_code"]) == (True, True)
    assert "fans" not in str(shown).replace("'name': 'fans'", "")  # groups are the organiser's
    await visitor.refused("POST", queue, 403, "code_required", json={})
    made = await operator.call("POST", path, json={"group": "fans", "count": 3}, expect=201)
    assert made.headers["content-disposition"] == 'attachment; filename="codes.csv"'
    head, *codes = made.text.split()
    assert (head, len(codes)) == ("code", 3)
    await visitor.refused("POST", queue, 403, "code_not_valid", json={"code": "WRONG-CODE"})
    joined = (await visitor.call("POST", queue, json={"code": codes[0].lower()}, expect=200)).json()
    assert joined["state"] == "active"
    await other.refused("POST", queue, 403, "code_used", json={"code": codes[0]})
    sent = {"content-type": "text/csv"}
    imported = await operator.call(
        "POST", f"{path}/imports?group=fans", content=b"code\r\nMINA-0001\r\nJUNO-0002\r\n", headers=sent, expect=200
    )
    assert imported.json() == {"added": 2, "known": 0}
    assert (await other.call("POST", queue, json={"code": "mina 0001"}, expect=200)).json()["state"] == "active"
    revoked = await operator.call("POST", f"{path}/revocations", json={"codes": [codes[1]]}, expect=200)
    assert revoked.json() == {"revoked": 1}
    (group,) = (await operator.call("GET", path, expect=200)).json()["groups"]
    assert (group["name"], group["codes"], group["revoked"], group["spent"]) == ("fans", 5, 1, 0)
    # The codes themselves are nowhere: neither in the list nor in the trail.
    trail = (await operator.call("GET", f"/api/operator/audit?subject={slug}", expect=200)).text
    assert "codes.make" in trail
    assert not any(code in trail for code in codes)


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("group=fans", b"code\nab\n"),
        ("group=fans&uses=x", b"GOOD-CODE-1\n"),
        ("group=", b"GOOD-CODE-1\n"),
    ],
)
async def test_files_that_are_none(slug: str, operator: Api, query: str, content: bytes) -> None:
    path = f"/api/operator/events/{slug}/codes/imports?{query}"
    await operator.refused("POST", path, 422, "invalid_request", content=content, headers={"content-type": "text/csv"})


@pytest.mark.parametrize(
    ("phase", "at"),
    [
        (FANS | {"closes_at": FANS["opens_at"]}, "phases[0].closes_at"),
        (FANS | {"name": "a;b"}, "phases[0].name"),
        (FANS | {"quota": 0}, "phases[0].quota"),
    ],
)
async def test_phases_that_are_none(slug: str, operator: Api, phase: dict[str, object], at: str) -> None:
    body = await operator.refused(
        "PATCH", f"/api/operator/events/{slug}", 422, "invalid_request", json={"phases": [phase]}
    )
    assert [one["at"] for one in body["errors"]] == [at]


async def test_who_is_no_operator_learns_no_code(slug: str, visitor: Api) -> None:
    for method, path in (("GET", "codes"), ("POST", "codes"), ("POST", "codes/imports"), ("POST", "codes/revocations")):
        await visitor.refused(method, f"/api/operator/events/{slug}/{path}", 403, "forbidden", json={})


async def test_a_closed_sale_opens_again_until_its_time(runtime: Runtime, make_event: MakeEvent, operator: Api) -> None:
    event = await make_event(starts_at=NOW + timedelta(days=1))
    path = f"/api/operator/events/{event.slug}"
    closed = (await operator.call("POST", f"{path}/close", expect=200)).json()
    assert (closed["status"], closed["reopen_until"]) == ("closed", iso(NOW + timedelta(days=1)))
    assert (await operator.call("POST", f"{path}/open", expect=200)).json()["status"] == "open"
    await operator.call("POST", f"{path}/close", expect=200)
    await rows(runtime, "UPDATE events SET closes_at = $2 WHERE id = $1", event.id, NOW - timedelta(minutes=1))
    told = await operator.refused("POST", f"{path}/open", 409, "reopen_too_late")
    assert "set a later one" in told["detail"]
