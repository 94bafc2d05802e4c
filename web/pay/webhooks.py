"""`POST /webhooks/{provider}`: hints that a redirect was lost (P6). No body is believed: the order is looked up."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from core.errors import NotFound, OnsaleError
from web.app_state import app_state_of
from web.endpoint import bytes_of

log = structlog.get_logger(__name__)

MOST_BODY: Final = 64 * 1024
#: An order number of ours, of today or of the time before attempts; nothing else is looked for.
_ORDER: Final = re.compile(r"[0-9a-f-]{32,36}(a[1-9][0-9]{0,2})?")
#: The provider hears "200" within two seconds, whatever our stores do: it would only come again.
_ANSWER_SECONDS: Final = 1.5


async def webhook(request: Request) -> Response:
    """Raises NotFound for a provider that is none of ours, TooLarge."""
    request.scope["state"]["route"] = "/webhooks/{provider}"
    parts = app_state_of(request)
    provider = request.path_params["provider"]
    if not parts.payments.knows(provider):
        raise NotFound()
    body = await bytes_of(request, MOST_BODY)
    order = parts.payments.gateway(provider).read_webhook(request.headers, body)
    if order is not None and _ORDER.fullmatch(order):
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await parts.checkout.hint(provider, order)
        except (OnsaleError, TimeoutError) as error:
            # The hourly comparison finds what this hint was about.
            log.info("webhook not taken up", provider=provider, order=order, error=repr(error))
    return Response(status_code=200)
