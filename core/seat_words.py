"""What a row or a seat is called in front of people (V4).

A plan's row is often a bare name, "12", "AA" or "B12", which a page calls "Row 12". Some plans say it in words
themselves, "Tisch 5", "Tisch5" or "1열": those stand as they are. The browser has the same rule:
static/js/seat_words.js.
"""

from __future__ import annotations

import re
from typing import Final

# Two words; a word of three letters or more that a number follows; a counter of rows or seats at the end, as Korean,
# Chinese and Japanese have it.
_WORDS: Final = re.compile(r"\S\s+\S|[^\W\d_]{3,}[-.:]?\d|\S[열번석列番席排号]$")

#: Between the zone, the row and the seat of a name that is in words.
BETWEEN: Final = " - "


def is_in_words(name: str) -> bool:
    """Whether the name says by itself what it names."""
    return _WORDS.search(name) is not None
