"""How a payment stands, for whoever came back: in this browser or another (P3). `s` alone shows no ticket."""

from __future__ import annotations

from starlette.responses import Response

from core.booking.addresses import masked
from core.booking.attempt import RETRIABLE
from core.booking.reservation import ReservationStatus
from core.clock import iso
from web.pages import seats_bought
from web.pay.page import is_open
from web.pay.visit import KEEP_NOTHING, Visit


async def result(visit: Visit) -> Response:
    """`GET /pay/{order}/result?s=`."""
    reservation = visit.reservation
    attempt = reservation.payment or visit.attempt
    payable = is_open(reservation, reservation.payment)
    if not visit.wants_page:
        return visit.json(
            {
                "status": reservation.status.value,
                "reason": reservation.reason,
                "state": attempt.state.value,
                "page": visit.links.page(attempt.order) if payable else None,
                "kept_until": iso(attempt.retry_until or attempt.until),
                "now": iso(visit.parts.clock.now()),
            }
        )
    if payable and attempt.state in RETRIABLE:
        # There is something to do at once: try again, or give the seats back.
        return visit.see(visit.links.page(attempt.order))
    parts = visit.parts
    event = await parts.events.by_id(reservation.event_id)
    return visit.pages.page(
        visit.request,
        "pay_result.html",
        cache=KEEP_NOTHING,
        event=event,
        reservation=reservation,
        attempt=attempt,
        seats=await seats_bought(parts.events, event, reservation),
        email=masked(reservation.email),
        own=visit.own,
        confirmed=reservation.status is ReservationStatus.CONFIRMED,
        page=visit.links.page(attempt.order) if payable else "",
        again=visit.links.result(visit.order),
    )
