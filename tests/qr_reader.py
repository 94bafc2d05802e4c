"""Reads a QR code as a scanner does once it has found it (ISO/IEC 18004): for tests that ask what a ticket says.

Without error correction, so that nothing hides a module that is wrong. For versions 1 to 3 at the levels Q and H, which
is what a ticket's code fits into.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

Modules = Sequence[Sequence[bool]]

_END, _DIGITS, _LETTERS, _BYTES = 0, 1, 2, 4
#: Bits that say how long a part is, up to version 9.
_LENGTHS = {_DIGITS: 10, _LETTERS: 9, _BYTES: 8}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_MASKS: Sequence[Callable[[int, int], bool]] = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, column: row % 2 == 0,
    lambda row, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)
#: (version, level) -> data codewords of each block.
_BLOCKS = {
    (1, "Q"): (13,),
    (1, "H"): (9,),
    (2, "Q"): (22,),
    (2, "H"): (16,),
    (3, "Q"): (17, 17),
    (3, "H"): (13, 13),
}


def modules_of_png(image: bytes, scale: int = 6, border: int = 4) -> Modules:
    """The modules of a code drawn as a PNG of two colours, the first of which is black."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, width, depth = 8, b"", 0, 0
    while at < len(image):
        length, kind = struct.unpack(">I4s", image[at : at + 8])
        body = image[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _, depth = struct.unpack(">IIB", body[:9])
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    assert depth == 1
    lines = list(_lines(zlib.decompress(data), (width + 7) // 8))
    places = [scale * (border + number) + scale // 2 for number in range(width // scale - 2 * border)]
    return [[not lines[row][column // 8] >> (7 - column % 8) & 1 for column in places] for row in places]


def _lines(data: bytes, length: int) -> Iterator[bytes]:
    """The image's lines, each told as it is or by how it differs from its neighbours (PNG's five filters)."""
    line = bytes(length)
    for at in range(0, len(data), length + 1):
        kind, above, line = data[at], line, b""
        for place, told in enumerate(data[at + 1 : at + 1 + length]):
            left, corner = (line[-1], above[place - 1]) if place else (0, 0)
            line += bytes([(told + _guess(kind, left, above[place], corner)) % 256])
        yield line


def _guess(kind: int, left: int, above: int, corner: int) -> int:
    nearest = min((left, above, corner), key=lambda one: abs(left + above - corner - one))
    return (0, left, above, (left + above) // 2, nearest)[kind]


def read_qr(modules: Modules) -> str:
    """The text of a code, of ASCII."""
    side = len(modules)
    version = (side - 17) // 4
    told = [modules[8][column] for column in (0, 1, 2, 3, 4)]
    form = int("".join(str(int(bit)) for bit in told), 2) ^ 0b10101
    level, mask = {0: "M", 1: "L", 2: "H", 3: "Q"}[form >> 3], _MASKS[form & 7]
    bits = [modules[row][column] ^ mask(row, column) for row, column in _places(side, version)]
    words = [int("".join(str(int(bit)) for bit in bits[at : at + 8]), 2) for at in range(0, len(bits) - 7, 8)]
    sizes = _BLOCKS[version, level]
    blocks = [words[number : sum(sizes) : len(sizes)] for number in range(len(sizes))]
    return _text("".join(f"{word:08b}" for block in blocks for word in block))


def _text(bits: str) -> str:
    """Its parts, each in the way in which it is shortest, until the end is told or nothing more fits."""
    at, text = 0, ""

    def taken(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    while len(bits) - at >= 4 and (mode := taken(4)) != _END:
        left = taken(_LENGTHS[mode])
        while left > 0:
            if mode == _DIGITS:
                digits = min(left, 3)
                text += f"{taken(1 + 3 * digits):0{digits}d}"
                left -= digits
            elif mode == _LETTERS and left > 1:
                first, second = divmod(taken(11), len(_ALPHABET))
                text += _ALPHABET[first] + _ALPHABET[second]
                left -= 2
            else:
                text += _ALPHABET[taken(6)] if mode == _LETTERS else chr(taken(8))
                left -= 1
    return text


def _places(side: int, version: int) -> Iterator[tuple[int, int]]:
    """Where data are, in their order: up and down in pairs of columns, from the right."""
    upwards = True
    for right in (*range(side - 1, 6, -2), 5, 3, 1):
        for row in range(side - 1, -1, -1) if upwards else range(side):
            for column in (right, right - 1):
                if not _fixed(row, column, side, version):
                    yield row, column
        upwards = not upwards


def _fixed(row: int, column: int, side: int, version: int) -> bool:
    """Finders with the format beside them, timing lines, and the one alignment pattern from version 2 on."""
    finder = (row < 9 and column < 9) or (row < 9 and column >= side - 8) or (row >= side - 8 and column < 9)
    centre = side - 7
    aligned = version > 1 and abs(row - centre) <= 2 and abs(column - centre) <= 2
    return finder or row == 6 or column == 6 or aligned
