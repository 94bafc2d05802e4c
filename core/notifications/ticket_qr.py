"""The QR code of a ticket, for the e-mail and for the ticket's page.

The mask is always the same. A mask only keeps the picture free of large areas of one colour; the standard tries all
eight and scores them, which is nine tenths of the work (4.8 ms instead of 0.6 ms), for a content that is random
anyway. Which one was taken stands in the code, so that every scanner reads it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import segno

#: Pixels of a module's side, and modules of light around the code: its quiet zone.
_SCALE: Final = 6
_BORDER: Final = 4

#: A chequerboard: large areas of one colour turn into dots.
_MASK: Final = 0


def qr_png(code: str) -> bytes:
    """For a scanner at a door that reads it off a scratched phone: error correction Q at least, quiet zone of 4
    modules. One bit a pixel, 0 is black; put together here, because the library asks for the colour of each of them.
    """
    rows = _draw(code).matrix
    width = _SCALE * (len(rows) + 2 * _BORDER)
    empty = b"\x00" + b"\xff" * ((width + 7) // 8)
    light, dark = "1" * _SCALE, "0" * _SCALE
    around, rest = light * _BORDER, "1" * (-width % 8)
    lines = [empty * (_SCALE * _BORDER)]
    for row in rows:
        bits = f"{around}{''.join([dark if module else light for module in row])}{around}{rest}"
        lines.append((b"\x00" + int(bits, 2).to_bytes(len(bits) // 8, "big")) * _SCALE)
    lines.append(lines[0])
    # Width, height, bits of a pixel, shades of grey, and the only compression, filter and order that there are.
    head = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in pieces)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def qr_svg(code: str) -> str:
    """An `<svg class="segno">` without size or quiet zone: the page gives it both."""
    return _draw(code).svg_inline(omitsize=True, border=0)


def _draw(code: str) -> segno.QRCode:
    return segno.make(code, error="q", micro=False, mask=_MASK)
