"""The reservation, its payment, and the circuits of the providers: judged from what was read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from core.booking.reservation import Reason
from core.clock import iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.payments.breaker import Mode
from core.payments.breaker_redis import CircuitView
from core.payments.payments import WhenOpen
from core.payments.registry import shops_fault_codes
from core.sentences import Sentence, said

_SHUT = frozenset({Mode.OPEN, Mode.FORCED_OPEN})


async def reservation(row: Any, is_gone: Callable[[str], bool]) -> AsyncIterator[Finding]:
    """`is_gone`: whether the process that has a claim works no more."""
    step = "reservation"
    facts = _facts(row)
    if row["status"] == "PAYING" and row["order_no"] is None:
        told = said("reservation.orderless", facts=facts)
        yield fail(step, Cause.PAYMENT_WITHOUT_ORDER, told, "orderless", str(row["id"]))
        return
    seen = _owed(row, said("reservation.standing", facts=facts, payment=_payment(row)))
    if row["claimed"] and is_gone(row["claimed_by"]):
        seconds = round(row["claim_seconds"])
        told = said("reservation.claimed", standing=seen, who=row["claimed_by"], seconds=seconds)
        yield fail(step, Cause.PAYMENT_CLAIM_LEFT_BEHIND, told, "claim", str(row["id"]))
        return
    if row["forgotten"]:
        told = said("reservation.forgotten", standing=seen)
        yield fail(step, Cause.PAYMENT_STUCK, told, "claim", str(row["id"]))
        return
    if row["overdue"]:
        yield fail(step, Cause.PAYMENT_STUCK, said("reservation.due", standing=seen), fix="payments")
        return
    if row["owed"] and row["needs_person_at"]:
        told = said("reservation.needs_person", standing=seen, since=iso(row["needs_person_at"]))
        yield fail(step, Cause.REFUND_REFUSED, told, "refund", str(row["id"]))
        return
    match row["status"], row["reason"]:
        case "PAYING", _ if row["payment"] in ("AUTHORISED", "CALLED") and _refuses_us(row):
            # Asked until the deadline, and refused each time: waiting mends nothing.
            yield fail(step, Cause.SHOPS_FAULT, said("reservation.refuses_us", standing=seen))
        case "PAYING", Reason.PARKED:
            yield warn(step, Cause.PAYMENT_PARKED, seen)
        case "PAYING", Reason.CHECKING:
            told = said("reservation.settled_by", standing=seen, until=iso(row["deadline"]))
            yield warn(step, Cause.PAYMENT_UNKNOWN, told)
        case "PAYING", Reason.SHOPS_FAULT:
            yield warn(step, Cause.SHOPS_FAULT, seen)
        case "PAYING", _ if row["payment"] in ("OPEN", "CLOSED", "DECLINED"):
            yield warn(step, Cause.PAYMENT_AWAITED, seen)
        case "PAYING", _:
            yield warn(step, Cause.PAYMENT_UNDER_WAY, seen)
        case "CONFIRMED", _:
            yield passed(step, seen)
        case _, _ if row["owed"]:
            yield warn(step, Cause.REFUND_PENDING, seen)
        case "FAILED", Reason.SHOPS_FAULT:
            yield warn(step, Cause.SHOPS_FAULT, seen)
        case "FAILED", Reason.DECLINED:
            yield warn(step, Cause.PAYMENT_DECLINED, seen)
        case "FAILED", _:
            yield warn(step, Cause.PAYMENT_FAILED, _because(row, seen))
        case _:
            yield warn(step, Cause.RESERVATION_CANCELLED, _because(row, seen))


def _facts(row: Any) -> Sentence:
    return said(
        "reservation.facts",
        status=row["status"],
        since=iso(row["updated_at"]),
        seats=str(list(row["seats"])),
        amount=str(row["amount"]),
        currency=row["currency"],
    )


def _payment(row: Any) -> Sentence:
    attempt = said(
        "reservation.attempt",
        number=str(row["number"]),
        state=str(row["payment"]),
        tries=str(row["tries"]),
        provider=row["provider"] or "none",
    )
    return said("reservation.attempt_code", attempt=attempt, code=row["error_code"]) if row["error_code"] else attempt


def _owed(row: Any, standing: Sentence) -> Sentence:
    if not row["owed"]:
        return standing
    if row["refund_code"]:
        return said("reservation.owed_code", standing=standing, owed=row["owed"], code=row["refund_code"])
    return said("reservation.owed", standing=standing, owed=row["owed"])


def _because(row: Any, standing: Sentence) -> Sentence:
    return said("reservation.reason", standing=standing, reason=str(row["reason"]))


def _refuses_us(row: Any) -> bool:
    """The provider's last word is about the shop, not the buyer."""
    return row["error_code"] in shops_fault_codes(row["provider"])


async def circuits(views: Sequence[CircuitView], when_open: WhenOpen) -> AsyncIterator[Finding]:
    """`views` in the order in which providers are asked; what an open circuit means depends on the setting."""
    # Without `fallback` no new payment goes to any but the first.
    asked = views if when_open == "fallback" else views[:1]
    instead = next((view.provider for view in asked if view.mode not in _SHUT), None)
    for view in views:
        standing = _standing(view)
        if view.mode not in _SHUT:
            yield passed("payment circuit", standing)
        elif view not in asked:
            told = said("circuit.not_asked", standing=standing, when_open=when_open)
            yield warn("payment circuit", Cause.CIRCUIT_OPEN, told)
        elif instead is not None:
            told = said("circuit.instead", standing=standing, instead=instead)
            yield warn("payment circuit", Cause.CIRCUIT_OPEN, told)
        elif when_open == "park":
            yield warn("payment circuit", Cause.CIRCUIT_OPEN, said("circuit.parked", standing=standing))
        else:
            yield fail("payment circuit", Cause.CIRCUIT_OPEN, said("circuit.nobody", standing=standing))


def _standing(view: CircuitView) -> Sentence:
    mode, rate = str(view.mode), view.failure_rate
    standing = (
        said("circuit.standing", provider=view.provider, mode=mode)
        if rate is None
        else said("circuit.rated", provider=view.provider, mode=mode, rate=round(rate), calls=view.calls)
    )
    return said("circuit.forced", standing=standing) if view.mode is Mode.FORCED_OPEN else standing
