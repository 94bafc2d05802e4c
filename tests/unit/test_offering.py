"""Which wish gets which seats (F10): order of joining, groups whole, one offer an address, nothing given twice."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from core.waiting_list.offering import Returned, Wanted, offers


def seat(n: int, category: str = "A", run: int = 0, place: int | None = None, *, by_name: bool = False) -> Returned:
    return Returned(100 + n, n, category, run, n if place is None else place, by_name)


def wish(seats: int, category: str | None = None, address: str = "", passed: frozenset[int] = frozenset()) -> Wanted:
    id = uuid4()
    return Wanted(id, seats, category, address or str(id), passed)


def given_to(made: object) -> dict[UUID, tuple[int, ...]]:
    return {one.wish: tuple(s.ordinal for s in one.seats) for one in made}  # type: ignore[attr-defined]


def test_the_first_whose_wish_it_meets() -> None:
    """A group is never split, and who wants one is not kept waiting by it."""
    pair, single, later = wish(2), wish(1), wish(1)
    assert given_to(offers([seat(5)], [pair, single, later])) == {single.id: (5,)}
    assert given_to(offers([seat(5), seat(6), seat(9)], [pair, single, later])) == {pair.id: (5, 6), single.id: (9,)}


def test_seats_side_by_side_first() -> None:
    """From the smallest gap that they fit into; apart only where nothing is together."""
    two = wish(2)
    assert given_to(offers([seat(1), seat(3), seat(4), seat(5), seat(8), seat(9)], [two])) == {two.id: (8, 9)}
    assert given_to(offers([seat(1), seat(2, run=1)], [two])) == {two.id: (1, 2)}
    assert given_to(offers([seat(1), seat(3), seat(4), seat(5)], [wish(1, address="x"), two]))[two.id] == (3, 4)


def test_categories_addresses_and_what_was_passed_on() -> None:
    any_, of_b, none = wish(1), wish(1, "B"), wish(1, "C")
    assert given_to(offers([seat(1), seat(2, "B")], [none, of_b, any_])) == {of_b.id: (2,), any_.id: (1,)}
    first, second = wish(1, address="x@y"), wish(1, address="x@y")
    assert given_to(offers([seat(1), seat(2)], [first, second])) == {first.id: (1,)}
    passed = wish(1, passed=frozenset({101}))
    assert offers([seat(1)], [passed]) == []
    wheelchair = seat(1, "W", by_name=True)
    assert offers([wheelchair], [wish(1)]) == []
    named = wish(1, "W")
    assert given_to(offers([wheelchair], [named])) == {named.id: (1,)}


def test_no_more_than_the_phase_may_sell() -> None:
    two, one = wish(2), wish(1)
    assert given_to(offers([seat(1), seat(2), seat(3)], [two, one], room=1)) == {one.id: (1,)}
    assert offers([seat(1)], [one], room=0) == []


_seats = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from("AB"), st.integers(0, 3)), unique_by=lambda s: s[0], max_size=12
)
_wishes = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([None, "A", "B"]),
        st.sampled_from("vwxyz"),
        st.sets(st.integers(100, 140), max_size=4),
    ),
    max_size=10,
)


@given(_seats, _wishes, st.one_of(st.none(), st.integers(0, 8)))
def test_what_always_holds(
    seats: list[tuple[int, str, int]], wanted: list[tuple[int, str | None, str, set[int]]], room: int | None
) -> None:
    there = [seat(n, category, run) for n, category, run in seats]
    wishes = [wish(n, category, address, frozenset(passed)) for n, category, address, passed in wanted]
    made = offers(there, wishes, room)
    by_id = {one.id: one for one in wishes}
    handed = [s.id for one in made for s in one.seats]
    assert len(handed) == len(set(handed))
    assert set(handed) <= {s.id for s in there}
    assert all(len(one.seats) == by_id[one.wish].seats for one in made)
    assert all(by_id[one.wish].takes(s) for one in made for s in one.seats)
    assert len({by_id[one.wish].address for one in made}) == len(made)
    assert room is None or len(handed) <= room
    order = [wishes.index(by_id[one.wish]) for one in made]
    assert all(a < b for a, b in pairwise(order))
    # Nobody is passed over whom the seats that were left for later ones could have met.
    served = {by_id[one.wish].address for one in made}
    left = None if room is None else room - len(handed)
    for number, one in enumerate(wishes):
        if one.address in served:
            continue
        later = [s for m in made if wishes.index(by_id[m.wish]) > number for s in m.seats]
        rest = [s for s in there if s.id not in handed]
        fits = [s for s in [*rest, *later] if one.takes(s)]
        assert len(fits) < one.seats or (left is not None and one.seats > left + len(later))
