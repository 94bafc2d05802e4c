"""A captcha's `siteverify` on this machine, stricter than the services: a form by POST with the right secret, each
token known, fresh and good once, and nothing but the documented error codes.

Turnstile, hCaptcha and reCAPTCHA document the same form: `secret`, `response`, `remoteip`; an answer of 200 with
`success` and `error-codes`.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from aiohttp import web

SECRET = "siteverify-secret"
SITE_KEY = "site-key-of-the-double"


@dataclass
class Siteverify:
    url: str = ""
    #: token -> the address of who solved it
    solved: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    #: What to answer instead: `silent`, `broken` or nothing.
    ill: str = ""

    def token(self, address: str = "") -> str:
        """As the widget gives it to a person who has solved it."""
        token = f"0.{secrets.token_urlsafe(24)}"
        self.solved[token] = address
        return token

    async def verify(self, request: web.Request) -> web.Response:
        if self.ill == "broken":
            return web.Response(status=502, text="<h1>Bad gateway</h1>")
        if request.content_type != "application/x-www-form-urlencoded":
            return self._no("bad-request")
        form = {name: values[0] for name, values in parse_qs(await request.text(), strict_parsing=True).items()}
        self.asked.append(form)
        if set(form) - {"secret", "response", "remoteip"}:
            return self._no("bad-request")
        if form.get("secret") != SECRET:
            return self._no("invalid-input-secret" if "secret" in form else "missing-input-secret")
        token = form.get("response", "")
        if not token:
            return self._no("missing-input-response")
        if token not in self.solved:
            return self._no("timeout-or-duplicate" if token.startswith("0.") else "invalid-input-response")
        address = self.solved.pop(token)
        if address and form.get("remoteip") != address:
            return self._no("invalid-input-response")
        return web.json_response({"success": True, "hostname": "onsale.test", "error-codes": []})

    def _no(self, code: str) -> web.Response:
        return web.json_response({"success": False, "error-codes": [code]})


@contextlib.asynccontextmanager
async def siteverify() -> AsyncIterator[Siteverify]:
    double = Siteverify()
    app = web.Application()
    app.router.add_post("/turnstile/v0/siteverify", double.verify)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    double.url = f"http://{host}:{port}/turnstile/v0/siteverify"
    try:
        yield double
    finally:
        await runner.cleanup()
