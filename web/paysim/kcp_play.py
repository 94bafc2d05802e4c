"""NHN KCP's window: by the PC's script, or by a phone's form to the `PayUrl` of a registered trade."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from web.paysim.exchange import Reply, text
from web.paysim.payment import Payment
from web.paysim.play import Asked, Ending, Leave

PROVIDER: Final = "kcp"

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_=-]{6,40}")
_LARGEST_AMOUNT: Final = 10**12
#: What the PC's form must have besides, empty: the script fills it.
_FILLED: Final = (
    "res_cd",
    "res_msg",
    "enc_info",
    "enc_data",
    "ret_pay_method",
    "tran_cd",
    "use_pay_method",
    "ordr_chk",
)
_CARD: Final = ("100000000000", "CARD")

ERRORS: Final[Mapping[str, str]] = {
    "CC61": "The card holder has exceeded the credit limit.",
    "CC10": "Insufficient funds in the account.",
    "8186": "The card holder has exceeded the daily credit limit.",
    "3001": "The buyer has cancelled.",
    "SIM400": "A required parameter is missing or not valid.",
    "SIM401": "The authentication data are not this order's, or too old.",
    "SIM403": "The site code or the certificate is not ours.",
    "SIM404": "There is no such transaction.",
    "SIM409": "The transaction was cancelled before, or less than that is left.",
    "SIM410": "The window is over.",
    "SIM500": "Temporary error. Please try again in a few minutes.",
}
#: The windows' own names for these.
_WINDOW: Final = {"INVALID_CLIENT_KEY": "SIM403", "NOT_FOUND_WINDOW": "SIM404"}


def error(code: str, *, after: float = 0.0) -> Reply:
    return Reply(200, {"res_cd": code, "res_msg": ERRORS[code]}, after)


class KcpPlay:
    """A `Play`. `client_key` is the site code; `secret` signs what a registration promised."""

    provider = PROVIDER
    framed = True
    methods = ("CARD",)

    def __init__(self, client_key: str, secret: str) -> None:
        self.client_key = client_key
        self._secret = secret.encode()

    def approval_key(self, order_id: str, amount: int, returned: str) -> str:
        """A trade's registration: only the same order, amount and return URL open a window with it."""
        promised = f"{order_id}\n{amount}\n{returned}".encode()
        return hmac.new(self._secret, promised, hashlib.sha256).hexdigest()[:40]

    def read(self, fields: Mapping[str, Any]) -> Asked | Reply:
        order_id, amount = text(fields, "ordr_idxx", 40), text(fields, "good_mny", 12)
        name, returned = text(fields, "good_name", 100), text(fields, "Ret_URL", 2048)
        if text(fields, "site_cd", 40) != self.client_key:
            return self.refuse("INVALID_CLIENT_KEY")
        if order_id is None or not _ORDER_ID.fullmatch(order_id) or name is None or returned is None:
            return self.refuse("SIM400")
        if amount is None or not amount.isdecimal() or not 0 < int(amount) <= _LARGEST_AMOUNT:
            return self.refuse("SIM400")
        if fields.get("pay_method") not in _CARD or fields.get("currency") not in ("410", "WON"):
            return self.refuse("SIM400")
        registered = fields.get("approval_key")
        if registered is None:
            if any(fields.get(filled) != "" for filled in _FILLED) or "buyr_tel2" not in fields:
                return self.refuse("SIM400")
        elif not hmac.compare_digest(str(registered), self.approval_key(order_id, int(amount), returned)):
            return self.refuse("SIM401")
        return Asked(order_id, int(amount), "KRW", name, returned, closed="", details=_window_data())

    def opened(self, fields: Mapping[str, Any]) -> str | None:
        return None

    def new_key(self) -> str:
        """Until the approval: a transaction number is given then."""
        return f"win_{secrets.token_hex(12)}"

    def leave(self, payment: Payment, ending: Ending) -> Leave:
        form = {"ordr_idxx": payment.order_id, "good_mny": str(payment.amount), "site_cd": self.client_key}
        if ending == "approve":
            form |= {"res_cd": "0000", "res_msg": "정상처리", **json.loads(payment.details)}
            form |= {"ordr_chk": f"{payment.order_id}|{payment.amount}", "use_pay_method": "100000000000"}
        else:
            code = "3001" if ending == "close" else "CC61"
            form |= {"res_cd": code, "res_msg": ERRORS[code]}
        program = f"{payment.returned}{'&' if '?' in payment.returned else '?'}{urlencode(form)}"
        return Leave(payment.returned, program, form)

    def refuse(self, code: str) -> Reply:
        own = _WINDOW.get(code, code if code in ERRORS else "SIM410" if code.endswith("WINDOW") else "SIM400")
        # The window's page and its HTTP twin want a status that says so; `code` is what programs read.
        return Reply(400, {"code": own, "res_cd": own, "res_msg": ERRORS[own]})


def _window_data() -> str:
    """What the window encrypts: two texts with dots in them, and a code of the transaction that is never the same."""
    return json.dumps(
        {
            "tran_cd": f"0010{secrets.randbelow(10_000):04}",
            "enc_data": f"{secrets.token_urlsafe(60)}.{secrets.token_urlsafe(60)}",
            "enc_info": f"{secrets.token_urlsafe(30)}.{secrets.token_urlsafe(30)}__",
        }
    )
