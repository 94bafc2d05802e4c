"""Answers made for each caller are sent compressed to who takes that, and to nobody else (V5)."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import pytest
import zstandard
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web.compression import WORTH, compressed, shrunk
from web.encodings import CODINGS

LONG = b'{"seats": [' + b"1, " * WORTH + b"1]}"


UNDONE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def asked(accept: str = "gzip") -> Request:
    return Request({"type": "http", "headers": [(b"accept-encoding", accept.encode())]})


@pytest.mark.parametrize("kind", ["application/json", "text/csv; charset=utf-8"])
@pytest.mark.parametrize("times", [1, 60])
async def test_a_long_text_is_compressed(kind: str, times: int) -> None:
    made = await compressed(asked(), Response(LONG * times, media_type=kind))
    assert gzip.decompress(bytes(made.body)) == LONG * times
    assert made.headers["content-encoding"] == "gzip"
    assert made.headers["content-length"] == str(len(made.body))
    assert made.headers["vary"] == "Accept-Encoding"


async def test_who_does_not_take_it_gets_it_plain_and_caches_know() -> None:
    made = await compressed(asked("identity"), Response(LONG, media_type="application/json"))
    assert made.body == LONG
    assert made.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "plain",
    [
        Response(b"{}", media_type="application/json"),
        Response(LONG, media_type="image/jpeg"),
        Response(LONG, media_type="application/json", headers={"content-encoding": "zstd"}),
        Response(status_code=204),
    ],
)
async def test_what_is_short_or_compressed_already_stays_as_it_is(plain: Response) -> None:
    before = bytes(plain.body)
    assert bytes((await compressed(asked(), plain)).body) == before


@pytest.mark.parametrize("coding", [coding.name for coding in CODINGS])
async def test_a_stream_is_compressed_as_it_comes(coding: str) -> None:
    """An export of any length: whoever waits for the end of it needs no memory for it."""

    async def rows() -> AsyncIterator[str]:
        for row in range(5000):
            yield f"{row},150000,KRW\n"

    made: Any = await compressed(asked(coding), StreamingResponse(rows(), media_type="text/csv"))
    assert made.headers["content-encoding"] == coding
    assert "content-length" not in made.headers
    pieces = [piece async for piece in made.body_iterator]
    assert UNDONE[coding](b"".join(pieces)).splitlines()[-1] == b"4999,150000,KRW"
    assert sum(map(len, pieces)) < 40_000
    plain: Any = await compressed(asked("identity"), StreamingResponse(rows(), media_type="text/csv"))
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("coding", [coding.name for coding in CODINGS])
def test_a_page_is_compressed(coding: str) -> None:
    made = shrunk(asked(coding), Response(LONG, media_type="text/html", headers={"vary": "Cookie"}))
    assert UNDONE[coding](bytes(made.body)) == LONG
    assert made.headers["vary"] == "Cookie, Accept-Encoding"
