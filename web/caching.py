"""Answers that many ask for and that seldom change: kept as bytes, compressed once, and not sent again (ETag)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

#: Below this many bytes a compressed body is not worth its headers.
_WORTH_COMPRESSING = 1024


@dataclass(slots=True)
class Body:
    """An encoded body. The tag is weak, because the compressed and the plain form share it (RFC 9110 section 8.8.1)."""

    content: bytes
    tag: str
    media_type: str
    level: int = 6
    _zipped: bytes | None = field(default=None, repr=False)

    @property
    def etag(self) -> str:
        return f'W/"{self.tag}"'

    def zipped(self) -> bytes | None:
        """The body compressed, once; None when that would not make it smaller."""
        if self._zipped is None:
            worth = len(self.content) >= _WORTH_COMPRESSING
            smaller = gzip.compress(self.content, self.level, mtime=0) if worth else self.content
            self._zipped = smaller if len(smaller) < len(self.content) else b""
        return self._zipped or None


def respond(request: Request, body: Body, *, cache_control: str) -> Response:
    """200 with the body, or 304 when the caller has it already."""
    headers = {"ETag": body.etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if is_known(request.headers.get("if-none-match"), body.tag):
        return Response(status_code=304, headers=headers)
    zipped = body.zipped() if "gzip" in request.headers.get("accept-encoding", "") else None
    if zipped is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(zipped or body.content, headers=headers, media_type=body.media_type)


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Weak comparison (RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    known = [one.strip().removeprefix("W/").strip('"') for one in if_none_match.split(",")]
    return tag in known or "*" in known
