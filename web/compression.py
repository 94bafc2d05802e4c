"""Answers that are made for each caller, compressed for who takes that. What is kept compressed: `web/caching.py`."""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

#: Below so many bytes a compressed body is not worth its headers.
WORTH: Final = 1024
#: A body of so many bytes keeps the loop for a millisecond or two; a larger one is compressed beside it.
_LARGE: Final = 64 * 1024
#: What is asked for each second is not worth more.
_LEVEL: Final = 4

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
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    smaller = await asyncio.to_thread(_zipped, body) if len(body) > _LARGE else _zipped(body)
    response.body = smaller
    response.headers["Content-Length"] = str(len(smaller))
    response.headers["Content-Encoding"] = "gzip"
    return response


def _zipped(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
