"""The payment page: seats, amount, the time that is left, and the provider's window. The same on phones and PCs (P2).

As JSON it is what a program needs to open the window, without anything about the person.
"""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.responses import Response

from core.booking.attempt import Attempt, AttemptState
from core.booking.reservation import Reservation, ReservationStatus
from core.clock import iso
from core.payments.gateway import WindowUrls
from web.pages import seats_bought
from web.pay.policy import payment_page_headers
from web.pay.visit import KEEP_NOTHING, Visit

#: A browser that says it is one of a phone or tablet; only which of a provider's two windows is opened depends on it.
_PHONE: Final = re.compile(r"Mobi|Android|iPhone|iPad|iPod")

#: The attempt is over or out of the buyer's hands: how it stands is another page.
_UNDER_WAY: Final = frozenset({AttemptState.AUTHORISED, AttemptState.CALLED, AttemptState.APPROVED})


def is_open(reservation: Reservation, attempt: Attempt | None) -> bool:
    """Whether there is still something for the buyer to do on the payment page."""
    return (
        reservation.status is ReservationStatus.PAYING
        and attempt is not None
        and attempt.state not in _UNDER_WAY
        and attempt.state is not AttemptState.EXPIRED
    )


async def payment_page(visit: Visit) -> Response:
    """`GET /pay/{order}?s=`: of an ended attempt, the current one."""
    reservation = visit.reservation
    current = reservation.payment or visit.attempt
    if not visit.wants_page:
        return visit.json(await _as_json(visit, current))
    if not is_open(reservation, reservation.payment):
        return visit.see(visit.links.result(current.order))
    if current.order != visit.order:
        return visit.see(visit.links.page(current.order))
    parts = visit.parts
    event = await parts.events.by_id(reservation.event_id)
    response = visit.pages.page(
        visit.request,
        "pay.html",
        cache=KEEP_NOTHING,
        event=event,
        reservation=reservation,
        attempt=current,
        seats=await seats_bought(parts.events, event, reservation),
        page=visit.links.page(current.order),
        again=_step(visit, "again"),
        back=_step(visit, "back"),
        result=visit.links.result(current.order),
        own=visit.own,
        now=parts.clock.now(),
        # After a decline the seats are kept for a while only (P11).
        kept_until=current.retry_until or current.until,
        needs_phone=parts.payments.gateway(current.provider).needs_phone_number and _device(visit) == "pc",
        providers=parts.payments.names,
    )
    response.headers.update(payment_page_headers(parts.payments.gateway(current.provider).sources))
    return response


async def _as_json(visit: Visit, attempt: Attempt) -> dict[str, Any]:
    body: dict[str, Any] = {
        "order": attempt.order,
        "provider": attempt.provider,
        "state": attempt.state.value,
        "status": visit.reservation.status.value,
        "until": iso(attempt.until),
    }
    if visit.reservation.status is not ReservationStatus.PAYING or attempt.state is not AttemptState.OPEN:
        return body
    urls = WindowUrls(
        returned=visit.absolute(visit.links.returned(attempt.provider, attempt.order)),
        closed=visit.absolute(visit.links.closed(attempt.provider, attempt.order)),
    )
    found = (visit.reservation, attempt)
    window = await visit.parts.checkout.open_window(attempt.order, device=_device(visit), urls=urls, found=found)
    body |= {"kind": window.kind, "fields": dict(window.fields)}
    for name, value in (("script", window.script), ("url", window.url), ("client_key", window.client_key)):
        if value is not None:
            body[name] = value
    return body


def _device(visit: Visit) -> Any:
    headers = visit.request.headers
    hint = headers.get("sec-ch-ua-mobile")
    phone = hint == "?1" if hint else bool(_PHONE.search(headers.get("user-agent", "")))
    return "phone" if phone else "pc"


def _step(visit: Visit, step: str) -> str:
    """The signature of the page is that of its steps."""
    path, _, s = visit.links.page((visit.reservation.payment or visit.attempt).order).partition("?")
    return f"{path}/{step}?{s}"
