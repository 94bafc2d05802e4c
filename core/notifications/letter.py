"""An e-mail as it goes over the wire, written here: its bytes are known before anybody is asked to take them.

The standard library's message parses every header that it is given, and its generator writes the boundaries by trying:
4.5 ms for a confirmation, which this module writes in a fifth. What a reader sees is the same (RFC 2045 to 2047, 2387):
a text, the same as a page, and pictures that the page shows.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.utils import format_datetime
from typing import Final

from core.notifications.mail_headers import Subject, header_line

# Neither encoding of a part can have these letters in a line (RFC 2045 section 6.7): no content ends a part.
_ALTERNATIVE: Final = "=_onsale-alternative"
_RELATED: Final = "=_onsale-related"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Letter:
    """`sender` and `recipient` as the mail server is told them; `message_id` without its brackets; `content`: all of
    it, ASCII with CRLF.
    """

    sender: str
    recipient: str
    message_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that the page shows as `cid:{id}`."""

    id: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What an e-mail says of itself. `message_id` is the same for the same e-mail sent again."""

    sender: Address
    recipient: Address
    reply_to: Address | None
    subject: str
    at: datetime
    message_id: str

    def lines(self) -> str:
        """The headers, each with its line end. Raises ValueError for one that would break a line."""
        lines = [header_line("To", self.recipient), header_line("From", self.sender)]
        if self.reply_to is not None:
            lines.append(header_line("Reply-To", self.reply_to))
        lines.append(header_line("Subject", Subject.of(self.subject)))
        lines.append(header_line("Date", format_datetime(self.at)))
        lines.append(header_line("Message-ID", f"<{self.message_id}>"))
        # RFC 3834: out-of-office answers and the like stay away.
        lines.append("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n")
        return "".join(lines)

    def letter(self, *, language: str, text: str, html: str, pictures: Sequence[Picture] = ()) -> Letter:
        page = _text("html", html)
        if pictures:
            page = _parts('multipart/related; type="text/html"', _RELATED, [page, *map(_png, pictures)])
        body = _parts("multipart/alternative", _ALTERNATIVE, [_text("plain", text), page])
        head = f"{self.lines()}{header_line('Content-Language', language)}"
        return Letter(self.sender.addr_spec, self.recipient.addr_spec, self.message_id, head.encode("ascii") + body)


def _text(kind: str, text: str) -> bytes:
    octets = (_LINE_END.sub("\r\n", text) + "\r\n").encode()
    name, written = "quoted-printable", binascii.b2a_qp(octets, istext=True)
    if len(written) > len(octets) * 4 / 3:
        name, written = "base64", _base64(octets)
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {name}\r\n\r\n'
    return head.encode() + written


def _png(picture: Picture) -> bytes:
    head = (
        f'Content-Type: image/png; name="{picture.name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: inline; filename="{picture.name}"\r\nContent-ID: <{picture.id}>\r\n\r\n'
    )
    return head.encode("ascii") + _base64(picture.content)


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _parts(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    line = f"--{boundary}\r\n".encode()
    inner = b"".join(line + part + b"\r\n" for part in parts)
    return f'Content-Type: {kind}; boundary="{boundary}"\r\n\r\n'.encode() + inner + f"--{boundary}--\r\n".encode()
