"""What an operator did is written down: in `audit`, or, while PostgreSQL is away, in the log at least."""

from __future__ import annotations

import contextlib
from typing import Any

import structlog

from core import audit_postgres as audit
from core.errors import StoreUnavailable
from core.venue.event import Event
from web.app_state import AppState

log = structlog.get_logger(__name__)


async def note(parts: AppState, actor: str, action: str, subject: str, **detail: Any) -> None:
    """For what has been done already and does not need PostgreSQL: it must not be answered with a refusal."""
    try:
        await audit.record(parts.database, actor=actor, action=action, subject=subject, **detail)
    except StoreUnavailable:
        log.error("audit entry lost: PostgreSQL is away", actor=actor, action=action, subject=subject, detail=detail)


async def note_look_up(parts: AppState, actor: str, action: str, subject: str, *, whom: str, **detail: Any) -> None:
    """That a buyer's data was looked at; `whom` tells one look-up from another one. Once a minute each."""
    if parts.look_ups.is_new(actor, action, f"{subject} {whom}"):
        await note(parts, actor, action, subject, **detail)


async def tell_sale_changed(parts: AppState, event: Event) -> None:
    """Browsers see it at once. With Redis away they see it within seconds, when their process looks by itself."""
    with contextlib.suppress(StoreUnavailable):
        await parts.waiting_room.tell_sale_changed(event)
