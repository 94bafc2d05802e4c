"""`GET /openapi.json`: OpenAPI 3.1, made from the declarations that serve the calls. Nothing is written down twice."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core.errors import OnsaleError
from web import problems
from web.endpoint import Caller, Endpoint, Parameter
from web.schemas import SAID_ARGUMENTS, SAID_KEY
from web.visitors import COOKIE

_PATH_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "slug": {"type": "string", "description": "the event's slug"},
    "id": {
        "type": "string",
        "format": "uuid",
        "description": "of the reservation, or of the place in the waiting list",
    },
    "digest": {"type": "string", "description": "what the picture's address has"},
}

_SECURITY: Final[dict[Caller, list[dict[str, list[str]]]]] = {
    Caller.ANYONE: [],
    Caller.VISITOR: [{"visitorToken": []}, {"visitorCookie": []}],
    Caller.OPERATOR: [{"operatorToken": []}],
}

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; further members depend on it.",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "one plain sentence for a person"},
        "code": {"type": "string"},
        "instance": {"type": "string", "description": "the path that was called"},
        "request_id": {"type": "string", "description": "the X-Request-ID of this call, for support"},
        "seats": {"type": "array", "items": {"type": "integer"}, "description": "the ordinals that were refused"},
        "errors": {
            "type": "array",
            "description": "everything that is wrong with the request",
            "items": {
                "type": "object",
                "required": ["at", "message"],
                "properties": {
                    "at": {"type": "string"},
                    "message": {"type": "string"},
                    "key": {"type": "string", "description": f"of a seat plan: {SAID_KEY}"},
                    "arguments": {"type": "object", "description": SAID_ARGUMENTS},
                    "line": {"type": "integer", "description": "of a file that is not JSON; the first is 1"},
                    "column": {"type": "integer"},
                },
            },
        },
    },
}


def document(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """The whole description; the order of `endpoints` is the order of the paths."""
    asked = {one.body for one in endpoints if one.body}
    answered = {model for one in endpoints for model in (one.answer, *one.also.values()) if model}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in endpoints:
        paths[endpoint.path][endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Onsale",
            "version": version,
            "description": "Sells numbered seats: waiting room, live seat map, payment. Times are ISO 8601 in UTC, "
            "money is an integer in the currency's minor unit, seats are ordinals of the event's plan.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(paths),
        "components": {
            "schemas": {"Problem": _PROBLEM, **_schemas(asked, answered)},
            "securitySchemes": {
                "visitorToken": {"type": "http", "scheme": "bearer", "description": "the token of POST /api/visitors"},
                "visitorCookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "operatorToken": {"type": "http", "scheme": "bearer", "description": "ONSALE_OPERATOR_TOKEN"},
            },
        },
    }


def _schemas(asked: Iterable[type[BaseModel]], answered: Iterable[type[BaseModel]]) -> dict[str, Any]:
    models = [(model, "validation") for model in sorted(asked, key=_name)]
    models += [(model, "serialization") for model in sorted(answered, key=_name)]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return dict(definitions.get("$defs", {}))


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": _SECURITY[endpoint.caller],
        "parameters": [*_of_path(endpoint.path), *(_parameter(one) for one in endpoint.parameters)],
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": endpoint.body_required, "content": _json(endpoint.body)}
    elif endpoint.body_type is not None:
        schema = {"type": "string"} if endpoint.body_type.startswith("text/") else {}
        content = {endpoint.body_type: {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def operation_id(endpoint: Endpoint) -> str:
    """`POST /api/events/{slug}/holds` -> `post_events_slug_holds`."""
    words = re.findall(r"[a-z]+", endpoint.path.removeprefix("/api"))
    return "_".join([endpoint.method.lower(), *words])


def _of_path(path: str) -> list[dict[str, Any]]:
    parameters = []
    for name in re.findall(r"{(\w+)}", path):
        described = dict(_PATH_PARAMETERS[name])
        about = described.pop("description")
        parameters.append({"name": name, "in": "path", "required": True, "description": about, "schema": described})
    return parameters


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.about,
        "schema": dict(parameter.schema),
    }


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    success: dict[str, Any] = {"description": endpoint.summary}
    if endpoint.answer is not None:
        success["content"] = _json(endpoint.answer)
    elif endpoint.success != 204:
        success["content"] = {endpoint.media_type: {"schema": {}}}
    if endpoint.answer_headers:
        success["headers"] = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in endpoint.answer_headers.items()
        }
    responses = {str(endpoint.success): success}
    if endpoint.not_modified:
        responses["304"] = {"description": "The copy at hand is current"}
    for status, model in endpoint.also.items():
        responses[str(status)] = {"description": endpoint.summary, "content": _json(model)}
    by_status: dict[int, list[type[OnsaleError]]] = defaultdict(list)
    for refusal in endpoint.all_refusals():
        by_status[refusal.status].append(refusal)
    for status, refusals in sorted(by_status.items()):
        responses[str(status)] = _problem(status, refusals)
    return responses


def _problem(status: int, refusals: Sequence[type[OnsaleError]]) -> dict[str, Any]:
    codes = sorted({refusal.code for refusal in refusals})
    described: dict[str, Any] = {
        "description": "; ".join(f"`{refusal.code}`: {refusal.title}" for refusal in refusals),
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"status": {"const": status}, "code": {"enum": codes}},
                }
            }
        },
    }
    if status in (429, 503):
        described["headers"] = {
            "Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}
        }
    return described


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
