"""Who calls and whether to believe it: identity, cross-site calls, security headers, limits."""

from __future__ import annotations

import http.cookies
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core.runtime import Runtime
from tests.conftest import MakeEvent
from tests.contract.api_client import OWN_PAGE, Api, open_client
from tests.manual_clock import ManualClock
from web.app import create_app
from web.composition import origins_of
from web.security import normal_origin
from web.visitors import COOKIE, Visitors


async def browser_cookie(client: httpx.AsyncClient) -> str:
    """The cookie header of a browser that has opened a page."""
    response = await client.get("/", headers={"accept": "text/html"})
    return f"{COOKIE}={response.cookies[COOKIE]}"


def morsel(response: httpx.Response, name: str) -> http.cookies.Morsel[str]:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for value in response.headers.get_list("set-cookie"):
        jar.load(value)
    return jar[name]


async def test_the_first_page_gives_a_cookie_that_scripts_cannot_read(client: httpx.AsyncClient) -> None:
    cookie = morsel(await client.get("/"), COOKIE)
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert cookie["secure"] == "", "the page came by http"
    assert int(cookie["max-age"]) >= 30 * 24 * 3600
    again = await client.get("/", headers={"cookie": f"{COOKIE}={cookie.value}"})
    assert "set-cookie" not in again.headers, "who has an identity keeps it"


async def test_a_forged_cookie_is_replaced(client: httpx.AsyncClient) -> None:
    for forged in ("v_AAAAAAAAAAAAAAAAAAAAAA", "v_AAAAAAAAAAAAAAAAAAAAAA.c2lnbmF0dXJl", "", "\xff"):
        response = await client.get("/", headers={b"cookie": f"{COOKIE}={forged}".encode("latin-1")})
        assert morsel(response, COOKIE).value not in ("", forged)


async def test_the_cookie_is_secure_on_https(app: Starlette, runtime: Runtime) -> None:
    async with open_client(app, https=True) as client:
        given = morsel(await client.get("/"), f"__Host-{COOKIE}")
        assert (given["secure"], given["path"], given["domain"]) == (True, "/", ""), "else browsers refuse the prefix"
        assert "set-cookie" not in (await client.get("/")).headers
    always = runtime.settings.model_copy(update={"secure_cookies": "always"})
    runtime.settings = always
    async with open_client(create_app(runtime, None)) as client:
        assert morsel(await client.get("/"), f"__Host-{COOKIE}")["secure"] is True


async def test_the_old_name_is_accepted_once_on_https(app: Starlette, runtime: Runtime) -> None:
    visitors = Visitors(runtime.secret, runtime.clock)
    mine = visitors.new()
    async with open_client(app, https=True) as client:
        page = await client.get("/", headers={"cookie": f"{COOKIE}={visitors.token(mine)}"})
        kept = visitors.check(morsel(page, f"__Host-{COOKIE}").value)
        assert kept is not None
        assert kept[0] == mine, "who comes from http keeps the place"
        assert morsel(page, COOKIE)["max-age"] == "0", "and has one cookie from then on"


async def test_a_planted_cookie_is_nobody(app: Starlette, client: httpx.AsyncClient, runtime: Runtime) -> None:
    """Another host of the domain can set a cookie of our name: then the planter read and cancelled a purchase."""
    visitors = Visitors(runtime.secret, runtime.clock)
    visitor = visitors.new()
    mine, planted = visitors.token(visitor), visitors.token(visitors.new())
    for both in (f"{COOKIE}={mine}; {COOKIE}={planted}", f"{COOKIE}={planted}; {COOKIE}={mine}"):
        assert visitors.of({"cookie": both}) is None
        assert morsel(await client.get("/", headers={"cookie": both}), COOKIE).value not in (mine, planted)
    async with open_client(app, https=True) as secure:
        both = f"{COOKIE}={planted}; __Host-{COOKIE}={mine}"
        assert "set-cookie" not in (await secure.get("/", headers={"cookie": both})).headers
        proven = visitors.of({"cookie": both})
        assert proven is not None
        assert proven.id == visitor


@pytest.mark.parametrize("path", ["//evil.example/x", "/%5Cevil.example/x", "///evil.example"])
async def test_links_stay_on_the_site(app: Starlette, path: str) -> None:
    """A page about an address that there is not has links to itself in other languages."""
    async with open_client(app) as client:
        page = await client.get(f"http://onsale.test{path}", headers={"accept": "text/html"})
    assert page.status_code == 404
    targets = re.findall(r'(?:href|action|value)="([^"]*)"', page.text)
    assert targets
    assert not [one for one in targets if re.match(r"[/\\]{2}", one)], targets


