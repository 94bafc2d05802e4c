"""The shape of refusals: RFC 9457, pinned; faults of ours say nothing; people get a page. Rule 9."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette

from core import errors
from core.errors import OnsaleError, SeatTaken
from core.runtime import Runtime
from tests.conftest import MakeEvent
from tests.contract.api_client import PROBLEM, Api
from web import problems

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_the_shape_of_a_problem(nobody: Api) -> None:
    """Clients are written against this: change it only by adding."""
    response = await nobody.call("GET", "/api/events/nowhere", headers={"x-request-id": "from-the-proxy-1"})
    assert response.status_code == 404
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"] == "from-the-proxy-1"
    assert response.json() == {
        "type": "tag:onsale.example,2026:problem:event_not_found",
        "title": "There is no such event",
        "status": 404,
        "detail": "There is no such event",
        "code": "event_not_found",
        "instance": "/api/events/nowhere",
        "request_id": "from-the-proxy-1",
    }


async def test_an_errors_data_are_members(visitor: Api, other: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    for api in (visitor, other):
        await api.call("POST", f"/api/events/{event.slug}/queue")
    path = f"/api/events/{event.slug}/holds"
    await visitor.call("POST", path, json={"seats": [7]}, expect=201)
    body = (await other.call("POST", path, json={"seats": [7]})).json()
    assert set(body) == {"type", "title", "status", "detail", "code", "instance", "request_id", "seats"}
    assert body["seats"] == [7]


def test_an_errors_data_cannot_replace_what_every_problem_has() -> None:
    error = SeatTaken([1])
    error.data |= {"status": 200, "code": "fine", "title": "fine"}
    document = problems.document(error, {"path": "/x", "state": {"request_id": "r"}})
    assert (document["status"], document["code"], document["title"]) == (409, "seat_taken", SeatTaken.title)


def every_error() -> list[type[OnsaleError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, OnsaleError)]
    return sorted(found, key=lambda one: one.__name__)


def test_codes_are_stable_and_belong_to_one_meaning() -> None:
    by_code: dict[str, set[int]] = {}
    for error in every_error():
        assert error.code == error.code.lower()
        assert 400 <= error.status < 600
        by_code.setdefault(error.code, set()).add(error.status)
    assert by_code.pop("invalid_request") == {400, 422}
    assert all(len(statuses) == 1 for statuses in by_code.values()), by_code


@pytest.mark.parametrize("seconds", [None, 0.01, 2, 2.4])
def test_what_passes_says_when_to_come_back(seconds: float | None) -> None:
    for error in every_error():
        if error.status in (429, 503) and error is not SeatTaken:
            response = problems.response(error(retry_after=seconds), {"path": "/"})
            assert int(response.headers["retry-after"]) >= max(1, seconds or 0)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nowhere", 404, "not_found"),
        ("GET", "/api/events/", 404, "not_found"),
        ("GET", "/api/events/x/holds/1", 404, "not_found"),
        ("POST", "/nowhere", 404, "not_found"),
        ("PUT", "/api/events", 405, "method_not_allowed"),
        ("DELETE", "/api/visitors", 405, "method_not_allowed"),
        ("GET", "/api/visitors", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/static/js/../../pyproject.toml", 404, "not_found"),
        ("GET", "/static/%2e%2e/pyproject.toml", 404, "not_found"),
        ("GET", "/static//etc/passwd", 404, "not_found"),
        ("GET", "/static/", 404, "not_found"),
    ],
)
async def test_wrong_addresses_and_methods_are_problems_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    assert response.json()["code"] == code


async def test_a_wrong_method_names_all_the_right_ones(client: httpx.AsyncClient) -> None:
    response = await client.put("/api/events/x/queue")
    assert {one.strip() for one in response.headers["allow"].split(",")} == {"GET", "HEAD", "POST", "DELETE"}


@pytest.mark.parametrize(
    "slug", ["%00", "a%00b", "{E}", "A B", "%2e%2e", "x" * 5000, "%F0%9F%8E%AB", "'; DROP TABLE events"]
)
async def test_what_cannot_be_a_slug_is_no_event(nobody: Api, visitor: Api, slug: str) -> None:
    await nobody.refused("GET", f"/api/events/{slug}", 404, "event_not_found")
    await visitor.refused("POST", f"/api/events/{slug}/queue", 404, "event_not_found")


@pytest.fixture
def broken(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> Any:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(runtime.events, "list", fail)


@pytest.mark.usefixtures("broken")
async def test_a_fault_of_ours_is_logged_and_not_told(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as logs:
        response = await client.get("/api/events")
    assert response.status_code == 500
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["code"] == "internal_error"
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text
    fault = next(entry for entry in logs if entry["event"] == "unexpected error")
    assert "hunter2" in str(fault["exc_info"])
    told = next(entry for entry in logs if entry["event"] == "request")
    assert (told["status"], told["code"], told["log_level"]) == (500, "internal_error", "error")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("language", "words"), [("en", 'lang="en"'), ("ko", 'lang="ko"')])
async def test_people_get_a_page_in_their_language(client: httpx.AsyncClient, language: str, words: str) -> None:
    response = await client.get("/", headers={**HTML, "accept-language": language})
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("text/html")
    assert words in response.text
    assert "hunter2" not in response.text


@pytest.mark.parametrize("path", ["/nowhere", "/events/nowhere", "/reservations/x"])
async def test_what_is_not_there_is_a_page_for_people(client: httpx.AsyncClient, path: str) -> None:
    for_people = await client.get(path, headers=HTML)
    assert for_people.status_code == 404
    assert for_people.headers["content-type"].startswith("text/html")
    for_programs = await client.get(path, headers={"accept": "application/json"})
    assert for_programs.status_code == 404
    assert for_programs.headers["content-type"] == PROBLEM


async def test_programs_never_get_a_page(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/nowhere", headers=HTML)).headers["content-type"] == PROBLEM


async def test_a_broken_error_page_does_not_hide_the_error(
    client: httpx.AsyncClient, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.pages import Pages

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no template")

    monkeypatch.setattr(Pages, "_environment", fail)
    response = await client.get("/nowhere", headers=HTML)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_the_log_line_can_be_searched(visitor: Api, make_event: MakeEvent) -> None:
    """S34: by visitor, event, code and request id."""
    event = await make_event()
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=403)
    line = next(entry for entry in logs if entry["event"] == "request")
    assert line["visitor"] == visitor.visitor
    assert line["code"] == "not_active"
    assert line["status"] == 403
    assert line["request_id"]
    assert line["ms"] >= 0
    assert line["slug"] == event.slug
    assert visitor.token not in json.dumps(line), "a log must not hold what proves an identity"


@pytest.mark.parametrize("given", ["short", "a b c d e f g h", "x" * 65, "<script>alert</script>", ""])
async def test_a_request_id_that_is_none_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/api/events", headers={"x-request-id": given})
    assert response.headers["x-request-id"] not in ("", given)
