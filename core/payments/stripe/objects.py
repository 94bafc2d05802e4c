"""What Stripe's objects prove of an order. Pure.

A Checkout Session is the window; its PaymentIntent, with `capture_method=manual`, is the charge:

    requires_payment_method, requires_action   the buyer has not authorised
    processing                                 under way
    requires_capture                           authorised; only our capture moves money
    succeeded                                  captured
    canceled                                   let go of
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from core.currency import MINOR_DIGITS
from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult, Order, Receipt

PROVIDER: Final = "stripe"

#: Currencies that ISO 4217 gives no decimals, and that Stripe counts in hundredths all the same.
_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})

#: What Stripe takes, or might; not the ariary, whose hundredths (ISO 4217) it does not know: it would take a price for
#: a hundred times itself.
CURRENCIES: Final = frozenset(MINOR_DIGITS) - {"MGA"}


def to_stripe(amount: int, currency: str) -> int:
    """Stripe's smallest unit of our minor units: the same but for two currencies."""
    return amount * 100 if currency in _HUNDREDTHS else amount


def from_stripe(amount: Any, currency: str) -> int | None:
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    if currency not in _HUNDREDTHS:
        return amount
    return amount // 100 if amount % 100 == 0 else None


def intent_outcome(intent: Mapping[str, Any], order: Order) -> ChargeResult:
    """UNKNOWN for another amount or currency. `metadata.order` was set with the session, and cannot be the buyer's."""
    key, status = _text(intent, "id"), _text(intent, "status")
    if key is None or status is None:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "bad_answer", CallHealth.FAILURE)
    if order_of(intent) != order.number:
        return ChargeResult(ChargeOutcome.WRONG_KEY, PROVIDER, key, "order_differs")
    currency = (_text(intent, "currency") or "").upper()
    if currency != order.currency or from_stripe(intent.get("amount"), currency) != order.amount:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "amount_differs")
    match status:
        case "succeeded":
            return _captured(intent, order, key)
        case "requires_capture":
            return ChargeResult(ChargeOutcome.AUTHORISED, PROVIDER, key, status)
        case "canceled":
            return ChargeResult(ChargeOutcome.CANCELLED, PROVIDER, key, status, balance=0)
        case "requires_payment_method" | "requires_confirmation" | "requires_action":
            error = intent.get("last_payment_error")
            code = _text(error, "decline_code") or _text(error, "code") if isinstance(error, Mapping) else None
            return ChargeResult(ChargeOutcome.NOT_CHARGED, PROVIDER, key, code or status)
        case _:
            return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, status)


def order_of(thing: Mapping[str, Any]) -> str | None:
    """The order number that a Session, a PaymentIntent, a Charge or a Refund carries."""
    metadata = thing.get("metadata")
    named = _text(metadata, "order") if isinstance(metadata, Mapping) else None
    return named or _text(thing, "client_reference_id")


def _captured(intent: Mapping[str, Any], order: Order, key: str) -> ChargeResult:
    if from_stripe(intent.get("amount_received"), order.currency) != order.amount:
        return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, key, "amount_differs")
    charge = intent.get("latest_charge")
    if not isinstance(charge, Mapping):
        return ChargeResult(ChargeOutcome.APPROVED, PROVIDER, key, balance=order.amount)
    back = from_stripe(charge.get("amount_refunded"), order.currency)
    balance = None if back is None else order.amount - back
    if balance == 0:
        return ChargeResult(ChargeOutcome.CANCELLED, PROVIDER, key, "refunded", balance=0)
    return ChargeResult(ChargeOutcome.APPROVED, PROVIDER, key, receipt=_receipt(charge), balance=balance)


def _receipt(charge: Mapping[str, Any]) -> Receipt:
    details = charge.get("payment_method_details")
    kind = _text(details, "type") if isinstance(details, Mapping) else None
    card = details.get("card") if isinstance(details, Mapping) else None
    number = _text(card, "authorization_code") if isinstance(card, Mapping) else None
    created = charge.get("created")
    at = datetime.fromtimestamp(created, UTC) if isinstance(created, int) else None
    return Receipt(method=kind, approval_number=number, url=_text(charge, "receipt_url"), approved_at=at)


def _text(thing: Any, name: str) -> str | None:
    value = thing.get(name) if isinstance(thing, Mapping) else None
    return value if isinstance(value, str) and value else None
