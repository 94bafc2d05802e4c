"""A message in the form in which it leaves the process: encoded once, however many browsers get it."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

#: FIN and the opcode.
_TEXT: Final = 0x81
_BINARY: Final = 0x82


class Frame(NamedTuple):
    """`payload` is the JSON text (UTF-8); `wire` the same as a complete, unmasked WebSocket text frame.

    `packed`, where there is one, is the same for browsers that take it packed: bytes, and their binary frame.
    """

    payload: bytes
    wire: bytes
    packed: tuple[bytes, bytes] | None = None


def text_frame(payload: bytes, packed: bytes | None = None) -> Frame:
    """One final, unfragmented text frame of a server (RFC 6455 section 5.2: FIN, opcode 1, no mask)."""
    small = None if packed is None else (packed, _header(_BINARY, len(packed)) + packed)
    return Frame(payload, _header(_TEXT, len(payload)) + payload, small)


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", first, size)
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)
