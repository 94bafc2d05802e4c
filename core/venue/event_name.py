"""The name of an event: what buyers read, on pages, in e-mails (as a subject too) and on the ticket.

Every printable character of every script, with the joiners and the spaces that scripts need. Refused is what cannot be
seen and changes how the rest is read or sent: controls, line breaks, halves of characters, and characters that turn
the direction of the text around. The browser's form has the same rule: static/js/ops/sale_fields.js.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Characters (code points), spaces at the ends not counted.
MAX_NAME: Final = 200

_REFUSED: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # controls
    r"\u2028\u2029"  # separators of lines and paragraphs
    r"\ud800-\udfff"  # halves of characters
    r"\u202a-\u202e\u2066-\u2069]"  # directions that are forced upon what follows
)


def what_is_wrong(name: str) -> str | None:
    """One sentence with the character and its place (counted from 1), or None."""
    if found := _REFUSED.search(name):
        character = found[0]
        called = unicodedata.name(character, _kind(character))
        return f"the name has U+{ord(character):04X} ({called}) at character {found.start() + 1}: leave it out"
    if not any(unicodedata.category(character)[0] in "LMNPS" for character in name):
        return "the event needs a name: at least one character that can be seen"
    if len(name.strip()) > MAX_NAME:
        return f"the name has {len(name.strip())} characters: at most {MAX_NAME}"
    return None


def _kind(character: str) -> str:
    return "half a character" if unicodedata.category(character) == "Cs" else "a control character"
