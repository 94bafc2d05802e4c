"""S10: the active limit computed and following load; pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.waiting_room.limit import Capacity, Load, LoadFollower

share = st.one_of(st.none(), st.floats(0, 1))
loads = st.builds(
    Load,
    cpu=share,
    memory=share,
    pool=share,
    payment_seconds=st.one_of(st.none(), st.floats(0, 20)),
    payment_away=st.booleans(),
)


def test_the_sources_example() -> None:
    assert Capacity(cores=8, per_core=20, safety=2).limit() == 80


def test_the_pool_caps_each_instance() -> None:
    assert Capacity(cores=64, pool=4, per_connection=10, instances=2).limit() == 80
    assert Capacity(cores=1, per_core=0.1).limit() == 1


def test_it_falls_at_once_and_rises_slowly() -> None:
    follower = LoadFollower()
    assert follower.decide(Load(cpu=0.71), 0).reason.startswith("CPU 71%")
    assert follower.share == 0.8
    assert follower.decide(Load(cpu=0.9), 4).reason == ""  # a pause between two changes
    assert follower.decide(Load(cpu=0.9), 5).share == 0.8 * 0.8
    # Between calm and high nothing moves: hysteresis.
    assert follower.decide(Load(cpu=0.65), 100).reason == ""
    assert follower.decide(Load(cpu=0.65), 1000).share == 0.8 * 0.8
    assert follower.decide(Load(cpu=0.2), 1001).reason == ""
    assert follower.decide(Load(cpu=0.2), 1030).reason == ""
    assert follower.decide(Load(cpu=0.2), 1031).reason == "load is calm"
    assert follower.share == 0.8 * 0.8 + 0.1


def test_nobody_is_let_in_while_payment_is_away() -> None:
    follower = LoadFollower()
    assert follower.decide(Load(payment_away=True), 0).reason == "payment is away"
    assert follower.decide(Load(payment_away=True), 1).share == 0
    back = follower.decide(Load(), 2)
    assert back.reason == "payment is back"
    assert back.share == 0.5


@given(st.lists(st.tuples(loads, st.floats(0, 60)), max_size=60))
def test_it_stays_in_its_bounds_and_says_why(history: list[tuple[Load, float]]) -> None:
    follower, now, before = LoadFollower(), 0.0, 1.0
    for load, pause in history:
        now += pause
        decision = follower.decide(load, now)
        assert decision.share == 0 if load.payment_away else 0.1 <= decision.share <= 1.0
        assert bool(decision.reason) == (decision.share != before)
        before = decision.share


@given(st.lists(st.floats(0, 0.59), min_size=1, max_size=50))
def test_calm_readings_always_lead_back_to_the_full_limit(readings: list[float]) -> None:
    follower = LoadFollower(share=0.1)
    now = 0.0
    for _ in range(20):
        for cpu in readings:
            now += 31
            follower.decide(Load(cpu=cpu), now)
    assert follower.share == 1.0
