"""What happens to an attempt from outside: the window's return, the window closed, another try, seats given back."""

from __future__ import annotations

import re
from typing import Final

import structlog
from starlette.responses import Response

from core.errors import WindowNotOurs
from core.payments.gateway import ReturnRefused
from web.pay.visit import KEEP_NOTHING, Visit

log = structlog.get_logger(__name__)

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


async def returned(visit: Visit) -> Response:
    """`GET, POST /pay/{provider}/return/{order}?s=`: however often, at once, in any browser. 303 to the result."""
    form = await visit.form() if visit.request.method == "POST" else {}
    try:
        await visit.parts.checkout.returned(visit.order, visit.query, form, found=visit.found)
    except ReturnRefused as refused:
        log.info("return refused", order=visit.order, code=refused.code)
        if refused.closed or refused.declined:
            return visit.see(visit.links.page(visit.order))
        raise WindowNotOurs(reason=refused.code, page=visit.links.page(visit.order)) from None
    return visit.see(visit.links.result(visit.order))


async def ask_closed(visit: Visit) -> Response:
    """`GET /pay/{provider}/closed/{order}?s=`: a page that POSTs. A scanner that follows links closes nothing."""
    parts = visit.parts
    event = await parts.events.by_id(visit.reservation.event_id)
    code, account = _code(visit) or "", visit.attempt.account
    return visit.pages.page(
        visit.request,
        "pay_closed.html",
        cache=KEEP_NOTHING,
        event=event,
        target=visit.links.closed(visit.attempt.provider, visit.order),
        code=code,
        declined=parts.payments.is_decline(account, code),
        fault=parts.payments.is_shops_fault(account, code),
    )


async def closed(visit: Visit) -> Response:
    """`POST` of the same address: the attempt is CLOSED; the payment page offers another."""
    form = await visit.form()
    code = form.get("code", "")
    await visit.parts.checkout.closed(visit.order, code if _CODE.fullmatch(code) else _code(visit))
    return visit.see(visit.links.page(visit.order))


async def again(visit: Visit) -> Response:
    """`POST /pay/{order}/again?s=`: the next attempt, or the one that is open already; leads to its page."""
    form = await visit.form()
    reservation, _ = await visit.parts.checkout.next_attempt(
        visit.reservation.id, provider=form.get("provider") or None
    )
    current = reservation.payment or visit.attempt
    return visit.see(visit.links.page(current.order))


async def back(visit: Visit) -> Response:
    """`POST /pay/{order}/back?s=`: the seats are given back, as long as no money moves."""
    reservation = await visit.parts.checkout.give_back(visit.order)
    if not visit.wants_page:
        return visit.json({"status": reservation.status.value, "reason": reservation.reason})
    return visit.see(f"/events/{reservation.slug}" if visit.own else visit.links.result(visit.order))


def _code(visit: Visit) -> str | None:
    code = visit.query.get("code", "")
    return code if _CODE.fullmatch(code) else None
