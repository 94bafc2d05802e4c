"""The QR code of a ticket, for the e-mail and for the ticket's page.

The mask is always the same. A mask only keeps the picture free of large areas of one colour; the standard tries all
eight and scores them, which is nine tenths of the work (4.8 ms instead of 0.6 ms), for a content that is random
anyway. Which one was taken stands in the code, so that every scanner reads it.
"""

from __future__ import annotations

import io
from typing import Final

import segno

#: A chequerboard: large areas of one colour turn into dots.
_MASK: Final = 0
#: Pixels of a module in the picture, and modules of quiet zone around it.
_SCALE: Final = 6
_QUIET: Final = 4
#: A module is 0 or 1, a pixel 255 (white) or 0.
_PIXELS: Final = bytes([255, *bytes(255)])


def qr_png(code: str) -> bytes:
    """For a scanner at a door that reads it off a scratched phone: error correction Q at least, quiet zone of 4
    modules.
    """
    # With the first e-mail: a web process that leaves them to a worker needs it not at all. segno's own writer takes
    # four times as long, a row and a pixel at a time.
    from PIL import Image, PngImagePlugin  # noqa: F401 - the plugin alone: else all formats are loaded

    modules = _draw(code).matrix
    side, quiet = len(modules) + 2 * _QUIET, bytes(_QUIET)
    above = bytes(side * _QUIET)
    drawn = b"".join([above, *(quiet + row + quiet for row in modules), above]).translate(_PIXELS)
    picture = Image.frombytes("L", (side, side), drawn).convert("1", dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.resize((side * _SCALE, side * _SCALE), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def qr_svg(code: str) -> str:
    """An `<svg class="segno">` without size or quiet zone: the page gives it both."""
    return _draw(code).svg_inline(omitsize=True, border=0)


def _draw(code: str) -> segno.QRCode:
    return segno.make(code, error="q", micro=False, mask=_MASK)
