"""The draw: who gathered before the opening gets an order that anybody can check (F1, F2). Pure.

Algorithm `onsale-draw-1`:

    commitment = SHA-256(seed), public before the first entry      seed: 32 random bytes, made for one opening
    receipt    = SHA-256(nonce || salt), 16 bytes each             nonce: the browser's, salt: the server's
    root       = SHA-256 of all receipts, sorted, each followed by a newline
    key        = HMAC-SHA-256(seed, root + "\\n" + beacon + "\\n" + receipt)
    order      = the receipts, ascending by key

Digests are lower-case hexadecimal; the beacon is a public value from after the root, or the empty text.

What it proves: nobody was added, left out or moved after the root was published, and the order is the seed's. A seed
that its maker threw away and made anew until it pleased is only excluded by a beacon, which nobody knew before.
`docs/fairness.md` says so to those who check.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ALGORITHM: Final = "onsale-draw-1"

SEED_BYTES: Final = 32
NONCE_BYTES: Final = 16

_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def new_seed() -> bytes:
    return secrets.token_bytes(SEED_BYTES)


def new_nonce() -> str:
    """A nonce or a salt: 16 random bytes in hexadecimal digits."""
    return secrets.token_hex(NONCE_BYTES)


def is_nonce(text: str) -> bool:
    """32 hexadecimal digits, in lower case."""
    return _NONCE.fullmatch(text) is not None


def is_receipt(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def commitment(seed: bytes) -> str:
    return hashlib.sha256(seed).hexdigest()


def receipt(nonce: str, salt: str) -> str:
    """Of two hexadecimal texts; never made of the visitor's id. Raises ValueError for what is no hexadecimal text."""
    return hashlib.sha256(bytes.fromhex(nonce) + bytes.fromhex(salt)).hexdigest()


def root(receipts: Iterable[str]) -> str:
    """Names the set of entries, whatever order they come in."""
    return hashlib.sha256("\n".join([*sorted(receipts), ""]).encode("ascii")).hexdigest()


def drawn_order(seed: bytes, receipts: Sequence[str], beacon: str = "") -> list[str]:
    """The receipts in the order of the draw. 200,000 take about half a second of one core."""
    of_root = root(receipts)
    prefix = f"{of_root}\n{beacon}\n".encode()
    return sorted(receipts, key=lambda entry: hmac.digest(seed, prefix + entry.encode("ascii"), "sha256"))


@dataclass(frozen=True, slots=True)
class PublishedDraw:
    """What `GET /api/events/{slug}/draw` says of a draw that has happened; `beacon` is the value, or the empty text."""

    algorithm: str
    commitment: str
    seed: str
    root: str
    count: int
    beacon: str = ""


def differences(draw: PublishedDraw, entries: Sequence[str]) -> list[str]:
    """What does not hold when `draw` is recomputed from its published entries; nothing when all of it does."""
    if draw.algorithm != ALGORITHM:
        return [f"the algorithm is {draw.algorithm!r}; only {ALGORITHM!r} can be checked here"]
    try:
        seed = bytes.fromhex(draw.seed)
    except ValueError:
        return ["the seed is no hexadecimal text"]
    wrong = []
    if len(seed) != SEED_BYTES:
        wrong.append(f"the seed has {len(seed)} bytes instead of {SEED_BYTES}")
    if commitment(seed) != draw.commitment:
        wrong.append("the seed is not the one that was committed to before the sale: SHA-256(seed) differs")
    if odd := next((entry for entry in entries if not is_receipt(entry)), None):
        return [*wrong, f"an entry is no receipt: {odd[:80]!r}"]
    if len(set(entries)) != len(entries):
        wrong.append("an entry stands in the list twice")
    if len(entries) != draw.count:
        wrong.append(f"{draw.count} entries were announced, and {len(entries)} are listed")
    if root(entries) != draw.root:
        wrong.append("the entries are not those that were frozen: the root differs")
    recomputed = drawn_order(seed, entries, draw.beacon)
    moved = next(
        (place for place, pair in enumerate(zip(entries, recomputed, strict=True), 1) if pair[0] != pair[1]), 0
    )
    if moved:
        wrong.append(f"the order is not the seed's: it differs from place {moved} on")
    return wrong
