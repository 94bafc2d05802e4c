"""`POST /api/visitors`: an identity for API clients. Browsers get theirs as a cookie with their first page, and have it
renewed by pages; a client sends its token here, while it is good, and gets a new one of the same visitor.
"""

from __future__ import annotations

from starlette.responses import Response

from web.endpoint import Call, Endpoint, answer
from web.schemas import NewVisitor


async def new_visitor(call: Call[None]) -> Response:
    visitors = call.parts.visitors
    known = visitors.of(call.request.headers)
    visitor = known.id if known is not None and known.by == "bearer" else visitors.new()
    call.request.scope["state"]["visitor"] = visitor
    return answer(NewVisitor(visitor=visitor, token=visitors.token(visitor)), status=201)


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
