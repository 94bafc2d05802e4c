"""Stripe's Checkout as its own page: a Session that our server made, which the buyer's browser is sent to. Refusals."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from web.paysim.exchange import Reply
from web.paysim.payment import Payment
from web.paysim.play import Asked, Ending, Leave

PROVIDER: Final = "stripe"

_SESSION: Final = re.compile(r"cs_test_([0-9a-f]{2,400})")
#: Stripe puts the session's id there.
_PLACE: Final = "{CHECKOUT_SESSION_ID}"

#: code -> HTTP status, type, message (https://docs.stripe.com/error-codes).
_ERRORS: Final[Mapping[str, tuple[int, str, str]]] = {
    "invalid_api_key": (401, "invalid_request_error", "Invalid API Key provided."),
    "parameter_unknown": (400, "invalid_request_error", "Received unknown parameter."),
    "parameter_missing": (400, "invalid_request_error", "Missing required param."),
    "parameter_invalid": (400, "invalid_request_error", "Invalid parameter."),
    "resource_missing": (404, "invalid_request_error", "No such object."),
    "payment_intent_unexpected_state": (400, "invalid_request_error", "The PaymentIntent's status does not allow it."),
    "checkout_session_not_open": (400, "invalid_request_error", "Only Checkout Sessions that are open can be expired."),
    "charge_already_refunded": (400, "invalid_request_error", "Charge has already been refunded."),
    "charge_not_captured": (400, "invalid_request_error", "The charge has not been captured."),
    "refund_too_large": (400, "invalid_request_error", "Refund amount is greater than unrefunded amount on charge."),
    "idempotency_key_in_use": (409, "idempotency_error", "Another request with this key is in progress."),
    "idempotency_error": (
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters.",
    ),
    "rate_limit": (429, "rate_limit_error", "Too many requests."),
    "card_declined": (402, "card_error", "Your card was declined."),
    "window_ended": (409, "invalid_request_error", "The buyer has ended this session in another way."),
}
_WINDOW: Final = {
    "NOT_FOUND_WINDOW": "resource_missing",
    "ALREADY_ENDED_WINDOW": "window_ended",
    "EXPIRED_PAYMENT": "window_ended",
    "INVALID_CLIENT_KEY": "invalid_api_key",
}


def error(code: str, *, after: float = 0.0, **more: str) -> Reply:
    status, kind, message = _ERRORS[code]
    # For the window's twin and its page, `code` stands outside as well.
    return Reply(status, {"code": code, "error": {"type": kind, "code": code, "message": message, **more}}, after)


def session_of(payment: Payment) -> str:
    return f"cs_test_{payment.window.encode().hex()}"


def window_of(session: str) -> str | None:
    """The window that is a Session's; None: not an id of ours."""
    named = _SESSION.fullmatch(session)
    try:
        return bytes.fromhex(named[1]).decode("ascii") if named else None
    except ValueError:
        return None


class StripePlay:
    """A `Play`. Its window is made by our server (`stripe.py`), never by a page."""

    provider = PROVIDER
    framed = False
    methods = ("CARD",)

    def __init__(self, client_key: str) -> None:
        self.client_key = client_key

    def read(self, fields: Mapping[str, Any]) -> Asked | Reply:
        return error("resource_missing")

    def opened(self, fields: Mapping[str, Any]) -> str | None:
        session = fields.get("session")
        return window_of(session) if isinstance(session, str) and len(fields) == 1 else None

    def new_key(self) -> str:
        return f"pi_{secrets.token_hex(12)}"

    def leave(self, payment: Payment, ending: Ending) -> Leave:
        """Checkout declines cards on its own page: whoever gives up comes back by `cancel_url`."""
        url = payment.returned.replace(_PLACE, session_of(payment)) if ending == "approve" else payment.closed
        return Leave(url, url)

    def refuse(self, code: str) -> Reply:
        return error(_WINDOW.get(code, code if code in _ERRORS else "parameter_invalid"))
