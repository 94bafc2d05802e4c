"""Events as rows of PostgreSQL: what is read of them, and the rows that stand beside an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

from core.venue.event import DrawState, Event, Opening, Orphans, SaleStatus
from core.venue.fees import fee_table
from core.venue.phase import Phase
from core.venue.picture import Picture, Rendition

#: Of `events`, for `event_of`.
COLUMNS: Final = (
    "id, slug, name, status, paused, opens_at, closes_at, starts_at, currency, prices, active_limit, hold_seconds, "
    "max_seats, seat_count, plan_digest, fee_table, time_zone, orphans, focus, companions, prequeue_seconds, "
    "codes_version, cancelled_at, venue, address, description, "
    "(SELECT jsonb_agg(jsonb_build_object('name', name, 'opens_at', opens_at, 'closes_at', closes_at, "
    "'prequeue_seconds', prequeue_seconds, 'code_group', code_group, 'quota', quota, 'max_seats', max_seats) "
    "ORDER BY opens_at, name) FROM phases WHERE phases.event_id = events.id) AS phases, "
    # The draw that is not over: it is read with the event, so that a join costs no call for it.
    "(SELECT jsonb_build_object('id', id, 'phase', phase, 'state', state, 'draw_at', draw_at, 'base', base, "
    "'reserved', reserved, 'created_at', created_at) FROM draws WHERE draws.event_id = events.id AND told_at IS NULL "
    "ORDER BY draw_at, id LIMIT 1) AS opening, "
    "(SELECT jsonb_agg(jsonb_build_object('digest', digest, 'width', width, 'height', height) ORDER BY width) "
    "FROM event_pictures WHERE event_pictures.event_id = events.id) AS pictures, "
    "EXISTS (SELECT FROM draws WHERE draws.event_id = events.id AND told_at IS NOT NULL) AS has_drawn"
)
_PHASE_COLUMNS = "name, opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats"
_KEEP_PHASE = f"""
INSERT INTO phases (event_id, {_PHASE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (event_id, name) DO UPDATE SET
    (opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats) =
    (excluded.opens_at, excluded.closes_at, excluded.prequeue_seconds, excluded.code_group, excluded.quota,
     excluded.max_seats)
"""  # noqa: S608 - names of this module
_DROP_PHASES = "DELETE FROM phases WHERE event_id = $1 AND NOT name = ANY ($2::text[])"
_FREE_OFFERS = """
UPDATE offers SET phase = NULL WHERE id IN (
    SELECT id FROM offers WHERE event_id = $1 AND state = 'OPEN' AND phase <> ALL ($2::text[])
    -- Who is taking one at this moment waits for the event, which is locked here.
    FOR UPDATE SKIP LOCKED
)
"""
_NAME_GROUPS = """
INSERT INTO code_groups (event_id, name, uses) SELECT $1, name, 1 FROM unnest($2::text[]) AS name
ON CONFLICT (event_id, name) DO NOTHING
"""


_KEEP_PICTURE = """
INSERT INTO event_pictures (event_id, digest, width, height, content) VALUES ($1, $2, $3, $4, $5)
"""


def event_of(row: asyncpg.Record | None) -> Event:
    assert row is not None  # noqa: S101 - statements with RETURNING, and rows just locked
    values = dict(row)
    values["status"] = SaleStatus(values["status"])
    values["fees"] = fee_table(values.pop("fee_table"))
    values["orphans"] = Orphans(values["orphans"])
    values["focus"] = tuple(values["focus"]) if values["focus"] is not None else None
    values["phases"] = tuple(_phase(found) for found in values["phases"] or ())
    values["opening"] = _opening(values["opening"]) if values["opening"] else None
    values["pictures"] = tuple(Picture(**found) for found in values["pictures"] or ())
    return Event(**values)


async def keep_phases(connection: asyncpg.Connection, event_id: int, phases: Sequence[Phase]) -> None:
    """A group that has no codes yet is made: nobody comes in by it until it has. What was sold in a phase that goes
    stays sold; what the waiting list offers in it counts in the one in which it will be taken.
    """
    groups = list(dict.fromkeys(phase.code_group for phase in phases if phase.code_group is not None))
    await connection.execute(_NAME_GROUPS, event_id, groups)
    names = [phase.name for phase in phases]
    await connection.execute(_DROP_PHASES, event_id, names)
    await connection.execute(_FREE_OFFERS, event_id, names)
    for phase in phases:
        await connection.execute(
            _KEEP_PHASE,
            event_id,
            phase.name,
            phase.opens_at,
            phase.closes_at,
            phase.prequeue_seconds,
            phase.code_group,
            phase.quota,
            phase.max_seats,
        )


def _phase(found: dict[str, Any]) -> Phase:
    closes_at = found.pop("closes_at")
    return Phase(
        **found | {"opens_at": datetime.fromisoformat(found["opens_at"])},
        closes_at=datetime.fromisoformat(closes_at) if closes_at else None,
    )


def _opening(found: dict[str, Any]) -> Opening:
    times = {name: datetime.fromisoformat(found[name]) for name in ("draw_at", "created_at")}
    return Opening(**found | times | {"state": DrawState(found["state"])})


async def keep_pictures(connection: asyncpg.Connection, event_id: int, renditions: Sequence[Rendition]) -> None:
    """These, and none of the earlier ones."""
    await connection.execute("DELETE FROM event_pictures WHERE event_id = $1", event_id)
    for one in renditions:
        made = one.picture
        await connection.execute(_KEEP_PICTURE, event_id, made.digest, made.width, made.height, one.content)
