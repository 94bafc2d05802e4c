"""Rule 8: what a process remembers of callers, pages and plans stays within its bound."""

from __future__ import annotations

from core.process.bounded import Bounded


def test_the_one_kept_longest_ago_goes() -> None:
    kept: Bounded[str, int] = Bounded(2)
    for number, key in enumerate("abac"):
        kept.keep(key, number)
    assert list(kept.items()) == [("a", 2), ("c", 3)]


def test_a_look_that_counts_as_a_use_keeps_it() -> None:
    kept: Bounded[str, int] = Bounded(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    kept.move_to_end("a")
    kept.keep("c", 3)
    assert list(kept) == ["a", "c"]
