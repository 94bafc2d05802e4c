"""A message in the form in which it leaves the process: encoded once, however many browsers get it."""

from __future__ import annotations

import struct
from typing import NamedTuple


class Frame(NamedTuple):
    """`payload` is the JSON text (UTF-8); `wire` the same as a complete, unmasked WebSocket text frame."""

    payload: bytes
    wire: bytes


def text_frame(payload: bytes) -> Frame:
    """One final, unfragmented text frame of a server (RFC 6455 section 5.2: FIN, opcode 1, no mask)."""
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", 0x81, size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", 0x81, 126, size)
    else:
        header = struct.pack("!BBQ", 0x81, 127, size)
    return Frame(payload, header + payload)
