"""One call of the HTTP API: declared once, and served, checked and documented from that declaration.

An `Endpoint` names its method, path, body, answer, who may call and every refusal. `respond` does what all calls have
in common, in this order: who calls, is it one of our pages, not too often, is the body what was declared. The handler
then gets a `Call` and nothing that was not checked. `web/openapi.py` reads the same declaration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any, Final, Generic, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import (
    CrossSite,
    EventNotFound,
    Forbidden,
    InvalidRequest,
    Malformed,
    NoVisitor,
    OnsaleError,
    OutcomeUnknown,
    SignInRequired,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
)
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import SLUG
from web import problems
from web.app_state import AppState, app_state_of
from web.compression import compressed
from web.half_characters import half_character
from web.security import Operator, require_same_site
from web.security import address_of as address_of
from web.whole_answers import Head, Made, is_whole

B = TypeVar("B")
M = TypeVar("M", bound=BaseModel)

#: A request's body, at most, in bytes, where its endpoint says nothing else.
MOST_BODY: Final = 16 * 1024
#: How long a body may take to arrive: so many seconds, and as many more as the largest takes at a slow line's pace.
_BODY_SECONDS: Final = 10.0
_SLOW_LINE: Final = 500_000  # bytes a second

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Caller(Enum):
    """Who may make a call."""

    ANYONE = "anyone"
    VISITOR = "visitor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A header or query parameter, as OpenAPI describes it."""

    name: str
    where: str
    about: str
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(slots=True)  # not frozen: that takes three times as long to make, and each call makes one
class Call(Generic[B]):
    """One checked call. `visitor` is empty when the endpoint is not a visitor's."""

    request: Request
    parts: AppState
    body: B
    visitor: str = ""
    actor: str = ""
    operator: Operator | None = None

    async def event(self) -> Event:
        """The event that the path names. Raises EventNotFound."""
        slug = self.request.path_params["slug"]
        self.request.scope["state"]["slug"] = slug[:100]
        return await event_of(self.parts.events, slug)

    async def event_to_enter(self) -> Event:
        """The same, for what only who may be in the sale does. Raises EventNotFound, Removed."""
        event = await self.event()
        self.parts.removals.require(event, self.visitor, address_of(self.request))
        return event


async def event_of(events: EventStore, slug: str) -> Event:
    """Raises EventNotFound; what cannot be a slug costs no store call."""
    if not SLUG.fullmatch(slug):
        raise EventNotFound()
    return await events.get(slug)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is Starlette's. `refusals` are this call's own; `all_refusals` adds the common ones.

    `answer` is the model of the success body, None when there is none (204) or it is no JSON (`media_type`); `also`
    gives the models of other statuses that are no problem responses. `body_required` is False where an empty body means
    the model's defaults; `most_body` is the largest body in bytes. `body_type`: the media type of a body that is no
    JSON, which the handler takes itself.
    """

    method: str
    path: str
    handle: Callable[[Call[Any]], Awaitable[Response]]
    summary: str
    tag: str
    success: int = 200
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    body_type: str | None = None
    most_body: int = MOST_BODY
    caller: Caller = Caller.ANYONE
    refusals: tuple[type[OnsaleError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    not_modified: bool = False
    uses_stores: bool = True
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return self.method in _CHANGES

    def all_refusals(self) -> tuple[type[OnsaleError], ...]:
        """Every error that this call may answer with, but 500."""
        common: list[type[OnsaleError]] = [StoreUnavailable] if self.uses_stores else []
        if self.uses_stores and self.changes:
            common.append(OutcomeUnknown)
        if self.caller is Caller.VISITOR:
            common += [NoVisitor, TooManyRequests]
        if self.caller is Caller.OPERATOR:
            common += [SignInRequired, Forbidden, TooManyRequests]
        if self.caller is not Caller.ANYONE and self.changes:
            common.append(CrossSite)
        if self.body is not None or self.body_type is not None:
            common += [Malformed, TooLarge]
        if self.body is not None:
            common.append(InvalidRequest)
        return tuple(dict.fromkeys((*self.refusals, *common)))

    async def respond(self, request: Request) -> Response:
        """Raises the OnsaleError that the call deserves."""
        parts = app_state_of(request)
        state = request.scope["state"]
        state["route"] = self.path
        visitor, actor, by = "", "", ""
        operator = None
        if self.caller is Caller.VISITOR:
            caller = parts.visitors.require(request.headers)
            visitor, by = caller.id, caller.by
            state["visitor"] = visitor
            parts.limits.call(visitor)
        elif self.caller is Caller.OPERATOR:
            operator = await parts.gate.require(request)
            by, actor = operator.by, f"{operator.actor}@{address_of(request)}"
        if by == "cookie":
            programs = self.caller is Caller.VISITOR
            require_same_site(request, request.method, parts.origins, programs=programs)
        body = await read_body(request, self.body, self.body_required, self.most_body) if self.body else None
        try:
            response = await self.handle(Call(request, parts, body, visitor, actor, operator))
        except OutcomeUnknown as unknown:
            if self.changes:
                raise
            # Who only asked has changed nothing.
            raise StoreUnavailable(retry_after=unknown.retry_after) from unknown
        return await compressed(request, response)


async def read_body(request: Request, model: type[M], required: bool, most: int) -> M:
    """Raises TooLarge, Malformed (no JSON) or InvalidRequest (of another shape)."""
    raw = await bytes_of(request, most)
    if not raw and not required:
        return model()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Malformed("send a JSON body with Content-Type: application/json")
    if len(raw) <= MOST_BODY:
        return _parsed(raw, model)
    return await asyncio.to_thread(_parsed, raw, model)  # a large one keeps the others waiting


def _parsed(raw: bytes, model: type[M]) -> M:
    try:
        value = orjson.loads(raw)
    except ValueError:
        raise Malformed(half_character(raw) or "the body is not JSON") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise problems.of_validation(error) from None


async def bytes_of(request: Request, most: int = MOST_BODY) -> bytes:
    """The body, never more than `most` bytes in memory, whatever Content-Length says. Raises TooLarge, Malformed."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared[:12]) > most:
        raise TooLarge(limit=most)
    if is_whole(request.receive):
        return await _arrived(request, most)
    received = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS + most / _SLOW_LINE):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                received += message.get("body", b"")
                more = message.get("more_body", False)
                if len(received) > most:
                    raise TooLarge(limit=most)
    except TimeoutError:
        raise Malformed("the body did not arrive in time") from None
    return bytes(received)


async def _arrived(request: Request, most: int) -> bytes:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    received: bytes = message.get("body", b"")
    if len(received) > most:
        raise TooLarge(limit=most)
    return received


def answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None, **dump: Any) -> Response:
    """A JSON response of a declared answer."""
    return json_response(model.model_dump_json(**dump).encode(), status=status, headers=headers)


def json_response(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    if headers:
        return Response(body, status_code=status, headers=headers, media_type="application/json")
    return Made(status, _JSON, body)


_JSON: Final = Head([(b"content-type", b"application/json")])


def nothing() -> Response:
    return Response(status_code=204)


def routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    """One Starlette route for each path, so that a wrong method's `Allow` names all methods of the path."""
    by_path = groupby(sorted(endpoints, key=lambda one: one.path), key=lambda one: one.path)
    return [_route(path, {one.method: one for one in group}) for path, group in by_path]


def _route(path: str, methods: Mapping[str, Endpoint]) -> Route:
    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await methods[method].respond(request)

    return Route(path, dispatch, methods=sorted(methods), name=path)
