"""Buying the held seats: submit, look, cancel. A reservation exists for its own visitor only."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from core import languages
from core.booking.reservation import Reservation, ReservationStatus
from core.errors import (
    EventNotFound,
    HoldExpired,
    KeyReused,
    Malformed,
    NoSeatsHeld,
    NotCancellable,
    PaymentInProgress,
    PaymentUnavailable,
    ReservationNotFound,
    SeatTaken,
)
from web.endpoint import Call, Caller, Endpoint, Parameter, answer
from web.schemas import ReservationState, Reserve

#: The cookie with the language that a visitor chose on a page.
LANGUAGE_COOKIE: Final = "onsale_language"

_IDEMPOTENCY_KEY: Final = r"^[!-~]{1,255}$"


def reservation_state(reservation: Reservation) -> ReservationState:
    return ReservationState(
        id=reservation.id,
        event=reservation.slug,
        status=reservation.status.value,
        reason=reservation.reason,
        seats=list(reservation.seats),
        amount=reservation.amount,
        currency=reservation.currency,
        ticket_code=reservation.ticket_code if reservation.status is ReservationStatus.CONFIRMED else None,
        created_at=reservation.created_at,
        updated_at=reservation.updated_at,
    )


def reservation_id(text: str) -> UUID:
    """Raises ReservationNotFound: what is no UUID is no reservation."""
    try:
        return UUID(text)
    except ValueError:
        raise ReservationNotFound() from None


async def submit(call: Call[Reserve]) -> Response:
    key = _idempotency_key(call.request)
    event = await call.event()
    reservation = await call.runtime.checkout.submit(
        event,
        call.visitor,
        email=call.body.email,
        payment_key=call.body.payment_key,
        idempotency_key=key,
        language=call.body.language or language_of(call.request),
    )
    location = f"/api/reservations/{reservation.id}"
    return answer(reservation_state(reservation), status=202, headers={"Location": location}, exclude_none=True)


async def get_reservation(call: Call[None]) -> Response:
    wanted = reservation_id(call.request.path_params["id"])
    return answer(reservation_state(await call.runtime.checkout.get(wanted, call.visitor)), exclude_none=True)


async def cancel(call: Call[None]) -> Response:
    wanted = reservation_id(call.request.path_params["id"])
    return answer(reservation_state(await call.runtime.checkout.cancel(wanted, call.visitor)), exclude_none=True)


def language_of(request: Request) -> str:
    return languages.choose(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def _idempotency_key(request: Request) -> str:
    """Raises Malformed. A repeated header would let two servers read two different keys."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) != 1 or not re.fullmatch(_IDEMPOTENCY_KEY, keys[0]):
        raise Malformed(
            "send one Idempotency-Key: 1 to 255 visible ASCII characters, the same when you repeat the call"
        )
    return keys[0]


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/events/{slug}/reservations",
        submit,
        "Buy the held seats",
        "reservations",
        success=202,
        answer=ReservationState,
        body=Reserve,
        caller=Caller.VISITOR,
        refusals=(
            EventNotFound,
            NoSeatsHeld,
            HoldExpired,
            SeatTaken,
            KeyReused,
            PaymentInProgress,
            PaymentUnavailable,
        ),
        parameters=(
            Parameter(
                "Idempotency-Key",
                "header",
                "the same key gives the same reservation, however often it is sent",
                {"type": "string", "pattern": _IDEMPOTENCY_KEY},
                required=True,
            ),
        ),
        answer_headers={"Location": "where to ask for the result"},
    ),
    Endpoint(
        "GET",
        "/api/reservations/{id}",
        get_reservation,
        "My reservation",
        "reservations",
        answer=ReservationState,
        caller=Caller.VISITOR,
        refusals=(ReservationNotFound,),
    ),
    Endpoint(
        "POST",
        "/api/reservations/{id}/cancel",
        cancel,
        "Give the tickets back for the money",
        "reservations",
        answer=ReservationState,
        caller=Caller.VISITOR,
        refusals=(ReservationNotFound, NotCancellable, PaymentInProgress),
    ),
)
