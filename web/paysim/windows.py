"""The buyer's window: opened with the payment page's fields, and ended by the buyer - or by a program.

    POST /paysim/{provider}/windows           the payment page's `fields` -> 201 {window, url}
    GET  /paysim/{provider}/windows/{window}  the page "Test bank"
    POST .../approve | decline | close        -> {return: URL}, or, for a browser, the way there

`approve` takes `card` (`good`, `declined`, `hang`, `error`; else the behaviour's rates decide at the confirmation) and
`method` (`VIRTUAL_ACCOUNT`), as JSON or as a form. A window ends once; the same choice again
gets the same answer.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.paysim.behaviour import CARDS, Rules
from web.paysim.exchange import Reply, read_form, read_object, send
from web.paysim.page import BankPages
from web.paysim.payment import Payment
from web.paysim.play import Ending, Leave, Play
from web.paysim.shop import IsOurs, is_own_url, page_base
from web.paysim.store_sqlite import Books, SimulatorStore


class Windows:
    """The handlers, for every provider that is played."""

    def __init__(self, store: SimulatorStore, plays: Sequence[Play], is_ours: IsOurs) -> None:
        self._store = store
        self._plays = {play.provider: play for play in plays}
        self._is_ours = is_ours
        self._pages = BankPages()

    async def open(self, request: Request) -> Response:
        """By the window's script, or by a program. A client key that is shown must be the right one."""
        play = self._play(request)
        fields = await read_object(request)
        window = play.opened(fields or {})
        reply = self._opened(request, play, fields) if window is None else await self._known(play, window)
        if isinstance(reply, Payment):
            payment = await self.begin(reply) if window is None else reply
            url = f"{payment.page}/{play.provider}/windows/{payment.window}"
            reply = Reply(201, {"window": payment.window, "url": url})
        return self._shared(request, await send(request, reply))

    async def preflight(self, request: Request) -> Response:
        """The shop's page is another site."""
        return self._shared(request, Response(status_code=204))

    async def show(self, request: Request) -> Response:
        play = self._play(request)
        payment, rules = await self._find(request)
        if payment is None:
            return self._pages.gone(request)
        leave = play.leave(payment, "close").program
        return self._pages.window(request, payment, rules, leave, methods=play.methods, framed=play.framed)

    def end(self, ending: Ending) -> Callable[[Request], Awaitable[Response]]:
        """The handler of one choice."""

        async def handle(request: Request) -> Response:
            play = self._play(request)
            chosen = await self._chosen(request)
            card, method = str(chosen.get("card") or ""), str(chosen.get("method") or "CARD")
            if (card and card not in CARDS) or method not in play.methods:
                return await send(request, play.refuse("INVALID_REQUEST"))
            window = request.path_params["window"]
            ended = await self._store.work(play.provider, lambda books: _end(books, window, ending, card, method))
            browser = "text/html" in request.headers.get("accept", "")
            if not isinstance(ended, Payment):
                # A browser is shown how the window stands.
                return RedirectResponse("../" + window, 303) if browser else await send(request, play.refuse(ended))
            leave = play.leave(ended, ending)
            return (
                self._left(request, leave, play)
                if browser
                else await send(request, Reply(200, {"return": leave.program}))
            )

        return handle

    async def receipt(self, request: Request) -> Response:
        payment, _ = await self._find(request)
        if payment is None or payment.approved_at is None:
            return self._pages.gone(request)
        return self._pages.receipt(request, payment)

    async def begin(self, payment: Payment) -> Payment:
        """Writes a window down; for plays that open theirs in another way as well."""
        columns = {
            name: getattr(payment, name)
            for name in ("order_id", "amount", "currency", "name", "returned", "closed", "page", "method", "details")
        }
        key, status = payment.provider_key, "READY"
        return await self._store.work(
            payment.provider, lambda books: books.add(provider_key=key, status=status, **columns)
        )

    def asked(self, request: Request, play: Play, fields: Mapping[str, Any]) -> Payment | Reply:
        """What a window of these fields would be; nothing is written."""
        asked = play.read(fields)
        if isinstance(asked, Reply):
            return asked
        for url, way in ((asked.returned, "return"), (asked.closed, "closed")):
            ours = f"/pay/{play.provider}/{way}/{asked.order_id}"
            if url and not is_own_url(url, ours, self._is_ours, request):
                return play.refuse("INCORRECT_SUCCESS_URL_FORMAT" if way == "return" else "INCORRECT_FAIL_URL_FORMAT")
        return Payment(
            id=0,
            provider=play.provider,
            window="",
            provider_key=play.new_key(),
            order_id=asked.order_id,
            amount=asked.amount,
            currency=asked.currency,
            name=asked.name,
            status="READY",
            method=asked.method,
            card="",
            code=None,
            returned=asked.returned,
            closed=asked.closed,
            page=page_base(request),
            details=asked.details,
            opened_at=0.0,
            authorised_at=None,
            left_at=None,
            decided_at=None,
            approved_at=None,
            given_back=0,
            tries=0,
        )

    def _play(self, request: Request) -> Play:
        """Raises HTTPException for a provider that is not played."""
        play = self._plays.get(request.path_params["provider"])
        if play is None:
            raise HTTPException(404)
        return play

    def _opened(self, request: Request, play: Play, fields: Mapping[str, Any] | None) -> Payment | Reply:
        if fields is None:
            return play.refuse("INVALID_REQUEST")
        shown = _shown_key(request)
        if shown is not None and not hmac.compare_digest(shown.encode(), play.client_key.encode()):
            return play.refuse("INVALID_CLIENT_KEY")
        return self.asked(request, play, fields)

    async def _known(self, play: Play, window: str) -> Payment | Reply:
        """One that the shop's server has opened: whoever knows its name may go there."""
        found = await self._store.work(play.provider, lambda books: books.by_window(window))
        return play.refuse("NOT_FOUND_WINDOW") if found is None else found

    def _left(self, request: Request, leave: Leave, play: Play) -> Response:
        if leave.form:
            return self._pages.leaving(request, leave, framed=play.framed)
        return RedirectResponse(leave.url, status_code=303, headers={"Referrer-Policy": "no-referrer"})

    async def _find(self, request: Request) -> tuple[Payment | None, Rules]:
        window = request.path_params["window"]
        return await self._store.work(
            request.path_params["provider"], lambda books: (books.by_window(window), books.rules())
        )

    async def _chosen(self, request: Request) -> Mapping[str, Any]:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return await read_form(request)
        return await read_object(request) or {}

    def _shared(self, request: Request, response: Response) -> Response:
        origin = request.headers.get("origin")
        if origin and self._is_ours(origin, request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
            response.headers["Access-Control-Allow-Methods"] = "POST"
        response.headers["Vary"] = "Origin"
        return response


def _end(books: Books, window: str, ending: Ending, card: str, method: str) -> Payment | str:
    """The payment after the buyer's choice, or why it cannot be made."""
    payment = books.by_window(window)
    if payment is None:
        return "NOT_FOUND_WINDOW"
    before = _ending_of(payment)
    if before is not None:
        return payment if before == ending else "ALREADY_ENDED_WINDOW"
    if payment.status_at(books.now, books.rules()) != "READY":
        return "EXPIRED_PAYMENT"
    if ending == "approve":
        return books.change(payment, status="IN_PROGRESS", authorised_at=books.now, card=card, method=method)
    return books.change(payment, left_at=books.now, code=ending)


def _ending_of(payment: Payment) -> Ending | None:
    if payment.authorised_at is not None:
        return "approve"
    if payment.left_at is not None:
        return "close" if payment.code == "close" else "decline"
    return None


def _shown_key(request: Request) -> str | None:
    """The user of HTTP Basic, as the real script sends the client key; None when nothing is shown."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeError):
        return ""
