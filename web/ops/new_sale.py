"""Making a sale over HTTP, and changing what can be changed of one: the same rules as `onsale event create`.

A plan can have 64 MB, so these calls have a body limit of their own, and nothing that reads a plan runs on the event
loop. Who calls is known before the first byte of the body is taken (`web/endpoint.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from starlette.responses import Response

from core.clock import iso
from core.currency import MINOR_DIGITS, USUAL_DIGITS, minor_digits
from core.errors import CurrencyNotTaken, EventExists, EventNotFound, PlanInvalid
from core.venue import plan_check
from core.venue.demo_plan import DEMO_PLAN
from core.venue.event import Event, SaleStatus
from core.venue.event_name import kept_text
from core.venue.fees import FeeLine, fee_table, stored_fees
from core.venue.new_event import NewEvent
from core.venue.phase import Phase
from core.venue.plan_document import MAX_BYTES
from core.venue.zone_change import TIMES
from web.api_events import pictures_of
from web.endpoint import Call, Caller, Endpoint, answer
from web.ops.audit import note, tell_sale_changed
from web.ops.sale_schemas import (
    ChangeSale,
    CheckedPlan,
    CheckPlan,
    Currencies,
    FeeLineOf,
    FeeOf,
    NewSale,
    NewSaleSettings,
    PhaseSettings,
    PlanWarningAt,
    SaleSettings,
)


async def check(call: Call[CheckPlan]) -> Response:
    # Up to 100,000 seats: checked and written by us, so not copied through the answer's model again.
    content = await plan_check.check(await asyncio.to_thread(_file, call.body.plan))
    return Response(content, media_type="application/json")


def _file(plan: dict[str, Any] | str) -> bytes:
    return plan.encode() if isinstance(plan, str) else orjson.dumps(plan)


async def demonstration(call: Call[None]) -> Response:
    content = await asyncio.to_thread(DEMO_PLAN.read_bytes)
    headers = {"Content-Disposition": 'attachment; filename="demonstration-hall.json"'}
    return Response(content, headers=headers, media_type="application/json")


async def create(call: Call[NewSale]) -> Response:
    asked, defaults = call.body, call.parts.terms.defaults
    new = NewEvent(
        slug=asked.slug,
        name=asked.name,
        prices={category: price for category, price in asked.prices.items() if price is not None},
        blocked={category for category, price in asked.prices.items() if price is None},
        labels=asked.labels,
        currency=asked.currency,
        status=SaleStatus.OPEN if asked.open else SaleStatus.SCHEDULED,
        opens_at=asked.opens_at,
        closes_at=asked.closes_at,
        starts_at=asked.starts_at,
        time_zone=asked.time_zone or defaults.time_zone,
        active_limit=defaults.active_limit if asked.active_limit is None else asked.active_limit,
        hold_seconds=defaults.hold_seconds if asked.hold_seconds is None else asked.hold_seconds,
        max_seats=defaults.max_seats if asked.max_seats is None else asked.max_seats,
        orphans=asked.orphans,
        focus=asked.focus,
        companions=asked.companions,
        prequeue_seconds=asked.prequeue_seconds,
        fees=_fees(asked.fees),
        phases=[one.phase(asked.prequeue_seconds) for one in asked.phases],
        venue=asked.venue,
        address=asked.address,
        description=asked.description,
    )
    made = await call.parts.events.make(new, await asyncio.to_thread(_file, asked.plan))
    event = made.event
    await note(
        call.parts.database, call.actor, "sale.create", event.slug, status=event.status.value, seats=event.seat_count
    )
    told = NewSaleSettings(
        **dict(settings_of(event)),
        warnings=[PlanWarningAt(**one.told()) for one in made.warnings],
        more_warnings=made.more_warnings,
    )
    return answer(told, status=201, headers={"Location": f"/api/events/{event.slug}"})


async def change(call: Call[ChangeSale]) -> Response:
    # What this process remembers may be a second old, and another one may have changed the sale since.
    before = await call.parts.events.fresh((await call.event()).slug)
    asked = {name: getattr(call.body, name) for name in call.body.model_fields_set}
    if "name" in asked:
        asked["name"] = asked["name"].strip()  # as when it was made
    for name in ("venue", "address", "description"):
        if name in asked:
            asked[name] = kept_text(asked[name])
    if "fees" in asked:
        asked["fees"] = _fees(asked["fees"])
    if "phases" in asked:
        asked["phases"] = tuple(
            one.phase(asked.get("prequeue_seconds", before.prequeue_seconds)) for one in asked["phases"]
        )
    changes = {name: value for name, value in asked.items() if value != getattr(before, name)}
    if not changes:
        return answer(settings_of(before))
    moving = {*TIMES, "phases"} if "time_zone" in changes else set()
    changes |= {name: asked[name] for name in moving & asked.keys()}  # named, they stay: else they would move with it
    event = await call.parts.events.update(before.slug, **changes)
    await tell_sale_changed(call.parts, event)
    names = sorted(changes.keys() | moving)
    changed = {name: [_plain(getattr(before, name)), _plain(getattr(event, name))] for name in names}
    before_and_after = {name: values for name, values in changed.items() if values[0] != values[1]}
    await note(call.parts.database, call.actor, "sale.change", event.slug, **before_and_after)
    return answer(settings_of(event))


def _fees(asked: Sequence[FeeOf] | None) -> tuple[FeeLine, ...]:
    """Raises InvalidRequest."""
    return fee_table(None if asked is None else [line.model_dump() for line in asked])


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and value and all(isinstance(one, Phase) for one in value):
        return [PhaseSettings(**asdict(one)).model_dump(mode="json") for one in value]
    if isinstance(value, tuple) and all(isinstance(line, FeeLine) for line in value):
        return stored_fees(value)
    return iso(value) if hasattr(value, "tzinfo") else value


def settings_of(event: Event) -> SaleSettings:
    return SaleSettings(
        slug=event.slug,
        name=event.name,
        status=event.status,
        opens_at=event.opens_at,
        closes_at=event.closes_at,
        starts_at=event.starts_at,
        time_zone=event.time_zone,
        currency=event.currency,
        minor_digits=minor_digits(event.currency),
        prices=dict(event.prices),
        active_limit=event.active_limit,
        hold_seconds=event.hold_seconds,
        max_seats=event.max_seats,
        orphans=event.orphans,
        focus=event.focus,
        companions=event.companions,
        prequeue_seconds=event.prequeue_seconds,
        fees=[FeeLineOf(hours=line.hours, percent=line.percent) for line in event.fees],
        phases=[PhaseSettings(**asdict(one)) for one in event.phases],
        reopen_until=event.reopen_until,
        seats=event.seat_count,
        venue=event.venue,
        address=event.address,
        description=event.description,
        pictures=pictures_of(event),
    )


async def settings(call: Call[None]) -> Response:
    # What this process remembers may be a second old; who is about to change a sale sees it as it is.
    return answer(settings_of(await call.parts.events.fresh((await call.event()).slug)))


async def currencies(call: Call[None]) -> Response:
    return answer(Currencies(minor_digits=dict(MINOR_DIGITS), otherwise=USUAL_DIGITS))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/operator/currencies",
        currencies,
        "The currencies that a sale may have",
        "operator",
        answer=Currencies,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/events",
        create,
        "Create a sale from a seat plan",
        "operator",
        success=201,
        answer=NewSaleSettings,
        body=NewSale,
        most_body=MAX_BYTES,
        caller=Caller.OPERATOR,
        refusals=(EventExists, PlanInvalid, CurrencyNotTaken),
        answer_headers={"Location": "the new event"},
    ),
    Endpoint(
        "GET",
        "/api/operator/events/{slug}",
        settings,
        "What can be changed of a sale, and what cannot, as it is now",
        "operator",
        answer=SaleSettings,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "PATCH",
        "/api/operator/events/{slug}",
        change,
        "Change a sale's name, texts, times, hold time, seats of a visitor, fees",
        "operator",
        answer=SaleSettings,
        body=ChangeSale,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, CurrencyNotTaken),
    ),
    Endpoint(
        "POST",
        "/api/operator/plans/check",
        check,
        "Check a seat plan, and say what is in it",
        "operator",
        answer=CheckedPlan,
        body=CheckPlan,
        most_body=MAX_BYTES,
        caller=Caller.OPERATOR,
        refusals=(PlanInvalid,),
        uses_stores=False,
    ),
    Endpoint(
        "GET",
        "/api/operator/plans/demonstration",
        demonstration,
        "The demonstration hall's seat plan file",
        "operator",
        caller=Caller.OPERATOR,
        uses_stores=False,
    ),
)
