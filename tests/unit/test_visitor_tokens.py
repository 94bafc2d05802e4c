"""Visitor tokens have an end (F4), are renewed, and cost no memory when they are wrong (R8)."""

from __future__ import annotations

import hashlib
import math
import re
import tracemalloc

import pytest
from itsdangerous import BadSignature, Signer

from tests.manual_clock import ManualClock
from web.visitors import FRESH_HOURS, TOKEN_DAYS, Visitors

SECRET = "a secret of the tests"
HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(epoch=1_800_000_000.0)


@pytest.fixture
def visitors(clock: ManualClock) -> Visitors:
    return Visitors(SECRET, clock)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def undated(visitor: str) -> str:
    """A token as it was before."""
    return (
        Signer(SECRET, salt="onsale.visitor", key_derivation="hmac", digest_method=hashlib.sha256)
        .sign(visitor)
        .decode()
    )


def of_before(token: str) -> str:
    """The check of a process that dates no tokens. Raises BadSignature."""
    if len(token) > 100:
        raise BadSignature("too long")
    signer = Signer(SECRET, salt="onsale.visitor", key_derivation="hmac", digest_method=hashlib.sha256)
    visitor = signer.unsign(token).decode()
    if not re.fullmatch(r"v_[A-Za-z0-9_-]{22}", visitor):
        raise BadSignature("no visitor")
    return visitor


def test_wrong_and_long_tokens_cost_no_memory(visitors: Visitors) -> None:
    """3,000 requests grew a process by 170 MB."""
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


def test_the_longest_token_is_longer_than_ours(visitors: Visitors) -> None:
    assert len(visitors.token(visitors.new())) == 99


def test_a_token_is_enough_for_a_new_place_for_a_day_and_says_who_for_400(
    visitors: Visitors, clock: ManualClock
) -> None:
    visitor = visitors.new()
    token = visitors.token(visitor)
    for seconds, fresh in ((0, True), (FRESH_HOURS * HOUR, True), (1, False), ((TOKEN_DAYS - 1) * DAY - 1, False)):
        clock.advance(seconds)
        known = visitors.of(bearer(token))
        assert known is not None
        assert (known.id, known.fresh) == (visitor, fresh)
    clock.advance(1)
    assert visitors.of(bearer(token)) is None, "remembered tokens end as well"


def test_its_moment_is_signed(visitors: Visitors, clock: ManualClock) -> None:
    token = visitors.token(visitors.new())
    clock.advance(30 * DAY)
    undated, moment = token.split("=")
    at, proof = moment[:8], moment[8:]
    for other in (
        f"{int(at, 16) + 30 * 86_400:08x}{proof}",
        "",
        at,
        proof,
        f"{at}{proof[:-1]}",
        f"{moment}=",
        f"{at}é",
    ):
        assert visitors.check(f"{undated}={other}") is None
    neighbour = visitors.token(visitors.new())
    assert visitors.check(f"{undated}={neighbour.split('=')[1]}") is None, "the moment is of one visitor"
    assert visitors.check(undated) is not None, "as one of before: of no known age"
    assert visitors.of(bearer(undated)).fresh is False  # type: ignore[union-attr]


def test_a_process_of_before_knows_the_visitor(visitors: Visitors) -> None:
    """In a rolling update it would else make a new visitor, and overwrite the cookie of one who has bought."""
    visitor = visitors.new()
    assert of_before(visitors.token(visitor)) == visitor
    assert of_before(undated(visitor)) == visitor
    with pytest.raises(BadSignature):
        of_before(f"{visitor}.{visitors.token(visitor).split('=')[1]}")


def test_tokens_of_before_say_who_but_take_no_new_place(visitors: Visitors, clock: ManualClock) -> None:
    visitor = visitors.new()
    known = visitors.of(bearer(undated(visitor)))
    assert known is not None
    assert (known.id, known.fresh, known.age) == (visitor, False, math.inf)
    clock.advance(400 * DAY)  # beyond the last day of 2027
    assert visitors.of(bearer(undated(visitor))) is None


def test_a_clock_that_was_ahead_takes_nothing_away(visitors: Visitors, clock: ManualClock) -> None:
    """Within a minute nobody feels it; beyond it the token is renewed before it takes a new place."""
    clock.advance(59)
    near = visitors.token(visitors.new())
    clock.advance(DAY)
    far = visitors.token(visitors.new())
    clock.advance(-DAY - 59)
    assert [visitors.of(bearer(token)).fresh for token in (near, far)] == [True, False]  # type: ignore[union-attr]
