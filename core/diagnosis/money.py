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
    facts = (
        f"{row['status']} since {iso(row['updated_at'])}, seats {list(row['seats'])}, {row['amount']} {row['currency']}"
    )
    payment = (
        f"attempt {row['number']} {row['payment']}, {row['tries']} tries, provider {row['provider'] or 'none'}"
        f"{', code ' + row['error_code'] if row['error_code'] else ''}"
    )
    owed = f"; {row['owed']} refunds owed" + (f", code {row['refund_code']}" if row["refund_code"] else "")
    detail = f"{facts}; {payment}{owed if row['owed'] else ''}"
    if row["status"] == "PAYING" and row["order_no"] is None:
        yield fail(step, Cause.PAYMENT_WITHOUT_ORDER, f"{facts}; it has no order", "orderless", str(row["id"]))
        return
    if row["claimed"] and is_gone(row["claimed_by"]):
        left = f"claimed by {row['claimed_by']}, which is gone, for {row['claim_seconds']:.0f} s more"
        yield fail(step, Cause.PAYMENT_CLAIM_LEFT_BEHIND, f"{detail}; {left}", "claim", str(row["id"]))
        return
    if row["forgotten"]:
        yield fail(
            step, Cause.PAYMENT_STUCK, f"{detail}; its time is over, and nothing is due", "claim", str(row["id"])
        )
        return
    if row["overdue"]:
        yield fail(step, Cause.PAYMENT_STUCK, f"{detail}; due, and no process works on it", fix="payments")
        return
    if row["owed"] and row["needs_person_at"]:
        refused = f"{detail}; refused, a person is needed since {iso(row['needs_person_at'])}"
        yield fail(step, Cause.REFUND_REFUSED, refused, "refund", str(row["id"]))
        return
    match row["status"], row["reason"]:
        case "PAYING", _ if row["payment"] in ("AUTHORISED", "CALLED") and _refuses_us(row):
            # Asked until the deadline, and refused each time: waiting mends nothing.
            yield fail(step, Cause.SHOPS_FAULT, f"{detail}; the provider refuses our key")
        case "PAYING", Reason.PARKED:
            yield warn(step, Cause.PAYMENT_PARKED, detail)
        case "PAYING", Reason.CHECKING:
            yield warn(step, Cause.PAYMENT_UNKNOWN, f"{detail}; settled by {iso(row['deadline'])} at the latest")
        case "PAYING", Reason.SHOPS_FAULT:
            yield warn(step, Cause.SHOPS_FAULT, detail)
        case "PAYING", _ if row["payment"] in ("OPEN", "CLOSED", "DECLINED"):
            yield warn(step, Cause.PAYMENT_AWAITED, detail)
        case "PAYING", _:
            yield warn(step, Cause.PAYMENT_UNDER_WAY, detail)
        case "CONFIRMED", _:
            yield passed(step, detail)
        case _, _ if row["owed"]:
            yield warn(step, Cause.REFUND_PENDING, detail)
        case "FAILED", Reason.SHOPS_FAULT:
            yield warn(step, Cause.SHOPS_FAULT, detail)
        case "FAILED", Reason.DECLINED:
            yield warn(step, Cause.PAYMENT_DECLINED, detail)
        case "FAILED", _:
            yield warn(step, Cause.PAYMENT_FAILED, f"{detail}; reason {row['reason']}")
        case _:
            yield warn(step, Cause.RESERVATION_CANCELLED, f"{detail}; reason {row['reason']}")


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
