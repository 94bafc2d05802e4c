"""A page that is the same for all is drawn once, and again as soon as it would show something else (E1)."""

from __future__ import annotations

from typing import Any

import brotli
from starlette.requests import Request

from web.drawn_pages import DrawnPages, sent


class Drawing:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return f"<p>{self.times} 가</p>" + " " * 2000


def asked(
    drawn: DrawnPages, draw: Drawing, *, name: str = "sale", here: str = "/events/a?lang=", **context: Any
) -> str:
    return drawn.body(name, ({"here": here, "static": "/static/~1"}, context), draw).content.decode().strip()


def test_it_is_drawn_again_when_what_it_shows_has_changed() -> None:
    drawn, draw = DrawnPages(), Drawing()
    assert asked(drawn, draw, prices={"A": 1}) == "<p>1 가</p>"
    assert asked(drawn, draw, prices={"A": 1}) == "<p>1 가</p>", "equal is the same, whatever object it is"
    assert asked(drawn, draw, prices={"A": 2}) == "<p>2 가</p>"
    assert asked(drawn, draw, prices={"A": 1}) == "<p>3 가</p>", "one form of each page is kept"


def test_each_page_in_each_place_is_its_own() -> None:
    drawn, draw = DrawnPages(), Drawing()
    for name, here in (("sale", "/events/a?lang="), ("sale", "/events/b?lang="), ("draw", "/events/a?lang=")):
        asked(drawn, draw, name=name, here=here)
    assert draw.times == 3
    asked(drawn, draw)
    assert draw.times == 3


def test_addresses_that_a_stranger_makes_up_fill_no_memory() -> None:
    drawn, draw = DrawnPages(), Drawing()
    for number in range(1_000):
        asked(drawn, draw, here=f"/events/{number}?lang=")
    assert len(drawn._kept) == 128
    asked(drawn, draw, here="/events/999?lang=")
    assert draw.times == 1_000


def test_it_is_sent_in_what_the_caller_takes() -> None:
    body = DrawnPages().body("sale", ({"here": "/"}, {}), Drawing())
    headers = {"Vary": "Cookie", "Cache-Control": "private, no-cache"}

    def to(accepts: str) -> Any:
        return sent(Request({"type": "http", "headers": [(b"accept-encoding", accepts.encode())]}), body, 200, headers)

    small, plain = to("br, gzip"), to("identity")
    assert (small.headers["content-encoding"], small.headers["vary"]) == ("br", "Cookie, Accept-Encoding")
    assert brotli.decompress(small.body) == plain.body == body.content
    assert "content-encoding" not in plain.headers
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    assert plain.headers["content-length"] == str(len(body.content))
