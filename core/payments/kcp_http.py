"""NHN KCP: approval, inquiry by transaction number, cancellation, net-cancel (https://developer.kcp.co.kr).

    approval   POST /gw/enc/v1/payment   {tran_cd, site_cd, kcp_cert_info, enc_data, enc_info, pay_type, ordr_mony,
                                          ordr_no}
    inquiry    POST /std/inquery         {site_cd, kcp_cert_info, kcp_sign_data, tno, pay_type}
    cancel     POST /gw/mod/v1/cancel    {site_cd, kcp_cert_info, kcp_sign_data, mod_type: "STSC", mod_desc, tno}
    net-cancel the same, with `ordr_no` and `ordr_mony` in place of `tno`

Answers are HTTP 200 with `res_cd`. There is no idempotency key, so an approval is never sent twice, and an order cannot
be asked for by its number, so an approval whose answer was lost cannot be confirmed any more: it is *net-cancelled*,
at once, and again by the resolver until NHN KCP says that it is gone. The buyer pays once more, or not at all.

The public pages describe cancellation by `tno`; net-cancel by order number is what NHN KCP agrees with a merchant, and
the one place that spells its fields is `_net_cancel`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import structlog

from core.payments import kcp_codes
from core.payments.gateway import CallHealth, Charge, ChargeOutcome, ChargeResult
from core.payments.kcp_signature import Signer
from core.payments.transport_http import NoAnswer, ProviderHttp, ProviderResponse

log = structlog.get_logger(__name__)

_APPROVAL: Final = "00100000"
_CARD: Final = "PACA"
_FULL_CANCEL: Final = "STSC"


class NhnKcp:
    """A `PaymentGateway`. `site_code` is KCP's `site_cd`; `not_found` the codes that say "no such order"."""

    name = "kcp"

    def __init__(
        self,
        *,
        url: str,
        site_code: str,
        signer: Signer,
        not_found: frozenset[str],
        connect: float,
        read: float,
        charges: int,
    ) -> None:
        self._http = ProviderHttp(provider=self.name, url=url, connect=connect, read=read, charges=charges)
        self._site = site_code
        self._signer = signer
        self._not_found = not_found

    async def charge(self, charge: Charge) -> ChargeResult:
        enc_data, _, enc_info = (charge.key_for(self.name) or "").partition(".")
        answer = await self._http.call(
            "charge",
            "POST",
            "/gw/enc/v1/payment",
            json={
                "tran_cd": _APPROVAL,
                "site_cd": self._site,
                "kcp_cert_info": self._signer.certificate,
                "enc_data": enc_data,
                "enc_info": enc_info or enc_data,
                "ordr_mony": str(charge.amount),
                "ordr_no": charge.order_id,
                "pay_type": _CARD,
            },
        )
        if isinstance(answer, NoAnswer):
            failed = answer.result(self.name)
            return await self._made_sure(charge, failed, answered=False) if answer.sent else failed
        code, tno = answer.text("res_cd"), answer.text("tno")
        if code == kcp_codes.APPROVED and tno is not None and answer.text("amount") == str(charge.amount):
            return ChargeResult(ChargeOutcome.APPROVED, self.name, tno)
        if code in kcp_codes.DECLINED:
            return ChargeResult(ChargeOutcome.DECLINED, self.name, code=code)
        odd = ChargeResult(ChargeOutcome.UNKNOWN, self.name, tno, code or "bad_answer", CallHealth.FAILURE)
        return await self._made_sure(charge, odd, answered=code not in (None, kcp_codes.APPROVED))

    async def look_up(self, charge: Charge, provider_key: str | None = None) -> ChargeResult:
        if provider_key is None:
            return await self._net_cancel(charge)
        answer = await self._http.call(
            "look_up",
            "POST",
            "/std/inquery",
            json={
                **self._signed(provider_key, _CARD),
                "tno": provider_key,
                "pay_type": _CARD,
            },
        )
        if isinstance(answer, NoAnswer):
            return replace(answer.result(self.name, provider_key), outcome=ChargeOutcome.UNKNOWN)
        left = str(answer.body.get("rem_mny", ""))
        if answer.text("res_cd") != kcp_codes.APPROVED or not left.isdecimal():
            return self._unsettled(answer, provider_key)
        outcome = ChargeOutcome.CANCELLED if int(left) == 0 else ChargeOutcome.APPROVED
        return ChargeResult(outcome, self.name, provider_key)

    async def cancel(self, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult:
        if provider_key is None:
            return await self._net_cancel(charge, reason)
        answer = await self._cancel(provider_key, {"tno": provider_key}, reason)
        if isinstance(answer, NoAnswer):
            return replace(answer.result(self.name, provider_key), outcome=ChargeOutcome.UNKNOWN)
        if answer.text("res_cd") == kcp_codes.APPROVED:
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key)
        # Refused: cancelled before, perhaps. What is left of the amount tells.
        found = await self.look_up(charge, provider_key)
        if found.outcome is ChargeOutcome.CANCELLED:
            return found
        log.warning("refund_refused", provider=self.name, reservation=charge.order_id, code=answer.text("res_cd"))
        return self._unsettled(answer, provider_key)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _made_sure(self, charge: Charge, odd: ChargeResult, *, answered: bool) -> ChargeResult:
        """Net-cancels after an odd end of an approval.

        "No such order" is believed when the approval was answered: then nothing of it is under way. After a lost answer
        it may still be on its way, and the resolver asks again.
        """
        settled = await self._net_cancel(charge)
        if settled.outcome is ChargeOutcome.NOT_CHARGED and not answered:
            return odd
        if settled.outcome is ChargeOutcome.UNKNOWN:
            return odd
        gone = settled.outcome is ChargeOutcome.NOT_CHARGED
        return replace(settled, code=odd.code, health=odd.health, temporary=gone)

    async def _net_cancel(self, charge: Charge, reason: str = "no answer to the approval") -> ChargeResult:
        order = {"ordr_no": charge.order_id, "ordr_mony": str(charge.amount)}
        answer = await self._cancel(charge.order_id, order, reason)
        if isinstance(answer, NoAnswer):
            return replace(answer.result(self.name), outcome=ChargeOutcome.UNKNOWN)
        code = answer.text("res_cd")
        if code == kcp_codes.APPROVED:
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, answer.text("tno"))
        if code in self._not_found:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code)
        return self._unsettled(answer, None)

    async def _cancel(self, what: str, named: dict[str, str], reason: str) -> ProviderResponse | NoAnswer:
        return await self._http.call(
            "cancel",
            "POST",
            "/gw/mod/v1/cancel",
            json={
                **self._signed(what, _FULL_CANCEL),
                "mod_type": _FULL_CANCEL,
                "mod_desc": reason[:100],
                **named,
            },
        )

    def _signed(self, what: str, kind: str) -> dict[str, Any]:
        return {
            "site_cd": self._site,
            "kcp_cert_info": self._signer.certificate,
            "kcp_sign_data": self._signer.sign(f"{self._site}^{what}^{kind}"),
        }

    def _unsettled(self, answer: ProviderResponse, provider_key: str | None) -> ChargeResult:
        code = answer.text("res_cd") or f"http_{answer.status}"
        log.warning("payment_code_unknown", provider=self.name, code=code)
        refused = answer.status < 500
        return ChargeResult(ChargeOutcome.UNKNOWN, self.name, provider_key, code, CallHealth.FAILURE, refused=refused)
