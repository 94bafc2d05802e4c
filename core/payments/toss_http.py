"""Toss Payments: confirm, look-up by order, cancel (https://docs.tosspayments.com/reference).

`orderId` and `Idempotency-Key` of a confirmation are the reservation's id: a repeated request gets the first one's
answer for 15 days, and the same order cannot be confirmed twice. Cancelling needs no key: the full amount can only
be given back once, and under a key a temporary refusal would be repeated to us for 15 days.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import httpx
import structlog

from core.payments import toss_codes
from core.payments.gateway import CallHealth, Charge, ChargeOutcome, ChargeResult
from core.payments.transport_http import NoAnswer, ProviderHttp, ProviderResponse

log = structlog.get_logger(__name__)


class TossPayments:
    """A `PaymentGateway`. `secret` is the secret key; `url` is `https://api.tosspayments.com` or the simulator's."""

    name = "toss"

    def __init__(self, *, url: str, secret: str, connect: float, read: float, charges: int) -> None:
        self._http = ProviderHttp(
            provider=self.name, url=url, connect=connect, read=read, charges=charges, auth=httpx.BasicAuth(secret, "")
        )

    async def charge(self, charge: Charge) -> ChargeResult:
        answer = await self._http.call(
            "charge",
            "POST",
            "/v1/payments/confirm",
            json={"paymentKey": charge.key_for(self.name), "orderId": charge.order_id, "amount": charge.amount},
            headers={"Idempotency-Key": charge.order_id},
        )
        if isinstance(answer, NoAnswer):
            return answer.result(self.name)
        if answer.status < 300:
            return self._payment(answer, charge)
        return await self._refused(answer, charge)

    async def look_up(self, charge: Charge, provider_key: str | None = None) -> ChargeResult:
        answer = await self._http.call("look_up", "GET", f"/v1/payments/orders/{quote(charge.order_id, safe='')}")
        if isinstance(answer, NoAnswer):
            # Not having been able to ask is no proof of anything.
            return replace(answer.result(self.name), outcome=ChargeOutcome.UNKNOWN)
        if answer.status < 300:
            return self._payment(answer, charge)
        code = answer.text("code")
        if code in toss_codes.NOT_FOUND:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code)
        return self._unknown(answer)

    async def cancel(self, charge: Charge, provider_key: str | None, reason: str) -> ChargeResult:
        if provider_key is None:
            found = await self.look_up(charge)
            if found.outcome is not ChargeOutcome.APPROVED or found.provider_key is None:
                return self._nothing_to_cancel(found)
            provider_key = found.provider_key
        answer = await self._http.call(
            "cancel", "POST", f"/v1/payments/{quote(provider_key, safe='')}/cancel", json={"cancelReason": reason[:200]}
        )
        if isinstance(answer, NoAnswer):
            return replace(answer.result(self.name, provider_key), outcome=ChargeOutcome.UNKNOWN)
        if answer.status < 300:
            result = self._payment(answer, charge)
            if result.outcome is not ChargeOutcome.CANCELLED:
                result = replace(result, outcome=ChargeOutcome.UNKNOWN, code=result.code or "not_cancelled")
            return result
        code = answer.text("code")
        if code in toss_codes.ALREADY_CANCELLED:
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key, code)
        if code in toss_codes.NOT_FOUND:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, provider_key, code)
        log.warning("refund_refused", provider=self.name, reservation=charge.order_id, code=code)
        return replace(self._unknown(answer), provider_key=provider_key)

    async def aclose(self) -> None:
        await self._http.aclose()

    def _payment(self, answer: ProviderResponse, charge: Charge) -> ChargeResult:
        """A Payment object: its `status` is the outcome, if it is this order's and this amount's."""
        key, status = answer.text("paymentKey"), answer.text("status")
        if answer.text("orderId") != charge.order_id or key is None:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, key, "bad_answer", CallHealth.FAILURE)
        if status in ("DONE", "CANCELED") and answer.body.get("totalAmount") != charge.amount:
            log.error("payment amount differs", provider=self.name, reservation=charge.order_id)
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, key, "amount_differs")
        match status:
            case "DONE":
                return ChargeResult(ChargeOutcome.APPROVED, self.name, key)
            case "CANCELED":
                return ChargeResult(ChargeOutcome.CANCELLED, self.name, key, status)
            case "ABORTED" | "EXPIRED":
                failure = answer.body.get("failure")
                code = failure.get("code") if isinstance(failure, dict) else None
                return ChargeResult(ChargeOutcome.DECLINED, self.name, key, str(code or status))
            case _:
                # READY, IN_PROGRESS, WAITING_FOR_DEPOSIT, PARTIAL_CANCELED: nothing final.
                return ChargeResult(ChargeOutcome.UNKNOWN, self.name, key, status or "bad_answer")

    async def _refused(self, answer: ProviderResponse, charge: Charge) -> ChargeResult:
        code = answer.text("code")
        if code in toss_codes.DECLINED:
            return ChargeResult(ChargeOutcome.DECLINED, self.name, code=code)
        if code in toss_codes.MISCONFIGURED:
            log.error("payment_misconfigured", provider=self.name, code=code)
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code, health=CallHealth.FAILURE)
        if code == toss_codes.ALREADY_PROCESSED:
            return await self.look_up(charge)
        if code == toss_codes.IN_PROGRESS:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code=code, health=CallHealth.IGNORED)
        if code in toss_codes.TEMPORARY:
            return await self._after_temporary_error(charge, code)
        return self._unknown(answer)

    async def _after_temporary_error(self, charge: Charge, code: str) -> ChargeResult:
        """The provider answered, so nothing of ours is under way any more: what the look-up says now is final."""
        found = await self.look_up(charge)
        never_charged = found.outcome is ChargeOutcome.NOT_CHARGED or found.code in ("READY", "IN_PROGRESS")
        if never_charged:
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code=code, health=CallHealth.FAILURE, temporary=True
            )
        known = found.outcome is not ChargeOutcome.UNKNOWN
        return replace(found, code=found.code if known else code, health=CallHealth.FAILURE)

    def _unknown(self, answer: ProviderResponse) -> ChargeResult:
        code = answer.text("code") or f"http_{answer.status}"
        log.warning("payment_code_unknown", provider=self.name, code=code, status=answer.status)
        refused = code not in toss_codes.TEMPORARY and answer.status < 500
        return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code=code, health=CallHealth.FAILURE, refused=refused)

    def _nothing_to_cancel(self, found: ChargeResult) -> ChargeResult:
        """CANCELLED stays; a charge that was declined or never made has nothing to give back; unknown stays unknown."""
        if found.outcome is ChargeOutcome.DECLINED:
            return replace(found, outcome=ChargeOutcome.NOT_CHARGED)
        return found
