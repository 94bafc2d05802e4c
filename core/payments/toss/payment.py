"""What Toss Payments' Payment object proves of an order. Pure.

READY                    the window is open, nobody has authorised
IN_PROGRESS              the buyer has authorised, nobody has confirmed
WAITING_FOR_DEPOSIT      a virtual account was issued
DONE                     the money is taken
PARTIAL_CANCELED         a part of it is given back; or all of it, in parts: its balance tells
CANCELED                 taken and given back at once, or a virtual account that is not waited for any more
ABORTED                  the confirmation was refused
EXPIRED                  30 minutes without a confirmation
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.payments.amounts import to_minor
from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult, Order, Receipt

PROVIDER: Final = "toss"

_CHARGED: Final = ("DONE", "PARTIAL_CANCELED", "CANCELED", "WAITING_FOR_DEPOSIT")


def outcome_of(body: Mapping[str, Any], order: Order) -> ChargeResult:
    """UNKNOWN for anything that is not this order's, this amount's and this currency's."""
    key, status = _text(body, "paymentKey"), _text(body, "status")
    if _text(body, "orderId") != order.number or key is None:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "bad_answer", CallHealth.FAILURE)
    if status in _CHARGED and not _same_money(body, order):
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "amount_differs")
    balance = to_minor(body.get("balanceAmount"), order.currency)
    match status:
        case "PARTIAL_CANCELED" if balance == 0:
            return ChargeResult(
                ChargeOutcome.CANCELLED, PROVIDER, key, status, balance=0, refund_key=_last_refund(body)
            )
        case "DONE" | "PARTIAL_CANCELED":
            return ChargeResult(ChargeOutcome.APPROVED, PROVIDER, key, receipt=_receipt(body), balance=balance)
        case "CANCELED":
            return ChargeResult(
                ChargeOutcome.CANCELLED, PROVIDER, key, status, balance=0, refund_key=_last_refund(body)
            )
        case "WAITING_FOR_DEPOSIT":
            return ChargeResult(ChargeOutcome.AWAITING_DEPOSIT, PROVIDER, key, status)
        case "IN_PROGRESS":
            return ChargeResult(ChargeOutcome.AUTHORISED, PROVIDER, key, status)
        case "ABORTED":
            failure = body.get("failure")
            code = failure.get("code") if isinstance(failure, dict) else None
            return ChargeResult(ChargeOutcome.DECLINED, PROVIDER, key, str(code or status))
        case "READY":
            return ChargeResult(ChargeOutcome.NOT_CHARGED, PROVIDER, key, status)
        case "EXPIRED":
            return ChargeResult(ChargeOutcome.WRONG_KEY, PROVIDER, key, status)
        case _:
            return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, status or "bad_answer")


def refund_of(body: Mapping[str, Any], order: Order) -> ChargeResult:
    """The answer to a cancellation: CANCELLED also for a part, with what is left."""
    found = outcome_of(body, order)
    if found.outcome is ChargeOutcome.APPROVED and _text(body, "status") == "PARTIAL_CANCELED":
        return ChargeResult(
            ChargeOutcome.CANCELLED,
            PROVIDER,
            found.provider_key,
            balance=found.balance,
            refund_key=_last_refund(body),
        )
    return found


def _same_money(body: Mapping[str, Any], order: Order) -> bool:
    currency = _text(body, "currency") or "KRW"
    return currency == order.currency and to_minor(body.get("totalAmount"), currency) == order.amount


def _receipt(body: Mapping[str, Any]) -> Receipt:
    card, receipt = body.get("card"), body.get("receipt")
    return Receipt(
        method=_text(body, "method"),
        approval_number=_text(card, "approveNo") if isinstance(card, dict) else None,
        url=_text(receipt, "url") if isinstance(receipt, dict) else None,
        approved_at=moment(_text(body, "approvedAt")),
    )


def _last_refund(body: Mapping[str, Any]) -> str | None:
    cancels = body.get("cancels")
    last = cancels[-1] if isinstance(cancels, list) and cancels else None
    return _text(last, "transactionKey") if isinstance(last, dict) else None


def moment(text: str | None) -> datetime | None:
    """`2022-01-03T12:11:34+09:00`; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
