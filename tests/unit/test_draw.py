"""The draw can be recomputed by anybody, and every lie about it is found (F1, F2)."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.waiting_room import draw

SEED = bytes(range(32))


def entries(count: int) -> list[str]:
    return [draw.receipt(f"{n:032x}", f"{n + 1:032x}") for n in range(count)]


def published(receipts: list[str], *, beacon: str = "", seed: bytes = SEED) -> tuple[draw.PublishedDraw, list[str]]:
    order = draw.drawn_order(seed, receipts, beacon)
    about = draw.PublishedDraw(
        draw.ALGORITHM, draw.commitment(seed), seed.hex(), draw.root(receipts), len(receipts), beacon
    )
    return about, order


def test_the_algorithm_is_the_one_that_is_written_down() -> None:
    """`onsale-draw-1`, spelled out once more from its description alone (F2)."""
    receipts = entries(5)
    root = hashlib.sha256("".join(f"{entry}\n" for entry in sorted(receipts)).encode()).hexdigest()
    key = {entry: hmac.new(SEED, f"{root}\nbeacon\n{entry}".encode(), hashlib.sha256).hexdigest() for entry in receipts}
    assert draw.drawn_order(SEED, receipts, "beacon") == sorted(receipts, key=lambda entry: key[entry])
    assert draw.root(receipts) == root
    assert draw.commitment(SEED) == hashlib.sha256(SEED).hexdigest()
    nonce, salt = "00" * 16, "ff" * 16
    assert draw.receipt(nonce, salt) == hashlib.sha256(bytes(16) + b"\xff" * 16).hexdigest()


@given(st.permutations(entries(8)), st.binary(min_size=32, max_size=32), st.text(max_size=20))
def test_the_order_in_which_people_came_changes_nothing(came: list[str], seed: bytes, beacon: str) -> None:
    assert draw.drawn_order(seed, came, beacon) == draw.drawn_order(seed, sorted(came), beacon)


@pytest.mark.parametrize("beacon", ["", "8b1a"])
def test_an_honest_draw_holds(beacon: str) -> None:
    about, order = published(entries(50), beacon=beacon)
    assert draw.differences(about, order) == []
    assert draw.differences(*published([])) == []


def test_every_lie_is_found() -> None:
    about, order = published(entries(50))
    swapped = [order[1], order[0], *order[2:]]
    assert "differs from place 1 on" in draw.differences(about, swapped)[0]
    assert any("announced" in wrong for wrong in draw.differences(about, order[:-1]))
    assert any("root" in wrong for wrong in draw.differences(about, [*order[:-1], draw.receipt("ab" * 16, "cd" * 16)]))
    assert any("twice" in wrong for wrong in draw.differences(about, [*order[:-1], order[0]]))
    other = bytes(32)
    assert any("committed" in wrong for wrong in draw.differences(replace(about, seed=other.hex()), order))
    assert draw.differences(replace(about, beacon="another"), order)
    assert draw.differences(replace(about, seed="zz"), order) == ["the seed is no hexadecimal text"]
    assert "bytes instead of" in draw.differences(replace(about, seed="00"), order)[0]
    assert "no receipt" in draw.differences(about, ["x", *order[1:]])[-1]
    assert "can be checked here" in draw.differences(replace(about, algorithm="other"), order)[0]


def test_over_ten_thousand_seeds_every_place_is_equally_likely() -> None:
    """Chi-square over all places of all entries: 9 entries, 64 degrees of freedom, far below one in a million."""
    receipts = entries(9)
    counts = {entry: [0] * 9 for entry in receipts}
    source = random.Random(2026)
    rounds = 10_000
    for _ in range(rounds):
        for place, entry in enumerate(draw.drawn_order(source.randbytes(32), receipts)):
            counts[entry][place] += 1
    expected = rounds / 9
    chi_square = sum((seen - expected) ** 2 / expected for row in counts.values() for seen in row)
    assert chi_square < 134, chi_square  # the quantile 1 - 10^-6 of chi-square with 64 degrees of freedom


@pytest.mark.parametrize("text", ["", "00", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n"])
def test_what_is_no_nonce_is_refused(text: str) -> None:
    assert not draw.is_nonce(text)
    assert draw.is_nonce(draw.new_nonce())
