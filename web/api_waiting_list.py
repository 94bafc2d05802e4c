"""The waiting list of a sale: a place in it, and the offer that it may be made (F10).

What the link in an e-mail proves is in `s`: it is good on every device, for the one offer that it was made for. Without
it only the visitor's own place is there; anything else is told like what does not exist.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from core.errors import (
    AlreadyOnList,
    CodeRequired,
    CurrencyNotTaken,
    EventNotFound,
    MailImpossible,
    NoSuchProvider,
    NotOnList,
    OfferOver,
    OfferTaken,
    PaymentPaused,
    PaymentUnavailable,
    QuotaReached,
    Removed,
    SaleClosed,
    SaleNotOpen,
    TooManyPlaces,
    TooManySeats,
)
from core.venue.event import Event
from core.waiting_list.waiting_list import Asked
from core.waiting_list.wish import OfferState, Wish, WishState
from web.api_reservations import language_of, reservation_answer
from web.app_state import AppState
from web.endpoint import Call, Caller, Endpoint, Parameter, address_of, answer, nothing
from web.schemas import ReservationState
from web.waiting_list_schemas import JoinList, OfferOf, PlaceInList, TakeOffer

_SECRET: Final = Parameter(
    "s", "query", "what the link in the e-mail carries; without it: of one's own place", {"type": "string"}
)
#: What a secret can be, at most, in characters.
_LONGEST: Final = 64


def place_of(call: Call[Any], event: Event, wish: Wish) -> PlaceInList:
    offer = wish.offer
    shown = None
    if offer is not None:
        # One whose time has ended is over, whether that was written down yet or not.
        lapsed = offer.state is OfferState.OPEN and offer.over
        secret = call.parts.waiting_list.secret(offer)
        shown = OfferOf(
            seats=list(offer.seats),
            amount=offer.amount,
            currency=event.currency,
            until=offer.until,
            take=f"/api/returns/{wish.id}/take?s={secret}",
            state="lapsed" if lapsed else offer.state.value.lower(),
        )
    state = WishState.LAPSED if shown is not None and shown.state == "lapsed" and wish.state.live else wish.state
    return PlaceInList(
        id=wish.id,
        event=event.slug,
        state=state.value.lower(),
        count=wish.seats,
        category=wish.category,
        email=wish.email,
        ahead=wish.ahead,
        joined_at=wish.joined_at,
        offer=shown,
        now=call.parts.clock.now(),
        reservation=offer.reservation if offer is not None and offer.taker == call.visitor else None,
    )


async def join(call: Call[JoinList]) -> Response:
    event, body = await call.event_to_enter(), call.body
    asked = Asked(
        seats=body.count,
        category=body.category,
        email=body.email,
        language=body.language or language_of(call.request),
        network=call.parts.networks.of(call.request),
    )
    wish = await call.parts.waiting_list.join(event, call.visitor, asked)
    return answer(place_of(call, event, wish), status=201)


async def own(call: Call[None]) -> Response:
    event = await call.event()
    return answer(place_of(call, event, await call.parts.waiting_list.own(event, call.visitor)))


async def leave(call: Call[None]) -> Response:
    await call.parts.waiting_list.leave(await call.event(), call.visitor)
    return nothing()


async def get_place(call: Call[None]) -> Response:
    event, wish = await _asked_about(call)
    return answer(place_of(call, event, wish))


async def take(call: Call[TakeOffer]) -> Response:
    event, wish = await _asked_about(call)
    call.parts.removals.require(event, call.visitor, address_of(call.request))
    reservation = await call.parts.waiting_list.take(event, wish, call.visitor, call.body.provider)
    location = f"/api/reservations/{reservation.id}"
    return reservation_answer(call, reservation, status=202, headers={"Location": location})


async def pass_on(call: Call[None]) -> Response:
    event, wish = await _asked_about(call)
    await call.parts.waiting_list.pass_on(wish)
    return answer(place_of(call, event, await call.parts.waiting_list.again(wish)))


async def leave_by_link(call: Call[None]) -> Response:
    _, wish = await _asked_about(call)
    await call.parts.waiting_list.leave_by_link(wish)
    return nothing()


async def _asked_about(call: Call[Any]) -> tuple[Event, Wish]:
    """Raises NotOnList."""
    wish = await wish_asked_about(call.request, call.parts, call.visitor)
    event = await call.parts.events.by_id(wish.event_id)
    call.request.scope["state"]["slug"] = event.slug
    return event, wish


async def wish_asked_about(request: Request, parts: AppState, visitor: str) -> Wish:
    """What the path and the link's secret name. Raises NotOnList."""
    try:
        id = UUID(request.path_params["id"])
    except ValueError:
        raise NotOnList() from None
    secret = request.query_params.get("s")
    return await parts.waiting_list.of_link(id, visitor, secret[:_LONGEST] if secret is not None else None)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/events/{slug}/returns",
        join,
        "Join the waiting list for seats that are given back; the same again when asked again",
        "waiting list",
        success=201,
        answer=PlaceInList,
        body=JoinList,
        caller=Caller.VISITOR,
        refusals=(
            EventNotFound,
            Removed,
            SaleNotOpen,
            SaleClosed,
            CodeRequired,
            TooManySeats,
            MailImpossible,
            AlreadyOnList,
            TooManyPlaces,
        ),
    ),
    Endpoint(
        "GET",
        "/api/events/{slug}/returns",
        own,
        "My place in the waiting list, and what I am offered; changes nothing",
        "waiting list",
        answer=PlaceInList,
        caller=Caller.VISITOR,
        refusals=(EventNotFound, NotOnList),
    ),
    Endpoint(
        "DELETE",
        "/api/events/{slug}/returns",
        leave,
        "Leave the waiting list; what I was offered goes to the next",
        "waiting list",
        success=204,
        caller=Caller.VISITOR,
        refusals=(EventNotFound,),
    ),
    Endpoint(
        "GET",
        "/api/returns/{id}",
        get_place,
        "The place that an e-mail's link is about, on any device",
        "waiting list",
        answer=PlaceInList,
        caller=Caller.VISITOR,
        refusals=(NotOnList,),
        parameters=(_SECRET,),
    ),
    Endpoint(
        "DELETE",
        "/api/returns/{id}",
        leave_by_link,
        "Leave the waiting list by an e-mail's link",
        "waiting list",
        success=204,
        caller=Caller.VISITOR,
        refusals=(NotOnList,),
        parameters=(_SECRET,),
    ),
    Endpoint(
        "POST",
        "/api/returns/{id}/take",
        take,
        "Buy the seats on offer, past the queue: a reservation as any other; the same again when asked again",
        "waiting list",
        success=202,
        answer=ReservationState,
        body=TakeOffer,
        body_required=False,
        caller=Caller.VISITOR,
        refusals=(
            NotOnList,
            Removed,
            OfferOver,
            OfferTaken,
            SaleNotOpen,
            SaleClosed,
            CodeRequired,
            TooManySeats,
            QuotaReached,
            PaymentPaused,
            PaymentUnavailable,
            NoSuchProvider,
            CurrencyNotTaken,
            MailImpossible,
        ),
        parameters=(_SECRET,),
        answer_headers={"Location": "where to ask for the result"},
    ),
    Endpoint(
        "POST",
        "/api/returns/{id}/pass",
        pass_on,
        "These seats are for the next; my place stays, for other seats",
        "waiting list",
        answer=PlaceInList,
        caller=Caller.VISITOR,
        refusals=(NotOnList, OfferOver),
        parameters=(_SECRET,),
    ),
)
