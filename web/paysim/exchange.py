"""What all simulated providers do alike: read a JSON request, wait as a provider would, answer JSON or never."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.errors import TooLarge

#: A request's body, at most, in bytes: NHN KCP's encrypted card data are the longest.
_MOST_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answers, how long it takes over it (seconds), and whether it ever does."""

    status: int
    body: Mapping[str, Any] | Sequence[Any]
    after: float = 0.0
    hangs: bool = False


async def read_object(request: Request) -> dict[str, Any] | None:
    """The body as a JSON object; None when it is none. Raises TooLarge."""
    try:
        body = orjson.loads(await read_bytes(request))
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


async def read_form(request: Request) -> dict[str, str]:
    """The body as a browser's form. Raises TooLarge; nonsense is an empty form."""
    try:
        return dict(parse_qsl((await read_bytes(request)).decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


async def read_bytes(request: Request) -> bytes:
    """Raises TooLarge."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _MOST_BODY:
            raise TooLarge(limit=_MOST_BODY)
    return bytes(received)


async def send(request: Request, reply: Reply) -> Response:
    """The answer, in its time. A reply that hangs ends when the client goes away."""
    if reply.hangs:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response(status_code=499)
    if reply.after > 0:
        await asyncio.sleep(reply.after)
    return Response(orjson.dumps(reply.body), status_code=reply.status, media_type="application/json")


def text(body: Mapping[str, Any], name: str, longest: int) -> str | None:
    """A member that is a text of 1 to `longest` characters; else None."""
    value = body.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= longest else None
