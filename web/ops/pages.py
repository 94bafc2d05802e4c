"""The operators' console: its pages, signing in and out.

The pages ask no store: they are there when everything else is away, and their scripts say what is. Who is not signed
in gets the sign-in page under the address that was asked for, so that a link from an alert leads to where it points.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.errors import EventNotFound, Malformed
from core.venue.new_event import SLUG
from web.app_state import app_state_of
from web.endpoint import address_of, bytes_of
from web.ops.audit import note
from web.pages import Pages
from web.security import Operator, require_same_site

_NEXT: Final = re.compile(r"/ops(/[a-z0-9-]+)*")
_KEEP_NOTHING: Final = "private, no-store"

#: Every page of the console -> its name in `VIEWS` of static/js/ops/main.js.
VIEWS: Final[Mapping[str, str]] = {
    "/ops": "overview",
    "/ops/new": "new_sale",
    "/ops/events/{slug}": "sale",
    "/ops/refunds": "refunds",
    "/ops/findings": "findings",
    "/ops/sessions": "sessions",
    "/ops/dead-letters": "dead_letters",
    "/ops/audit": "audit",
}

Page = Callable[[Request, Operator], Awaitable[Response]]


class Console:
    """Draws with the product's own `Pages`."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            *(
                Route(path, self._signed_in(path, self._view(name)), methods=["GET"], name=path)
                for path, name in VIEWS.items()
            ),
            Route("/ops/login", self.sign_in, methods=["POST"], name="/ops/login"),
            Route("/ops/logout", self.sign_out, methods=["POST"], name="/ops/logout"),
        ]

    def _view(self, name: str) -> Page:
        async def draw(request: Request, operator: Operator) -> Response:
            slug = request.path_params.get("slug", "")
            if slug and not SLUG.fullmatch(slug):
                raise EventNotFound()
            return self._pages.page(
                request,
                "ops.html",
                cache=_KEEP_NOTHING,
                view=name,
                slug=slug,
                operator=operator.name,
                defaults=app_state_of(request).terms.defaults,
            )

        return draw

    async def sign_in(self, request: Request) -> Response:
        """Token right: a session, and on to the page that was asked for. Raises CrossSite, TooManyRequests."""
        request.scope["state"]["route"] = "/ops/login"
        parts, address = app_state_of(request), address_of(request)
        require_same_site(request, "POST", parts.origins)
        form = await _form(request)
        target = form.get("next", "")
        target = target if _NEXT.fullmatch(target) else "/ops"
        if not await parts.gate.is_token(request, form.get("token", "").strip()):
            return self._sign_in_page(request, target, wrong=True, name=form.get("name", "")[:40])
        response = RedirectResponse(target, status_code=303)
        operator = await parts.gate.sign_in(request, response, form.get("name", ""))
        await note(parts.database, f"{operator.actor}@{address}", "session.open", "-")
        return response

    async def sign_out(self, request: Request) -> Response:
        request.scope["state"]["route"] = "/ops/logout"
        parts = app_state_of(request)
        require_same_site(request, "POST", parts.origins)
        operator = await parts.gate.signed_in(request)
        response = RedirectResponse("/ops", status_code=303)
        parts.operators.delete_cookie(response)
        if operator is not None:
            await parts.gate.sign_out(operator)
            await note(parts.database, f"{operator.actor}@{address_of(request)}", "session.close", "-")
        return response

    def _signed_in(self, path: str, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            request.scope["state"]["route"] = path
            operator = await app_state_of(request).gate.allowed(request)
            if operator is None:
                return self._sign_in_page(request, request.url.path)
            return await page(request, operator)

        return serve

    def _sign_in_page(self, request: Request, target: str, *, wrong: bool = False, name: str = "") -> Response:
        response = self._pages.page(
            request, "ops_login.html", http_status=401, cache=_KEEP_NOTHING, next=target, wrong=wrong, name=name
        )
        response.headers["WWW-Authenticate"] = 'Bearer realm="onsale operators"'
        return response


async def _form(request: Request) -> dict[str, str]:
    """The fields of a plain HTML form, each once. Raises TooLarge, Malformed."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Malformed("send the form of the sign-in page")
    try:
        fields = parse_qs((await bytes_of(request)).decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise Malformed("the form cannot be read") from None
    return {name: values[0] for name, values in fields.items()}
