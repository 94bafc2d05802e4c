"""Toss Payments' window as its SDK opens it, checked more strictly than the SDK does; and its refusals."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from core.payments.amounts import to_major, to_minor
from web.paysim.exchange import Reply, text
from web.paysim.payment import Payment
from web.paysim.play import Asked, Ending, Leave

PROVIDER: Final = "toss"

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_=-]{6,64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LARGEST_AMOUNT: Final = 10**12
#: What `requestPayment` takes; the real one lets strangers pass.
_FIELDS: Final = frozenset(
    {
        "method",
        "amount",
        "orderId",
        "orderName",
        "successUrl",
        "failUrl",
        "windowTarget",
        "customerEmail",
        "customerName",
        "customerMobilePhone",
        "card",
        "virtualAccount",
    }
)
METHODS: Final = ("CARD", "VIRTUAL_ACCOUNT")

#: code -> HTTP status and English text of Toss Payments' table.
_ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    "ALREADY_PROCESSED_PAYMENT": (400, "This is a payment that has already been processed."),
    "PROVIDER_ERROR": (400, "This is temporary error. Please try again in a few minutes."),
    "INVALID_REQUEST": (400, "The bad request."),
    "INVALID_IDEMPOTENCY_KEY": (400, "An idempotency key has at most 300 characters."),
    "IDEMPOTENT_REQUEST_PROCESSING": (409, "The previous request with this idempotency key is being processed."),
    "UNAUTHORIZED_KEY": (401, "Unauthorized secretKey or clientKey."),
    "INCORRECT_BASIC_AUTH_FORMAT": (403, "Invalid authorization: use Basic with the secret key and a colon."),
    "NOT_FOUND_PAYMENT_SESSION": (404, "There is no payment under way with this key, or its time is over."),
    "NOT_FOUND_PAYMENT": (404, "Not found payment."),
    "EXPIRED_PAYMENT": (400, "The payment has expired."),
    "ALREADY_CANCELED_PAYMENT": (400, "This is a payment that has already been canceled."),
    "NOT_CANCELABLE_PAYMENT": (403, "This payment cannot be canceled."),
    "NOT_CANCELABLE_AMOUNT": (403, "The amount cannot be canceled: it is more than what is left."),
    "INVALID_REFUND_ACCOUNT_INFO": (400, "A deposited virtual account needs refundReceiveAccount."),
    "REJECT_CARD_PAYMENT": (403, "Exceeded the limit or insufficient balance."),
    "REJECT_CARD_COMPANY": (403, "The card company refused the payment."),
    "INVALID_REJECT_CARD": (400, "Refer to card issuer/decline."),
    "INVALID_STOPPED_CARD": (400, "This is a suspended card."),
    "EXCEED_MAX_DAILY_PAYMENT_COUNT": (400, "The number of payments a day is exceeded."),
    # Of the window.
    "INVALID_CLIENT_KEY": (400, "The client key is not this merchant's."),
    "INVALID_PARAMETERS": (400, "A field is missing, wrong, or not one of requestPayment."),
    "NOT_SUPPORTED_METHOD": (400, "The method is not supported."),
    "INVALID_AMOUNT_VALUE": (400, "The amount is not valid."),
    "INVALID_AMOUNT_CURRENCY": (400, "The currency is not valid."),
    "INCORRECT_SUCCESS_URL_FORMAT": (400, "successUrl is not an absolute address of the shop's return page."),
    "INCORRECT_FAIL_URL_FORMAT": (400, "failUrl is not an absolute address of the shop's page for closed windows."),
    "NOT_FOUND_WINDOW": (404, "There is no such window."),
    "ALREADY_ENDED_WINDOW": (409, "The buyer has ended this window in another way."),
}
_MESSAGES: Final[Mapping[str, str]] = {
    "PAY_PROCESS_CANCELED": "The buyer cancelled the payment.",
    "REJECT_CARD_COMPANY": "The card company refused the payment.",
}


def error(code: str, *, after: float = 0.0) -> Reply:
    status, message = _ERRORS[code]
    return Reply(status, {"code": code, "message": message}, after)


class TossPlay:
    """A `Play`."""

    provider = PROVIDER
    framed = False
    methods = METHODS

    def __init__(self, client_key: str) -> None:
        self.client_key = client_key

    def read(self, fields: Mapping[str, Any]) -> Asked | Reply:
        amount = fields.get("amount")
        order_id, name = text(fields, "orderId", 64), text(fields, "orderName", 100)
        returned, closed = text(fields, "successUrl", 2048), text(fields, "failUrl", 2048)
        if not fields.keys() <= _FIELDS or fields.get("windowTarget") not in (None, "self", "iframe"):
            return error("INVALID_PARAMETERS")
        if fields.get("method") not in METHODS:
            return error("NOT_SUPPORTED_METHOD")
        if order_id is None or not _ORDER_ID.fullmatch(order_id) or name is None:
            return error("INVALID_PARAMETERS")
        if not isinstance(amount, dict) or amount.keys() != {"currency", "value"}:
            return error("INVALID_PARAMETERS")
        currency, value = amount["currency"], amount["value"]
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            return error("INVALID_AMOUNT_CURRENCY")
        minor = None if isinstance(value, str) else to_minor(value, currency)
        if minor is None or not 0 < minor <= _LARGEST_AMOUNT:
            return error("INVALID_AMOUNT_VALUE")
        if returned is None:
            return error("INCORRECT_SUCCESS_URL_FORMAT")
        if closed is None:
            return error("INCORRECT_FAIL_URL_FORMAT")
        return Asked(order_id, minor, currency, name, returned, closed, method=str(fields["method"]))

    def opened(self, fields: Mapping[str, Any]) -> str | None:
        return None

    def new_key(self) -> str:
        return f"tgen_{secrets.token_urlsafe(18)}"

    def leave(self, payment: Payment, ending: Ending) -> Leave:
        if ending == "approve":
            amount = to_major(payment.amount, payment.currency)
            told = {
                "paymentType": "NORMAL",
                "orderId": payment.order_id,
                "paymentKey": payment.provider_key,
                "amount": str(amount),
            }
            url = _with(payment.returned, told)
        else:
            code = "PAY_PROCESS_CANCELED" if ending == "close" else "REJECT_CARD_COMPANY"
            url = _with(payment.closed, {"code": code, "message": _MESSAGES[code], "orderId": payment.order_id})
        return Leave(url, url)

    def refuse(self, code: str) -> Reply:
        return error(code)


def _with(url: str, told: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(told)}"
