"""The books for a shop's accounts: every movement of money as CSV (P8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from core.booking.books_postgres import movements
from core.errors import EventNotFound, InvalidRequest
from web.endpoint import Call, Caller, Endpoint, Parameter, event_of
from web.ops.audit import note


async def payments(call: Call[None]) -> Response:
    slug = call.request.query_params.get("event")
    since, before = _time(call.request, "from"), _time(call.request, "to")
    if since is not None and before is not None and since >= before:
        # An empty export would be taken for a time in which nothing was sold.
        message = "it is not before `to`"
        raise InvalidRequest(f"from: {message}", errors=[{"at": "from", "message": message}])
    event = await event_of(call.parts.events, slug) if slug is not None else None
    pieces = movements(call.parts.database, event_id=event.id if event else None, since=since, before=before)
    # Before the first byte: a store that is away is then still a problem response.
    first = await anext(pieces)
    await note(call.parts.database, call.actor, "payments.export", slug or "-")

    async def stream() -> AsyncIterator[str]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    headers = {"Content-Disposition": 'attachment; filename="payments.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(stream(), media_type="text/csv; charset=utf-8", headers=headers)


def _time(request: Request, name: str) -> datetime | None:
    """Raises InvalidRequest. A day is its beginning in UTC."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = "a day or a time with its zone, such as 2026-05-01 or 2026-05-01T20:00:00Z"
        raise InvalidRequest(f"{name}: {message}", errors=[{"at": name, "message": message}]) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/payments.csv",
        payments,
        "Every charge, refund and fee as CSV, the oldest first",
        "operator",
        media_type="text/csv",
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, InvalidRequest),
        parameters=(
            Parameter("event", "query", "an event's slug; else all", {"type": "string"}),
            Parameter("from", "query", "a day (UTC) or a time with its zone", {"type": "string"}),
            Parameter("to", "query", "before this; as `from`", {"type": "string"}),
        ),
    ),
)
