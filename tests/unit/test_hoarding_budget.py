"""F5: the figures of the budget. The accounts themselves: tests/integration/test_hoarding.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.seats.hoarding import HoardingBudget
from core.settings import Settings

seconds = st.integers(1, 3600)


@given(seconds, st.floats(5, 540), st.integers(0, 3), st.integers(1, 100))
def test_by_default_a_visitor_has_two_full_baskets_and_a_network_sixty_four(
    hold: int, window: float, extensions: int, seats: int
) -> None:
    settings = Settings()
    budget = HoardingBudget(window, settings.hoarding_baskets, settings.hoarding_visitors, settings.cool_down_seconds)
    longest, own, network, _ = map(int, budget.figures(hold, extensions, seats).split("|"))
    full = seats * longest
    assert longest == int((hold * (1 + extensions) + window) * 1000)
    # One full basket, and a second one that is not quite full, are below it; the second full one is what uses it up.
    assert full < own
    assert abs(own - 2 * full) <= 2 * seats
    assert abs(network - 64 * full) <= 64 * seats


@given(seconds, st.integers(1, 100))
def test_nothing_is_no_limit(hold: int, seats: int) -> None:
    _, own, network, _ = HoardingBudget(5, baskets=0).figures(hold, 1, seats).split("|")
    assert (own, network) == ("inf", "inf")
    _, own, network, _ = HoardingBudget(5, visitors=0).figures(hold, 1, seats).split("|")
    assert own != "inf"
    assert network == "inf"
