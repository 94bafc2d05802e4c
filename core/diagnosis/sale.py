"""The sale itself: open, closed, paused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.venue.event import Event, SaleState


async def sale(event: Event, now: datetime) -> AsyncIterator[Finding]:
    state = event.sale_state(now)
    if state is SaleState.BEFORE:
        when = f" before {event.opens_at:%Y-%m-%d %H:%M %Z}" if event.opens_at else ": nobody has opened it"
        yield fail("sale", Cause.SALE_NOT_OPEN, f"{event.slug} is not open{when}")
    elif state is SaleState.CLOSED:
        yield fail("sale", Cause.SALE_CLOSED, f"{event.slug} is closed")
    elif event.paused:
        yield warn("sale", Cause.SALE_PAUSED, f"{event.slug} is open, admission is paused")
    else:
        yield passed("sale", f"{event.slug} is open")
