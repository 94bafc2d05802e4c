"""Events, their seat plans and their boards: what anybody may read."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from starlette.responses import Response

from core.currency import minor_digits
from core.errors import EventNotFound, PictureNotFound
from core.venue.event import Event
from core.venue.seat_plan import SeatPlan
from core.waiting_room.phases import code_wanted
from web.caching import Body, respond
from web.endpoint import Call, Endpoint, Parameter, answer
from web.event_schemas import (
    BoardStates,
    CategoryPrice,
    EventDetails,
    EventList,
    EventSummary,
    PhaseShown,
    PictureShown,
    Plan,
    PlanColumns,
)
from web.terms import Terms

_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_TEXT = {"type": "string"}
_VERSION = Parameter("v", "query", "the event's `plan_version`: makes the answer cacheable for ever", _TEXT)
_IF_NONE_MATCH = Parameter("If-None-Match", "header", "the ETag of the copy at hand: 304 when it is current", _TEXT)


def summary(event: Event, now: datetime) -> EventSummary:
    return EventSummary(
        slug=event.slug,
        name=event.name,
        status=event.sale_state(now).value,
        paused=event.paused,
        cancelled=event.cancelled_at is not None,
        opens_at=event.opens_at,
        closes_at=event.closes_at,
        starts_at=event.starts_at,
        time_zone=event.time_zone,
        currency=event.currency,
        minor_digits=minor_digits(event.currency),
        seats=event.seat_count,
        venue=event.venue,
        address=event.address,
        pictures=pictures_of(event),
    )


def pictures_of(event: Event) -> list[PictureShown]:
    return [PictureShown(url=one.path, width=one.width, height=one.height) for one in event.pictures]


def details(event: Event, plan: SeatPlan, terms: Terms, now: datetime) -> EventDetails:
    to_come = event.next_opening(now)
    return EventDetails(
        **summary(event, now).model_dump(),
        now=now,
        active_limit=event.active_limit,
        hold_seconds=event.hold_seconds,
        hold_extensions=terms.hold_extensions,
        max_seats=event.max_seats,
        prequeue_seconds=event.prequeue_seconds,
        gathers_at=event.gathers_at(to_come) if to_come else None,
        draw="announced" if to_come or event.opening else "drawn" if event.has_drawn else "none",
        session_seconds=terms.times.session,
        session_warning_seconds=terms.times.warning,
        beat_seconds=terms.times.beat,
        active_grace_seconds=terms.times.active_grace,
        waiting_grace_seconds=terms.times.waiting_grace,
        categories=[
            CategoryPrice(name=category.name, color=category.color, price=event.prices[category.name])
            for category in plan.categories
            if category.name in event.prices
        ],
        phases=[
            PhaseShown(
                name=one.name,
                opens_at=one.opens_at,
                closes_at=one.closes_at,
                needs_code=one.code_group is not None,
                max_seats=one.max_seats,
            )
            for one in event.phases
        ],
        code_wanted=code_wanted(event, now),
        orphans=event.orphans,
        description=event.description,
        companions=event.companions,
        plan_version=event.plan_digest,
    )


async def list_events(call: Call[None]) -> Response:
    now = call.parts.clock.now()
    return answer(EventList(events=[summary(event, now) for event in await call.parts.events.list()]))


async def get_event(call: Call[None]) -> Response:
    event = await call.event()
    plan = await call.parts.events.plan(event)
    return answer(details(event, plan, call.parts.terms, call.parts.clock.now()))


async def get_plan(call: Call[None]) -> Response:
    event = await call.event()
    return _respond_plan(call, event, await call.parts.plans.body(event))


async def get_plan_columns(call: Call[None]) -> Response:
    event = await call.event()
    return _respond_plan(call, event, await call.parts.plans.columns(event))


def _respond_plan(call: Call[None], event: Event, body: Body) -> Response:
    # Asked for by its version, the plan is the same for ever.
    pinned = call.request.query_params.get("v") == event.plan_digest
    return respond(
        call.request, body, cache_control="public, max-age=31536000, immutable" if pinned else "public, max-age=60"
    )


async def get_board(call: Call[None]) -> Response:
    return respond(call.request, await call.parts.boards.body(await call.event()), cache_control="no-cache")


async def get_picture(call: Call[None]) -> Response:
    """Named by its content, it never changes. Mail programs show it from wherever they are."""
    digest = call.request.path_params["digest"]
    if not _DIGEST.fullmatch(digest):
        raise PictureNotFound()
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(await call.parts.pictures.get(digest), headers=headers, media_type="image/jpeg")


ENDPOINTS = (
    Endpoint("GET", "/api/events", list_events, "All events", "events", answer=EventList),
    Endpoint(
        "GET",
        "/api/events/{slug}",
        get_event,
        "An event with its sale's settings",
        "events",
        answer=EventDetails,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/plan",
        get_plan,
        "The seat plan",
        "events",
        answer=Plan,
        refusals=(EventNotFound,),
        not_modified=True,
        parameters=(_VERSION, _IF_NONE_MATCH),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/plan/columns",
        get_plan_columns,
        "The seat plan in columns, for drawing it: a twentieth as long, without the seats' guids",
        "events",
        answer=PlanColumns,
        refusals=(EventNotFound,),
        not_modified=True,
        parameters=(_VERSION, _IF_NONE_MATCH),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/board",
        get_board,
        "The state of every seat",
        "events",
        answer=BoardStates,
        refusals=(EventNotFound,),
        not_modified=True,
        parameters=(_IF_NONE_MATCH,),
    ),
    Endpoint(
        "GET",
        "/pictures/{digest}.jpg",
        get_picture,
        "An event's picture",
        "events",
        refusals=(PictureNotFound,),
        media_type="image/jpeg",
    ),
)
