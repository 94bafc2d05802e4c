"""Content codings (RFC 9110 section 8.4): which of those that a caller takes is sent, and how bytes are put into it."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import brotli
import zstandard


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that comes piece by piece: `add` gives what can be sent so far, `end` the rest."""

    add: Callable[[bytes], bytes]
    end: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Coding:
    """`quick` is for what is sent a few times, `thorough` for what is made once and sent to everybody, `pieces` for
    what is sent while it is made."""

    name: str
    quick: Callable[[bytes], bytes]
    thorough: Callable[[bytes], bytes]
    pieces: Callable[[], Pieces]


def _gzip(level: int) -> Callable[[bytes], bytes]:
    return lambda content: gzip.compress(content, level, mtime=0)


def _brotli(quality: int) -> Callable[[bytes], bytes]:
    return lambda content: brotli.compress(content, quality=quality)


def _zstd(level: int) -> Callable[[bytes], bytes]:
    return lambda content: zstandard.compress(content, level)


def _gzip_pieces() -> Pieces:
    made = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return Pieces(made.compress, made.flush)


def _brotli_pieces() -> Pieces:
    made: Any = brotli.Compressor(quality=4)
    return Pieces(made.process, made.finish)


def _zstd_pieces() -> Pieces:
    made = zstandard.ZstdCompressor(3).compressobj()
    return Pieces(made.compress, made.flush)


#: Ours, the shortest first: of those that a caller likes equally the first is sent.
CODINGS: Final = (
    Coding("br", quick=_brotli(4), thorough=_brotli(9), pieces=_brotli_pieces),
    Coding("zstd", quick=_zstd(3), thorough=_zstd(12), pieces=_zstd_pieces),
    Coding("gzip", quick=_gzip(1), thorough=_gzip(6), pieces=_gzip_pieces),
)


#: Browsers say one of a dozen things, none of them long: those are understood once.
_SAYINGS: Final = 64
_LONGEST_SAYING: Final = 100


def chosen(accept_encoding: str | None) -> Coding | None:
    """The coding that a caller with this `Accept-Encoding` gets; None: the bytes as they are (RFC 9110 section 12.5.3).

    A caller that says nothing gets them as they are: it may be a script that undoes nothing.
    """
    if not accept_encoding:
        return None
    return (_known if len(accept_encoding) <= _LONGEST_SAYING else _chosen)(accept_encoding)


def _chosen(accept_encoding: str) -> Coding | None:
    wishes = _weights(accept_encoding)
    others = wishes.get("*", 0.0)
    # Who forbids nothing takes the bytes as they are as well, but never rather than a coding that is named.
    best = max(CODINGS, key=lambda coding: wishes.get(coding.name, others))
    weight = wishes.get(best.name, others)
    return best if weight > 0 and weight >= wishes.get("identity", 0.0) else None


_known: Final = functools.lru_cache(_SAYINGS)(_chosen)


def _weights(header: str) -> Mapping[str, float]:
    """Coding -> quality value. What cannot be read counts as not wanted."""
    found: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        # x-gzip is gzip (RFC 9110 section 8.4.1.3).
        found["gzip" if name == "x-gzip" else name] = weight
    return found
