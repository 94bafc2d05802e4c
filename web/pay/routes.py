"""Every route of a payment."""

from __future__ import annotations

from starlette.routing import Route

from core.payments.links import PaymentLinks, Purpose
from web.pages import Pages
from web.pay import steps
from web.pay.page import payment_page
from web.pay.result import result
from web.pay.visit import Handler, visited
from web.pay.webhooks import webhook


def payment_routes(pages: Pages, links: PaymentLinks) -> list[Route]:
    def route(method: str, path: str, purpose: Purpose, handle: Handler) -> Route:
        return Route(path, visited(pages, links, purpose, path, handle), methods=[method], name=f"{method} {path}")

    return [
        route("GET", "/pay/{order}", Purpose.PAGE, payment_page),
        route("GET", "/pay/{order}/result", Purpose.RESULT, result),
        route("POST", "/pay/{order}/again", Purpose.PAGE, steps.again),
        route("POST", "/pay/{order}/back", Purpose.PAGE, steps.back),
        route("GET", "/pay/{provider}/return/{order}", Purpose.RETURN, steps.returned),
        route("POST", "/pay/{provider}/return/{order}", Purpose.RETURN, steps.returned),
        route("GET", "/pay/{provider}/closed/{order}", Purpose.CLOSED, steps.ask_closed),
        route("POST", "/pay/{provider}/closed/{order}", Purpose.CLOSED, steps.closed),
        Route("/webhooks/{provider}", webhook, methods=["POST"], name="webhooks"),
    ]
