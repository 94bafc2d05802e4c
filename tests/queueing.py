"""Visitors at the door of a sale."""

from __future__ import annotations

from core.runtime import Runtime
from core.venue.event import Event


async def enter(runtime: Runtime, event: Event, *visitors: str) -> None:
    """They join one after the other."""
    for visitor in visitors:
        await runtime.waiting_room.join(event, visitor)