async def test_a_cookie_and_a_token_are_the_same_identity(
    client: httpx.AsyncClient, nobody: Api, make_event: MakeEvent
) -> None:
    event = await make_event()
    cookie = await browser_cookie(client)
    await nobody.call("POST", f"/api/events/{event.slug}/queue", headers={"cookie": cookie, **OWN_PAGE}, expect=200)
    token = cookie.partition("=")[2]
    mine = {"authorization": f"bearer {token}"}
    await nobody.call("GET", f"/api/events/{event.slug}/queue", headers=mine, expect=200)


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer v_AAAAAAAAAAAAAAAAAAAAAA",
        "Bearer v_AAAAAAAAAAAAAAAAAAAAAA.xyz",
        "Basic dmlzaXRvcjo=",
        "Bearer operator",
    ],
)
async def test_what_we_did_not_sign_is_nobody(nobody: Api, make_event: MakeEvent, credential: str) -> None:
    event = await make_event()
    sent = {"headers": {"authorization": credential}}
    await nobody.refused("GET", f"/api/events/{event.slug}/holds", 401, "no_visitor", **sent)


async def test_a_wrong_token_is_not_made_good_by_a_cookie(
    client: httpx.AsyncClient, nobody: Api, make_event: MakeEvent
) -> None:
    event = await make_event()
    sent = {"headers": {"cookie": await browser_cookie(client), "authorization": "Bearer wrong", **OWN_PAGE}}
    await nobody.refused("GET", f"/api/events/{event.slug}/holds", 401, "no_visitor", **sent)


def test_a_token_of_another_installation_or_another_use_is_worth_nothing() -> None:
    visitors = Visitors("a secret", ManualClock())
    visitor = visitors.new()
    assert visitors.check(visitors.token(visitor)) == (visitor, 0)
    assert Visitors("another secret", ManualClock()).check(visitors.token(visitor)) is None
    assert visitors.check(visitors.token("operator")) is None, "signed, but no visitor's id"
    assert len({visitors.new() for _ in range(1000)}) == 1000


OURS: list[dict[str, str]] = [
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://onsale.test"},
    {"origin": "http://ONSALE.test:80"},
    {},  # a program with a cookie jar: every browser says one or the other
]
FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://onsale.test"},
    {"origin": "http://evil.example"},
    {"origin": "https://onsale.test"},
    {"origin": "http://onsale.test:8080"},
    {"origin": "http://onsale.test.evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"referer": "http://onsale.test/"},
]


@pytest.mark.parametrize("sent", OURS, ids=str)
async def test_our_own_pages_may_use_the_cookie(
    client: httpx.AsyncClient, nobody: Api, make_event: MakeEvent, sent: dict[str, str]
) -> None:
    event = await make_event()
    headers = {"cookie": await browser_cookie(client), **sent}
    await nobody.call("POST", f"/api/events/{event.slug}/queue", headers=headers, expect=200)


@pytest.mark.parametrize("sent", FOREIGN, ids=str)
async def test_another_site_cannot_use_the_cookie(
    client: httpx.AsyncClient, nobody: Api, make_event: MakeEvent, sent: dict[str, str]
) -> None:
    """CSRF: whatever a foreign page makes the browser send, nothing changes."""
    event = await make_event()
    cookie = {"cookie": await browser_cookie(client)}
    foreign = {"headers": {**cookie, **sent}}
    queue, holds = f"/api/events/{event.slug}/queue", f"/api/events/{event.slug}/holds"
    await nobody.refused("POST", queue, 403, "cross_site", **foreign)
    await nobody.call("POST", queue, headers={**cookie, **OWN_PAGE}, expect=200)
    await nobody.refused("POST", holds, 403, "cross_site", json={"seats": [1]}, **foreign)
    await nobody.refused("DELETE", queue, 403, "cross_site", **foreign)
    await nobody.refused("DELETE", holds, 403, "cross_site", **foreign)
    assert (await nobody.call("GET", queue, headers=cookie, expect=200)).json()["state"] == "active"


