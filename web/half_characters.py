"""Half a character in a body: JSON can spell one (`"\\ud800"`), and nothing that is kept or sent can have it. Pure."""

from __future__ import annotations

import re
from typing import Final

# Two escapes that are one character; one that is half of one; any other, so that `\\ud800` behind a backslash is text.
_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def half_character(body: bytes) -> str | None:
    """What is to be said of the first one, with its place (counted from 1); None: there is none."""
    for escape in _ESCAPES.finditer(body):
        if escape[1] is None:
            continue
        before = body[: escape.start()]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        place = f"line {line}, column {column}"
        return f"the body has U+{escape[1].decode().upper()} (half a character) at {place}: leave it out"
    return None
