"""The application on real stores, without a server in between, and callers of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core.runtime import Runtime
from tests.contract.api_client import Api, open_client
from web.app import create_app

_READ: dict[bytes, dict[str, Any]] = {}


@pytest.fixture
def app(runtime: Runtime) -> Starlette:
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
