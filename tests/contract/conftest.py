"""The application on real stores, without a server in between, and callers of it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from core.booking.taking import Taking
from core.runtime import Runtime
from tests.booking import Bank, Desk, close_desks, desk
from tests.contract.api_client import Api, open_client
from tests.manual_clock import ManualClock
from tests.patient_stores import patient_stores
from tests.waits import PATIENCE
from web import availability, health_checks
from web.app import create_app

_READ: dict[bytes, dict[str, Any]] = {}


@pytest.fixture
def impatient() -> None:
    """For a test of a store that hangs: there counts what the product gives it."""


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Else a store is waited for: that a busy machine's is late is no part of what a call answers."""
    if "impatient" in request.fixturenames:
        yield
        return
    assert health_checks.examine.__kwdefaults__
    monkeypatch.setitem(health_checks.examine.__kwdefaults__, "limit", PATIENCE)
    monkeypatch.setattr(health_checks, "LIMIT", PATIENCE)
    monkeypatch.setattr(availability, "_PATIENCE_SECONDS", PATIENCE)
    with patient_stores():
        yield


@pytest.fixture
def bank(runtime: Runtime) -> Bank:
    """Where buyers of this application pay; it sells by a desk of its own then."""
    bank = Bank()
    runtime.checkout = desk(runtime, bank).checkout
    runtime.waiting_list.waiting_list.checkout = cast(Taking, runtime.checkout)
    return bank


@pytest.fixture
async def till(runtime: Runtime) -> AsyncIterator[Desk]:
    """A desk whose bank approves, beside the application's."""
    yield desk(runtime, Bank())
    await close_desks()


@pytest.fixture
def still(runtime: Runtime) -> ManualClock:
    """The clock of the application that is made next stands still: a test that counts calls is in no hurry.

    Ten wrong tokens in a minute are eleven after six seconds, which a busy machine takes.
    """
    runtime.clock = clock = ManualClock(epoch=time.time())
    return clock


@pytest.fixture
def app(runtime: Runtime, request: pytest.FixtureRequest) -> Starlette:
    """With a `bank`, or the desk `at` which a file's buyers pay, where a test has one: made before the application."""
    for shop in {"bank", "at"} & set(request.fixturenames):
        request.getfixturevalue(shop)
    return create_app(runtime, None)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(app) as opened:
        yield opened


@pytest.fixture
async def description(client: httpx.AsyncClient) -> dict[str, Any]:
    """What `/openapi.json` says; the same object as long as it says the same, so that validators are made once."""
    content = (await client.get("/openapi.json")).content
    if content not in _READ:
        _READ[content] = json.loads(content)
    return _READ[content]


@pytest.fixture
def nobody(client: httpx.AsyncClient, description: dict[str, Any]) -> Api:
    return Api(client, description)


@pytest.fixture
async def visitor(nobody: Api) -> Api:
    return await nobody.as_visitor()


@pytest.fixture
async def other(nobody: Api) -> Api:
    return await nobody.as_visitor()


@pytest.fixture
def operator(nobody: Api) -> Api:
    return nobody.as_operator()
