"""The sale itself: open, closed, paused; and whether it can be paid for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from core.clock import iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.payments.payments import Payments
from core.venue.event import Event, SaleState, SaleStatus


async def sale(event: Event, now: datetime, payments: Payments) -> AsyncIterator[Finding]:
    state = event.sale_state(now)
    if state is SaleState.BEFORE:
        yield fail("sale", Cause.SALE_NOT_OPEN, f"{event.slug} is not open: {_opening(event, now)}")
    elif state is SaleState.CLOSED and event.status is SaleStatus.CLOSED:
        yield fail("sale", Cause.SALE_CLOSED, f"{event.slug} was closed by an operator")
    elif state is SaleState.CLOSED:
        ended = iso(event.closes_at) if event.closes_at else "?"
        yield fail("sale", Cause.SALE_CLOSED_BY_CLOCK, f"{event.slug} is {event.status}, and its sale ended {ended}")
    elif event.paused:
        yield warn("sale", Cause.SALE_PAUSED, f"{event.slug} is open, admission is paused")
    else:
        yield passed("sale", f"{event.slug} is open")
    if any(event.prices.values()) and not payments.takes(event.currency):
        names = ", ".join(payments.names)
        yield fail("currency", Cause.CURRENCY_NOT_TAKEN, f"{event.currency} is taken by none of {names}")


def _opening(event: Event, now: datetime) -> str:
    to_come = min((phase.opens_at for phase in event.openings if phase.opens_at > now), default=None)
    if to_come is not None:
        return f"it opens {to_come:%Y-%m-%d %H:%M %Z}"
    if event.openings:
        return "its last phase is over"
    return "nobody has opened it, and no time is set"
