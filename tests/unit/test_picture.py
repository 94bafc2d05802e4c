"""An event's picture (T9): made anew of whatever was uploaded, or refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from core.errors import PictureUnusable
from core.venue.picture import MOST_BYTES, packed_renditions, renditions, unpacked


def file(size: tuple[int, int] = (2000, 1000), kind: str = "JPEG", mode: str = "RGB", **more: object) -> bytes:
    made = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(made, kind, **more)
    return made.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "L"), ("WEBP", "RGB"), ("GIF", "P")]
)
def test_every_kind_of_picture_comes_out_in_two_widths(kind: str, mode: str) -> None:
    small, large = renditions(file((1800, 900), kind, mode))
    assert [(one.picture.width, one.picture.height) for one in (small, large)] == [(640, 320), (1600, 800)]
    for one in (small, large):
        image = opened(one.content)
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (one.picture.width, one.picture.height))
        assert one.picture.path == f"/pictures/{one.picture.digest}.jpg"
    assert unpacked(packed_renditions(file((1800, 900), kind, mode)))[0].picture.width == 640


def test_a_small_one_is_not_made_larger() -> None:
    assert [one.picture.width for one in renditions(file((320, 200)))] == [320]
    assert [one.picture.width for one in renditions(file((800, 600)))] == [640, 800]


def test_nothing_of_the_file_is_kept_but_what_is_seen() -> None:
    """A photo's place, its comment and what was hung on behind it; it is turned as its camera was held."""
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    exif[0x010E] = "at home"
    upload = file((1000, 500), exif=exif, comment=b"secret") + b"<script>hung on</script>"
    (first, *_) = renditions(upload)
    assert (first.picture.width, first.picture.height) == (500, 1000)
    for words in (b"at home", b"secret", b"script", b"Exif"):
        assert words not in first.content


def test_sixteen_bits_of_grey_are_scaled_not_cut() -> None:
    made = io.BytesIO()
    Image.new("I;16", (200, 200), 0x8000).save(made, "PNG")
    seen = opened(renditions(made.getvalue())[0].content)
    assert seen.convert("L").getextrema() == (128, 128)


def test_what_is_transparent_is_white() -> None:
    made = io.BytesIO()
    Image.new("RGBA", (200, 200), (255, 0, 0, 0)).save(made, "PNG")
    assert opened(renditions(made.getvalue())[0].content).getpixel((100, 100)) == (255, 255, 255)


def bomb(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says how large it is, and is not."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (8_000, 6_000), (60_000, 60_000)])
def test_what_would_unpack_to_too_much_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(PictureUnusable, match="million"):
        renditions(bomb(*size))


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        bomb(800, 600),
        file()[:2000],
        b"GIF89a" + b"\xff" * 32,
        file((63, 63)),
        file((2000, 300)),
        b"\xff\xd8" + b"\0" * MOST_BYTES,
    ],
    ids=lambda upload: f"{len(upload)}-{upload[:4]!r}",
)
def test_what_cannot_be_shown_is_refused_with_one_sentence(upload: bytes) -> None:
    with pytest.raises(PictureUnusable) as refused:
        renditions(upload)
    assert len(str(refused.value).splitlines()) == 1
