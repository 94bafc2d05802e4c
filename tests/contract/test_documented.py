"""OpenAPI is true: valid, complete, and every refusal that it names can be met. Rule 9."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Route

from core.embedded import Engines
from core.errors import OnsaleError
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from tests.booking import Bank
from tests.conftest import MakeEvent
from tests.contract import door_refusals, payment_refusals, sale_refusals, waiting_list_refusals
from tests.contract.api_client import Api, open_client
from tests.contract.door_refusals import invalid, malformed
from tests.contract.scene import Meet, Scene, filled, good_body, headers_of
from tests.contract.store_proxy import behind_proxies
from tests.waits import PATIENCE, until
from web import api_docs
from web.app import ENDPOINTS, create_app
from web.endpoint import Caller, Endpoint
from web.openapi import operation_id

pytestmark = pytest.mark.usefixtures("bank")

#: How each code is met. `store_unavailable` has tests of its own below.
MEET: dict[str, Meet] = {**door_refusals.MEET, **sale_refusals.MEET, **payment_refusals.MEET}

#: Refused before anything is looked at or changed, at nearly every endpoint.
AT_THE_DOOR = (
    "invalid_request",
    "forbidden",
    "sign_in_required",
    "no_visitor",
    "cross_site",
    "too_large",
    "event_not_found",
    "too_many_requests",
)
DOCUMENTED = [
    (endpoint, refusal)
    for endpoint in ENDPOINTS
    for refusal in endpoint.all_refusals()
    # What stores do when they are away: below, and `tests/integration/test_lost_answers.py`.
    if refusal.code not in ("store_unavailable", "outcome_unknown")
]
REFUSALS = [
    pytest.param(endpoint, refusal, id=f"{operation_id(endpoint)}-{refusal.status}-{refusal.code}")
    for endpoint, refusal in DOCUMENTED
    if refusal.code not in AT_THE_DOOR
]


@pytest.mark.parametrize(("endpoint", "refusal"), REFUSALS)
async def test_every_documented_refusal_is_real(
    endpoint: Endpoint,
    refusal: type[OnsaleError],
    nobody: Api,
    runtime: Runtime,
    make_event: MakeEvent,
    bank: Bank,
) -> None:
    response = await met(Scene(nobody, runtime, make_event, bank), endpoint, refusal)
    assert (response.status_code, response.json()["code"]) == (refusal.status, refusal.code), response.text


async def met(scene: Scene, endpoint: Endpoint, refusal: type[OnsaleError]) -> httpx.Response:
    own = waiting_list_refusals.MEET if "/returns" in endpoint.path else {}
    meet = own.get(refusal.code) or MEET.get(refusal.code) or (malformed if refusal.status == 400 else invalid)
    return await meet(scene, endpoint)


@pytest.mark.parametrize("code", AT_THE_DOOR)
async def test_what_is_refused_at_the_door_is_so_at_every_call(
    code: str, description: dict[str, Any], runtime: Runtime, make_event: MakeEvent, bank: Bank
) -> None:
    """Each call meets an application of its own, which remembers nothing of the refusals before it."""
    asked = [(endpoint, refusal) for endpoint, refusal in DOCUMENTED if refusal.code == code]
    assert len(asked) > 10
    wrong = {}
    for endpoint, refusal in asked:
        async with open_client(create_app(runtime, None)) as client:
            response = await met(Scene(Api(client, description), runtime, make_event, bank), endpoint, refusal)
        if (response.status_code, response.json()["code"]) != (refusal.status, refusal.code):
            wrong[operation_id(endpoint), refusal.status] = response.text
    assert not wrong


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("away", ["postgres", "redis"])
async def test_a_store_that_is_away_is_said_plainly(
    away: str, settings: Settings, stores: Engines, make_event: MakeEvent
) -> None:
    """S16: refused within 3 s with when to come back, nothing hangs, nothing is an unexpected error."""
    event = await make_event()
    async with behind_proxies(stores) as (engines, postgres, redis), open_runtime(settings, engines) as runtime:
        app = create_app(runtime, None)
        async with open_client(app) as client:
            api = Api(client, (await client.get("/openapi.json")).json())
            visitor = await api.as_visitor()
            await visitor.call("POST", f"/api/events/{event.slug}/queue", expect=200)
            await visitor.call("POST", f"/api/events/{event.slug}/holds", json={"seats": [1]}, expect=201)
            await (postgres if away == "postgres" else redis).cut()
            told: dict[str, int] = {}

            async def ask(endpoint: Endpoint) -> None:
                # A visitor's token is not the operator's, whom health tells more.
                anybody = api if endpoint.path.startswith("/actuator") else visitor
                by = api.as_operator() if endpoint.caller is Caller.OPERATOR else anybody
                # S16's 3 s, and some for a machine that is busy with other tests.
                async with asyncio.timeout(PATIENCE):
                    response = await by.call(
                        endpoint.method,
                        filled(endpoint.path, slug=event.slug),
                        headers=headers_of(endpoint),
                        json=good_body(endpoint),
                    )
                told[operation_id(endpoint)] = response.status_code
                assert response.status_code != 500, (operation_id(endpoint), response.text)
                if response.status_code == 503 and endpoint.uses_stores:
                    # The first call over a connection that was cut cannot know what became of it.
                    assert response.json()["code"] in ("store_unavailable", "outcome_unknown")

            # Each waits for a store most of the time: a few at once wait no longer.
            for some in (ENDPOINTS[first : first + 8] for first in range(0, len(ENDPOINTS), 8)):
                await asyncio.gather(*map(ask, some))
            if away == "redis":

                async def is_there(path: str) -> bool:
                    return (await visitor.call("GET", path)).status_code == 200

                # Reads fall back to PostgreSQL (S16), which a busy machine may answer late.
                for path in ("/api/events", f"/api/events/{event.slug}/board"):
                    await until(partial(is_there, path), path)
    refused = {operation for operation, status in told.items() if status == 503}
    assert "get_actuator_health" in refused
    assert told["get_metrics"] == 200
    assert told["get_actuator_health_liveness"] == told["get_actuator_health_readiness"] == 200
    if away == "postgres":
        assert {"get_events", "get_events_slug_plan", "post_events_slug_reservations", "get_reservations_id"} <= refused
        assert told["post_events_slug_queue"] == 200, "the waiting room goes on"
    else:
        assert {"post_events_slug_queue", "post_events_slug_holds", "post_events_slug_heartbeat"} <= refused


async def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(description).validate()
    assert description["openapi"].startswith("3.1")
    assert json.loads(json.dumps(description)) == description


async def test_every_api_route_is_described(description: dict[str, Any], app: Starlette) -> None:
    served = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route)
        and route.path.startswith(("/api", "/actuator", "/metrics", "/openapi.json", "/pictures"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method.upper()) for path, operations in description["paths"].items() for method in operations}
    assert described == served


async def test_operations_have_names_of_their_own(description: dict[str, Any]) -> None:
    names = [one["operationId"] for operations in description["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))


def test_the_page_about_the_api_is_current() -> None:
    """`make docs` writes it."""
    assert Path("docs/http-api.md").read_text() == api_docs.document()


def test_the_table_of_the_design_is_there() -> None:
    """What API clients rely on, whatever else is added."""
    table = {
        ("POST", "/api/visitors"): 201,
        ("GET", "/api/events"): 200,
        ("GET", "/api/events/{slug}"): 200,
        ("GET", "/api/events/{slug}/plan"): 200,
        ("GET", "/api/events/{slug}/board"): 200,
        ("POST", "/api/events/{slug}/queue"): 200,
        ("GET", "/api/events/{slug}/queue"): 200,
        ("POST", "/api/events/{slug}/heartbeat"): 200,
        ("DELETE", "/api/events/{slug}/queue"): 204,
        ("POST", "/api/events/{slug}/holds"): 201,
        ("GET", "/api/events/{slug}/holds"): 200,
        ("DELETE", "/api/events/{slug}/holds"): 204,
        ("POST", "/api/events/{slug}/reservations"): 202,
        ("POST", "/api/events/{slug}/returns"): 201,
        ("GET", "/api/events/{slug}/returns"): 200,
        ("DELETE", "/api/events/{slug}/returns"): 204,
        ("POST", "/api/returns/{id}/take"): 202,
        ("GET", "/api/reservations/{id}"): 200,
        ("POST", "/api/reservations/{id}/cancel"): 200,
        ("POST", "/api/reservations/{id}/payments"): 201,
        ("POST", "/api/operator/reservations/{id}/refunds"): 201,
        ("POST", "/api/operator/events/{slug}/refunds"): 202,
        ("GET", "/actuator/health"): 200,
        ("GET", "/metrics"): 200,
    }
    declared = {(one.method, one.path): one.success for one in ENDPOINTS}
    assert table.items() <= declared.items()
