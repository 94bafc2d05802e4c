"""Answers that are made for each caller, compressed for who takes that. What is kept compressed: `web/caching.py`."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from web.encodings import chosen

#: Below so many bytes a compressed body is not worth its headers.
WORTH: Final = 1024
#: A body of so many bytes keeps the loop for a millisecond or two; a larger one is compressed beside it.
_LARGE: Final = 64 * 1024

_TEXTS: Final = ("application/json", "text/", "application/problem+json")


async def compressed(request: Request, response: Response) -> Response:
    """The same answer, smaller. Pictures, streams, and what is compressed already or too short stay as they are."""
    body: bytes = getattr(response, "body", b"")
    if (
        len(body) < WORTH
        or "content-encoding" in response.headers
        or not response.headers.get("content-type", "").startswith(_TEXTS)
    ):
        return response
    if "accept-encoding" not in response.headers.get("vary", "").lower():
        response.headers.add_vary_header("Accept-Encoding")
    coding = chosen(request.headers.get("accept-encoding"))
    if coding is None:
        return response
    smaller = await asyncio.to_thread(coding.quick, body) if len(body) > _LARGE else coding.quick(body)
    response.body = smaller
    response.headers["Content-Length"] = str(len(smaller))
    response.headers["Content-Encoding"] = coding.name
    return response
