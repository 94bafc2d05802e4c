"""`POST /api/visitors`: an identity for API clients. Browsers get theirs as a cookie with their first page."""

from __future__ import annotations

from starlette.responses import Response

from web.endpoint import Call, Endpoint, answer
from web.schemas import NewVisitor


async def new_visitor(call: Call[None]) -> Response:
    visitor = call.parts.visitors.new()
    call.request.scope["state"]["visitor"] = visitor
    return answer(NewVisitor(visitor=visitor, token=call.parts.visitors.token(visitor)), status=201)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/visitors",
        new_visitor,
        "Become a visitor",
        "visitors",
        success=201,
        answer=NewVisitor,
        uses_stores=False,
    ),
)
