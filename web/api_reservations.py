"""Buying the held seats: submit, look, cancel. A reservation exists for its own visitor only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core import languages
from core.booking.attempt import Attempt
from core.booking.giving_back import Quote
from core.booking.receipts import receipt_of
from core.booking.reservation import Reservation, ReservationStatus
from core.errors import (
    CodeUsed,
    CurrencyNotTaken,
    EventNotFound,
    HoldExpired,
    KeyReused,
    MailImpossible,
    NoAttemptsLeft,
    NoSeatsHeld,
    NoSuchProvider,
    NotCancellable,
    PaymentInProgress,
    PaymentPaused,
    PaymentUnavailable,
    QuotaReached,
    ReservationNotFound,
    SaleClosed,
    SeatTaken,
    TooManySeats,
    WindowOver,
)
from core.payments.links import PaymentLinks
from web.endpoint import Call, Caller, Endpoint, answer
from web.idempotency import idempotency_key, idempotency_parameter
from web.schemas import (
    CancelQuote,
    GiveBack,
    NextAttempt,
    PaymentState,
    ReceiptOf,
    ReservationList,
    ReservationState,
    Reserve,
    SeatPrice,
)

#: The cookie with the language that a visitor chose on a page.
LANGUAGE_COOKIE: Final = "onsale_language"


def reservation_state(
    reservation: Reservation, links: PaymentLinks, now: datetime, quote: Quote | None = None
) -> ReservationState:
    paying = reservation.status is ReservationStatus.PAYING
    current = reservation.payment if paying else None
    receipt = receipt_of(reservation)
    return ReservationState(
        id=reservation.id,
        event=reservation.slug,
        status=reservation.status.value,
        reason=reservation.reason,
        seats=list(reservation.seats),
        amount=reservation.amount,
        currency=reservation.currency,
        payment=payment_state(current, links, now) if current is not None else None,
        attempts_left=reservation.attempts_left if paying else None,
        refunded=reservation.refunded or None,
        receipt=ReceiptOf(
            method=receipt.method,
            approval_number=receipt.approval_number,
            url=receipt.address,
            approved_at=receipt.approved_at,
        )
        if receipt is not None
        else None,
        cancel=cancel_quote(quote) if quote is not None else None,
        ticket_code=reservation.ticket_code if reservation.status is ReservationStatus.CONFIRMED else None,
        created_at=reservation.created_at,
        updated_at=reservation.updated_at,
    )


def cancel_quote(quote: Quote) -> CancelQuote:
    prices = quote.prices
    return CancelQuote(
        possible=quote.possible,
        fee=quote.fee,
        refund=quote.refund,
        until=quote.until,
        percent=quote.percent,
        left=quote.left,
        seats=[SeatPrice(seat=seat, price=price) for seat, price in prices.items()] if prices is not None else None,
    )


def payment_state(attempt: Attempt, links: PaymentLinks, now: datetime) -> PaymentState:
    return PaymentState(
        order=attempt.order,
        provider=attempt.provider,
        state=attempt.state.value,
        page=links.page(attempt.order),
        until=attempt.until,
        retry_until=attempt.retry_until,
        now=now,
    )


def reservation_answer(
    call: Call[Any],
    reservation: Reservation,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    quote: Quote | None = None,
) -> Response:
    """`payment` is there with null where nothing is to be paid; other members without a value are left out."""
    parts = call.parts
    state = reservation_state(reservation, parts.links, parts.clock.now(), quote)
    body = state.model_dump(mode="json", exclude_none=True)
    body.setdefault("payment", None)
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/json")


def reservation_id(text: str) -> UUID:
    """Raises ReservationNotFound: what is no UUID is no reservation."""
    try:
        return UUID(text)
    except ValueError:
        raise ReservationNotFound() from None


async def submit(call: Call[Reserve]) -> Response:
    key = idempotency_key(call.request)
    event = await call.event()
    reservation = await call.parts.checkout.submit(
        event,
        call.visitor,
        email=call.body.email,
        provider=call.body.provider,
        idempotency_key=key,
        language=call.body.language or language_of(call.request),
    )
    location = f"/api/reservations/{reservation.id}"
    return reservation_answer(call, reservation, status=202, headers={"Location": location})


async def get_reservation(call: Call[None]) -> Response:
    wanted = reservation_id(call.request.path_params["id"])
    reservation = await call.parts.checkout.get(wanted, call.visitor)
    return reservation_answer(call, reservation, quote=await call.parts.checkout.quote(reservation))


async def own_reservations(call: Call[None]) -> Response:
    found = await call.parts.checkout.of_visitor(call.visitor)
    now = call.parts.clock.now()
    shown = [reservation_state(one, call.parts.links, now) for one in found]
    return answer(ReservationList(reservations=shown), exclude_none=True)


async def next_attempt(call: Call[NextAttempt]) -> Response:
    checkout = call.parts.checkout
    own = await checkout.get(reservation_id(call.request.path_params["id"]), call.visitor)
    reservation, made = await checkout.next_attempt(own.id, provider=call.body.provider)
    return reservation_answer(call, reservation, status=201 if made else 200)


async def cancel(call: Call[GiveBack]) -> Response:
    wanted = reservation_id(call.request.path_params["id"])
    reservation = await call.parts.checkout.cancel(wanted, call.visitor, call.body.seats)
    return reservation_answer(call, reservation, quote=await call.parts.checkout.quote(reservation))


def language_of(request: Request) -> str:
    return languages.choose(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


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
            SaleClosed,
            SeatTaken,
            TooManySeats,
            QuotaReached,
            CodeUsed,
            KeyReused,
            PaymentInProgress,
            PaymentUnavailable,
            MailImpossible,
            PaymentPaused,
            NoSuchProvider,
            CurrencyNotTaken,
        ),
        parameters=(idempotency_parameter("the same key gives the same reservation, however often it is sent"),),
        answer_headers={"Location": "where to ask for the result"},
    ),
    Endpoint(
        "GET",
        "/api/reservations",
        own_reservations,
        "All that I have ordered, newest first",
        "reservations",
        answer=ReservationList,
        caller=Caller.VISITOR,
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
        "/api/reservations/{id}/payments",
        next_attempt,
        "Another attempt to pay, after one that was closed or declined; 200 with the one that is open",
        "reservations",
        success=201,
        answer=ReservationState,
        body=NextAttempt,
        body_required=False,
        also={200: ReservationState},
        caller=Caller.VISITOR,
        refusals=(
            ReservationNotFound,
            PaymentInProgress,
            WindowOver,
            NoAttemptsLeft,
            NoSuchProvider,
            CurrencyNotTaken,
            PaymentUnavailable,
        ),
    ),
    Endpoint(
        "POST",
        "/api/reservations/{id}/cancel",
        cancel,
        "Give the seats back: before the payment all of them, later the tickets for the money",
        "reservations",
        answer=ReservationState,
        body=GiveBack,
        body_required=False,
        caller=Caller.VISITOR,
        refusals=(ReservationNotFound, NotCancellable, PaymentInProgress),
    ),
)
