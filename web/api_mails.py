"""A ticket's e-mail once more, to its address or a corrected one: asked for by its buyer, or by an operator (T2)."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from core.booking.addresses import masked
from core.booking.mails_again_postgres import BUYER
from core.errors import (
    InvalidRequest,
    MailedOften,
    MailImpossible,
    NotConfirmed,
    ReservationNotFound,
    TooManySeats,
)
from web.api_reservations import reservation_id
from web.endpoint import Call, Caller, Endpoint, answer
from web.schemas import Asked, MailAddress, ResponseBody


class AskMail(Asked):
    email: MailAddress | None = Field(
        None, description="a corrected address, used from then on; the ticket gets a new code. None: as it is"
    )


class MailAsked(ResponseBody):
    email: str = Field(description="where the ticket's e-mail goes; operators see enough to know it by")
    corrected: bool = Field(description="it is another address than before, and the ticket has a new code")


async def own(call: Call[AskMail]) -> Response:
    id = reservation_id(call.request.path_params["id"])
    made = await call.parts.mails.send(id, visitor=call.visitor, by=BUYER, address=call.body.email)
    return answer(MailAsked(email=made.email, corrected=made.corrected), status=202)


async def by_operator(call: Call[AskMail]) -> Response:
    id = reservation_id(call.request.path_params["id"])
    made = await call.parts.mails.send(id, visitor=None, by=call.actor, address=call.body.email)
    return answer(MailAsked(email=masked(made.email), corrected=made.corrected), status=202)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/reservations/{id}/mails",
        own,
        "Send my ticket's e-mail again, to its address or a corrected one",
        "reservations",
        success=202,
        answer=MailAsked,
        body=AskMail,
        body_required=False,
        caller=Caller.VISITOR,
        refusals=(ReservationNotFound, NotConfirmed, MailedOften, TooManySeats, InvalidRequest, MailImpossible),
    ),
    Endpoint(
        "POST",
        "/api/operator/reservations/{id}/mails",
        by_operator,
        "Send a buyer's ticket again, to its address or a corrected one",
        "operator",
        success=202,
        answer=MailAsked,
        body=AskMail,
        body_required=False,
        caller=Caller.OPERATOR,
        refusals=(ReservationNotFound, NotConfirmed, TooManySeats, InvalidRequest, MailImpossible),
    ),
)
