"""An event's picture: whatever was uploaded comes out as JPEG files of two widths, made by Pillow, or is refused.

Nothing of the upload is kept: no metadata (a photo's place), no colours but sRGB, and no second meaning that the
same bytes may have. What would unpack to more than a camera makes is refused by its header, before it is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from core.errors import PictureUnusable

if TYPE_CHECKING:
    from PIL.Image import Image as PictureFile

#: Bytes of an upload.
MOST_BYTES: Final = 2 * 1024 * 1024
#: A camera's 40 megapixels take 120 MB unpacked.
MOST_PIXELS: Final = 40_000_000
#: Widths in pixels: for a list of events or an e-mail, and for a page of its own. A smaller upload is not made larger.
WIDTHS: Final = (640, 1600)
#: Neither a dot nor a line: pixels of the shorter side, and how many times it the longer one may be.
LEAST: Final = 64
MOST_STRETCHED: Final = 5

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITY: Final = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """`digest` names its bytes for ever; width and height in pixels."""

    digest: str
    width: int
    height: int

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/pictures/{self.digest}.jpg"


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture and its bytes, which are a JPEG file's."""

    picture: Picture
    content: bytes


def renditions(upload: bytes) -> tuple[Rendition, ...]:
    """The upload in each of `WIDTHS` that it is wide enough for, the smallest first. Raises PictureUnusable."""
    # Here: it takes a tenth of a second to load, and only who brings a picture needs it.
    from PIL import Image, ImageOps

    if len(upload) > MOST_BYTES:
        raise PictureUnusable(f"the picture's file is larger than {MOST_BYTES // 1024**2} MB: save it smaller")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is a lower one
            opened = Image.open(io.BytesIO(upload), formats=_FORMATS)
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise PictureUnusable(
                f"the picture has {width} x {height} pixels: at most {MOST_PIXELS // 1_000_000} million altogether"
            )
        if min(width, height) < max(LEAST, max(width, height) / MOST_STRETCHED):
            raise PictureUnusable(
                f"the picture has {width} x {height} pixels: at least {LEAST} each way, and no side more than "
                f"{MOST_STRETCHED} times the other"
            )
        opened.draft("RGB", (WIDTHS[-1], WIDTHS[-1]))  # a JPEG is unpacked no larger than it needs to be
        whole = _on_white(ImageOps.exif_transpose(opened))
    except PictureUnusable:
        raise
    except Image.DecompressionBombError:
        raise PictureUnusable(f"the picture has more than {MOST_PIXELS // 1_000_000} million pixels") from None
    except Exception as error:  # whatever a broken or hostile file makes the decoders raise
        raise PictureUnusable(
            f"not a picture that can be read: {', '.join(_FORMATS)} are ({type(error).__name__})"
        ) from None
    made: dict[int, Rendition] = {}
    for most in WIDTHS:
        width = min(most, whole.width)
        if width not in made:
            made[width] = _rendition(whole, width)
    return tuple(made.values())


def packed_renditions(upload: bytes) -> bytes:
    """`renditions` for who stands at the other end of a pipe: `unpacked` takes it apart."""
    made = renditions(upload)
    sizes = [[one.picture.width, one.picture.height, len(one.content)] for one in made]
    return orjson.dumps(sizes) + b"\n" + b"".join(one.content for one in made)


def unpacked(packed: bytes) -> tuple[Rendition, ...]:
    sizes, _, contents = packed.partition(b"\n")
    made = []
    for width, height, length in orjson.loads(sizes):
        made.append(_named(contents[:length], width, height))
        contents = contents[length:]
    return tuple(made)


def _named(content: bytes, width: int, height: int) -> Rendition:
    return Rendition(Picture(hashlib.sha256(content).hexdigest()[:32], width, height), content)


def _on_white(image: PictureFile) -> PictureFile:
    """In sRGB, what is transparent on white."""
    from PIL import Image

    image = _in_srgb(image)
    if image.mode.startswith("I"):  # 16 bits of grey: `convert` would cut them off where it should scale them
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        see_through = image.convert("RGBA")
        ground = Image.new("RGB", see_through.size, "white")
        ground.paste(see_through, mask=see_through.getchannel("A"))
        return ground
    return image.convert("RGB")


def _in_srgb(image: PictureFile) -> PictureFile:
    """As its colour profile says; one that makes no sense is not asked."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        known = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, known, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _rendition(whole: PictureFile, width: int) -> Rendition:
    from PIL import Image

    height = max(1, round(whole.height * width / whole.width))
    made = whole if width == whole.width else whole.resize((width, height), Image.Resampling.LANCZOS)
    made.info = {}  # a comment would be written with it
    file = io.BytesIO()
    made.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return _named(file.getvalue(), width, height)
