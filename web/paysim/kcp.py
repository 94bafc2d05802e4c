"""NHN KCP as far as Onsale uses it: registration, approval, inquiry by transaction number, cancellation, net-cancel.

Names are those of https://developer.kcp.co.kr; answers are HTTP 200 with `res_cd`. As at the real one there is no
idempotency key: **the same approval sent twice charges twice**, and the ledger shows both. Codes that begin `SIM` are
the simulator's own. Certificate and signatures are made of the shop's secret, and checked.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.payments.kcp.signature import PlayedSigner
from web.paysim.behaviour import Fate, draw
from web.paysim.exchange import Reply, read_form, read_object, send, text
from web.paysim.kcp_play import PROVIDER, KcpPlay, error
from web.paysim.page import script
from web.paysim.payment import CHARGED, Payment
from web.paysim.shop import beside
from web.paysim.store_sqlite import Books, SimulatorStore
from web.paysim.webhooks import Webhooks
from web.paysim.windows import Windows

_SEOUL: Final = timezone(timedelta(hours=9))
_REFUSALS: Final = ("CC61", "CC61", "CC10", "8186")

Decision = tuple[Reply, Payment | None]


class KcpSimulator:
    """The handlers of `/paysim/kcp/...`."""

    def __init__(
        self, store: SimulatorStore, play: KcpPlay, secret: str, windows: Windows, webhooks: Webhooks, page: str
    ) -> None:
        """`page`: where buyers' browsers find the simulator, when that is not beside the shop."""
        self._store = store
        self._play = play
        self._signer = PlayedSigner(secret)
        self._windows = windows
        self._webhooks = webhooks
        self._page = page.rstrip("/")

    async def register(self, request: Request) -> Response:
        """A phone's trade, before its window: `{Code, Message, approvalKey, PayUrl, traceNo}`."""
        body = await read_object(request) or {}
        refused = self._unknown_shop(body)
        order_id, amount, returned = (
            text(body, "ordr_idxx", 40),
            text(body, "good_mny", 12),
            text(body, "Ret_URL", 2048),
        )
        if refused is None and (order_id is None or returned is None or amount is None or not amount.isdecimal()):
            refused = error("SIM400")
        if refused is not None or order_id is None or returned is None or amount is None:
            refused = refused or error("SIM400")
            code = dict(refused.body)["res_cd"] if isinstance(refused.body, Mapping) else "SIM400"
            return await send(request, Reply(200, {"Code": code, "Message": "refused"}))
        key = self._play.approval_key(order_id, int(amount), returned)
        # The phone's browser goes to `PayUrl`: the server's own way to the simulator may be another.
        pay_url = f"{self._page or beside(returned)}/kcp/pay"
        answer = {"Code": "0000", "Message": "정상처리", "approvalKey": key, "PayUrl": pay_url, "traceNo": key[:12]}
        return await send(request, Reply(200, answer))

    async def pay(self, request: Request) -> Response:
        """`PayUrl`: the phone's form, which leads to the window."""
        payment = self._windows.asked(request, self._play, await read_form(request))
        if isinstance(payment, Reply):
            return await send(request, payment)
        opened = await self._windows.begin(payment)
        return RedirectResponse(f"{request.scope.get('root_path', '')}/kcp/windows/{opened.window}", status_code=303)

    async def hub(self, request: Request) -> Response:
        """`kcp_spay_hub.js`, played."""
        return script("kcp.js")

    async def approve(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            order_id, amount = text(body, "ordr_no", 40), text(body, "ordr_mony", 12)
            sent = {name: text(body, name, 8192) for name in ("tran_cd", "enc_data", "enc_info")}
            if order_id is None or amount is None or None in sent.values() or text(body, "pay_type", 4) is None:
                return error("SIM400"), None
            payment = next((one for one in books.of_order(order_id) if one.details == json.dumps(sent)), None)
            if payment is None or str(payment.amount) != amount:
                return error("SIM401"), None
            if payment.is_settled:
                # As at the real one: approved again is charged again.
                payment = _again(books, payment)
            elif not payment.is_confirmable(books.now, books.rules()):
                return error("SIM401"), None
            return _charge(books, payment)

        return await self._post(request, decide)

    async def inquire(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            tno = text(body, "tno", 14) or ""
            payment = books.by_key(tno)
            if not self._signed(body, tno, text(body, "pay_type", 4) or ""):
                return error("SIM403"), None
            if payment is None or payment.approved_at is None:
                return error("SIM404"), None
            return _good(payment, rem_mny=str(payment.balance)), None

        return await self._post(request, decide)

    async def cancel(self, request: Request) -> Response:
        """By `tno`, all or a part; or the net-cancel, by `ordr_no` and `ordr_mony`, of all charges of the order."""

        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            kind, reason = text(body, "mod_type", 4) or "", text(body, "mod_desc", 100)
            what = text(body, "tno", 14) or text(body, "ordr_no", 40) or ""
            if kind not in ("STSC", "STPC") or reason is None:
                return error("SIM400"), None
            if not self._signed(body, what, kind):
                return error("SIM403"), None
            if "tno" in body:
                return _cancel_one(books, what, kind, reason, body)
            amount = text(body, "ordr_mony", 12)
            charged = [one for one in books.of_order(what) if one.approved_at is not None and str(one.amount) == amount]
            if not charged:
                return error("SIM404"), None
            given_back = [
                books.give_back(one, one.balance, reason) for one in charged if one.status in CHARGED
            ] or charged
            return _good(given_back[-1]), given_back[-1]

        return await self._post(request, decide)

    async def _post(self, request: Request, decide: Callable[[Books, Mapping[str, Any]], Decision]) -> Response:
        body = await read_object(request)
        if body is None:
            return await send(request, error("SIM400"))
        refused = self._unknown_shop(body)
        if refused is not None:
            return await send(request, refused)
        reply, changed = await self._store.work(PROVIDER, lambda books: decide(books, body))
        if changed is not None:
            await self._webhooks.changed(changed)
        return await send(request, reply)

    def _unknown_shop(self, body: Mapping[str, Any]) -> Reply | None:
        site, certificate = text(body, "site_cd", 40), text(body, "kcp_cert_info", 8192)
        if site is None or certificate is None:
            return error("SIM400")
        right = hmac.compare_digest(site.encode(), self._play.client_key.encode())
        right &= hmac.compare_digest(certificate.encode(), self._signer.certificate.encode())
        return None if right else error("SIM403")

    def _signed(self, body: Mapping[str, Any], what: str, kind: str) -> bool:
        made = self._signer.sign(f"{self._play.client_key}^{what}^{kind}")
        return hmac.compare_digest((text(body, "kcp_sign_data", 1024) or "").encode(), made.encode())


def _charge(books: Books, payment: Payment) -> Decision:
    """Draws the payment's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    payment = books.change(payment, tries=payment.tries + 1)
    fate, choice = draw(behaviour, payment.order_id, payment.tries, payment.card)
    if fate is Fate.ERROR:
        return error("SIM500", after=behaviour.latency_seconds), None
    if fate is Fate.DECLINED:
        code = _REFUSALS[int(choice * len(_REFUSALS))]
        declined = books.change(payment, status="ABORTED", code=code, decided_at=books.now)
        return error(code, after=behaviour.latency_seconds), declined
    charged = books.change(
        payment, status="DONE", provider_key=_new_tno(books), decided_at=books.now, approved_at=books.now
    )
    reply = _good(
        charged,
        amount=str(charged.amount),
        card_name="SIM카드",
        app_no=f"{charged.id:08}",
        app_time=datetime.fromtimestamp(books.now, UTC).astimezone(_SEOUL).strftime("%Y%m%d%H%M%S"),
    )
    return Reply(reply.status, reply.body, behaviour.latency_seconds, hangs=fate is Fate.HANG), charged


def _again(books: Books, payment: Payment) -> Payment:
    """A second line for a second approval."""
    kept = ("order_id", "amount", "currency", "name", "method", "card", "returned", "page", "details", "authorised_at")
    columns = {name: getattr(payment, name) for name in kept}
    return books.add(provider_key=f"win_{secrets.token_hex(12)}", status="IN_PROGRESS", **columns)


def _cancel_one(books: Books, tno: str, kind: str, reason: str, body: Mapping[str, Any]) -> Decision:
    payment = books.by_key(tno)
    if payment is None or payment.approved_at is None:
        return error("SIM404"), None
    amount, left = payment.balance, text(body, "rem_mny", 12)
    if kind == "STPC":
        part = text(body, "mod_mny", 12)
        if part is None or not part.isdecimal() or left is None:
            return error("SIM400"), None
        amount = int(part)
        if left != str(payment.balance):
            return error("SIM409"), None
    # All of it is all of it: after a part only parts can be given back.
    elif payment.status == "PARTIAL_CANCELED":
        return error("SIM409"), None
    if payment.status not in CHARGED or not 0 < amount <= payment.balance:
        return error("SIM409"), None
    changed = books.give_back(payment, amount, reason)
    return _good(changed, rem_mny=str(changed.balance), mod_pacn_seq_no=books.refunds(changed)[-1].key[:20]), changed


def _new_tno(books: Books) -> str:
    """14 digits, as KCP's are, and never one twice."""
    number = int(books.now * 1_000_000) % 10**14
    while books.by_key(f"{number:014}") is not None:
        number = (number + 1) % 10**14
    return f"{number:014}"


def _good(payment: Payment, **more: str) -> Reply:
    return Reply(200, {"res_cd": "0000", "res_msg": "정상처리", "tno": payment.provider_key, **more})


def webhook(payment: Payment) -> dict[str, Any]:
    """What NHN KCP's notifications name; the adapter looks nothing up for them."""
    return {"site_cd": "", "tno": payment.provider_key, "order_no": payment.order_id, "tx_cd": "TX00"}
