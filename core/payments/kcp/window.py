"""NHN KCP's window: the form that its script or its `PayUrl` is given, and what it sends back. Pure.

On a PC `kcp_spay_hub.js` takes a form and hands the result to `m_Completepayment`, which POSTs it to the return URL;
the form must have the empty fields that the script fills. On a phone the page POSTs a form to the `PayUrl` of a trade
that was registered before, and NHN KCP POSTs the result to `Ret_URL`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from core.payments.gateway import Authorisation, Order, ReturnRefused
from core.payments.kcp import codes

#: Won, by ISO 4217's number.
_WON: Final = "410"
#: A card, in the twelve digits of the PC's window and in the phone's word.
_CARD_PC: Final = "100000000000"
_CARD_PHONE: Final = "CARD"
#: What the PC's script fills in.
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

#: What a return is kept of, and the longest that each may be: what is stored with an attempt has an end.
_KEPT: Final = {"tran_cd": 20, "enc_data": 8192, "enc_info": 4096, "ordr_chk": 80}
_CODE: Final = re.compile(r"[A-Za-z0-9]{1,10}")


def pc_fields(order: Order, site_code: str, returned: str, phone: str) -> dict[str, str]:
    """`buyr_tel2` is empty until the page has asked for it: NHN KCP wants it on a PC."""
    return {
        **_order(order, site_code, returned),
        "pay_method": _CARD_PC,
        "site_name": "Onsale",
        "module_type": "01",
        "buyr_tel2": phone,
        **dict.fromkeys(_FILLED, ""),
    }


def phone_fields(order: Order, site_code: str, returned: str, approval_key: str, trace: str) -> dict[str, str]:
    return {
        **_order(order, site_code, returned),
        "pay_method": _CARD_PHONE,
        "ActionResult": "card",
        "shop_name": "Onsale",
        "escw_used": "N",
        "van_code": "",
        "approval_key": approval_key,
        "traceNo": trace,
    }


def registration(order: Order, site_code: str, certificate: str, returned: str) -> dict[str, str]:
    """`POST /std/tradeReg/register`."""
    return {
        "site_cd": site_code,
        "kcp_cert_info": certificate,
        "ordr_idxx": order.number,
        "good_mny": str(order.amount),
        "good_name": order.name[:100],
        "pay_method": _CARD_PHONE,
        "Ret_URL": returned,
        "escw_used": "N",
        "user_agent": "",
    }


def read(order: Order, sent: Mapping[str, str]) -> Authorisation:
    """What came back, by a form or in a query. Raises ReturnRefused.

    `ordr_chk` is `ordr_idxx|good_mny` as the window knew them. The key is a digest of the encrypted data: NHN KCP names
    nothing before the approval.
    """
    code = sent.get("res_cd", "")
    if code and code != codes.APPROVED:
        ours = code in codes.MISCONFIGURED
        closed = ours or code == codes.CLOSED_WINDOW
        named = code if _CODE.fullmatch(code) else "unknown"
        raise ReturnRefused(named, closed=closed, declined=not closed, shops_fault=ours)
    number, _, amount = sent.get("ordr_chk", "").partition("|")
    if number != order.number or sent.get("ordr_idxx", number) != number:
        raise ReturnRefused("order_differs")
    if amount != str(order.amount) or sent.get("good_mny", amount) != amount:
        raise ReturnRefused("amount_differs")
    kept = {name: sent.get(name, "") for name in _KEPT}
    if any(not value or len(value) > _KEPT[name] for name, value in kept.items()):
        raise ReturnRefused("key_missing")
    digest = hashlib.sha256("\n".join((kept["enc_data"], kept["enc_info"])).encode()).hexdigest()
    return Authorisation(f"enc_{digest[:40]}", kept)


def _order(order: Order, site_code: str, returned: str) -> dict[str, str]:
    return {
        "req_tx": "pay",
        "site_cd": site_code,
        "ordr_idxx": order.number,
        "good_name": order.name[:100],
        "good_mny": str(order.amount),
        "currency": _WON,
        "quotaopt": "12",
        "Ret_URL": returned,
    }
