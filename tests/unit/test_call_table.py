"""A call is found by its address in one look-up a part, and is the one that Starlette's patterns would have found."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.routing import Match, Route, Router

from core.payments.links import PaymentLinks
from web.app import ENDPOINTS
from web.assets import Assets
from web.call_table import Answering, CallTable, pages_of
from web.endpoint import routes
from web.given import GivenHeaders
from web.pages import Pages
from web.pay.routes import payment_routes

_PAGES = Pages(Assets())
SHOWN = [*_PAGES.routes(), *payment_routes(_PAGES, PaymentLinks("secret"))]
CALLS: list[Answering] = [*ENDPOINTS, *pages_of(SHOWN)]
TABLE = CallTable(CALLS)
ROUTES = [*routes(ENDPOINTS), *SHOWN]


def test_every_module_with_endpoints_is_listed() -> None:
    """Else its calls are written, and answer 404."""
    root = Path(__file__).parents[2]
    modules = [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in sorted((root / "web").rglob("*.py"))
        if re.search(r"^ENDPOINTS\b", path.read_text(), re.MULTILINE)
    ]
    assert len(modules) > 20
    missing = {name for name in modules for one in importlib.import_module(name).ENDPOINTS if one not in ENDPOINTS}
    assert missing == set()


def by_starlette(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The path of the first route that matches, and its parameters."""
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    for route in Router(ROUTES).routes:
        match, more = route.matches(scope)
        if match is Match.FULL:
            assert isinstance(route, Route)
            return route.path, more["path_params"]
    return None


def by_table(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    found = TABLE.find(method, path)
    return (found[0].path, dict(found[1])) if found is not None else None


def whole(endpoint: Answering) -> bool:
    parts = [part for part in endpoint.path.split("/") if "{" in part]
    return all(part.startswith("{") and part.endswith("}") and ":" not in part for part in parts)


@pytest.mark.parametrize("endpoint", CALLS, ids=lambda one: f"{one.method} {one.path}")
def test_every_call_is_found_as_starlette_finds_it(endpoint: Answering) -> None:
    for value in ("summer", "extend", "a b", "%2F", "{slug}", "코드"):
        path = re.sub(r"\{\w+\}", value, re.sub(r"\{\w+:\w+\}", "17", endpoint.path))
        expected = by_starlette(endpoint.method, path)
        assert expected is not None
        assert by_table(endpoint.method, path) == (expected if whole(endpoint) else None)
        if whole(endpoint):
            found = TABLE.find(endpoint.method, path)
            assert found is not None
            assert found[0].method == endpoint.method


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api",
        "/api/events/",
        "/api/events//holds",
        "/api/events/summer/",
        "/api/events/summer/holds/",
        "/api/events/summer/holds/extend/more",
        "/events/summer/",
        "/events/summer/nowhere",
        "/pay/a/b/c",
        "/api/events/a/b/holds",
    ],
)
def test_what_is_no_call_is_left_to_starlette(path: str) -> None:
    for method in ("GET", "POST", "DELETE", "HEAD", "NONSENSE"):
        assert by_table(method, path) == by_starlette(method, path)


def test_another_method_is_left_to_starlette() -> None:
    """It says which methods there are."""
    assert TABLE.find("PATCH", "/api/events/summer/holds") is None
    found = TABLE.find("HEAD", "/api/events/summer/holds")
    assert found is not None
    assert found[0].method == "GET"


def test_headers_say_what_starlettes_say() -> None:
    raw = [(b"cookie", b"a=1"), (b"x-one", "é".encode("latin-1")), (b"cookie", b"b=2")]
    given, starlettes = GivenHeaders(raw), Headers(raw=raw)
    for name in ("cookie", "Cookie", "X-One", "missing"):
        assert given.get(name) == starlettes.get(name)
        assert (name in given) == (name in starlettes)
        assert given.getlist(name) == starlettes.getlist(name)
    assert given["COOKIE"] == "a=1"
    with pytest.raises(KeyError):
        given["missing"]
    assert given.items() == starlettes.items()


def test_a_call_is_the_same_when_it_is_asked_for_again_and_made_up_addresses_fill_no_memory() -> None:
    table = CallTable(CALLS)
    first = table.find("GET", "/api/events/summer/board")
    assert first is not None
    for number in range(2_000):
        table.find("GET", f"/api/events/{number}/board")
    table.find("GET", "/api/events/" + "x" * 200 + "/board")
    assert table.find("GET", "/api/events/nowhere/at/all") is None
    assert len(table._found) <= 512
    for _ in range(2):
        again = table.find("GET", "/api/events/summer/board")
        assert again is not None
        assert (again[0], dict(again[1])) == (first[0], {"slug": "summer"})
        assert table.find("POST", "/api/events/summer/board") is None
