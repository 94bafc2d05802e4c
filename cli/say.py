"""What a command tells beside its result: one line on stderr, which begins with the program's name."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Line breaks in it become spaces."""
    print(f"onsale: {' '.join(text.split())}", file=sys.stderr, flush=True)
