"""Headers of e-mails as bytes: every text comes back as it was, whichever Python writes it and whoever reads it.

The standard library folds headers by its own lights: Python 3.13 loses or adds spaces between encoded words, others
split a character (cpython#83938, #121650). Here a text beyond plain ASCII becomes encoded words (RFC 2047 section 2)
that each end with a whole character, and nothing is folded anywhere else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from email.headerregistry import Address
from typing import Final

#: Octets of text in one encoded word: at most 75 characters with `=?utf-8?b?` and `?=` around their base64.
_OCTETS: Final = 45
#: A line has 78 characters at best (RFC 5322 section 2.1.1), with the header's name.
_LINE: Final = 66
# Line breaks of any kind and other controls, which end a header or are refused by servers; halves of characters.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HALVES: Final = re.compile(r"[\ud800-\udfff]")


class Subject(str):
    """A subject as it is to be read: a text such as `=?utf-8?q?x?=` is no encoded word but what the organiser has
    typed.
    """

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Subject:
        """Controls become a space, halves of characters the sign for one that is missing."""
        return cls(_HALVES.sub("\ufffd", _CONTROLS.sub(" ", text)).strip(" "))


def header_line(name: str, value: str | Address) -> str:
    """A header with its line end. Raises ValueError for a text that would end it earlier."""
    if isinstance(value, Address):
        return f"{name}: {_mailbox(value)}\r\n"
    if "\r" in value or "\n" in value:
        raise ValueError(f"the header {name} has several lines")
    return f"{name}: {encoded(value) if isinstance(value, Subject) or not value.isascii() else value}\r\n"


def encoded(text: str) -> str:
    """A text for an unstructured header or a display name; spaces between encoded words do not count when read."""
    if text.isascii() and len(text) <= _LINE and "=?" not in text:
        return text
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(part).decode()}?=" for part in _parts(text))


def _parts(text: str) -> Iterator[bytes]:
    part = b""
    for char in text:
        octets = char.encode()
        if len(part) + len(octets) > _OCTETS:
            yield part
            part = b""
        part += octets
    yield part


def _mailbox(address: Address) -> str:
    if not address.display_name:
        return address.addr_spec
    name = address.display_name
    if name.isascii() and "=?" not in name:
        return str(address)  # quoted where it must be
    return f"{encoded(name)} <{address.addr_spec}>"
