"""The pages that people open: events, one sale, a reservation, its ticket; and what they see when something is wrong.

A page's first load makes its browser a visitor (a cookie). What the templates are given is in `templates/README.md`;
everything that changes while a page is open is read by its scripts from the API and the live channel.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from core import languages
from core.booking.receipts import receipt_of
from core.booking.reservation import MONEY_MAY_COME, Reservation, ReservationStatus
from core.currency import minor_digits
from core.errors import NotFound, OnsaleError
from core.notifications import ticket_qr
from core.notifications.calendar_file import Performance, calendar_file
from core.payments.registry import title_in
from core.seat_words import is_in_words
from core.venue.description import as_html, as_text
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.venue.seat_plan import SeatPlan
from web import problems
from web.api_reservations import LANGUAGE_COOKIE, reservation_id, reservation_state
from web.api_waiting_list import wish_asked_about
from web.app_state import AppState, app_state_of
from web.assets import Assets
from web.captcha_policy import with_captcha
from web.compression import shrunk
from web.drawn_pages import DrawnPages, sent
from web.endpoint import event_of
from web.security import is_https

TEMPLATES: Final = Path(__file__).parent.parent / "templates"

_LANGUAGE_SECONDS: Final = 365 * 24 * 3600
#: A page may be shown again from the back button, but not kept by a proxy; a ticket is not kept at all.
_ASK_AGAIN: Final = "private, no-cache"
_KEEP_NOTHING: Final = "private, no-store"
#: States of an attempt in which the buyer goes on to the payment page (static/js/views/result.js).
_WAITS_FOR_BUYER: Final = ("OPEN", "CLOSED", "DECLINED")

Page = Callable[[Request, AppState, str], Awaitable[Response]]


class Pages:
    """Draws the pages: one Jinja environment for each language, because texts are bound to it."""

    def __init__(
        self,
        assets: Assets,
        *,
        folder: Path = TEMPLATES,
        simulated_payment: bool = False,
        providers: Sequence[str] = (),
        alternatives: Mapping[str, str] | None = None,
        captcha_script: str = "",
    ) -> None:
        """`providers`: whose payment windows the page opens; `alternatives`: what else to pay by, in each language;
        `captcha_script`: of the captcha that the sale page may show.
        """
        self._sale_policy = with_captcha(captcha_script) if captcha_script else ""
        self._assets = assets
        self._simulated = simulated_payment
        self._providers = providers
        self._alternatives = alternatives or {}
        self._loader = FileSystemLoader(folder)
        self._environments: dict[str, Environment] = {}
        self._drawn = DrawnPages()

    def routes(self) -> list[Route]:
        pages: dict[str, Page] = {
            "/": self.events,
            "/events/{slug}": self.sale,
            "/events/{slug}/draw": self.draw,
            "/events/{slug}/waits": self.waits,
            "/tickets": self.tickets,
            "/reservations/{id}": self.reservation,
            "/returns/{id}": self.offer,
            "/reservations/{id}/ticket": self.ticket,
            "/reservations/{id}/calendar": self.calendar,
        }
        return [Route(path, self._served(path, page), methods=["GET"], name=path) for path, page in pages.items()]

    async def events(self, request: Request, parts: AppState, visitor: str) -> Response:
        now = parts.clock.now()
        events = [(event, event.sale_state(now)) for event in await parts.events.list()]
        events.sort(key=lambda one: one[1] is SaleState.CLOSED)  # what is over stands last
        left = await parts.availability.of([event for event, state in events if state is SaleState.OPEN])
        return self.page(request, "events.html", events=events, left=left)

    async def sale(self, request: Request, parts: AppState, visitor: str) -> Response:
        event = await event_of(parts.events, request.path_params["slug"])
        request.scope["state"]["slug"] = event.slug
        page = self.page(
            request,
            "sale.html",
            shared=True,
            event=event,
            sale_state=event.sale_state(parts.clock.now()),
            providers=self._providers,
            base_url=parts.terms.base_url,
        )
        if self._sale_policy:
            page.headers["Content-Security-Policy"] = self._sale_policy
        return page

    async def draw(self, request: Request, parts: AppState, visitor: str) -> Response:
        event = await event_of(parts.events, request.path_params["slug"])
        request.scope["state"]["slug"] = event.slug
        phase = request.query_params.get("phase")
        # The page has it in its links: one for each name that somebody makes up would drive the others out.
        shared = phase is None or phase in {one.name for one in event.phases}
        return self.page(request, "draw.html", shared=shared, event=event)

    async def waits(self, request: Request, parts: AppState, visitor: str) -> Response:
        """Promised and actual waits (F9)."""
        event = await event_of(parts.events, request.path_params["slug"])
        request.scope["state"]["slug"] = event.slug
        return self.page(request, "waits.html", shared=True, event=event)

    async def tickets(self, request: Request, parts: AppState, visitor: str) -> Response:
        """All that this browser has bought or is paying for, whichever page it was bought on (T2)."""
        ordered = await parts.checkout.of_visitor(visitor)
        # What came to nothing is left out, but for whoever looks for money that may have been charged.
        kept = [one for one in ordered if one.status is not ReservationStatus.FAILED or one.reason in MONEY_MAY_COME]
        events = {one.event_id: await parts.events.by_id(one.event_id) for one in kept}
        bought = [(events[one.event_id], one) for one in kept]
        return self.page(request, "tickets.html", cache=_KEEP_NOTHING, bought=bought)

    async def reservation(self, request: Request, parts: AppState, visitor: str) -> Response:
        event, reservation, seats = await self._bought(request, parts, visitor)
        payment = reservation_state(reservation, parts.links, parts.clock.now()).payment
        return self.page(
            request,
            "reservation.html",
            cache=_KEEP_NOTHING,
            event=event,
            reservation=reservation,
            seats=seats,
            pay_page=payment.page if payment is not None and payment.state in _WAITS_FOR_BUYER else None,
            receipt=receipt_of(reservation),
            digits=minor_digits(reservation.currency),
            now=parts.clock.now(),
        )

    async def offer(self, request: Request, parts: AppState, visitor: str) -> Response:
        """Seats that the waiting list keeps: of the visitor's own place, or by an e-mail's link on whatever device."""
        wish = await wish_asked_about(request, parts, visitor)
        event = await parts.events.by_id(wish.event_id)
        plan = await parts.events.plan(event)
        ordinals = wish.offer.seats if wish.offer is not None else ()
        page = self.page(
            request,
            "offer.html",
            cache=_KEEP_NOTHING,
            event=event,
            wish=wish,
            seats=seats_in_words(event, plan, ordinals),
            amount=wish.offer.amount if wish.offer is not None else 0,
            digits=minor_digits(event.currency),
        )
        # The link is a key: it goes to nobody else's site.
        page.headers["Referrer-Policy"] = "no-referrer"
        return page

    async def ticket(self, request: Request, parts: AppState, visitor: str) -> Response:
        # The link in the e-mail carries the code, and is opened on whatever device is at hand.
        event, reservation, seats = await self._bought(request, parts, visitor, request.query_params.get("code"))
        if reservation.status is not ReservationStatus.CONFIRMED or reservation.ticket_code is None:
            return RedirectResponse(f"/reservations/{reservation.id}", status_code=303)
        return self.page(
            request,
            "ticket.html",
            cache=_KEEP_NOTHING,
            event=event,
            reservation=reservation,
            seats=seats,
            qr_svg=qr_svg(reservation.ticket_code),
        )

    async def calendar(self, request: Request, parts: AppState, visitor: str) -> Response:
        """The performance for the buyer's own calendar. Raises NotFound where no start is said."""
        code = request.query_params.get("code")
        event, reservation, seats = await self._bought(request, parts, visitor, code)
        if event.starts_at is None:
            raise NotFound()
        language = self._language(request)
        link = f"{parts.terms.base_url}/reservations/{reservation.id}"
        file = calendar_file(
            Performance.of(event, event.starts_at),
            uid=str(reservation.id),
            stamp=reservation.updated_at,
            seats=[languages.seat_name(language, seat["zone"], seat["row"], seat["number"]) for seat in seats],
            link=f"{link}/ticket?{urlencode({'code': code})}" if code else link,
        )
        headers = {
            "Content-Disposition": f'attachment; filename="{event.slug}.ics"',
            "Cache-Control": _KEEP_NOTHING,
        }
        return Response(file, headers=headers, media_type="text/calendar")

    def error(self, request: Request, error: OnsaleError) -> Response:
        """The page for an error that was met on the way to another page. Where coming back helps it leads there again:
        who comes back from a bank to stores that are late has no other way on.
        """
        status = problems.status_of(error)
        again = request.method == "GET" and problems.retry_after(error) is not None
        return self.page(
            request, "error.html", http_status=status, cache=_KEEP_NOTHING, status=status, code=error.code, again=again
        )

    def _served(self, path: str, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            request.scope["state"]["route"] = path
            parts = app_state_of(request)
            known = parts.visitors.of(request.headers)
            if known is not None:
                parts.limits.call(known.id)
            visitor = known.id if known else parts.visitors.new()
            request.scope["state"]["visitor"] = visitor
            response = await page(request, parts, visitor)
            if known is None or parts.visitors.is_outdated(request, known):
                parts.visitors.set_cookie(response, request, visitor)
            return response

        return serve

    async def _bought(
        self, request: Request, parts: AppState, visitor: str, ticket_code: str | None = None
    ) -> tuple[Event, Reservation, list[dict[str, Any]]]:
        """Raises ReservationNotFound, also when it is another visitor's and the ticket's code is not given."""
        id = reservation_id(request.path_params["id"])
        if ticket_code:
            reservation = await parts.checkout.by_ticket(id, ticket_code)
        else:
            reservation = await parts.checkout.get(id, visitor)
        event = await parts.events.by_id(reservation.event_id)
        return event, reservation, await seats_bought(parts.events, event, reservation)

    def page(
        self,
        request: Request,
        template: str,
        *,
        http_status: int = 200,
        cache: str = _ASK_AGAIN,
        shared: bool = False,
        **context: Any,
    ) -> Response:
        """`shared`: it shows everybody the same, and all of that is in `context`."""
        wanted = _wanted(request)
        language = self._language(request)
        frame = {"here": _here(request), "static": self._assets.base, "bundled": self._assets.bundled}
        draw = partial(self._draw, template, language, frame, context)
        headers = {"Cache-Control": cache, "Content-Language": language, "Vary": "Cookie, Accept-Language"}
        if shared:
            body = self._drawn.body((template, language), (frame, context), draw)
            response: Response = sent(request, body, http_status, headers)
        else:
            response = shrunk(request, HTMLResponse(draw(), status_code=http_status, headers=headers))
        if wanted == language:
            response.set_cookie(
                LANGUAGE_COOKIE, language, max_age=_LANGUAGE_SECONDS, path="/", samesite="lax", secure=is_https(request)
            )
        return response

    def _draw(self, template: str, language: str, frame: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        drawn = self._environment(language).get_template(template)
        return drawn.render(
            lang=language,
            languages=languages.LANGUAGES,
            simulated=self._simulated,
            alternative=self._alternatives.get(language, ""),
            **frame,
            **context,
        )

    def _language(self, request: Request) -> str:
        wanted = _wanted(request)
        chosen = wanted if wanted in languages.LANGUAGES else None
        if chosen is None and LANGUAGE_COOKIE in request.headers.get("cookie", ""):
            chosen = request.cookies.get(LANGUAGE_COOKIE)  # all of them are read for it
        return languages.choose(chosen, request.headers.get("accept-language"))

    def _environment(self, language: str) -> Environment:
        if language not in self._environments:
            self._environments[language] = _environment(self._loader, language)
        return self._environments[language]


#: One that stands in an address as it is.
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/_-]+")

#: What a page is asked by, by route. Its links to other languages repeat that and nothing else: a stranger's link must
#: not choose what stands beside a secret.
_ASKED_BY: Final[Mapping[str, Sequence[str]]] = {
    "/events/{slug}/draw": ("phase",),
    "/reservations/{id}/ticket": ("code",),
    "/returns/{id}": ("s",),
    "/pay/{order}": ("s",),
    "/pay/{order}/result": ("s",),
    "/pay/{provider}/closed/{order}": ("s", "code"),
}


def _wanted(request: Request) -> str | None:
    """`?lang=`, which few pages are asked by."""
    return request.query_params.get("lang") if request.scope["query_string"] else None


def _here(request: Request) -> str:
    """This page's address, to which `lang=` is added: what else it was asked by stays, a signature above all."""
    names = _ASKED_BY.get(request.scope["state"].get("route", ""), ())
    path = request.scope["path"]
    if not names and _PLAIN_PATH.fullmatch(path):
        return f"{own_path(path)}?lang="  # the same, without what it takes to put an address together
    kept = [(name, value) for name in names if (value := request.query_params.get(name)) is not None]
    return f"{own_path(request.url.path)}?{urlencode([*kept, ('lang', '')])}"


def own_path(path: str) -> str:
    """A path that a link stays on this site with: `//host/` and `/\\host/` are addresses of another one."""
    return "/" + path.lstrip("/\\")


def _environment(loader: FileSystemLoader, language: str) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(languages.translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        about=lambda text: Markup(as_html(text)),  # noqa: S704 - sanitised
        about_text=as_text,
        money=partial(languages.money, language),
        seat_name=partial(languages.seat_name, language),
        moment=partial(languages.moment, language),
        place_of=partial(languages.place_of, language),
        date_part=partial(languages.date_part, language),
        reason=partial(languages.reason, language),
        provider_title=partial(title_in, language),
        provider_titles=lambda names: [{"name": name, "title": title_in(language, name)} for name in names],
    )
    return environment


async def seats_bought(events: EventStore, event: Event, reservation: Reservation) -> list[dict[str, Any]]:
    """A reservation's seats in words: zone, row, number, category, and the price in minor units."""
    return seats_in_words(event, await events.plan(event), reservation.seats)


def seats_in_words(event: Event, plan: SeatPlan, ordinals: Sequence[int]) -> list[dict[str, Any]]:
    """Zone, row, number, category of each, and the price in minor units."""
    return [
        {
            "ordinal": ordinal,
            "zone": seat.zone,
            "row": seat.row,
            "number": seat.number,
            "in_words": not (seat.row and seat.number) or is_in_words(seat.row) or is_in_words(seat.number),
            "category": seat.category,
            "price": event.prices.get(seat.category, 0),
        }
        for ordinal, seat in ((ordinal, plan.seats[ordinal]) for ordinal in ordinals)
    ]


def qr_svg(code: str) -> Markup:
    return Markup(ticket_qr.qr_svg(code))  # noqa: S704 - modules of the QR code, with no text of anybody's in it
