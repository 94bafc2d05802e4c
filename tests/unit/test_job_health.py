"""R1: a job is judged by its last success, and no store that is away makes it late."""

from __future__ import annotations

import pytest

from core.process.job_health import Answering, late_after


@pytest.mark.parametrize(
    ("every", "limit", "seconds"), [(1, 10, 15), (1, 1, 6), (300, 30, 900), (300, 1800, 1805)], ids=str
)
def test_a_job_is_late_after_three_periods_and_never_before_its_limit(
    every: float, limit: float, seconds: float
) -> None:
    assert late_after(every, limit) == seconds


def test_the_time_begins_with_the_last_success() -> None:
    stores = Answering(began=0)
    stores.answered("redis", 1)
    assert stores.waited(80, {"redis"}, 100) == 20
    assert stores.waited(None, {"redis"}, 100) == 99


def test_who_judges_begins_to_count_when_it_begins() -> None:
    """An installation that was stopped for an hour is not late in its first second."""
    assert Answering(began=100).waited(5, (), 101) == 1


def test_a_store_that_is_away_makes_nothing_late_and_gives_the_whole_time_again() -> None:
    stores = Answering(began=0)
    for name in ("redis", "database"):
        stores.answered(name, 0)
    stores.silent("database")
    assert stores.waited(0, {"redis", "database"}, 100) == 0
    assert stores.waited(0, {"redis"}, 100) == 100
    stores.answered("database", 90)
    stores.answered("database", 95)
    assert stores.waited(0, {"redis", "database"}, 100) == 10
    assert stores.waited(0, {"kafka"}, 100) == 0, "a store that nobody asks is not judged by"
