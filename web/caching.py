"""Answers that many ask for and that seldom change: kept as bytes, compressed once, and not sent again (ETag)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from web.encodings import CODINGS, Coding, chosen
from web.whole_answers import Head, Made

#: Below this many bytes a compressed body is not worth its headers.
_WORTH_COMPRESSING = 1024
#: Forms in which a body is answered (coding, status, headers): those of a page are a few.
_MOST_FORMS: Final = 16


class Ready(Made):
    """One whose body is there in the coding in which it is sent, too: it is compressed no more."""


@dataclass(slots=True)
class Body:
    """An encoded body. The tag is weak, because the compressed and the plain forms share it (RFC 9110 section 8.8.1).

    `quick`: it changes so often that compressing it well would cost more than it saves.
    """

    content: bytes
    tag: str
    media_type: str
    quick: bool = False
    _coded: dict[str, bytes] = field(default_factory=dict, repr=False)
    _heads: dict[Hashable, Head] = field(default_factory=dict, repr=False)

    @property
    def etag(self) -> str:
        return f'W/"{self.tag}"'

    def coded(self, coding: Coding) -> bytes | None:
        """The body in a coding, made once; None when that would not make it smaller."""
        made = self._coded.get(coding.name)
        if made is None:
            worth = len(self.content) >= _WORTH_COMPRESSING
            compress = coding.quick if self.quick else coding.thorough
            made = compress(self.content) if worth else self.content
            made = self._coded[coding.name] = made if len(made) < len(self.content) else b""
        return made or None

    def answered(self, coding: Coding | None, status: int, headers: Mapping[str, str]) -> Response:
        """The answer in this coding, where that makes it smaller. `headers`: besides those of the body itself."""
        coded = self.coded(coding) if coding is not None else None
        name = coding.name if coding is not None and coded else ""
        form = (name, status, *headers.items())
        head = self._heads.get(form)
        if head is None:
            said = {**headers, "Content-Encoding": name} if name else headers
            made = Response(b"", status, said, media_type=self.media_type)
            head = Head([header for header in made.raw_headers if header[0] != b"content-length"])
            if len(self._heads) >= _MOST_FORMS:
                self._heads.clear()
            self._heads[form] = head
        return Ready(status, head, coded or self.content)

    def compress(self) -> None:
        """Makes every coding now: for a thread, before anybody asks."""
        for coding in CODINGS:
            self.coded(coding)


def respond(request: Request, body: Body, *, cache_control: str) -> Response:
    """200 with the body, or 304 when the caller has it already."""
    headers = {"ETag": body.etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if is_known(request.headers.get("if-none-match"), body.tag):
        return Response(status_code=304, headers=headers)
    return body.answered(chosen(request.headers.get("accept-encoding")), 200, headers)


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Weak comparison (RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    known = [one.strip().removeprefix("W/").strip('"') for one in if_none_match.split(",")]
    return tag in known or "*" in known
