"""PortOne v2's window as its browser SDK opens it, with manual approval: it only authorises. And its refusals."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from core.payments.portone.played import played_channel
from web.paysim.exchange import Reply, text
from web.paysim.payment import Payment
from web.paysim.play import Asked, Ending, Leave

PROVIDER: Final = "portone"

_PAYMENT_ID: Final = re.compile(r"[A-Za-z0-9_=-]{6,64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LARGEST_AMOUNT: Final = 10**12
#: What `PortOne.requestPayment` takes, of what is played.
_FIELDS: Final = frozenset(
    {
        "storeId",
        "channelKey",
        "paymentId",
        "orderName",
        "totalAmount",
        "currency",
        "payMethod",
        "redirectUrl",
        "forceRedirect",
        "locale",
    }
)
_LOCALES: Final = (None, "KO_KR", "EN_US")

#: type -> HTTP status, as PortOne's API answers them (https://developers.portone.io/api/rest-v2).
_STATUS: Final[Mapping[str, int]] = {
    "INVALID_REQUEST": 400,
    "INFORMATION_MISMATCH": 400,
    "INVALID_PAYMENT_TOKEN": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "PAYMENT_NOT_FOUND": 404,
    "CHANNEL_NOT_FOUND": 404,
    "WINDOW_NOT_FOUND": 404,
    "ALREADY_PAID": 409,
    "PAYMENT_ALREADY_CANCELLED": 409,
    "PAYMENT_NOT_PAID": 409,
    "PAYMENT_NOT_WAITING_FOR_DEPOSIT": 409,
    "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN": 409,
    "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT": 409,
    "WINDOW_ALREADY_ENDED": 409,
    "PG_PROVIDER": 502,
}
#: The windows' own names for these.
_WINDOW: Final = {
    "INVALID_CLIENT_KEY": "UNAUTHORIZED",
    "NOT_FOUND_WINDOW": "WINDOW_NOT_FOUND",
    "ALREADY_ENDED_WINDOW": "WINDOW_ALREADY_ENDED",
}


def error(kind: str, message: str = "", *, after: float = 0.0, **more: str) -> Reply:
    return Reply(_STATUS[kind], {"type": kind, "message": message or kind.lower().replace("_", " "), **more}, after)


class PortOnePlay:
    """A `Play`. `client_key` is the `storeId`."""

    provider = PROVIDER
    framed = False
    methods = ("CARD",)

    def __init__(self, client_key: str) -> None:
        self.client_key = client_key

    def read(self, fields: Mapping[str, Any]) -> Asked | Reply:
        unknown = fields.keys() - _FIELDS
        if unknown:
            return error("INVALID_REQUEST", f"requestPayment has no parameter {sorted(unknown)[0]}")
        if text(fields, "storeId", 100) != self.client_key:
            return error("UNAUTHORIZED", "storeId")
        if text(fields, "channelKey", 200) != played_channel(self.client_key):
            return error("CHANNEL_NOT_FOUND", "channelKey")
        order_id, name = text(fields, "paymentId", 64), text(fields, "orderName", 100)
        amount, currency = fields.get("totalAmount"), fields.get("currency")
        returned = text(fields, "redirectUrl", 2048)
        if order_id is None or not _PAYMENT_ID.fullmatch(order_id) or name is None:
            return error("INVALID_REQUEST", "paymentId and orderName")
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= _LARGEST_AMOUNT:
            return error("INVALID_REQUEST", "totalAmount is a whole number above 0")
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            return error("INVALID_REQUEST", "currency")
        if fields.get("payMethod") != "CARD" or fields.get("locale") not in _LOCALES:
            return error("INVALID_REQUEST", "payMethod is CARD here; locale KO_KR or EN_US")
        # Without it a PC's window would hand its answer to the page, which is not played.
        if returned is None or fields.get("forceRedirect") is not True:
            return error("INVALID_REQUEST", "redirectUrl, with forceRedirect")
        token = json.dumps({"paymentToken": f"token_{secrets.token_urlsafe(24)}"})
        return Asked(order_id, amount, currency, name, returned, closed="", details=token)

    def opened(self, fields: Mapping[str, Any]) -> str | None:
        return None

    def new_key(self) -> str:
        """PortOne's transaction id: one for each try of a payment."""
        return f"tx-{secrets.token_hex(12)}"

    def leave(self, payment: Payment, ending: Ending) -> Leave:
        told = {"paymentId": payment.order_id, "transactionType": "PAYMENT", "txId": payment.provider_key}
        if ending == "approve":
            told |= json.loads(payment.details)
        else:
            closed = ending == "close"
            message = "The buyer cancelled the payment." if closed else "The card company refused the payment."
            told |= {"code": "FAILURE_TYPE_PG", "message": message, "pgMessage": message}
            told["pgCode"] = "PAY_PROCESS_CANCELED" if closed else "REJECT_CARD_COMPANY"
        url = f"{payment.returned}{'&' if '?' in payment.returned else '?'}{urlencode(told)}"
        return Leave(url, url)

    def refuse(self, code: str) -> Reply:
        own = _WINDOW.get(code, code if code in _STATUS else "INVALID_REQUEST")
        reply = error(own)
        return Reply(reply.status, {**dict(reply.body), "code": own}) if isinstance(reply.body, Mapping) else reply
