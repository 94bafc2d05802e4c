"""NHN KCP as far as Onsale uses it: approval, inquiry by transaction number, cancellation, net-cancel by order number.

Names are those of https://developer.kcp.co.kr; answers are HTTP 200 with `res_cd`. As at the real one there is no
idempotency key: **the same approval sent twice charges twice**, and the ledger shows both. Codes that begin `SIM` are
the simulator's own. Signatures and certificates are not checked, only there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from web.paysim.behaviour import Fate, draw, is_foreign
from web.paysim.exchange import Reply, read_object, send, text
from web.paysim.store_sqlite import Books, Order, SimulatorStore

PROVIDER: Final = "kcp"

_ERRORS: Final[Mapping[str, str]] = {
    "CC61": "The card holder has exceeded the credit limit.",
    "CC10": "Insufficient funds in the account.",
    "8186": "The card holder has exceeded the daily credit limit.",
    "SIM400": "A required parameter is missing or not valid.",
    "SIM401": "The authentication data are not ours.",
    "SIM404": "There is no such transaction.",
    "SIM409": "The transaction was cancelled before.",
    "SIM500": "Temporary error. Please try again in a few minutes.",
}
_REFUSALS: Final = ("CC61", "CC61", "CC10", "8186")
_SIGNED: Final = ("site_cd", "kcp_cert_info", "kcp_sign_data")


class KcpSimulator:
    """The handlers of `/paysim/kcp/...`."""

    def __init__(self, store: SimulatorStore) -> None:
        self._store = store

    async def approve(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Reply:
            order_id, amount = text(body, "ordr_no", 40), text(body, "ordr_mony", 12)
            card = text(body, "enc_data", 32_768)
            if order_id is None or card is None or amount is None or not amount.isdecimal() or int(amount) == 0:
                return _error("SIM400")
            if is_foreign(card, PROVIDER):
                return _error("SIM401")
            return _charge(books, order_id, int(amount), card)

        return await self._post(request, ("tran_cd", "site_cd", "kcp_cert_info", "enc_info", "pay_type"), decide)

    async def inquire(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Reply:
            order = books.by_key(text(body, "tno", 14) or "")
            if order is None or order.status == "ABORTED":
                return _error("SIM404")
            left = order.amount if order.status == "DONE" else 0
            return _good(order, rem_mny=str(left))

        return await self._post(request, (*_SIGNED, "pay_type"), decide)

    async def cancel(self, request: Request) -> Response:
        """By `tno`; or the net-cancel, by `ordr_no` and `ordr_mony`, of everything that was charged for the order."""

        def decide(books: Books, body: Mapping[str, Any]) -> Reply:
            reason = text(body, "mod_desc", 100)
            if body.get("mod_type") != "STSC" or reason is None:
                return _error("SIM400")
            if "tno" in body:
                found = books.by_key(text(body, "tno", 14) or "")
                orders = [found] if found else []
            else:
                amount = text(body, "ordr_mony", 12)
                orders = [one for one in books.orders(text(body, "ordr_no", 40) or "") if str(one.amount) == amount]
            charged = [one for one in orders if one.status != "ABORTED"]
            if not charged:
                return _error("SIM404")
            given_back = [books.give_back(one, reason) for one in charged if one.status == "DONE"]
            if not given_back and "tno" in body:
                return _error("SIM409")
            return _good((given_back or charged)[-1])

        return await self._post(request, _SIGNED, decide)

    async def _post(
        self, request: Request, needed: tuple[str, ...], decide: Callable[[Books, Mapping[str, Any]], Reply]
    ) -> Response:
        body = await read_object(request)
        if body is None or any(text(body, name, 32_768) is None for name in needed):
            return await send(request, _error("SIM400"))
        return await send(request, await self._store.work(PROVIDER, lambda books: decide(books, body)))


def _charge(books: Books, order_id: str, amount: int, card: str) -> Reply:
    """Draws the order's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    tries = books.count_try(order_id)
    fate, choice = draw(behaviour, order_id, tries, card)
    # 14 digits, as KCP's are: microseconds since 1970 without the leading two, and never one twice.
    tno = str(time.time_ns() // 1000)[-14:]
    while books.by_key(tno) is not None:
        tno = f"{(int(tno) + 1) % 10**14:014}"
    if fate is Fate.ERROR:
        return _error("SIM500", after=behaviour.latency_seconds)
    if fate is Fate.DECLINED:
        code = _REFUSALS[int(choice * len(_REFUSALS))]
        books.add(order_id, tno, amount, "ABORTED", code)
        return _error(code, after=behaviour.latency_seconds)
    order = books.add(order_id, tno, amount, "DONE")
    reply = _good(order, amount=str(amount), card_name="SIM카드", app_no=tno[-8:])
    return Reply(reply.status, reply.body, behaviour.latency_seconds, hangs=fate is Fate.HANG)


def _good(order: Order, **more: str) -> Reply:
    return Reply(200, {"res_cd": "0000", "res_msg": "정상처리", "tno": order.provider_key, **more})


def _error(code: str, *, after: float = 0.0) -> Reply:
    return Reply(200, {"res_cd": code, "res_msg": _ERRORS[code]}, after)
