"""Whether a rush agrees with the truth (S35; rules 1, 2 and 6): each kind of disagreement is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cli.load.funnel import End, Outcome
from cli.load.verdict import Charge, Row, Truth, differences, reservation_of

ANNA, BELA, CHEN = "v_anna", "v_bela", "v_chen"


def ends() -> list[End]:
    """Anna bought seat 0, Bela was declined for seat 1, Chen never saw a free seat."""
    return [
        End(Outcome.TICKET, visitor=ANNA, reservation="r-1", status="CONFIRMED", seats=(0,), amount=100),
        End(Outcome.DECLINED, visitor=BELA, reservation="r-2", status="FAILED", seats=(1,), amount=100),
        End(Outcome.TAKEN, visitor=CHEN),
    ]


def truth() -> Truth:
    return Truth(
        seats=["SOLD", "AVAILABLE", "BLOCKED"],
        reservations=[
            Row("r-1", ANNA, "CONFIRMED", 100, (0,), (0,), True),
            Row("r-2", BELA, "FAILED", 100, (1,), (), True),
        ],
        boards={"api": bytes([2, 0, 3]), "watcher": bytes([2, 0, 3])},
        ledger=[Charge("toss", "r-1", 100, True, False), Charge("toss", "r-2", 100, False, False)],
        own_event=True,
    )


def kinds(told: Sequence[End], known: Truth) -> set[str]:
    return {difference.kind for difference in differences(told, known)}


def with_row(number: int, **changes: Any) -> Truth:
    rows = list(truth().reservations)
    rows[number] = replace(rows[number], **changes)
    return replace(truth(), reservations=rows)


def test_agreement_has_no_differences() -> None:
    assert differences(ends(), truth()) == []


def test_a_seat_in_two_confirmed_reservations_is_oversold() -> None:
    """Rule 1."""
    twice = with_row(1, status="CONFIRMED", seats=(0,), live=(0,))
    assert "oversold" in kinds(ends(), twice)


def test_a_seat_in_two_live_reservations_is_oversold() -> None:
    """Rule 1, while the second is still being paid for."""
    assert "oversold" in kinds(ends(), with_row(1, status="PAYING", seats=(0,), live=(0,)))


def test_the_api_confirming_a_seat_to_two_visitors_is_oversold() -> None:
    told = ends()
    told[1] = replace(told[1], status="CONFIRMED", seats=(0,))
    assert "oversold" in kinds(told, truth())


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        (replace(truth(), seats=["AVAILABLE", "AVAILABLE", "BLOCKED"]), "ticket_without_seat"),
        (replace(truth(), seats=["SOLD", "SOLD", "BLOCKED"]), "sold_without_reservation"),
        (with_row(0, status="FAILED"), "api_and_database"),
        (with_row(0, seats=(2,)), "api_and_database"),
        (with_row(0, amount=99), "api_and_database"),
        (replace(truth(), reservations=truth().reservations[:1]), "api_and_database"),
        (with_row(1, status="PAYING"), "not_ended"),
        (with_row(1, settled=False), "not_ended"),
        (replace(truth(), boards={"api": bytes([0, 0, 3])}), "board"),
        (replace(truth(), boards={"api": bytes([2, 1, 3])}), "board"),
        (replace(truth(), boards={"api": bytes([2, 0])}), "board"),
        (replace(truth(), boards={"api": bytes([2, 0, 9])}), "board"),
    ],
)
def test_each_disagreement_with_the_database_is_named(known: Truth, kind: str) -> None:
    assert kind in kinds(ends(), known)


@pytest.mark.parametrize(
    ("ledger", "kind"),
    [
        ([], "ticket_without_charge"),
        ([Charge("toss", "r-1", 100, True, True)], "ticket_without_charge"),
        ([Charge("toss", "r-1", 90, True, False)], "wrong_amount"),
        ([Charge("toss", "r-1", 100, True, False), Charge("toss", "r-2", 100, True, False)], "charged_without_ticket"),
        ([Charge("toss", "r-1", 100, True, False), Charge("kcp", "r-1", 100, True, False)], "charged_twice"),
    ],
)
def test_each_disagreement_with_the_ledger_is_named(ledger: list[Charge], kind: str) -> None:
    """Rule 2: charges = confirmed + cancelled."""
    assert kinds(ends(), replace(truth(), ledger=ledger)) == {kind}


def test_a_cancelled_charge_of_a_failed_reservation_is_right() -> None:
    ledger = [Charge("toss", "r-1", 100, True, False), Charge("toss", "r-2", 100, True, True)]
    assert differences(ends(), replace(truth(), ledger=ledger)) == []


def test_a_ledger_that_cannot_be_read_is_not_judged() -> None:
    assert differences(ends(), replace(truth(), ledger=None)) == []


def test_orders_of_others_are_not_judged() -> None:
    """The ledger is the installation's; the event may have other buyers."""
    other = Row("r-9", "v_other", "CONFIRMED", 100, (1,), (1,), True)
    shared = replace(
        truth(),
        own_event=False,
        reservations=[*truth().reservations, other],
        seats=["SOLD", "SOLD", "BLOCKED"],
        boards={"api": bytes([2, 2, 3])},
    )
    assert differences(ends(), shared) == []


