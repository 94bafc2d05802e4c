"""What PortOne's payment proves of an order, and what its errors prove of a call. Pure.

READY                          a window was opened; nothing is confirmed
PAY_PENDING                    the buyer has authorised, nobody has confirmed
VIRTUAL_ACCOUNT_ISSUED         not paid
PAID, PARTIAL_CANCELLED        the money is taken; of the second a part is given back
CANCELLED                      given back
FAILED                         refused
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from portone_server_sdk import payment as portone

from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult, Order, Receipt

PROVIDER: Final = "portone"


def code_of(error: Exception) -> str:
    """`AlreadyPaidError` -> `ALREADY_PAID`: the SDK names its errors by PortOne's types."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def outcome_of(payment: portone.Payment, order: Order) -> ChargeResult:
    """UNKNOWN for anything that is not this order's, amount's and currency's, or that this SDK does not know."""
    if isinstance(payment, dict) or payment.id != order.number:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, code="bad_answer", health=CallHealth.FAILURE)
    key, amount = payment.transaction_id, payment.amount
    if amount.total != order.amount or payment.currency != order.currency:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "amount_differs")
    balance = amount.total - amount.cancelled
    match payment:
        case portone.PaidPayment() | portone.PartialCancelledPayment():
            return ChargeResult(ChargeOutcome.APPROVED, PROVIDER, key, receipt=_receipt(payment), balance=balance)
        case portone.CancelledPayment():
            return ChargeResult(ChargeOutcome.CANCELLED, PROVIDER, key, balance=0)
        case portone.VirtualAccountIssuedPayment():
            return ChargeResult(ChargeOutcome.AWAITING_DEPOSIT, PROVIDER, key, "VIRTUAL_ACCOUNT_ISSUED")
        case portone.PayPendingPayment():
            # No key: only the token that the return brings can be confirmed.
            return ChargeResult(ChargeOutcome.AUTHORISED, PROVIDER, code="PAY_PENDING")
        case portone.ReadyPayment():
            return ChargeResult(ChargeOutcome.NOT_CHARGED, PROVIDER, key, "READY")
        case portone.FailedPayment():
            return ChargeResult(ChargeOutcome.DECLINED, PROVIDER, key, payment.failure.pg_code or "FAILED")


def moment(text: str | None) -> datetime | None:
    """RFC 3339; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def _receipt(payment: portone.PaidPayment | portone.PartialCancelledPayment) -> Receipt:
    method = payment.method
    kind = None if method is None or isinstance(method, dict) else type(method).__name__.removeprefix("PaymentMethod")
    number = method.approval_number if isinstance(method, portone.PaymentMethodCard) else None
    return Receipt(method=kind, approval_number=number, url=payment.receipt_url, approved_at=moment(payment.paid_at))
