"""A request that came by a signed address: what it may see follows from the signature, not from a cookie (P3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.booking.attempt import Attempt
from core.booking.reservation import Reservation
from core.errors import Malformed, ReservationNotFound
from core.payments.links import PaymentLinks, Purpose
from web.app_state import AppState, app_state_of
from web.endpoint import bytes_of
from web.pages import Pages
from web.problems import wants_page
from web.security import own_origin

#: Bytes of a form that a provider makes the buyer's browser send: NHN KCP's `enc_data` is some KiB.
MOST_FORM: Final = 64 * 1024

KEEP_NOTHING: Final = "private, no-store"


@dataclass(frozen=True, slots=True)
class Visit:
    """`attempt` is the one that the address names; the reservation's current one is `reservation.payment`."""

    request: Request
    parts: AppState
    pages: Pages
    links: PaymentLinks
    reservation: Reservation
    attempt: Attempt

    @property
    def order(self) -> str:
        return self.attempt.order

    @property
    def found(self) -> tuple[Reservation, Attempt]:
        """As the order was when the call came."""
        return self.reservation, self.attempt

    @property
    def wants_page(self) -> bool:
        return wants_page(self.request.scope)

    @property
    def own(self) -> bool:
        """The browser that came is the one that the seats belong to."""
        visitor = self.parts.visitors.of(self.request.headers)
        return visitor is not None and visitor.id == self.reservation.visitor

    @property
    def query(self) -> Mapping[str, str]:
        """What the provider added to our address; `s` is ours and stays with us."""
        return {name: value for name, value in self.request.query_params.items() if name != "s"}

    async def form(self) -> Mapping[str, str]:
        """An `application/x-www-form-urlencoded` body, in whatever way it came. Raises TooLarge, Malformed."""
        try:
            return dict(parse_qsl((await bytes_of(self.request, MOST_FORM)).decode(), max_num_fields=200))
        except ValueError:
            raise Malformed("the form cannot be read") from None

    def absolute(self, path: str) -> str:
        """The shop's own address as the buyer's browser knows it."""
        base = self.parts.terms.base_url or own_origin(self.request)
        return base + path

    def json(self, body: Any, status: int = 200) -> Response:
        content = orjson.dumps(body)
        return Response(content, status, {"Cache-Control": "no-store"}, media_type="application/json")

    def see(self, path: str) -> Response:
        return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


Handler = Callable[[Visit], Awaitable[Response]]


def visited(
    pages: Pages, links: PaymentLinks, purpose: Purpose, path: str, handle: Handler
) -> Callable[[Request], Awaitable[Response]]:
    """The handler behind a check of `s`. A wrong one is answered like an order that does not exist."""

    async def serve(request: Request) -> Response:
        request.scope["state"]["route"] = path
        order = request.path_params["order"]
        if not links.check(purpose, order, request.query_params.get("s", "")):
            raise ReservationNotFound()
        parts = app_state_of(request)
        # The signature says who may come, not how often.
        parts.limits.call(f"order {order}")
        of = parts.checkout.of_return if purpose is Purpose.RETURN else parts.checkout.of_order
        reservation, attempt = await of(order)
        if request.path_params.get("provider", attempt.provider) != attempt.provider:
            raise ReservationNotFound()
        request.scope["state"]["slug"] = reservation.slug
        return await handle(Visit(request, parts, pages, links, reservation, attempt))

    return serve
