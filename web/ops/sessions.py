"""Who is signed in to the console, and ending that."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from core.errors import NotFound
from web.endpoint import Call, Caller, Endpoint, answer, nothing
from web.ops.audit import note
from web.ops.schemas import OpenSession, OpenSessions


async def sessions(call: Call[None]) -> Response:
    found = await call.parts.gate.sessions.list()
    mine = call.operator.session if call.operator else ""
    return answer(
        OpenSessions(
            sessions=[
                OpenSession(
                    id=one.id,
                    name=one.name,
                    address=one.address,
                    opened_at=one.opened_at,
                    ends_at=one.ends_at,
                    current=str(one.id) == mine,
                )
                for one in found
            ]
        )
    )


async def end(call: Call[None]) -> Response:
    try:
        id = UUID(call.request.path_params["id"])
    except ValueError:
        raise NotFound() from None
    if not await call.parts.gate.sessions.end(id):
        raise NotFound("There is no such session, or it has ended")
    await note(call.parts.database, call.actor, "session.end", "-", session=str(id))
    return nothing()


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/sessions",
        sessions,
        "Who is signed in to the console",
        "operator",
        answer=OpenSessions,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "DELETE",
        "/api/operator/sessions/{id}",
        end,
        "End a session of the console",
        "operator",
        success=204,
        caller=Caller.OPERATOR,
        refusals=(NotFound,),
    ),
)
