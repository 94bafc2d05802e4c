"""One seat, one visitor, one reservation: what is known, and why it does not work (S33)."""

from __future__ import annotations

import re
from uuid import UUID

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from core import keys
from core.diagnosis.question import Question
from core.errors import EventNotFound, InvalidRequest, NoSuchSeat
from core.figures.inspection_postgres import find_reservations, reservations_of_seat, seat_row
from core.process.calls import redis_call
from core.seats.board import SeatState
from core.seats.holder_redis import holder_of
from core.venue.event import Event
from core.visitor_id import VISITOR_ID
from web.endpoint import Call, Caller, Endpoint, Parameter, answer
from web.ops.audit import note, note_look_up
from web.ops.schemas import (
    DiagnosisAnswer,
    Find,
    FoundReservation,
    FoundReservations,
    Inspect,
    SeatFacts,
    SeatHolder,
    SeatReservation,
    Step,
)

#: An order's number at its provider.
_ORDER = re.compile(r"[0-9a-f]{32}a[0-9]{1,3}")


async def diagnose(call: Call[Inspect]) -> Response:
    asked = call.body
    question = Question(asked.visitor, UUID(asked.reservation) if asked.reservation else None, asked.event, asked.seat)
    found = await call.parts.diagnose.run(question, fix=asked.fix)
    fixed = [finding.step for finding in found.findings if finding.fixed]
    whom, subject = asked.model_dump(include={"visitor", "reservation", "seat"}, exclude_none=True), asked.event or "-"
    if asked.fix:
        await note(call.parts.database, call.actor, "diagnosis.fix", subject, fixed=fixed, cause=found.cause, **whom)
    elif asked.visitor or asked.reservation:
        await note_look_up(
            call.parts, call.actor, "buyer.diagnose", subject, whom=str(whom), fixed=fixed, cause=found.cause, **whom
        )
    return answer(
        DiagnosisAnswer(
            steps=[
                Step(
                    step=one.step,
                    level=one.level.value,
                    detail=one.detail,
                    cause=one.cause,
                    fixable=bool(one.fix),
                    fixed=one.fixed,
                    key=one.said.key,
                    arguments=one.said.told()["arguments"],
                )
                for one in found.findings
            ],
            cause=found.cause,
            action=found.action,
            reply=found.reply,
        )
    )


async def seat(call: Call[None]) -> Response:
    event, ordinal = await call.event(), number(call.request, "seat")
    if ordinal is None or ordinal >= event.seat_count:
        raise NoSuchSeat(f"This event has seats 0 to {event.seat_count - 1}")
    database, redis = call.parts.database, call.parts.redis
    row = await seat_row(database, event.id, ordinal)
    if row is None:
        raise NoSuchSeat()
    holder = await holder_of(redis, event.slug, ordinal)
    shown, lock = await _in_redis(redis, event, ordinal)
    reservations = await reservations_of_seat(database, event.id, ordinal)
    if reservations or holder:  # their visitors and addresses are told
        await note_look_up(call.parts, call.actor, "buyer.seat", event.slug, whom=str(ordinal), seat=ordinal)
    return answer(
        SeatFacts(
            slug=event.slug,
            seat=ordinal,
            zone=row["zone"],
            row=row["row_label"],
            number=row["seat_number"],
            category=row["category"],
            price=row["price"],
            currency=event.currency,
            status=row["status"],
            since=row["updated_at"],
            fence=row["fence"],
            version=row["version"],
            shown=shown,
            lock_seconds=lock,
            holder=SeatHolder(
                visitor=holder.visitor, fence=holder.fence, paying=holder.paying, seconds_left=holder.ttl_seconds
            )
            if holder
            else None,
            reservations=[SeatReservation(**one) for one in reservations],
        )
    )


async def _in_redis(redis: Redis, event: Event, ordinal: int) -> tuple[str | None, float | None]:
    """What the board shows, and how long the seat's lock lasts."""
    with redis_call:
        byte = await redis.getrange(keys.board(event.slug), ordinal, ordinal)
        ttl = await redis.pttl(keys.seat_lock(event.slug, ordinal))
    lock = None if ttl == -2 else -1.0 if ttl == -1 else ttl / 1000
    value = byte[0] if isinstance(byte, bytes) and byte else None
    return (SeatState(value).name.lower() if value in tuple(SeatState) else None), lock


async def find(call: Call[Find]) -> Response:
    text = call.body.text.strip()
    by, value = "email", text
    if VISITOR_ID.fullmatch(text):
        by = "visitor"
    elif _ORDER.fullmatch(text.lower()):
        value, by = text.lower(), "order"
    else:
        try:
            value, by = str(UUID(text)), "id"
        except ValueError:
            if "@" not in text or not text.isprintable():
                raise InvalidRequest(
                    "Give an e-mail address, a visitor (v_...), a reservation or an order number"
                ) from None
    rows = await find_reservations(call.parts.database, by, value)
    # Whose data was looked at is itself about a person: of an address only what tells it from others to who knows it.
    told = f"{value[:1]}...@{value.rpartition('@')[2]}"[:100] if by == "email" else value
    await note_look_up(call.parts, call.actor, "buyer.find", "-", whom=value, by=by, value=told, found=len(rows))
    return answer(FoundReservations(reservations=[FoundReservation(**row) for row in rows]))


def number(request: Request, name: str, *, most: int = 2**31 - 1) -> int | None:
    """A query parameter as a whole number from 0; None when it is not given. Raises InvalidRequest."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
        raise InvalidRequest(f"{name}: a whole number", errors=[{"at": name, "message": "a whole number"}])
    return int(text)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/operator/diagnosis",
        diagnose,
        'Walk "I can\'t book" for a visitor, a seat or a reservation',
        "operator",
        answer=DiagnosisAnswer,
        body=Inspect,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "POST",
        "/api/operator/reservations",
        find,
        "Find reservations by e-mail address, visitor, id or order number",
        "operator",
        answer=FoundReservations,
        body=Find,
        caller=Caller.OPERATOR,
    ),
    Endpoint(
        "GET",
        "/api/operator/events/{slug}/seat",
        seat,
        "What both stores know of a seat",
        "operator",
        answer=SeatFacts,
        caller=Caller.OPERATOR,
        refusals=(EventNotFound, NoSuchSeat, InvalidRequest),
        parameters=(Parameter("seat", "query", "the seat's ordinal", {"type": "integer", "minimum": 0}),),
    ),
)
