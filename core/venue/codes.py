"""Access codes: what opens a phase to who has one (F7). Pure.

A code is kept nowhere in clear: PostgreSQL has an HMAC of it under the installation's secret key, for one event.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from core.errors import InvalidRequest

#: Crockford's base 32: no I, L, O or U, which are misread.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS: Final = 12  # 60 bits: nobody guesses one
_DIGEST_BYTES: Final = 16

#: A code that is brought along (imported): characters, at least and at most, without spaces and hyphens. What is
#: shorter than this can be guessed while a phase is open.
SHORTEST: Final = 6
LONGEST: Final = 64
#: Codes of one event, at most.
MOST_CODES: Final = 2_000_000
#: Purchases that one code is good for, at most.
MOST_USES: Final = 100_000

_SEPARATORS: Final = "-_."
_LEFT_OUT: Final = {n: None for n in range(128) if chr(n).isspace() or chr(n) in _SEPARATORS}
#: What the first line of a list may say instead of a code. It would be one that anybody guesses.
_HEADINGS: Final = frozenset(
    f"{what}{code}" for what in ("", "ACCESS", "VOUCHER", "COUPON", "PROMO") for code in ("CODE", "CODES")
) | {"VOUCHER", "VOUCHERS", "COUPON", "COUPONS", "코드", "쿠폰", "쿠폰코드", "접근코드", "입장코드"}
#: Lines that a refusal names, at most, and of those its sentence.
MOST_TOLD: Final = 100
_MOST_NAMED: Final = 10
_FORM: Final = f"{SHORTEST} to {LONGEST} letters and digits"


def normalised(code: str) -> str:
    """As codes are compared: whatever the case, with or without spaces and hyphens, full-width letters as others."""
    if code.isascii():
        # The same, a million times over.
        return code.upper().translate(_LEFT_OUT)
    plain = unicodedata.normalize("NFKC", code).upper()
    return "".join(character for character in plain if not character.isspace() and character not in _SEPARATORS)


class CodeDigests:
    """Digests of one installation: `secret` is its secret key."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"access codes", hashlib.sha256)

    def of(self, event_id: int, code: str) -> bytes:
        """16 bytes; of an event of its own: a code of one event says nothing about another's."""
        said = f"{event_id}\n{normalised(code)}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, said, hashlib.sha256)[:_DIGEST_BYTES]


def new_code() -> str:
    """Such as "7KQ2-M9XD-0TRW"."""
    bits = secrets.randbits(5 * _CHARACTERS)
    drawn = "".join(_ALPHABET[(bits >> 5 * at) & 31] for at in range(_CHARACTERS))
    return "-".join(drawn[at : at + 4] for at in range(0, _CHARACTERS, 4))


def read_codes(lines: Iterable[str]) -> Iterator[str]:
    """Codes of a CSV file, one a line: the first column, with or without a heading such as `code`; empty lines are
    left out.

    Read as it is asked for. Raises InvalidRequest at the end of a file with lines that cannot be codes: it names each
    of them, `MOST_TOLD` at most. After the first such line nothing more is yielded.
    """
    wrong: list[int] = []
    refused = 0
    for number, line in enumerate(lines, start=1):
        cell = line.strip().lstrip("\ufeff").split(",")[0].split(";")[0].strip().strip('"').strip()
        if not cell:
            continue
        compared = normalised(cell)
        if number == 1 and compared in _HEADINGS:
            continue
        if not SHORTEST <= len(compared) <= LONGEST or not cell.isprintable():
            refused += 1
            if refused <= MOST_TOLD:
                wrong.append(number)
        elif not refused:
            yield cell
    if refused:
        raise InvalidRequest(_which(wrong, refused), errors=[{"at": f"line {n}", "message": _FORM} for n in wrong])


def _which(wrong: Sequence[int], refused: int) -> str:
    """Such as "lines 3, 7 and 8: a code has ..."."""
    named = [str(number) for number in wrong[:_MOST_NAMED]]
    if refused > len(named):
        named.append(f"{refused - len(named)} more")
    text = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return f"line{'s' if refused > 1 else ''} {text}: a code has {_FORM}; nothing was imported"


class CodeBook:
    """The codes of one event that are good, as a process keeps them: sorted digests in one piece, 16 bytes a code.

    `groups`: name of a group -> its digests, sorted, and the purchases that each is good for.
    """

    def __init__(self, version: int, groups: dict[str, tuple[bytes, int]]) -> None:
        self.version = version
        self._groups = groups

    def __len__(self) -> int:
        return sum(len(digests) for digests, _ in self._groups.values()) // _DIGEST_BYTES

    def find(self, digest: bytes, groups: Iterable[str]) -> tuple[str, int] | None:
        """The group, of these, that has the code, and the purchases that it is good for."""
        for name in groups:
            digests, uses = self._groups.get(name, (b"", 0))
            if _contains(digests, digest):
                return name, uses
        return None


def _contains(digests: bytes, digest: bytes) -> bool:
    low, high = 0, len(digests) // _DIGEST_BYTES
    while low < high:
        middle = (low + high) // 2
        found = digests[middle * _DIGEST_BYTES : (middle + 1) * _DIGEST_BYTES]
        if found == digest:
            return True
        if found < digest:
            low = middle + 1
        else:
            high = middle
    return False
