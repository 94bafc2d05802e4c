"""The page "Test bank": a bank's window of a look of its own, in both languages, usable by keyboard and on a phone.

It works without a script: every choice is a form. The script counts the time down, waits, and copies the address for
another browser. Its Content-Security-Policy is its own: it may send its forms to the shop that opened the window, and
nowhere else.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from core import languages
from web.compression import shrunk
from web.paysim.behaviour import CARDS, Rules
from web.paysim.payment import Payment
from web.paysim.play import Leave
from web.paysim.shop import page_base

FOLDER: Final = Path(__file__).parent / "pages"

#: What a browser may load: name -> media type. `toss.js`, `kcp.js` and `portone.js` are the providers' window scripts.
_FILES: Final = {
    "bank.css": "text/css; charset=utf-8",
    "bank.js": "text/javascript; charset=utf-8",
    "toss.js": "text/javascript; charset=utf-8",
    "kcp.js": "text/javascript; charset=utf-8",
    "portone.js": "text/javascript; charset=utf-8",
}


class BankPages:
    """Draws the pages."""

    def window(
        self,
        request: Request,
        payment: Payment,
        rules: Rules,
        leave: str,
        *,
        methods: Sequence[str],
        framed: bool,
    ) -> Response:
        """`leave`: the shop's address, for a window whose time is over. `framed`: the shop may frame it."""
        now = time.time()
        state = "ended" if payment.left_at else payment.status_at(now, rules).lower()
        own = f"{payment.page}/{payment.provider}/windows/{payment.window}"
        return self._page(
            request,
            "window.html",
            shop=payment.returned or leave,
            framed=framed,
            payment=payment,
            state=state,
            price=languages.money(_language(request), payment.amount, payment.currency),
            seconds=max(0, round(payment.opened_at + rules.window_seconds - now)),
            cards=tuple(CARDS),
            methods=methods,
            own=own,
            qr=Markup(segno.make(own, micro=False).svg_inline(scale=4, border=2)),  # noqa: S704 - drawn by segno
            leave=leave,
        )

    def leaving(self, request: Request, leave: Leave, *, framed: bool) -> Response:
        """A form that sends itself to the shop; a button where there is no script. In a frame: a message."""
        return self._page(request, "leaving.html", shop=leave.url, framed=framed, target=leave.url, fields=leave.form)

    def receipt(self, request: Request, payment: Payment) -> Response:
        price = languages.money(_language(request), payment.amount, payment.currency)
        left = languages.money(_language(request), payment.balance, payment.currency)
        return self._page(request, "receipt.html", shop="", payment=payment, price=price, left=left)

    def gone(self, request: Request) -> Response:
        return self._page(request, "gone.html", shop="", status=404)

    async def file(self, request: Request) -> Response:
        name = request.path_params["file"]
        kind = _FILES.get(name)
        if kind is None:
            return Response(status_code=404)
        return script(name, kind)

    def _page(
        self, request: Request, name: str, *, shop: str, framed: bool = False, status: int = 200, **values: object
    ) -> Response:
        language = _language(request)
        page = _environment(language).get_template(name)
        base = page_base(request)
        html = page.render(lang=language, base=base, languages=languages.LANGUAGES, path=request.url.path, **values)
        return shrunk(request, HTMLResponse(html, status_code=status, headers=_headers(shop, framed)))


def script(name: str, kind: str = _FILES["toss.js"]) -> Response:
    """A file of this folder, for pages of any site."""
    headers = {"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=60"}
    return Response(_content(name), media_type=kind, headers=headers)


def _headers(shop: str, framed: bool) -> dict[str, str]:
    nobody = "'none'"
    target = " ".join(("'self'", *([origin] if (origin := _origin(shop)) else [])))
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data:",
                "base-uri 'none'",
                f"form-action {target}",
                f"frame-ancestors {target if framed else nobody}",
            )
        ),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        # The bank is somebody else: it shares no window with the shop.
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _origin(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}" if separator else ""


def _language(request: Request) -> str:
    return languages.choose(request.query_params.get("lang"), request.headers.get("accept-language"))


@functools.cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n"]
    )
    environment.install_gettext_translations(languages.translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment


@functools.cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
