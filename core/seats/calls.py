"""What stands for one call that changes a basket, so that the same call made again gets the first answer (R5)."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

# Baskets keep it as letters (seats.lua); it only tells the calls of one visitor apart.
_LETTERS: Final = 8
_DIGITS_AS_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")


def new_call() -> str:
    """For a call that nobody can repeat."""
    return secrets.token_hex(_LETTERS // 2).translate(_DIGITS_AS_LETTERS)


def call_named(*parts: str) -> str:
    """For a call that its caller names: the same parts, the same letters."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return digest[:_LETTERS].translate(_DIGITS_AS_LETTERS)
