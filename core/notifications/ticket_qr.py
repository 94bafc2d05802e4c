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


def qr_png(code: str) -> bytes:
    """For a scanner at a door that reads it off a scratched phone: error correction Q at least, quiet zone of 4
    modules.
    """
    buffer = io.BytesIO()
    _draw(code).save(buffer, kind="png", scale=6, border=4)
    return buffer.getvalue()


def qr_svg(code: str) -> str:
    """An `<svg class="segno">` without size or quiet zone: the page gives it both."""
    return _draw(code).svg_inline(omitsize=True, border=0)


def _draw(code: str) -> segno.QRCode:
    return segno.make(code, error="q", micro=False, mask=_MASK)