async def test_a_bearer_token_needs_no_proof_of_the_page(visitor: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    foreign = {"sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    await visitor.call("POST", f"/api/events/{event.slug}/queue", headers=foreign, expect=200)


def test_origins_are_compared_as_origins() -> None:
    assert normal_origin("HTTPS://Sale.Example:443/") == "https://sale.example"
    assert normal_origin("http://[::1]:8080") == "http://[::1]:8080"
    for nothing in ("null", "", "ftp://sale.example", "sale.example", "http://", "http://[", "http://x:99999"):
        assert normal_origin(nothing) == ""


async def test_the_channels_origins(runtime: Runtime) -> None:
    from starlette.requests import HTTPConnection

    connection = HTTPConnection(
        {
            "type": "websocket",
            "scheme": "wss",
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", b"sale.example")],
        }
    )
    further = {
        "allowed_origins": "https://shop.example, https://app.example:8443",
        "base_url": "https://www.sale.example/",
    }
    origins = origins_of(runtime.settings.model_copy(update=further))
    for ours in (
        "https://sale.example",
        "https://shop.example",
        "https://app.example:8443",
        "https://www.sale.example",
    ):
        assert origins.is_ours(ours, connection), ours
    for foreign in ("http://sale.example", "https://app.example", "https://evil.example", "null", ""):
        assert not origins.is_ours(foreign, connection), foreign


@pytest.mark.parametrize(
    "path", ["/", "/api/events", "/nowhere", "/api/nowhere", "/static/nowhere", "/actuator/health", "/metrics"]
)
async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path, headers={"accept": "text/html"})).headers
    policy = dict(one.strip().partition(" ")[::2] for one in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert not any("unsafe" in value or "*" in value for value in policy.values())
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["x-request-id"]
    assert "strict-transport-security" not in headers


async def test_https_stays_https(app: Starlette) -> None:
    async with open_client(app, https=True) as client:
        assert "max-age=" in (await client.get("/api/events")).headers["strict-transport-security"]


async def test_no_answer_about_a_visitor_is_kept(visitor: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    response = await visitor.call("POST", f"/api/events/{event.slug}/queue")
    assert response.headers["cache-control"] == "no-store"


async def test_no_foreign_page_may_read_an_answer(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/events", headers={"origin": "http://evil.example"})
    assert not any(name.startswith("access-control-") for name in response.headers)


class TestLimits:
    """Rate limits, which say when to come back."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def settings_of_test(self) -> dict[str, Any]:
        return {"calls_per_minute": 5}

    @pytest.fixture
    async def limited(
        self, runtime: Runtime, clock: ManualClock, settings_of_test: dict[str, Any], description: dict[str, Any]
    ) -> AsyncIterator[Api]:
        runtime.settings = runtime.settings.model_copy(update=settings_of_test)
        runtime.clock = clock
        async with open_client(create_app(runtime, None)) as client:
            yield Api(client, description)

    async def test_a_visitors_calls(self, limited: Api, clock: ManualClock, make_event: MakeEvent) -> None:
        event = await make_event()
        path = f"/api/events/{event.slug}/holds"
        first, second = await limited.as_visitor(), await limited.as_visitor()
        for _ in range(5):
            await first.call("GET", path, expect=200)
        refused = await first.call("GET", path, expect=429, code="too_many_requests")
        wait = int(refused.headers["retry-after"])
        assert 1 <= wait <= 12
        await second.call("GET", path, expect=200)
        clock.advance(wait)
        await first.call("GET", path, expect=200)
        await first.call("GET", path, expect=429)

    async def test_page_loads_make_visitors_freely(self, limited: Api) -> None:
        """F4: what is limited is places. Two hundred people behind one address open the page."""
        for _ in range(200):
            await limited.call("POST", "/api/visitors", expect=201)
        page = await limited.client.get("/", headers={"accept": "text/html"})
        assert page.status_code == 200

    async def test_guessing_the_operator_token(self, limited: Api, make_event: MakeEvent) -> None:
        event = await make_event()
        path = f"/api/operator/events/{event.slug}/pause"
        for guess in range(10):
            await limited.as_operator(f"guess-{guess}").refused("POST", path, 403, "forbidden")
        await limited.as_operator("guess").refused("POST", path, 429, "too_many_requests")
        await limited.as_operator().refused("POST", path, 429, "too_many_requests")

    async def test_off_is_off(
        self, runtime: Runtime, description: dict[str, Any], settings_of_test: dict[str, Any]
    ) -> None:
        runtime.settings = runtime.settings.model_copy(update={**settings_of_test, "rate_limits": "off"})
        async with open_client(create_app(runtime, None)) as client:
            api = Api(client, description)
            for _ in range(20):
                await api.call("POST", "/api/visitors", expect=201)
