"""What buyers read of an event, on pages, in e-mails (the name as a subject too) and on the ticket.

Every printable character of every script, with the joiners and the spaces that scripts need. Refused is what cannot be
seen and changes how the rest is read or sent: controls, line breaks in what is one line, halves of characters, and
characters that turn the direction of the text around. The browser's form has the same rule:
static/js/ops/event_texts.js.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Characters (code points), spaces at the ends not counted.
MAX_NAME: Final = 200
MAX_VENUE: Final = 200
MAX_ADDRESS: Final = 300
MAX_DESCRIPTION: Final = 5000
#: Of a part of a sale, and of a group of access codes.
MAX_PART: Final = 60

_CONTROLS: Final = (
    r"\x7f-\x9f"
    r"\u2028\u2029"  # separators of lines and paragraphs
    r"\ud800-\udfff"  # halves of characters
    r"\u202a-\u202e\u2066-\u2069"  # directions that are forced upon what follows
)
_REFUSED: Final = re.compile(rf"[\x00-\x1f{_CONTROLS}]")
_REFUSED_IN_LINES: Final = re.compile(rf"[\x00-\x08\x0b-\x1f{_CONTROLS}]")  # a tab and a line's end are taken


def what_is_wrong(name: str) -> str | None:
    """One sentence with the character and its place (counted from 1), or None."""
    if refused := _refused(_REFUSED, name, "the name"):
        return refused
    if not _is_seen(name):
        return "the event needs a name: at least one character that can be seen"
    return _too_long(name.strip(), MAX_NAME, "the name")


def what_is_wrong_about(what: str, text: str) -> str | None:
    """The same for `venue` and `address`, which are one line, and `description`, which has lines. They may be empty."""
    most = {"venue": MAX_VENUE, "address": MAX_ADDRESS, "description": MAX_DESCRIPTION}[what]
    pattern = _REFUSED_IN_LINES if what == "description" else _REFUSED
    shown = kept_text(text) if what == "description" else text
    return _refused(pattern, shown, f"the {what}") or _too_long(shown.strip(), most, f"the {what}")


def what_is_wrong_with_part(name: str) -> str | None:
    """Of the name of a part of a sale, or of a group of codes: the shell writes such names between semicolons."""
    if refused := _refused(_REFUSED, name, "the name"):
        return refused
    if ";" in name or not _is_seen(name) or len(name) > MAX_PART:
        return f"1 to {MAX_PART} characters, without semicolons"
    return None


def what_is_wrong_with_line(text: str, called: str) -> str | None:
    """The same for a line that others read and that must say something: why money goes back."""
    if refused := _refused(_REFUSED, text, called):
        return refused
    return None if _is_seen(text) else f"{called} needs at least one character that can be seen"


def kept_text(text: str) -> str:
    """As it is kept: without spaces at its ends, its lines ended by a line feed alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _is_seen(name: str) -> bool:
    return any(unicodedata.category(character)[0] in "LMNPS" for character in name)


def _refused(pattern: re.Pattern[str], text: str, called: str) -> str | None:
    found = pattern.search(text)
    if found is None:
        return None
    character, line = found[0], text.count("\n", 0, found.start()) + 1
    name = unicodedata.name(character, _kind(character))
    place = f"character {found.start() - text.rfind(chr(10), 0, found.start())}"
    if line > 1:
        place += f" of line {line}"
    return f"{called} has U+{ord(character):04X} ({name}) at {place}: leave it out"


def _too_long(text: str, most: int, called: str) -> str | None:
    return f"{called} has {len(text)} characters: at most {most}" if len(text) > most else None


def _kind(character: str) -> str:
    return "half a character" if unicodedata.category(character) == "Cs" else "a control character"
