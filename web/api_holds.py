"""Seats held for the visitor: hold, look, let go, extend."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from core.clock import iso
from core.errors import (
    CodeRequired,
    CoolDown,
    EventNotFound,
    HoldExpired,
    HoldNotExtendable,
    InvalidRequest,
    LeavesSingleSeat,
    NoSeatsHeld,
    NoSuchSeat,
    NotActive,
    NotTogether,
    PaymentInProgress,
    Removed,
    SaleNotOpen,
    SeatTaken,
    TooManySeats,
)
from core.seats.basket import Basket
from core.seats.best_seats import Wish
from core.seats.calls import call_named
from web.endpoint import Call, Caller, Endpoint, Parameter, json_response, nothing
from web.idempotency import idempotency_key, idempotency_parameter
from web.schemas import MOST_SEATS, HeldSeats, HoldSeats


def _answer(basket: Basket | None, status: int = 200, **more: Any) -> Response:
    """`more`: what only some answers say."""
    # A `HeldSeats`, without making one: of a hold that was a twentieth.
    told = {
        "seats": [] if basket is None else basket.seats,
        "fence": None if basket is None else basket.fence,
        "until": None if basket is None else iso(basket.until),
        "extensions_left": 0 if basket is None else basket.extensions_left,
        "paying": basket is not None and basket.paying,
        **more,
    }
    return json_response(orjson.dumps(told), status=status)


async def hold(call: Call[HoldSeats]) -> Response:
    name = _call_of(call)
    event, best = await call.event_to_enter(), call.body.best
    if best is None:
        try:
            return _answer(await call.parts.seats.hold(event, call.visitor, call.body.seats, call=name), 201)
        except SeatTaken:
            if call.parts.live is not None:
                call.parts.live.follow(event)
            raise
    wish = Wish(best.count, best.category, best.zone, best.accessible, best.groups)
    basket = await call.parts.seats.best(event, call.visitor, wish, call=name)
    return _answer(basket, 201, **({"together": True} if wish.groups == 1 else {}))


def _call_of(call: Call[HoldSeats]) -> str:
    """What stands for the call, when the caller has named it. Raises Malformed."""
    if "idempotency-key" not in call.request.headers:
        return ""
    return call_named(idempotency_key(call.request), call.body.model_dump_json())


async def held(call: Call[None]) -> Response:
    event = await call.event()
    return _answer(await call.parts.seats.basket(event, call.visitor))


async def release(call: Call[None]) -> Response:
    event = await call.event()
    await call.parts.seats.release(event, call.visitor, _named(call.request.query_params.get("seats")))
    return nothing()


async def extend(call: Call[None]) -> Response:
    event = await call.event_to_enter()
    return _answer(await call.parts.seats.extend(event, call.visitor))


def _named(seats: str | None) -> list[int] | None:
    """The ordinals of `?seats=4,5`; None when all are meant. Raises InvalidRequest."""
    if seats is None:
        return None
    parts = seats.split(",")
    if len(parts) > MOST_SEATS or not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise InvalidRequest("seats: name ordinals, separated by commas")
    return sorted({int(part) for part in parts})


_HOLDS = "/api/events/{slug}/holds"

ENDPOINTS = (
    Endpoint(
        "POST",
        _HOLDS,
        hold,
        "Hold these seats as well, all or nothing; or the best together",
        "seats",
        success=201,
        answer=HeldSeats,
        body=HoldSeats,
        caller=Caller.VISITOR,
        refusals=(
            EventNotFound,
            NotActive,
            CodeRequired,
            SaleNotOpen,
            SeatTaken,
            TooManySeats,
            NoSuchSeat,
            NotTogether,
            LeavesSingleSeat,
            CoolDown,
            PaymentInProgress,
            Removed,
        ),
        parameters=(
            idempotency_parameter(
                "the same key and body give the first answer, as long as these seats are held",
                required=False,
            ),
        ),
    ),
    Endpoint(
        "GET",
        _HOLDS,
        held,
        "The seats I hold",
        "seats",
        answer=HeldSeats,
        caller=Caller.VISITOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "DELETE",
        _HOLDS,
        release,
        "Let go of these seats, or of all",
        "seats",
        success=204,
        caller=Caller.VISITOR,
        # While the seats are being paid for they stay.
        refusals=(EventNotFound, InvalidRequest, PaymentInProgress),
        parameters=(
            Parameter(
                "seats",
                "query",
                "ordinals separated by commas; without it, all",
                {"type": "string", "pattern": r"^\d{1,9}(,\d{1,9})*$"},
            ),
        ),
    ),
    Endpoint(
        "POST",
        "/api/events/{slug}/holds/extend",
        extend,
        "More time for the held seats",
        "seats",
        answer=HeldSeats,
        caller=Caller.VISITOR,
        refusals=(EventNotFound, NoSeatsHeld, HoldExpired, HoldNotExtendable, PaymentInProgress, Removed),
    ),
)
