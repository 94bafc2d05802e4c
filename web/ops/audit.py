"""What an operator did is written down: in `audit`, or, while PostgreSQL is away, in the log at least."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from core import audit_postgres as audit
from core.errors import StoreUnavailable
from core.venue.event import Event
from web.app_state import AppState

if TYPE_CHECKING:
    import databases

log = structlog.get_logger(__name__)


async def note(database: databases.Database, actor: str, action: str, subject: str, **detail: Any) -> bool:
    """For what has been done already and does not need PostgreSQL: it must not be answered with a refusal. Whether it
    stands in the trail.
    """
    try:
        await audit.record(database, actor=actor, action=action, subject=subject, **detail)
    except StoreUnavailable:
        log.error("audit entry lost: PostgreSQL is away", actor=actor, action=action, subject=subject, detail=detail)
        return False
    return True


async def note_look_up(parts: AppState, actor: str, action: str, subject: str, *, whom: str, **detail: Any) -> None:
    """That a buyer's data was looked at; `whom` tells one look-up from another one. Once a minute and process each."""
    look = actor, action, f"{subject} {whom}"
    if parts.look_ups.is_new(*look) and await note(parts.database, actor, action, subject, **detail):
        parts.look_ups.written_down(*look)


async def tell_sale_changed(parts: AppState, event: Event) -> None:
    """Browsers see it at once. With Redis away they see it within seconds, when their process looks by itself."""
    with contextlib.suppress(StoreUnavailable):
        await parts.waiting_room.tell_sale_changed(event)
