"""What a caller is told when something is refused: one RFC 9457 problem response for every error.

    {"type": "tag:onsale.example,2026:problem:seat_taken", "title": ..., "status": 409, "detail": ...,
     "code": "seat_taken", "instance": "/api/events/summer/holds", "request_id": "...", "seats": [17]}

`code` is stable and is what a program reads; `title` and `detail` are for people; an error's data (`seats`,
`errors`, ...) are members of their own. A page request (`Accept: text/html`) gets the same as an HTML page in the
visitor's language, drawn by `page`, which `web/pages.py` gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from core.clock import iso
from core.errors import (
    InvalidRequest,
    Malformed,
    NotFound,
    OnsaleError,
    SignInRequired,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
)
from web.compression import WORTH, shrunk
from web.whole_answers import Head, Made

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "tag:onsale.example,2026:problem:"

_HEAD: Final = Head([(b"cache-control", b"no-store"), (b"content-type", MEDIA_TYPE.encode())])

#: What pydantic says where an object is wanted, with the name of our class.
_NO_OBJECT: Final = frozenset({"model_type", "model_attributes_type"})

#: Statuses that mean "not now": the answer always says when to come back, in seconds.
_COME_BACK: Final[Mapping[int, float]] = {TooManyRequests.status: 1, StoreUnavailable.status: 2}

#: Paths that programs call: they get problem+json whatever they say they accept.
_FOR_PROGRAMS: Final = ("/api/", "/actuator/", "/paysim/", "/static/", "/metrics", "/openapi.json")

ErrorPage = Callable[[Request, OnsaleError], Response]


class MethodNotAllowed(OnsaleError):
    code, status, title = "method_not_allowed", 405, "This address does not take that method"


class Refused(OnsaleError):
    """An HTTP error of the framework that has no class of its own here."""

    code, title = "http_error", "The request was refused"

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.http_status = status


_FRAMEWORK: Final[Mapping[int, type[OnsaleError]]] = {
    error.status: error for error in (NotFound, MethodNotAllowed, TooLarge, TooManyRequests)
}


def of_framework(error: HTTPException) -> OnsaleError:
    """The error of our own tree that says the same as Starlette's."""
    known = _FRAMEWORK.get(error.status_code)
    if known is not None:
        return known()
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return Malformed(error.detail)
    return Refused(error.status_code, error.detail)


def of_validation(error: ValidationError) -> InvalidRequest:
    """422 with everything that is wrong: `errors: [{"at": "seats[0]", "message": "..."}]`. Values are not echoed."""
    errors = [
        {"at": where(found["loc"]), "message": _message(found)}
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]
    first = errors[0]
    return InvalidRequest(f"{first['at']}: {first['message']}" if first["at"] else first["message"], errors=errors)


def _message(found: ErrorDetails) -> str:
    if found["type"] in _NO_OBJECT:
        return "Input should be an object"
    return found["msg"].removeprefix("Value error, ")


def where(location: tuple[int | str, ...]) -> str:
    """("seats", 0) -> `seats[0]`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:40]}" if text else part[:40]
    return text


def status_of(error: OnsaleError) -> int:
    return error.http_status if isinstance(error, Refused) else error.status


def document(error: OnsaleError, scope: Scope) -> dict[str, Any]:
    """The problem response's members; an error's data can add members but not replace ours."""
    return {
        **error.data,
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": status_of(error),
        "detail": error.detail,
        "code": error.code,
        "instance": scope.get("path", ""),
        "request_id": scope.get("state", {}).get("request_id", ""),
    }


def retry_after(error: OnsaleError) -> int | None:
    """Whole seconds for `Retry-After`, at least one; None when coming back would not help."""
    seconds = error.retry_after if error.retry_after is not None else _COME_BACK.get(status_of(error))
    return None if seconds is None else max(1, math.ceil(seconds))


def response(error: OnsaleError, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if isinstance(error, SignInRequired):
        sent["WWW-Authenticate"] = 'Bearer realm="onsale operators"'
    seconds = retry_after(error)
    if seconds is not None:
        sent["Retry-After"] = str(seconds)
    scope.setdefault("state", {})["code"] = error.code
    body = orjson.dumps(document(error, scope), default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    if len(sent) == 1 and headers is None:
        return Made(status_of(error), _HEAD, body)
    return Response(body, status_code=status_of(error), headers=sent, media_type=MEDIA_TYPE)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def wants_page(scope: Scope) -> bool:
    """A person's browser asked for a page (and not a script for data)."""
    if str(scope.get("path", "")).startswith(_FOR_PROGRAMS):
        return False
    accept = next((value for name, value in scope.get("headers", ()) if name == b"accept"), b"")
    return b"text/html" in accept


class Problems:
    """Answers errors: problem+json for programs, a page for people. `page` draws the latter."""

    def __init__(self, page: ErrorPage) -> None:
        self._page = page

    def answer(self, request: Request, error: OnsaleError, headers: Mapping[str, str] | None = None) -> Response:
        plain = response(error, request.scope, headers)
        if len(plain.body) >= WORTH:  # a hundred errors of a plan; nearly every other refusal is shorter
            plain = shrunk(request, plain)
        if not wants_page(request.scope):
            return plain
        try:
            page = self._page(request, error)
        except Exception:
            # A broken error page must not hide the error: the plain answer is always good enough.
            log.exception("error page failed", code=error.code)
            return plain
        for name in ("retry-after", "allow"):
            if name in plain.headers:
                page.headers[name] = plain.headers[name]
        return page

    # Asynchronous: Starlette would hand each of them to a thread, which cost more than the refused call.

    async def refused(self, request: Request, error: Exception) -> Response:
        """Starlette's exception handler for `OnsaleError`."""
        assert isinstance(error, OnsaleError)  # noqa: S101
        return self.answer(request, error)

    async def framework(self, request: Request, error: Exception) -> Response:
        """Starlette's exception handler for `HTTPException`: no route, wrong method."""
        assert isinstance(error, HTTPException)  # noqa: S101
        return self.answer(request, of_framework(error), error.headers)

    def unexpected(self, request: Request, error: Exception) -> Response:
        """A fault of ours: logged with its trace, told without it."""
        log.error("unexpected error", path=request.url.path, exc_info=error)
        return self.answer(request, OnsaleError())
