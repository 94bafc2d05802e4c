"""Signing in to the operators' console: a signed, strict cookie that ends; never the token in an address."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from core.embedded import Engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from tests.booking import rows
from tests.conftest import MakeEvent
from tests.contract.api_client import OWN_PAGE, open_client
from tests.contract.store_proxy import behind_proxies
from web.app import create_app
from web.security import OPERATOR_COOKIE, OPERATOR_SESSION_SECONDS


async def sign_in(client: httpx.AsyncClient, **form: str) -> httpx.Response:
    fields = {"token": "operator", "name": "Kim", "next": "/ops/audit"} | form
    return await client.post("/ops/login", data=fields, headers=OWN_PAGE)


async def test_the_session_opens_the_pages_and_the_calls(client: httpx.AsyncClient, runtime: Runtime) -> None:
    page = await client.get("/ops/events/summer", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["cache-control"]) == (401, "private, no-store")
    assert 'value="/ops/events/summer"' in page.text
    signed_in = await sign_in(client)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/ops/audit")
    cookie = signed_in.headers["set-cookie"]
    assert all(word in cookie.lower() for word in ("httponly", "samesite=strict", "path=/"))
    assert f"Max-Age={OPERATOR_SESSION_SECONDS}" in cookie
    assert "operator" not in cookie.replace(OPERATOR_COOKIE, ""), "the cookie does not hold the token"
    page = await client.get("/ops/audit")
    assert page.status_code == 200
    assert 'data-view="audit"' in page.text
    assert "Kim" in page.text
    assert (await client.get("/api/operator/session")).json() == {"name": "Kim", "by": "cookie"}
    [opened] = await rows(runtime, "SELECT actor FROM audit WHERE action = 'session.open' ORDER BY id DESC LIMIT 1")
    assert opened["actor"] == "unverified:Kim@203.0.113.7"


async def test_pages_keep_to_the_content_security_policy(client: httpx.AsyncClient) -> None:
    """No inline script, style or handler; nothing from elsewhere."""
    await sign_in(client)
    for path in ("/ops", "/ops/events/summer", "/ops/dead-letters", "/ops/audit"):
        page = await client.get(path)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        forbidden = r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)"
        assert not re.search(forbidden, page.text)


async def test_calls_by_cookie_must_come_from_our_own_page(client: httpx.AsyncClient, make_event: MakeEvent) -> None:
    event = await make_event()
    await sign_in(client)
    path = f"/api/operator/events/{event.slug}/pause"
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        response = await client.post(path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "cross_site")
    assert (await client.post(path, headers=OWN_PAGE)).json()["paused"] is True


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}])
async def test_nobody_is_signed_in_or_out_by_another_site(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/ops/login", data={"token": "operator"}, headers=headers)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)
    await sign_in(client)
    assert (await client.post("/ops/logout", headers=headers)).status_code == 403
    assert (await client.get("/ops")).status_code == 200


async def test_signing_out_ends_it(client: httpx.AsyncClient) -> None:
    await sign_in(client)
    assert (await client.post("/ops/logout", headers=OWN_PAGE)).status_code == 303
    assert (await client.get("/ops")).status_code == 401


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/ops//evil.example", "/ops/../", "/events", "", "/ops?x"]
)
async def test_nobody_is_sent_elsewhere(client: httpx.AsyncClient, next: str) -> None:
    assert (await sign_in(client, next=next)).headers["location"] == "/ops"


@pytest.mark.usefixtures("still")
async def test_a_wrong_token_is_said_and_guessing_is_limited(client: httpx.AsyncClient, runtime: Runtime) -> None:
    response = await sign_in(client, token="wrong")
    assert (response.status_code, "set-cookie" in response.headers) == (401, False)
    assert "This is not the operator token." in response.text
    statuses = [(await sign_in(client, token="wrong")).status_code for _ in range(12)]
    assert 429 in statuses
    assert (await sign_in(client)).status_code == 429, "also the right one, for a while"
    refused = await rows(
        runtime,
        "SELECT 1 FROM audit WHERE action = 'session.refused' AND at > $1",
        datetime.now(UTC) - timedelta(minutes=1),
    )
    assert len(refused) == 1, "guessing does not fill the audit trail"


async def test_an_old_console_does_not_lock_its_operator_out(client: httpx.AsyncClient) -> None:
    """A page that is left open asks each second with a session that has ended."""
    client.cookies.set(OPERATOR_COOKIE, "ended")
    for _ in range(30):
        assert (await client.get("/api/operator/overview")).status_code == 401
    assert (await sign_in(client)).status_code == 303


async def test_a_session_ends_by_time_by_tampering_and_with_the_token(
    runtime: Runtime, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client(app) as client:
        await sign_in(client)
        value = client.cookies[OPERATOR_COOKIE]
        assert (await client.get("/ops")).status_code == 200
        tampered = value[:-2] + ("AA" if not value.endswith("AA") else "BB")
        assert await opens(app, tampered) == 401
        changed = runtime.settings.operator_token
        runtime.settings = runtime.settings.model_copy(update={"operator_token": type(changed)("another")})
        assert await opens(create_app(runtime, None), value) == 401
        late = time.time() + OPERATOR_SESSION_SECONDS + 5
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: late)
        assert await opens(app, value) == 401


async def opens(app: Starlette, cookie: str) -> int:
    async with open_client(app) as client:
        return (await client.get("/ops", headers={"cookie": f"{OPERATOR_COOKIE}={cookie}"})).status_code


@pytest.mark.usefixtures("still")
async def test_wrong_tokens_lock_nobody_out_who_is_signed_in(client: httpx.AsyncClient, app: Starlette) -> None:
    """R9: whoever shares the operators' address, or knows that they are proxied, could keep them out of their sale."""
    await sign_in(client)
    async with open_client(app) as guesser:
        statuses = [
            (await guesser.get("/api/operator/overview", headers={"authorization": f"Bearer {guess}"})).status_code
            for guess in range(12)
        ]
        assert (statuses[0], statuses[-1]) == (403, 429)
        assert (await sign_in(guesser, token="wrong")).status_code == 429
    assert (await client.get("/ops")).status_code == 200
    assert (await client.get("/api/operator/overview")).status_code == 200


