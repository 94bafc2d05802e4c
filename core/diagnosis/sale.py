"""The sale itself: open, closed, paused; and whether it can be paid for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from core.clock import iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.payments.payments import Payments
from core.sentences import Sentence, said
from core.venue.event import Event, SaleState, SaleStatus


async def sale(event: Event, now: datetime, payments: Payments) -> AsyncIterator[Finding]:
    state = event.sale_state(now)
    if state is SaleState.BEFORE:
        yield fail("sale", Cause.SALE_NOT_OPEN, said("sale.not_open", slug=event.slug, opening=_opening(event, now)))
    elif state is SaleState.CLOSED and event.status is SaleStatus.CLOSED:
        yield fail("sale", Cause.SALE_CLOSED, said("sale.closed", slug=event.slug))
    elif state is SaleState.CLOSED:
        ended = iso(event.closes_at) if event.closes_at else "?"
        told = said("sale.ended", slug=event.slug, status=str(event.status), time=ended)
        yield fail("sale", Cause.SALE_CLOSED_BY_CLOCK, told)
    elif event.paused:
        yield warn("sale", Cause.SALE_PAUSED, said("sale.paused", slug=event.slug))
    else:
        yield passed("sale", said("sale.open", slug=event.slug))
    if any(event.prices.values()) and not payments.takes(event.currency):
        names = ", ".join(payments.names)
        told = said("currency.not_taken", currency=event.currency, names=names)
        yield fail("currency", Cause.CURRENCY_NOT_TAKEN, told)


def _opening(event: Event, now: datetime) -> Sentence:
    to_come = min((phase.opens_at for phase in event.openings if phase.opens_at > now), default=None)
    if to_come is not None:
        return said("sale.opens", time=f"{to_come:%Y-%m-%d %H:%M %Z}")
    if event.openings:
        return said("sale.phases_over")
    return said("sale.never_opened")
