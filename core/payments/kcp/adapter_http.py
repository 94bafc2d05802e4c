"""NHN KCP: trade registration, approval, inquiry by transaction number, cancellation, net-cancel.

    register   POST /std/tradeReg/register  {site_cd, kcp_cert_info, ordr_idxx, good_mny, good_name, pay_method,
                                             Ret_URL}
    approval   POST /gw/enc/v1/payment      {tran_cd, site_cd, kcp_cert_info, enc_data, enc_info, pay_type, ordr_mony,
                                             ordr_no}
    inquiry    POST /std/inquery            {site_cd, kcp_cert_info, kcp_sign_data, tno, pay_type}
    cancel     POST /gw/mod/v1/cancel       {site_cd, kcp_cert_info, kcp_sign_data, mod_type: "STSC", mod_desc, tno}
    a part     the same, mod_type "STPC", `mod_mny` (to give back), `rem_mny` (left before it)
    net-cancel the same as cancel, with `ordr_no` and `ordr_mony` in place of `tno`

Answers are HTTP 200 with `res_cd` (of the registration: `Code`). There is no idempotency key, so an approval is never
sent twice: **a second approval of an order is a second charge**. An order cannot be asked for by its number, so an
approval whose answer was lost cannot be confirmed any more: it is *net-cancelled*, at once, and again by the resolver
until NHN KCP says that it is gone. The buyer pays once more, or not at all.

Only read in documents, never seen at the real service: all of it. Not in the public documents at all, and to be agreed
with NHN KCP: the net-cancel's fields (one place, `_net_cancel`); the codes for "no such order"
(`ONSALE_KCP_NOT_FOUND_CODES`), for another order's window data and for a wrong certificate (`codes.py`); that a wrong
`rem_mny` is refused, which makes a repeated partial refund harmless; the origins of `sources`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import structlog

from core.payments.gateway import (
    Authorisation,
    Buyer,
    CallHealth,
    ChargeOutcome,
    ChargeResult,
    ContentSources,
    ListedCharge,
    Order,
    Receipt,
    Window,
    WindowFailed,
    WindowUrls,
)
from core.payments.kcp import codes, window
from core.payments.kcp.signature import Signer
from core.payments.provider_package import Limits, origin_of, sources_with
from core.payments.transport_http import NoAnswer, ProviderHttp, ProviderResponse

log = structlog.get_logger(__name__)

PROVIDER: Final = "kcp"

_CARD: Final = "PACA"
_ALL: Final = "STSC"
_PART: Final = "STPC"
_TNO: Final = re.compile(r"\d{14}")
_SEOUL: Final = timezone(timedelta(hours=9))


class NhnKcp:
    """A `PaymentGateway`. `site_code` is KCP's `site_cd`; `not_found` the codes that say "no such order"."""

    name = PROVIDER
    idempotent = False
    needs_phone_number = True

    def __init__(
        self,
        *,
        url: str,
        script: str,
        site_code: str,
        signer: Signer,
        not_found: frozenset[str],
        environment: str,
        played: bool,
        limits: Limits,
    ) -> None:
        self.environment = environment
        self.currencies: frozenset[str] | None = None if played else frozenset({"KRW"})
        self.sources = _sources(script, played)
        self._script = script
        self._http = ProviderHttp(provider=self.name, url=url, limits=limits)
        self._site = site_code
        self._signer = signer
        self._not_found = not_found

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        """On a phone the trade is registered first; a closed window comes back by the return URL with `res_cd` 3001."""
        if buyer.device == "pc":
            fields = window.pc_fields(order, self._site, urls.returned, buyer.phone)
            return Window(kind="sdk", script=self._script, url=urls.returned, client_key=self._site, fields=fields)
        registered = window.registration(order, self._site, self._signer.certificate, urls.returned)
        answer = await self._http.call("register", "POST", "/std/tradeReg/register", json=registered)
        if isinstance(answer, NoAnswer):
            raise WindowFailed(answer.code, health=answer.health)
        code, pay_url, key = answer.text("Code"), answer.text("PayUrl"), answer.text("approvalKey")
        if code != codes.APPROVED or pay_url is None or key is None:
            log.error("payment registration refused", provider=self.name, order=order.number, code=code)
            raise WindowFailed(code or "bad_answer", health=CallHealth.FAILURE, shops_fault=code in codes.MISCONFIGURED)
        fields = window.phone_fields(order, self._site, urls.returned, key, answer.text("traceNo") or "")
        return Window(kind="form", url=pay_url, client_key=self._site, fields=fields)

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        return window.read(order, {**query, **form})

    def is_decline(self, code: str) -> bool:
        """NHN KCP knows no closed URL: all comes by the return."""
        return False

    def is_shops_fault(self, code: str) -> bool:
        return code in codes.MISCONFIGURED

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        """`idempotency_key` is nobody's here. `tran_cd` and the encrypted data go as they were given."""
        data = authorisation.data
        answer = await self._http.call(
            "confirm",
            "POST",
            "/gw/enc/v1/payment",
            json={
                "tran_cd": data.get("tran_cd", ""),
                "site_cd": self._site,
                "kcp_cert_info": self._signer.certificate,
                "enc_data": data.get("enc_data", ""),
                "enc_info": data.get("enc_info", ""),
                "ordr_mony": str(order.amount),
                "ordr_no": order.number,
                "pay_type": _CARD,
            },
        )
        if isinstance(answer, NoAnswer):
            failed = answer.result(self.name)
            return await self._made_sure(order, failed, answered=False) if answer.sent else failed
        code, tno = answer.text("res_cd"), answer.text("tno")
        if code == codes.APPROVED and tno is not None and answer.text("amount") == str(order.amount):
            return ChargeResult(ChargeOutcome.APPROVED, self.name, tno, receipt=_receipt(answer), balance=order.amount)
        if code in codes.DECLINED:
            return ChargeResult(ChargeOutcome.DECLINED, self.name, code=code)
        if code in codes.WRONG_KEY:
            return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, authorisation.key, code)
        if code in codes.MISCONFIGURED:
            log.error("payment misconfigured", provider=self.name, code=code)
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code=code, health=CallHealth.FAILURE, shops_fault=True
            )
        odd = ChargeResult(ChargeOutcome.UNKNOWN, self.name, tno, code or "bad_answer", CallHealth.FAILURE)
        if code == codes.APPROVED and answer.text("amount") not in (None, str(order.amount)):
            odd = replace(odd, code="amount_differs")
        return await self._made_sure(order, odd, answered=code not in (None, codes.APPROVED))

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        """By transaction number; without one the order is settled: net-cancelled."""
        tno = _transaction(provider_key)
        if tno is None:
            return await self._net_cancel(order)
        answer = await self._http.call(
            "look_up", "POST", "/std/inquery", json={**self._signed(tno, _CARD), "tno": tno, "pay_type": _CARD}
        )
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, tno)
        left = str(answer.body.get("rem_mny", ""))
        if answer.text("res_cd") != codes.APPROVED or not left.isdecimal():
            return self._unsettled(answer, tno)
        outcome = ChargeOutcome.CANCELLED if int(left) == 0 else ChargeOutcome.APPROVED
        return ChargeResult(outcome, self.name, tno, balance=int(left))

    async def cancel(
        self,
        order: Order,
        provider_key: str | None,
        *,
        amount: int | None,
        refunded_before: int,
        reason: str,
        idempotency_key: str,
    ) -> ChargeResult:
        """A part says how much was left before it, so that it is made once; what is left now tells a repeat."""
        tno = _transaction(provider_key)
        if tno is None:
            return await self._net_cancel(order, reason)
        left = order.amount - refunded_before
        part = left if amount is None else amount
        changes = {} if part == order.amount else {"mod_mny": str(part), "rem_mny": str(left)}
        answer = await self._cancel(tno, {"tno": tno, **changes}, reason, _PART if changes else _ALL)
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, tno)
        if answer.text("res_cd") == codes.APPROVED:
            return ChargeResult(
                ChargeOutcome.CANCELLED,
                self.name,
                tno,
                balance=left - part,
                refund_key=answer.text("mod_pacn_seq_no"),
            )
        # Refused: made before, perhaps. What is left of the amount tells.
        found = await self.look_up(order, tno)
        if found.balance == left - part:
            return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
        log.warning("refund refused", provider=self.name, order=order.number, code=answer.text("res_cd"))
        return replace(self._unsettled(answer, tno), balance=found.balance)

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        """Window data that nobody approves come to nothing: only our approval moves money."""
        if _transaction(provider_key) is None:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name)
        return await self.cancel(
            order, provider_key, amount=None, refunded_before=0, reason=reason, idempotency_key=idempotency_key
        )

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        raise NotImplementedError("NHN KCP documents no list of charges")
        yield  # pragma: no cover - makes this an iterator, as the contract says

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """NHN KCP notifies of virtual accounts only, which are not taken: nothing that it sends is looked up."""
        return None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _made_sure(self, order: Order, odd: ChargeResult, *, answered: bool) -> ChargeResult:
        """Net-cancels after an odd end of an approval.

        "No such order" is believed when the approval was answered: then nothing of it is under way. After a lost answer
        it may still be on its way, and the resolver asks again.
        """
        settled = await self._net_cancel(order)
        if settled.outcome is ChargeOutcome.NOT_CHARGED and not answered:
            return odd
        if settled.outcome is ChargeOutcome.UNKNOWN:
            return odd
        gone = settled.outcome is ChargeOutcome.NOT_CHARGED
        return replace(settled, code=odd.code, health=odd.health, temporary=gone)

    async def _net_cancel(self, order: Order, reason: str = "no answer to the approval") -> ChargeResult:
        named = {"ordr_no": order.number, "ordr_mony": str(order.amount)}
        answer = await self._cancel(order.number, named, reason, _ALL)
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name)
        code = answer.text("res_cd")
        if code == codes.APPROVED:
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, answer.text("tno"), balance=0)
        if code in self._not_found:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code)
        return self._unsettled(answer, None)

    async def _cancel(self, what: str, named: dict[str, str], reason: str, kind: str) -> ProviderResponse | NoAnswer:
        return await self._http.call(
            "cancel",
            "POST",
            "/gw/mod/v1/cancel",
            json={**self._signed(what, kind), "mod_type": kind, "mod_desc": reason[:100], **named},
        )

    def _signed(self, what: str, kind: str) -> dict[str, Any]:
        return {
            "site_cd": self._site,
            "kcp_cert_info": self._signer.certificate,
            "kcp_sign_data": self._signer.sign(f"{self._site}^{what}^{kind}"),
        }

    def _unsettled(self, answer: ProviderResponse, provider_key: str | None) -> ChargeResult:
        code = answer.text("res_cd") or f"http_{answer.status}"
        log.warning("payment code unknown", provider=self.name, code=code)
        return ChargeResult(
            ChargeOutcome.UNKNOWN,
            self.name,
            provider_key,
            code,
            CallHealth.FAILURE,
            refused=answer.status < 500,
            shops_fault=code in codes.MISCONFIGURED,
        )


def _sources(script: str, played: bool) -> ContentSources:
    if not played:
        ours = ("https://*.kcp.co.kr",)
        # The script lays its window over the page, and styles it as it goes.
        style = (*ours, "'unsafe-inline'")
        theirs = ContentSources(script=ours, connect=ours, frame=ours, form=ours, image=ours, style=style)
        return sources_with(script, theirs)
    origin = origin_of(script)
    return ContentSources(script=origin, connect=origin, frame=origin or ("'self'",), form=origin)


def _transaction(provider_key: str | None) -> str | None:
    """A transaction number; None for what `window.read` calls an authorisation before there is one."""
    return provider_key if provider_key is not None and _TNO.fullmatch(provider_key) else None


def _receipt(answer: ProviderResponse) -> Receipt:
    """`app_time` is `yyyyMMddHHmmss` in Korea."""
    try:
        at = datetime.strptime(answer.text("app_time") or "", "%Y%m%d%H%M%S").replace(tzinfo=_SEOUL)
    except ValueError:
        at = None
    return Receipt(method=answer.text("card_name"), approval_number=answer.text("app_no"), approved_at=at)
