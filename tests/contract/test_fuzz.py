"""Whatever is sent, the answer is one that is described, and never a fault of ours. Rule 9."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from core.runtime import Runtime
from core.settings import Settings
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.contract.api_client import Api, check
from web.app import ENDPOINTS, create_app
from web.endpoint import Caller

# The stores are real and shared by the examples, so what an example meets depends on those before it: fine, because
# the promise is about every state.
fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

text = st.text(max_size=30) | st.sampled_from(["\x00", "\ud800", "v_x", "' OR 1=1 --", "{slug}", "🎫" * 10])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
seats = st.lists(st.integers(-2, 25) | scalars, max_size=6)
bodies = (
    documents
    | st.fixed_dictionaries({}, optional={"seats": seats | documents, "ticket": text, "blocked": scalars})
    | st.fixed_dictionaries({}, optional={"email": text, "provider": text, "language": text, "extra": documents})
)
raw_bodies = bodies.map(lambda body: json.dumps(body).encode("utf-8", "surrogatepass")) | st.binary(max_size=200)


@pytest.fixture
def settings_of_app(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_limits": "off"})


@pytest.fixture
def app(runtime: Runtime, settings_of_app: Settings) -> Starlette:
    runtime.settings = settings_of_app
    runtime.checkout = desk(runtime, Bank()).checkout
    return create_app(runtime, None)


@fuzz
@given(data=st.data())
async def test_any_body_to_any_call(
    data: st.DataObject, visitor: Api, client: httpx.AsyncClient, description: dict[str, Any], make_event: MakeEvent
) -> None:
    slug = await fuzzed_event(make_event, visitor)
    endpoint = data.draw(st.sampled_from([one for one in ENDPOINTS if one.body is not None]))
    token = "operator" if endpoint.caller is Caller.OPERATOR else visitor.token
    content = data.draw(raw_bodies)
    response = await client.request(
        endpoint.method,
        endpoint.path.replace("{slug}", slug),
        content=content,
        headers={
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "idempotency-key": data.draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)),
        },
    )
    assert response.status_code < 500, (content, response.text)
    check(description, endpoint.method, endpoint.path.replace("{slug}", slug), response)


_SLUG: list[str] = []


async def fuzzed_event(make_event: MakeEvent, visitor: Api) -> str:
    """One event for all examples of a run, with the visitor let in."""
    if not _SLUG:
        _SLUG.append((await make_event()).slug)
    await visitor.call("POST", f"/api/events/{_SLUG[0]}/queue", expect=200)
    return _SLUG[0]


PAGES = ("/", "/events/{slug}", "/reservations/{id}", "/static/{slug}")
header_text = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=40)


@fuzz
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=st.sampled_from([*(one.path for one in ENDPOINTS), *PAGES]),
    part=st.text(max_size=20),
    query=st.text(max_size=20),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "authorization",
                "cookie",
                "origin",
                "sec-fetch-site",
                "accept",
                "accept-language",
                "if-none-match",
                "content-type",
                "x-request-id",
                "accept-encoding",
                "content-length",
            ]
        ),
        header_text,
        max_size=4,
    ),
)
async def test_any_address_and_header(
    app: Starlette, method: str, path: str, part: str, query: str, headers: dict[str, str]
) -> None:
    """Below the HTTP client, which would refuse to send most of this."""
    path = path.replace("{slug}", part).replace("{id}", part)
    status = await _asgi(app, method, path, query, headers)
    # 503: `/actuator/health` and `/metrics` may say that something is away; nothing else is away here.
    assert status < 500, (method, path, headers)


async def _asgi(app: Starlette, method: str, path: str, query: str, headers: dict[str, str]) -> int:
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "query_string": query.encode("utf-8", "surrogatepass"),
        "headers": [(b"host", b"onsale.test")] + [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("203.0.113.9", 1),
        "server": ("onsale.test", 80),
    }
    await app(scope, receive, send)
    return statuses[0]