@pytest.mark.parametrize(("own_event", "expected"), [(True, {"board"}), (False, set())])
def test_holds_of_others_are_no_difference(own_event: bool, expected: set[str]) -> None:
    """PostgreSQL knows no holds: on a shared event a held seat may be somebody's; on an own one all have left."""
    held = replace(truth(), boards={"api": bytes([2, 1, 3])}, own_event=own_event)
    assert kinds(ends(), held) == expected


def test_a_sold_seat_shown_as_held_is_a_difference_on_any_event() -> None:
    shown = replace(truth(), boards={"api": bytes([1, 0, 3])}, own_event=False)
    assert kinds(ends(), shown) == {"board"}


def test_many_seats_are_named_in_a_short_line() -> None:
    seats = ["AVAILABLE"] * 2000
    nothing = Truth(seats=seats, reservations=[], boards={"api": bytes([2] * 2000)}, ledger=None, own_event=True)
    (only,) = differences([], nothing)
    assert "seats 0, 1, 2, 3, 4 and 1995 more" in only.text


def test_the_worst_comes_first() -> None:
    bad: Callable[[Truth], Truth] = lambda known: replace(known, boards={"api": bytes([0, 0, 0])})  # noqa: E731
    found = differences(ends(), bad(with_row(1, status="CONFIRMED", seats=(0,), live=(0,))))
    assert found[0].kind == "oversold"
    assert found[-1].kind == "board"


def test_an_order_number_names_its_reservation() -> None:
    """The reservation's id without hyphens, and which attempt; the id itself before there were attempts."""
    id_ = "0f8fad5b-d9cb-469f-a165-70867728950e"
    for order in (f"{id_.replace('-', '')}a1", f"{id_.replace('-', '')}a12", id_):
        assert reservation_of(order) == id_
    assert reservation_of("somebody else's order") == "somebody else's order"


def test_two_attempts_that_both_kept_money_are_a_double_charge() -> None:
    id_ = "0f8fad5b-d9cb-469f-a165-70867728950e"
    truth = agreeing_truth_of(id_)
    assert not [one for one in differences([], truth) if one.kind == "charged_twice"]
    again = replace(truth, ledger=[*(truth.ledger or []), Charge("kcp", f"{id_.replace('-', '')}a2", 100, True, False)])
    assert [one.kind for one in differences([], again)] == ["charged_twice"]


def agreeing_truth_of(id_: str) -> Truth:
    row = Row(id=id_, visitor="v", status="CONFIRMED", amount=100, seats=(0,), live=(0,), settled=True)
    charge = Charge("toss", f"{id_.replace('-', '')}a1", 100, True, False)
    return Truth(seats=["SOLD"], reservations=[row], boards={}, ledger=[charge], own_event=True)
