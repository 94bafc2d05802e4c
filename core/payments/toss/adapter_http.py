"""Toss Payments: the window by its SDK, confirm, look-up by order and key, cancel (https://docs.tosspayments.com).

    window   TossPayments(clientKey).payment({customerKey}).requestPayment(fields), then the buyer's browser is sent to
             `successUrl?paymentType&orderId&paymentKey&amount`, or to `failUrl?code&message&orderId`
    confirm  POST /v1/payments/confirm {paymentKey, orderId, amount}, Idempotency-Key: the caller's
    look-up  GET  /v1/payments/orders/{orderId}, GET /v1/payments/{paymentKey}
    cancel   POST /v1/payments/{paymentKey}/cancel {cancelReason, cancelAmount?}
    list     GET  /v1/transactions?startDate&endDate&startingAfter&limit

An idempotency key is good for 15 days for one path; the body is no part of it, and errors are remembered like answers.
So it is made from order number *and* paymentKey: a forged paymentKey would burn the order's key otherwise (P1).

Only read in documents, never seen at the real service: that errors are remembered; that a look-up by order number finds
a window that was opened and not finished (READY, IN_PROGRESS); that a forged key is answered with one of
`codes.WRONG_KEY`; the sign of a cancellation's amount in the list; the origins of `sources`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
import structlog

from core.clock import SystemClock
from core.payments.amounts import to_major, to_minor
from core.payments.gateway import (
    Authorisation,
    Buyer,
    CallHealth,
    ChargeOutcome,
    ChargeResult,
    ContentSources,
    ListedCharge,
    Order,
    ReturnRefused,
    Window,
    WindowUrls,
)
from core.payments.provider_package import Limits, origin_of, sources_with
from core.payments.toss import codes
from core.payments.toss.payment import PROVIDER, moment, outcome_of, refund_of
from core.payments.transport_http import LIST_TOO_LONG, ListFailed, NoAnswer, ProviderHttp, ProviderResponse

log = structlog.get_logger(__name__)


_SEOUL: Final = timezone(timedelta(hours=9))
_KEY: Final = re.compile(r"[A-Za-z0-9_=-]{1,200}")
_ORDER: Final = re.compile(r"[A-Za-z0-9_=-]{6,64}")
#: Lines of the provider's list in one answer; it allows 10,000.
_PAGE: Final = 1000
#: Pages of one list, at most: what is longer is told, and read in shorter times (ONSALE_COMPARE_DAYS).
_PAGES: Final = 300


class TossPayments:
    """A `PaymentGateway`. `secret` is the secret key; `page` the origin of the script where it is not the real one."""

    name = PROVIDER
    idempotent = True
    needs_phone_number = False

    def __init__(
        self, *, url: str, script: str, client_key: str, secret: str, environment: str, played: bool, limits: Limits
    ) -> None:
        self.environment = environment
        self.currencies: frozenset[str] | None = None if played else frozenset({"KRW"})
        self.sources = _sources(script, played)
        self._script = script
        self._client_key = client_key
        basic = base64.b64encode(f"{secret}:".encode()).decode()
        self._http = ProviderHttp(provider=self.name, url=url, limits=limits, authorization=f"Basic {basic}")

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        """No call: the script makes the session. `self` on a PC too, so that both devices go the same way."""
        return Window(
            kind="sdk",
            script=self._script,
            client_key=self._client_key,
            fields={
                "method": "CARD",
                "amount": {"currency": order.currency, "value": to_major(order.amount, order.currency)},
                "orderId": order.number,
                "orderName": order.name[:100],
                "successUrl": urls.returned,
                "failUrl": urls.closed,
                "windowTarget": "self",
            },
        )

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        key, code = query.get("paymentKey", ""), query.get("code")
        if code and not key:
            declined, ours = self.is_decline(code), self.is_shops_fault(code)
            raise ReturnRefused(code[:64], closed=not declined, declined=declined, shops_fault=ours)
        if query.get("orderId") != order.number:
            raise ReturnRefused("order_differs")
        if to_minor(query.get("amount"), order.currency) != order.amount:
            raise ReturnRefused("amount_differs")
        if not _KEY.fullmatch(key):
            raise ReturnRefused("key_missing")
        return Authorisation(key)

    def is_decline(self, code: str) -> bool:
        """Every code but those that are known to say something else: Toss Payments adds refusals without notice."""
        return bool(code) and code not in codes.NO_REFUSAL

    def is_shops_fault(self, code: str) -> bool:
        return code in codes.MISCONFIGURED or code in codes.WINDOW_MISCONFIGURED

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        """After `temporary` the same may be sent again, under another idempotency key."""
        amount = to_major(order.amount, order.currency)
        answer = await self._http.call(
            "confirm",
            "POST",
            "/v1/payments/confirm",
            json={"paymentKey": authorisation.key, "orderId": order.number, "amount": amount},
            headers={"Idempotency-Key": idempotency_key},
        )
        if isinstance(answer, NoAnswer):
            return answer.result(self.name)
        if answer.status < 300:
            return _told(outcome_of(answer.body, order), order)
        return await self._refused(answer, order, authorisation.key)

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        """By the key, when there is one: of several windows of an order that is the one which could have charged."""
        if provider_key is not None:
            answer = await self._http.call("look_up", "GET", f"/v1/payments/{quote(provider_key, safe='')}")
            if isinstance(answer, NoAnswer):
                return answer.unknown(self.name, provider_key)
            if answer.status < 300 and answer.text("orderId") == order.number:
                return _told(outcome_of(answer.body, order), order)
            if answer.status >= 300 and answer.text("code") not in codes.NOT_FOUND | codes.WRONG_KEY:
                return self._unknown(answer)
        answer = await self._http.call("look_up", "GET", f"/v1/payments/orders/{quote(order.number, safe='')}")
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name)
        code = answer.text("code")
        if answer.status >= 300:
            if code in codes.NOT_FOUND:
                return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code)
            return self._unknown(answer)
        found = _told(outcome_of(answer.body, order), order)
        stands = found.outcome in (ChargeOutcome.AUTHORISED, ChargeOutcome.NOT_CHARGED)
        if provider_key is not None and stands:
            # The order's own window is still good; the key that was asked for is nobody's, or another order's.
            return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, provider_key, "NOT_FOUND_PAYMENT")
        return found

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
        """All that is left needs no key: it can be given back only once. A part carries the refund's own key.

        Errors are remembered for that key. So when it has answered with an error of its own - which ends the request
        that had it - and the balance has not moved, the refund is sent once more under a key of this hour.
        """
        if provider_key is None:
            found = await self.look_up(order)
            if found.outcome not in (ChargeOutcome.APPROVED, ChargeOutcome.AWAITING_DEPOSIT):
                return _nothing_to_cancel(found)
            provider_key = found.provider_key
        result = await self._cancel(order, provider_key, amount, reason, idempotency_key if amount else None)
        if result.outcome is not ChargeOutcome.UNKNOWN:
            return result
        if not result.temporary and result.code not in codes.MORE_THAN_LEFT:
            return result
        found = await self.look_up(order, provider_key)
        if amount is None:
            # What was given back in parts is not told as given back already.
            return found if found.outcome is ChargeOutcome.CANCELLED else result
        expected = order.amount - refunded_before - amount
        if found.balance == expected:
            return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
        if not result.temporary or found.balance != expected + amount:
            return result
        hour = SystemClock().now().strftime("%Y%m%d%H")
        return await self._cancel(order, provider_key, amount, reason, f"{idempotency_key}-{hour}")

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        """A session that nobody confirms ends by itself: only a charge or a virtual account has to be cancelled."""
        found = await self.look_up(order, provider_key)
        match found.outcome:
            case ChargeOutcome.APPROVED | ChargeOutcome.AWAITING_DEPOSIT:
                return await self._cancel(order, found.provider_key, None, reason, None)
            case ChargeOutcome.CANCELLED | ChargeOutcome.UNKNOWN:
                return found
            case _:
                return replace(found, outcome=ChargeOutcome.NOT_CHARGED)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        """Raises ListFailed. What was given back since is read up to now, so that the balances are of now."""
        charges: dict[str, ListedCharge] = {}
        back: dict[str, int] = {}
        async for line in self._transactions(since):
            key, order, currency = line.get("paymentKey"), line.get("orderId"), str(line.get("currency") or "KRW")
            amount = to_minor(str(line.get("amount")).lstrip("-"), currency)
            at = moment(line.get("transactionAt"))
            if not (isinstance(key, str) and isinstance(order, str)) or amount is None or at is None:
                raise ListFailed("bad_answer")
            if line.get("status") == "DONE":
                charges[key] = ListedCharge(order, key, amount, amount, currency, at)
            elif line.get("status") in ("CANCELED", "PARTIAL_CANCELED"):
                back[key] = back.get(key, 0) + amount
        for key, charge in charges.items():
            if charge.approved_at < until:
                yield replace(charge, balance=charge.amount - back.get(key, 0))

    async def _transactions(self, since: datetime) -> AsyncIterator[Mapping[str, Any]]:
        last = ""
        for _ in range(_PAGES):
            asked = {
                "startDate": _local(since),
                "endDate": _local(SystemClock().now() + timedelta(minutes=1)),
                "limit": str(_PAGE),
                **({"startingAfter": last} if last else {}),
            }
            lines = await self._http.list("list", f"/v1/transactions?{urlencode(asked)}")
            for line in lines:
                yield line
            last = str(lines[-1].get("transactionKey") or "") if lines else ""
            if len(lines) < _PAGE or not last:
                return
        raise ListFailed(LIST_TOO_LONG)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """`PAYMENT_STATUS_CHANGED` and `CANCEL_STATUS_CHANGED` have the order in `data`, `DEPOSIT_CALLBACK` outside."""
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(told, dict):
            return None
        data = told.get("data")
        order = data.get("orderId") if isinstance(data, dict) else told.get("orderId")
        return order if isinstance(order, str) and _ORDER.fullmatch(order) else None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _cancel(
        self, order: Order, provider_key: str | None, amount: int | None, reason: str, key: str | None
    ) -> ChargeResult:
        sent: dict[str, Any] = {"cancelReason": reason[:200]}
        if amount is not None:
            sent["cancelAmount"] = to_major(amount, order.currency)
        answer = await self._http.call(
            "cancel",
            "POST",
            f"/v1/payments/{quote(provider_key or '', safe='')}/cancel",
            json=sent,
            headers={"Idempotency-Key": key} if key else None,
        )
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, provider_key)
        if answer.status < 300:
            result = _told(refund_of(answer.body, order), order)
            if result.outcome is not ChargeOutcome.CANCELLED:
                result = replace(result, outcome=ChargeOutcome.UNKNOWN, code=result.code or "not_cancelled")
            return result
        code = answer.text("code")
        if code in codes.ALREADY_CANCELLED:
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key, code, balance=0)
        if code in codes.NOT_FOUND:
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, provider_key, code)
        log.warning("refund refused", provider=self.name, order=order.number, code=code)
        # Under way is no refusal: the next try is the same request, never another one beside it.
        own = code in codes.TEMPORARY or answer.status == codes.TOO_MANY or (answer.status >= 500 and code is not None)
        refused = not own and code != codes.IN_PROGRESS and answer.status < 500
        return replace(self._unknown(answer), provider_key=provider_key, temporary=own, refused=refused)

    async def _refused(self, answer: ProviderResponse, order: Order, key: str) -> ChargeResult:
        code = answer.text("code")
        if code in codes.DECLINED:
            return ChargeResult(ChargeOutcome.DECLINED, self.name, code=code)
        if code in codes.WRONG_KEY:
            return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, key, code)
        if code in codes.MISCONFIGURED:
            log.error("payment misconfigured", provider=self.name, code=code)
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code=code, health=CallHealth.FAILURE, shops_fault=True
            )
        if code == codes.ALREADY_PROCESSED:
            return await self.look_up(order, key)
        if code == codes.IN_PROGRESS:
            return ChargeResult(ChargeOutcome.UNKNOWN, self.name, code=code, health=CallHealth.IGNORED)
        if code in codes.TEMPORARY:
            return await self._after_temporary_error(order, key, code)
        return self._unknown(answer)

    async def _after_temporary_error(self, order: Order, key: str, code: str) -> ChargeResult:
        """The provider answered, so nothing of ours is under way any more: what the look-up says now is final."""
        found = await self.look_up(order, key)
        if found.outcome in (ChargeOutcome.NOT_CHARGED, ChargeOutcome.AUTHORISED):
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, key, code, health=CallHealth.FAILURE, temporary=True
            )
        known = found.outcome is not ChargeOutcome.UNKNOWN
        return replace(found, code=found.code if known else code, health=CallHealth.FAILURE)

    def _unknown(self, answer: ProviderResponse) -> ChargeResult:
        code = answer.text("code") or f"http_{answer.status}"
        temporary = code in codes.TEMPORARY
        ours = code in codes.MISCONFIGURED
        log.warning("payment code unknown", provider=self.name, code=code, status=answer.status)
        return ChargeResult(
            ChargeOutcome.UNKNOWN,
            self.name,
            code=code,
            health=CallHealth.FAILURE,
            temporary=temporary,
            refused=not temporary and answer.status < 500,
            shops_fault=ours,
        )


def _sources(script: str, played: bool) -> ContentSources:
    if not played:
        ours = ("https://*.tosspayments.com",)
        image = (*ours, "https://*.toss.im")
        theirs = ContentSources(script=ours, connect=ours, frame=ours, form=ours, image=image, style=ours)
        return sources_with(script, theirs)
    origin = origin_of(script)
    return ContentSources(script=origin, connect=origin)


def _told(result: ChargeResult, order: Order) -> ChargeResult:
    if result.code == "amount_differs":
        log.error("payment amount differs", provider=PROVIDER, order=order.number)
    return result


def _nothing_to_cancel(found: ChargeResult) -> ChargeResult:
    """CANCELLED and unknown stay; what was declined, never made or not confirmed has nothing to give back."""
    if found.outcome in (ChargeOutcome.CANCELLED, ChargeOutcome.UNKNOWN):
        return found
    return replace(found, outcome=ChargeOutcome.NOT_CHARGED)


def _local(at: datetime) -> str:
    return at.astimezone(_SEOUL).strftime("%Y-%m-%dT%H:%M:%S")
