"""Answers that are made for each caller, compressed for who takes that. What is kept compressed: `web/caching.py`.

A page that carries a secret (a ticket's code, a signed address) repeats nothing that a stranger's link can choose, so
its length tells nobody what the secret is (BREACH; docs/security.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web.caching import Ready
from web.encodings import Coding, chosen

#: Below so many bytes a compressed body is not worth its headers.
WORTH: Final = 1024
#: A body of so many bytes keeps the loop for a millisecond or two; a larger one is compressed beside it.
_LARGE: Final = 64 * 1024

_TEXTS: Final = ("application/json", "text/", "application/problem+json")


async def compressed(request: Request, response: Response) -> Response:
    """The same answer, smaller. Pictures, and what is compressed already or too short, stay as they are."""
    coding = _coding(request, response)
    if coding is None:
        return response
    if isinstance(response, StreamingResponse):
        response.body_iterator = _pieces(coding, response.body_iterator)
        response.headers["Content-Encoding"] = coding.name
        return response
    body = bytes(response.body)
    return _sent(response, coding, await asyncio.to_thread(coding.quick, body) if len(body) > _LARGE else None)


def shrunk(request: Request, response: Response) -> Response:
    """The same for a page, which is short and whole."""
    coding = _coding(request, response)
    return response if coding is None else _sent(response, coding, None)


def _coding(request: Request, response: Response) -> Coding | None:
    """What the answer is to be sent in; None: as it is. Says either way that it depends on what the caller takes."""
    if isinstance(response, Ready) or (not isinstance(response, StreamingResponse) and len(response.body) < WORTH):
        return None
    headers = response.headers
    if "content-encoding" in headers or not headers.get("content-type", "").startswith(_TEXTS):
        return None
    if "accept-encoding" not in headers.get("vary", "").lower():
        headers.add_vary_header("Accept-Encoding")
    return chosen(request.headers.get("accept-encoding"))


def _sent(response: Response, coding: Coding, smaller: bytes | None) -> Response:
    response.body = coding.quick(bytes(response.body)) if smaller is None else smaller
    response.headers["Content-Length"] = str(len(response.body))
    response.headers["Content-Encoding"] = coding.name
    return response


async def _pieces(coding: Coding, body: AsyncIterable[str | bytes | memoryview]) -> AsyncIterator[bytes]:
    pieces = coding.pieces()
    async for piece in body:
        if made := pieces.add(piece.encode() if isinstance(piece, str) else bytes(piece)):
            yield made
    yield pieces.end()
