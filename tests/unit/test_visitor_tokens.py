"""R8: tokens that are wrong, or too long, are not remembered."""

from __future__ import annotations

import tracemalloc

from web.security import Visitors


def test_wrong_and_long_tokens_cost_no_memory() -> None:
    """3,000 requests grew a process by 170 MB."""
    visitors = Visitors("a secret of the tests")
    good = visitors.token(visitors.new())
    assert visitors.check(good)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(3_000):
        assert visitors.check(f"v_{number:022}.{'x' * 43}") is None
        assert visitors.check(f"{number}{'x' * 60_000}") is None
        assert visitors.check(f"{good}{number:010}") is None
        assert visitors.check(f"é{number}") is None
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 200_000
    assert visitors.check(good)
    assert visitors._good.cache_info().currsize == 1


def test_the_longest_token_is_longer_than_ours() -> None:
    visitors = Visitors("a secret of the tests")
    assert len(visitors.token(visitors.new())) == 68
