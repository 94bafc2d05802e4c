"""The QR code of a ticket, for the e-mail and for the ticket's page.

Two libraries draw it. An e-mail is written for each purchase: zxing-cpp, compiled, needs a quarter of segno's time. A
page wants an `<svg>` that is part of it, which only segno writes. The two may choose another mask, and another way to
write the same text: both stand in the code, so that every scanner reads it.
"""

from __future__ import annotations

import io
from typing import Final

import segno

#: A chequerboard. A mask only keeps the picture free of large areas of one colour, and the content is random anyway:
#: segno tries all eight and scores them in nine tenths of its time.
_MASK: Final = 0
#: Pixels of a module in the picture. Around it are four modules of quiet zone, as the standard wants.
_SCALE: Final = 6


def qr_png(code: str) -> bytes:
    """For a scanner at a door that reads it off a scratched phone: the highest error correction, H. It takes no larger
    picture than the next one, for a ticket's 22 characters.
    """
    # With the first e-mail: a web process that leaves them to a worker needs them not at all.
    import zxingcpp
    from PIL import Image, PngImagePlugin  # noqa: F401 - the plugin alone: else all formats are loaded

    drawn = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode, ec_level="H").to_image()
    # Of two colours, while it is small: eight times as much is packed else.
    modules = Image.fromarray(drawn).convert("1", dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    size = (modules.width * _SCALE, modules.height * _SCALE)
    modules.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def qr_svg(code: str) -> str:
    """An `<svg class="segno">` without size or quiet zone: the page gives it both. Error correction Q at least."""
    drawn: str = segno.make(code, error="q", micro=False, mask=_MASK).svg_inline(omitsize=True, border=0)
    return drawn
