"""Quantiles of the last minute out of a histogram that only grows."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.figures.windows import Window, quantile
from core.upkeep.memory_redis import node_memory

BOUNDS = (0.01, 0.1, 1.0, math.inf)


def buckets(values: list[float]) -> dict[float, float]:
    return {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}


@given(values=st.lists(st.floats(0, 0.99), min_size=1, max_size=100), share=st.sampled_from([0.5, 0.95, 1.0]))
@example(values=[0.5] * 13, share=1.0)
def test_the_quantile_is_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    found = quantile(buckets(values), share)
    assert found is not None
    upper = next(bound for bound in BOUNDS if true <= bound)
    lower = max((bound for bound in BOUNDS if bound < upper), default=0.0)
    assert lower <= found <= upper


def test_nothing_seen_is_no_figure() -> None:
    assert quantile(buckets([]), 0.5) is None
    assert quantile({}, 0.5) is None


def test_beyond_the_last_bound_that_bound_is_given() -> None:
    assert quantile(buckets([5.0, 6.0]), 0.95) == 1.0


@given(batches=st.lists(st.lists(st.floats(0, 2), max_size=20), min_size=2, max_size=20))
def test_a_window_counts_what_was_added_within_it(batches: list[list[float]]) -> None:
    """A look each 10 s, a window of 30 s: the last three batches, whatever was before."""
    window, all_values, last = Window(30.0, 0.95), [], None
    for step, batch in enumerate(batches):
        all_values += batch
        last = window.look(buckets(all_values), 10.0 * step)
    assert last is not None
    assert last.seconds == min(30.0, 10.0 * (len(batches) - 1))
    counted = batches[1:] if len(batches) <= 4 else batches[-3:]
    assert last.count == sum(len(batch) for batch in counted)


@pytest.mark.parametrize(
    ("memory", "policy"),
    [
        ({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, None),
        ({"maxmemory": 1 << 30, "maxmemory_policy": "noeviction"}, None),
        ({"maxmemory": 1 << 30, "maxmemory_policy": "allkeys-lru"}, "allkeys-lru"),
        ({"maxmemory": 1 << 30, "maxmemory_policy": "volatile-ttl"}, "volatile-ttl"),
        ({}, None),
    ],
)
def test_a_policy_that_throws_holds_away_is_named(memory: dict[str, object], policy: str | None) -> None:
    """S11: a hold and a lock have a TTL, so that `volatile-*` evicts them first of all."""
    node = node_memory("redis", {"used_memory": 1, **memory})
    assert (node.policy if node.evicts else None) == policy
