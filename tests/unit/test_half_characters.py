"""A body with half a character in it is refused with the character and its place (V4)."""

from __future__ import annotations

import pytest

from web.half_characters import half_character


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (rb'{"name": "abc\ud800"}', "U+D800 (half a character) at line 1, column 14"),
        (b'{"venue": "\xea\xb3\xb5",\n "name": "\\uDC00\\uD800"}', "U+DC00 (half a character) at line 2, column 11"),
        (rb'{"name": "\ud83d\ude00\ud83d"}', "U+D83D (half a character) at line 1, column 23"),
        (rb'{"name": "\\\ud800"}', "U+D800 (half a character) at line 1, column 13"),
    ],
)
def test_half_a_character_is_named_with_its_place(body: bytes, told: str) -> None:
    assert told in (half_character(body) or "")


@pytest.mark.parametrize(
    "body", [rb'{"name": "\ud83d\ude00"}', rb'{"name": "\\ud800"}', rb'{"name": "\uac00"', b"{", b""]
)
def test_whole_characters_and_what_only_looks_like_an_escape_are_not_named(body: bytes) -> None:
    assert half_character(body) is None
