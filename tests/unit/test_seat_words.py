"""Which names of rows and seats say by themselves what they name (V4): the browser's rule is tested with them too."""

from __future__ import annotations

import pytest

from core.seat_words import is_in_words

IN_WORDS = [
    "Tisch 5",
    "Tisch5",
    "Tisch-5",
    "Box 3",
    "Loge12",
    "1열",
    "가열",
    "12번",
    "3석",
    "5列",
    "7番",
    "9排",
    "3号",
    "Ａ 列",
    "Ряд5",
    "테이블5",
]
BARE = ["", "5", "12", "AA", "B12", "AA12", "12a", "VIP", "가", "가1", "열", "번", "A-1", "Stalls", "٣", "Ⅷ"]


@pytest.mark.parametrize("name", IN_WORDS)
def test_a_name_in_words_says_what_it_names(name: str) -> None:
    assert is_in_words(name)


@pytest.mark.parametrize("name", BARE)
def test_a_bare_name_is_told_what_it_is(name: str) -> None:
    assert not is_in_words(name)
