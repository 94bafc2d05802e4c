"""A request as a span of its purchase's trace; around the application only where traces go somewhere."""

from __future__ import annotations

import contextlib
import re
from typing import Final
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.process.spans import Spans, caller_of

#: Addresses that name a reservation, or an order, which begins with its id.
_ABOUT: Final = re.compile(r"/api/reservations/([0-9a-f-]{36})|/pay/(?:[a-z0-9]+/[a-z]+/)?([0-9a-f]{32})a\d")


class Traced:
    """ASGI middleware. What a caller's `traceparent` says is believed for what it is: which trace this belongs to."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
        method = scope["method"]
        with self._spans.span(method, "server", caller=caller_of(given), **{"http.request.method": method}) as span:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.attributes["http.response.status_code"] = message["status"]
                    if message["status"] >= 500:
                        span.failed = str(message["status"])
                await send(message)

            found = _ABOUT.match(scope["path"])
            if found is not None:
                with contextlib.suppress(ValueError):  # no reservation has this name: it is answered as such
                    span.about(UUID(found[1] or found[2]))
            try:
                await self._app(scope, receive, told)
            finally:
                # The pattern and not the address: that has names and signatures of people in it.
                route = scope.get("state", {}).get("route")
                if route:
                    span.name = f"{method} {route}"
                    span.attributes["http.route"] = route
