"""Checking a seat plan while others are served: a large one in a process of its own, with an end.

100,000 seats take most of a second, in which nothing else of the same process would move.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.errors import PlanInvalid
from core.process.apart import apart
from core.sentences import said
from core.venue.new_event import NewEvent, check_new_event
from core.venue.plan_body import digest, plan_body
from core.venue.plan_document import parse_document
from core.venue.plan_import import build_plan, load_plan, relabelled, seats_by_category
from core.venue.plan_problems import problem
from core.venue.seat_plan import PlanWarning

#: Bytes of a plan that is checked on the spot, in some ten milliseconds.
SMALL: Final = 500_000
#: Seconds. The largest plan that is taken needs about five.
_LONGEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """What is written of a plan when its sale is made. `seats`: in ordinal order, as `SEAT_COLUMNS` names them.

    `warnings` and `more_warnings`: what its organiser is told.
    """

    document: str
    digest: str
    seats: list[tuple[object, ...]]
    warnings: tuple[PlanWarning, ...] = ()
    more_warnings: int = 0


SEAT_COLUMNS: Final = ("ordinal", "seat_guid", "zone", "row_label", "seat_number", "category", "price", "status")


async def check(data: bytes) -> bytes:
    """What is in a plan file, as JSON: `{name, seats, zones, categories, warnings, more_warnings, plan}`. Raises
    PlanInvalid.

    `categories` are those that have seats, `{name, color, seats}`; `plan` is the body that browsers will get, with
    prices of 0.
    """
    return await _run(checked, data, len(data))


async def prepare(new: NewEvent, data: bytes) -> PreparedPlan:
    """Raises PlanInvalid, and InvalidRequest for what does not go with the plan."""
    prepared: PreparedPlan = pickle.loads(await _run(prepared_plan, pickle.dumps((new, data)), len(data)))  # noqa: S301 - our own process wrote it
    return prepared


def checked(data: bytes) -> bytes:
    """The work of `check`."""
    loaded = load_plan(data)
    counts = {name: count for name, count in seats_by_category(loaded).items() if count}
    return orjson.dumps(
        {
            "name": loaded.name,
            "seats": len(loaded.seats),
            "zones": len(loaded.zones),
            "categories": [
                {"name": one.name, "color": one.color, "seats": counts[one.name]}
                for one in loaded.categories
                if one.name in counts
            ],
            "warnings": [one.told() for one in loaded.warnings],
            "more_warnings": loaded.more_warnings,
            "plan": orjson.Fragment(plan_body(loaded, dict.fromkeys(counts, 0))),
        }
    )


def prepared_plan(asked: bytes) -> bytes:
    """The work of `prepare`: both ends pickled."""
    given: tuple[NewEvent, bytes] = pickle.loads(asked)  # noqa: S301 - our own process wrote it
    new, data = given
    document: dict[str, Any] = parse_document(data)
    plan = build_plan(document)
    check_new_event(new, plan)
    if new.labels:
        document = relabelled(document, new.labels)
        plan = build_plan(document)
    sold = new.labelled()
    seats: list[tuple[object, ...]] = [
        (
            ordinal,
            seat.guid,
            seat.zone,
            seat.row,
            seat.number,
            seat.category,
            sold.prices.get(seat.category, 0),
            "AVAILABLE" if seat.category in sold.prices else "BLOCKED",
        )
        for ordinal, seat in enumerate(plan.seats)
    ]
    body = plan_body(plan, sold.prices)
    kept = PreparedPlan(orjson.dumps(document).decode(), digest(body), seats, plan.warnings, plan.more_warnings)
    return pickle.dumps(kept)


async def _run(work: Callable[[bytes], bytes], given: bytes, size: int) -> bytes:
    if size <= SMALL:
        return await asyncio.to_thread(work, given)
    try:
        return await apart(f"{work.__module__}:{work.__name__}", given, seconds=_LONGEST)
    except TimeoutError:
        late = problem((), said("plan.not_in_time", seconds=round(_LONGEST)))
        raise PlanInvalid(late["message"], errors=[late], more=0) from None