async def test_sessions_are_listed_and_ended(client: httpx.AsyncClient, app: Starlette, runtime: Runtime) -> None:
    """R9: somebody has left, or a laptop was lost."""
    await sign_in(client)
    async with open_client(app) as lost, open_client(create_app(runtime, None)) as elsewhere:
        name = f"Lost {time.monotonic_ns()}"
        await sign_in(lost, name=name)
        assert (await lost.get("/ops")).status_code == 200
        found = (await client.get("/api/operator/sessions")).json()["sessions"]
        assert [one["current"] for one in found].count(True) == 1
        (theirs,) = [one for one in found if one["name"] == name]
        assert (theirs["address"], theirs["current"]) == ("203.0.113.7", False)
        path = f"/api/operator/sessions/{theirs['id']}"
        assert (await client.delete(path)).status_code == 403, "no page of ours"
        assert (await client.delete(path, headers=OWN_PAGE)).status_code == 204
        assert (await lost.get("/ops")).status_code == 401
        assert (await lost.get("/api/operator/overview")).status_code == 401
        elsewhere.cookies = lost.cookies
        assert (await elsewhere.get("/ops")).status_code == 401, "in every process"
        again = await client.delete(path, headers=OWN_PAGE)
        assert (again.status_code, again.json()["code"]) == (404, "not_found")
        assert (await client.delete("/api/operator/sessions/x", headers=OWN_PAGE)).status_code == 404
        assert theirs["id"] not in (await client.get("/api/operator/sessions")).text
    [ended] = await rows(
        runtime, "SELECT actor, detail FROM audit WHERE action = 'session.end' ORDER BY id DESC LIMIT 1"
    )
    assert (ended["actor"], ended["detail"]) == ("unverified:Kim@203.0.113.7", {"session": theirs["id"]})
    assert (await client.get("/ops")).status_code == 200


async def test_a_copy_of_the_cookie_ends_with_signing_out(client: httpx.AsyncClient, app: Starlette) -> None:
    await sign_in(client)
    copy = client.cookies[OPERATOR_COOKIE]
    assert await opens(app, copy) == 200
    await client.post("/ops/logout", headers=OWN_PAGE)
    assert await opens(app, copy) == 401


async def test_a_planted_session_beside_ours_is_ignored(client: httpx.AsyncClient, app: Starlette) -> None:
    await sign_in(client)
    value = client.cookies[OPERATOR_COOKIE]
    assert await opens(app, f"{value}; {OPERATOR_COOKIE}=planted") == 401


async def test_the_cookie_is_secure_over_https(app: Starlette) -> None:
    async with open_client(app, https=True) as client:
        cookie = (await sign_in(client)).headers["set-cookie"]
        assert cookie.startswith(f"__Host-{OPERATOR_COOKIE}=")
        assert "Secure" in cookie
        assert (await client.get("/ops")).status_code == 200


async def test_operators_get_in_while_postgresql_is_away(settings: Settings, stores: Engines) -> None:
    async with (
        behind_proxies(stores) as (engines, postgres, _),
        open_runtime(settings, engines) as runtime,
        open_client(create_app(runtime, None)) as client,
    ):
        await postgres.cut()
        assert (await sign_in(client)).status_code == 303
        assert (await client.get("/ops/events/summer")).status_code == 200
