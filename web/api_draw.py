"""The draw of an opening, for anybody to check: what was promised, and what came of it (F2)."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response

from core.errors import EventNotFound, InvalidRequest, NotFound
from core.venue.event import DrawState, Event
from core.waiting_room import draw
from core.waiting_room.draws_postgres import DrawRow
from web.endpoint import Call, Endpoint, Parameter, answer
from web.schemas import DrawBeacon, DrawShown

_PHASE: Final = re.compile(r"[^\x00-\x1f]{1,100}")


class DrawNotFound(NotFound):
    code, title = "draw_not_found", "Nothing has been drawn for this sale yet"


async def get_draw(call: Call[None]) -> Response:
    event = await call.event()
    row = await _shown(call, event)
    if row is None:
        return answer(_none(call))
    return answer(shown(row), exclude_unset=True)


async def get_entries(call: Call[None]) -> Response:
    """Raises DrawNotFound before every entry has its number."""
    event = await call.event()
    row = await call.parts.draws.shown(event, _phase(call))
    if row is None or not row.told:
        raise DrawNotFound()
    receipts = await call.parts.draws.receipts(row.id)
    body = "".join(f"{receipt}\n" for receipt in receipts)
    return Response(body, media_type="text/plain", headers={"Cache-Control": "public, max-age=60"})


def shown(row: DrawRow) -> DrawShown:
    """`root` and `count` from the freeze on, before a beacon has spoken; the seed when every entry has its number."""
    frozen = {} if row.state is DrawState.ANNOUNCED else {"count": row.count, "root": row.root}
    drawn = {"seed": row.seed.hex()} if row.told else {}
    beacon = row.beacon
    return DrawShown(
        phase=row.phase,
        algorithm=draw.ALGORITHM,
        state="drawn" if row.told else "announced",
        commitment=row.commitment,
        beacon=beacon
        and DrawBeacon(source=beacon.source, round=beacon.round, value=row.beacon_value if row.told else None),
        draw_at=row.draw_at,
        **frozen,
        **drawn,
    )


async def _shown(call: Call[None], event: Event) -> DrawRow | None:
    wanted = _phase(call)
    row = await call.parts.draws.shown(event, wanted)
    if row is not None and not row.told:
        return row
    # The commitment of an opening to come is public as soon as anybody asks for it.
    phase = event.next_opening(call.parts.clock.now())
    if phase is not None and wanted in (None, phase.name):
        return await call.parts.announcer.announce(event, phase)
    return row


def _none(call: Call[None]) -> DrawShown:
    return DrawShown(
        phase=_phase(call), algorithm=draw.ALGORITHM, state="none", commitment=None, beacon=None, draw_at=None
    )


def _phase(call: Call[None]) -> str | None:
    """Raises InvalidRequest."""
    name = call.request.query_params.get("phase")
    if name is not None and not _PHASE.fullmatch(name):
        raise InvalidRequest("phase: the name of one of the sale's phases", errors=[{"at": "phase", "message": "?"}])
    return name


_OF_PHASE = Parameter("phase", "query", "one phase's draw; without it the next one, else the last", {"type": "string"})

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/events/{slug}/draw",
        get_draw,
        "The draw at the opening: its commitment, and afterwards all that is needed to recompute it",
        "waiting room",
        answer=DrawShown,
        refusals=(EventNotFound, InvalidRequest),
        parameters=(_OF_PHASE,),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/draw/entries",
        get_entries,
        "The receipts in the order of the draw, one a line",
        "waiting room",
        media_type="text/plain",
        refusals=(EventNotFound, DrawNotFound, InvalidRequest),
        parameters=(_OF_PHASE,),
    ),
)
