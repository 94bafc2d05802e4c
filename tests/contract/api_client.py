"""A caller of the HTTP API for the contract tests: every answer is checked against `/openapi.json`."""

from __future__ import annotations

import functools
import re
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from starlette.applications import Starlette

PROBLEM = "application/problem+json"
#: What a browser adds to the calls that one of our own pages makes.
OWN_PAGE = {"sec-fetch-site": "same-origin"}


def open_client(app: Starlette, *, https: bool = False) -> httpx.AsyncClient:
    """An HTTP client of the application; a fault inside it is its answer (500), as behind a real server."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("203.0.113.7", 4711))
    return httpx.AsyncClient(transport=transport, base_url=f"http{'s' if https else ''}://onsale.test")


class Api:
    """Calls as one visitor (bearer token), as an operator, or as nobody."""

    def __init__(self, client: httpx.AsyncClient, document: dict[str, Any]) -> None:
        self.client = client
        self._document = document
        self.visitor = ""
        self.token = ""

    async def as_visitor(self) -> Api:
        """A new visitor of the same application."""
        api = Api(self.client, self._document)
        body = (await self.call("POST", "/api/visitors", expect=201)).json()
        api.visitor, api.token = body["visitor"], body["token"]
        return api

    def at(self, client: httpx.AsyncClient) -> Api:
        """Nobody, at another application: described by the same words, whose validators are made once."""
        return Api(client, self._document)

    def as_operator(self, token: str = "operator") -> Api:
        api = Api(self.client, self._document)
        api.token = token
        return api

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        expect: int | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One call; the answer must be what the description says, and `expect` (a status) and `code`, when given."""
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        extra: dict[str, Any] = (
            {"content": content} if content is not None else {"json": json} if json is not None else {}
        )
        response = await self.client.request(method, path, headers={**sent, **(headers or {})}, **extra)
        check(self._document, method, path, response)
        if expect is not None:
            assert response.status_code == expect, (method, path, response.status_code, response.text)
        if code is not None:
            assert response.json()["code"] == code, (method, path, response.text)
        return response

    async def refused(self, method: str, path: str, status: int, code: str, **sent: Any) -> dict[str, Any]:
        body: dict[str, Any] = (await self.call(method, path, expect=status, code=code, **sent)).json()
        return body


def check(document: dict[str, Any], method: str, path: str, response: httpx.Response) -> None:
    """The description has this call, this status and this body."""
    operation = _operation(document, method.lower(), path.partition("?")[0])
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{method} {path} -> {response.status_code} is not described: {response.text[:300]}"
    for name, header in described.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), f"{name} is missing"
    if "content" not in described:
        assert response.content == b""
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in described["content"], f"{method} {path} answers {media_type}"
    if media_type.endswith("json"):
        errors = list(
            _validator(_key(document), described["content"][media_type]["schema"]).iter_errors(response.json())
        )
        assert not errors, f"{method} {path} -> {response.status_code}: {errors[0].message} in {response.text[:300]}"


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    for template, operations in document["paths"].items():
        if method in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            found: dict[str, Any] = operations[method]
            return found
    raise AssertionError(f"{method} {path} is not described")


_DOCUMENTS: dict[int, dict[str, Any]] = {}


def _key(document: dict[str, Any]) -> int:
    _DOCUMENTS[id(document)] = document
    return id(document)


@functools.cache
def _registry(key: int) -> Registry[Any]:
    resource = DRAFT202012.create_resource(_DOCUMENTS[key])
    empty: Registry[Any] = Registry()
    registry: Registry[Any] = empty.with_resource("urn:openapi", resource)
    return registry


def _validator(key: int, schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator(_absolute(schema), registry=_registry(key))


def _absolute(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: f"urn:openapi{v}" if k == "$ref" else _absolute(v) for k, v in value.items()}
    return [_absolute(one) for one in value] if isinstance(value, list) else value
