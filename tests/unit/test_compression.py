"""Answers made for each caller are sent compressed to who takes that, and to nobody else (V5)."""

from __future__ import annotations

import gzip

import pytest
from starlette.requests import Request
from starlette.responses import Response

from web.compression import WORTH, compressed

LONG = b'{"seats": [' + b"1, " * WORTH + b"1]}"


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
