"""The live channel of a process, put together from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.settings import Settings
from core.waiting_room.composition import visit_times
from realtime.channel_limits import ChannelLimits
from realtime.live import Live

if TYPE_CHECKING:
    from core.runtime import Runtime


def channel_limits(settings: Settings) -> ChannelLimits:
    limited = settings.rate_limits == "on"
    return ChannelLimits(
        per_process=settings.channels_per_process,
        per_visitor=settings.channels_per_visitor if limited else None,
        messages_per_minute=settings.channel_messages_per_minute if limited else None,
        buffer=settings.channel_buffer_bytes,
        coalesce_ms=settings.board_coalesce_ms,
        pong_seconds=settings.pong_seconds,
        goodbye_seconds=settings.goodbye_seconds,
    )


def open_live(runtime: Runtime) -> Live:
    """To be started and stopped by the caller."""
    return Live(
        times=visit_times(runtime.settings),
        limits=channel_limits(runtime.settings),
        clock=runtime.clock,
        supervisor=runtime.supervisor,
        redis=runtime.redis,
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        seats=runtime.seats,
        removals=runtime.removals,
        stores=runtime.stores,
    )
