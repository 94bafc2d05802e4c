"""Do the API, PostgreSQL, the boards and the payment simulator tell the same story? Pure.

`differences` names every difference. A run without any has shown rules 1, 2 and 6 for its visitors: no seat sold twice,
no charge without a ticket or its cancellation, and boards that are the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cli.load.funnel import End
from core.seats.board import STATE_OF_STATUS, SeatState


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is stable, for programs; `text` is for people."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A reservation in PostgreSQL. `seats` are those it was made for, `live` those it still has.

    `settled`: its payment is at an end.
    """

    id: str
    visitor: str
    status: str
    amount: int
    seats: tuple[int, ...]
    live: tuple[int, ...]
    settled: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """One order in a payment simulator's ledger: `order_id` is the order number, `HEX OF THE RESERVATION` + `aN`."""

    provider: str
    order_id: str
    amount: int
    charged: bool
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """What was read when all was over.

    `seats`: status by ordinal; `reservations`: all of the event; `ledger`: None where it could not be read.
    `boards`: name -> one byte a seat. `own_event`: nobody but the rush's visitors used the event.
    """

    seats: Sequence[str]
    reservations: Sequence[Row]
    boards: Mapping[str, bytes]
    ledger: Sequence[Charge] | None
    own_event: bool


#: Digits of a reservation's id without hyphens.
_HEX: Final = 32
#: Ordinals or ids named in one line, at most.
_NAMED = 5


def differences(ends: Sequence[End], truth: Truth) -> list[Difference]:
    """Every difference, the worst first; none when all agree."""
    return [
        *_sold_once(truth),
        *_told_sold_once(ends),
        *_told_as_written(ends, truth),
        *_ended(ends, truth),
        *_charged(ends, truth),
        *(
            difference
            for name, states in truth.boards.items()
            for difference in board_differences(name, states, truth.seats, others=not truth.own_event)
        ),
    ]


def _sold_once(truth: Truth) -> Iterator[Difference]:
    """Rule 1, inside PostgreSQL: a sold seat has exactly one confirmed reservation, and the other way round."""
    owners = Counter(seat for row in truth.reservations if row.status == "CONFIRMED" for seat in row.seats)
    twice = sorted(seat for seat, count in owners.items() if count > 1)
    if twice:
        yield Difference("oversold", f"{_seats(twice)} sold more than once in the database")
    live = Counter(seat for row in truth.reservations for seat in row.live)
    crowded = sorted(seat for seat, count in live.items() if count > 1 and seat not in twice)
    if crowded:
        yield Difference("oversold", f"{_seats(crowded)} in more than one live reservation")
    sold = {seat for seat, status in enumerate(truth.seats) if status == "SOLD"}
    orphans = sorted(sold - owners.keys())
    if orphans:
        yield Difference("sold_without_reservation", f"{_seats(orphans)} sold without a confirmed reservation")
    unsold = sorted(owners.keys() - sold)
    if unsold:
        yield Difference("ticket_without_seat", f"{_seats(unsold)} confirmed to a buyer, but not sold in the database")


def _told_sold_once(ends: Sequence[End]) -> Iterator[Difference]:
    told = Counter(seat for end in ends if end.status == "CONFIRMED" for seat in end.seats)
    twice = sorted(seat for seat, count in told.items() if count > 1)
    if twice:
        yield Difference("oversold", f"the API confirmed {_seats(twice)} to more than one visitor")


def _told_as_written(ends: Sequence[End], truth: Truth) -> Iterator[Difference]:
    """What the API said last about each reservation is what PostgreSQL says."""
    rows = {row.id: row for row in truth.reservations}
    for end in ends:
        if end.reservation is None:
            continue
        row = rows.get(end.reservation)
        if row is None:
            yield Difference("api_and_database", f"reservation {end.reservation} is not in the database")
        elif row.status != end.status:
            yield Difference(
                "api_and_database", f"reservation {row.id}: the API said {end.status}, the database {row.status}"
            )
        elif sorted(row.seats) != sorted(end.seats):
            yield Difference(
                "api_and_database",
                f"reservation {row.id}: the API said {_seats(end.seats)}, the database {_seats(row.seats)}",
            )
        elif row.amount != end.amount:
            yield Difference(
                "api_and_database", f"reservation {row.id}: the API said {end.amount}, the database {row.amount}"
            )


def _ended(ends: Sequence[End], truth: Truth) -> Iterator[Difference]:
    """Every reservation of the rush is at an end, and its payment too."""
    visitors = {end.visitor for end in ends}
    ours = [row for row in truth.reservations if row.visitor in visitors]
    left = [row for row in ours if row.status == "PAYING" or not row.settled]
    if left:
        kinds = Counter("under way" if row.status == "PAYING" else "with a payment to settle" for row in left)
        named = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        yield Difference("not_ended", f"reservations left: {named} (first: {left[0].id})")


def _charged(ends: Sequence[End], truth: Truth) -> Iterator[Difference]:
    """Rule 2: charges = confirmed + cancelled, one for each ticket, of the right amount."""
    if truth.ledger is None:
        return
    visitors = {end.visitor for end in ends}
    ours = {row.id: row for row in truth.reservations if truth.own_event or row.visitor in visitors}
    kept: Counter[str] = Counter()
    for charge in truth.ledger:
        row = ours.get(reservation_of(charge.order_id))
        if row is None or not charge.charged or charge.cancelled:
            continue
        kept[row.id] += 1
        if row.status != "CONFIRMED":
            yield Difference(
                "charged_without_ticket",
                f"{charge.provider} charged {charge.amount} for {row.id}, which is {row.status}",
            )
        elif charge.amount != row.amount:
            yield Difference(
                "wrong_amount", f"{charge.provider} charged {charge.amount} for {row.id}, not {row.amount}"
            )
    for id_, count in kept.items():
        if count > 1:
            yield Difference("charged_twice", f"{id_} was charged {count} times")
    free = [row.id for row in ours.values() if row.status == "CONFIRMED" and not kept[row.id]]
    if free:
        yield Difference("ticket_without_charge", f"{_named(free)} confirmed, but nothing is charged")


def reservation_of(order: str) -> str:
    """The reservation's id of an order number; the text itself when it is none of ours."""
    try:
        return str(UUID(order[:_HEX]))
    except ValueError:
        return order


def board_differences(name: str, states: bytes, seats: Sequence[str], *, others: bool) -> Iterator[Difference]:
    """A board against PostgreSQL. `others`: there are other visitors, who may hold seats: PostgreSQL knows no holds."""
    if len(states) != len(seats):
        yield Difference("board", f"{name} has {len(states)} seats, the database {len(seats)}")
        return
    wrong = [
        ordinal
        for ordinal, (state, status) in enumerate(zip(states, seats, strict=True))
        if state != STATE_OF_STATUS[status] and not (others and status == "AVAILABLE" and state == SeatState.HELD)
    ]
    if wrong:
        first = wrong[0]
        shown = SeatState(states[first]).name.lower() if states[first] in set(SeatState) else states[first]
        yield Difference(
            "board", f"{name} is not the truth for {_seats(wrong)}: it shows {shown}, the database {seats[first]}"
        )


def _seats(ordinals: Sequence[int]) -> str:
    return f"seat{'' if len(ordinals) == 1 else 's'} {_named([str(ordinal) for ordinal in ordinals])}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
