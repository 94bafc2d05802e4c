"""PortOne v2 with manual approval, through `portone-server-sdk` (its asynchronous twins, over httpx).

    window   PortOne.requestPayment({storeId, channelKey, paymentId, orderName, totalAmount, currency, payMethod,
             redirectUrl, forceRedirect}); back to `redirectUrl?paymentId&txId&paymentToken`, or `&code&message&pgCode`
    confirm  POST /payments/{paymentId}/confirm {paymentToken, totalAmount, currency}: only this moves money
    look-up  GET  /payments/{paymentId}
    cancel   POST /payments/{paymentId}/cancel {amount?, reason, currentCancellableAmount?}
    list     GET  /payments-by-cursor

`paymentId` is our order number. It succeeds once, so that the same confirmation sent again is `ALREADY_PAID` and looked
up. A part is given back with the balance that it expects; a repeat does not meet it.

Only read in documents and in the SDK, never seen at the real service: that a payment which waits for its manual
approval is PAY_PENDING; which codes a closed window brings; that a channel is set to manual approval by PortOne and not
by us; the origins of `sources`; that the money of one whose approval never comes is released by the provider behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar, cast

import httpx
import orjson
import structlog
from portone_server_sdk import payment as portone
from portone_server_sdk import webhook
from portone_server_sdk.errors import PgProviderError, PortOneError

from core.payments import metrics
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
from core.payments.portone.codes import CLOSED_WINDOW, MISCONFIGURED, WRONG_KEY
from core.payments.portone.payment import PROVIDER, code_of, moment, outcome_of
from core.payments.provider_package import Limits, sources_with
from core.payments.registry import window_language
from core.payments.sdk_errors_http import failed_call
from core.payments.transport_http import LIST_TOO_LONG, ListFailed, NoAnswer

log = structlog.get_logger(__name__)


#: Lines of the list in one answer, at most what PortOne allows; and pages of one comparison.
_PAGE: Final = 1000
_PAGES: Final = 300
#: A payment is listed by when it was made: its approval is later, by the window's time at most.
_EARLIER: Final = timedelta(hours=1)
_LONGEST_TOKEN: Final = 1000

_OURS: Final = ("https://*.portone.io", "https://*.iamport.co", "https://*.iamport.kr")
#: The providers behind a channel whose scripts PortOne's own loads.
_BEHIND: Final = (
    "https://*.tosspayments.com",
    "https://*.kcp.co.kr",
    "https://*.inicis.com",
    "https://*.nicepay.co.kr",
    "https://*.smartropay.co.kr",
)

T = TypeVar("T")


class PortOne:
    """A `PaymentGateway`. `store` is PortOne's `storeId`, `channel` its `channelKey`."""

    name = PROVIDER
    idempotent = True
    needs_phone_number = False
    #: What the SDK lists first and Korean channels take.
    currencies: frozenset[str] | None = frozenset({"KRW", "USD", "JPY"})

    def __init__(
        self,
        *,
        url: str,
        script: str,
        store: str,
        channel: str,
        secret: str,
        webhook_secret: str,
        environment: str,
        limits: Limits,
    ) -> None:
        self.environment = environment
        # The bank's own pages are framed and posted to: whose they are is known only once the buyer has chosen a card.
        anywhere = ("https:",)
        theirs = ContentSources(
            script=(*_OURS, *_BEHIND), connect=_OURS, frame=anywhere, form=anywhere, image=anywhere, style=_OURS
        )
        self.sources = sources_with(script, theirs)
        self._script, self._store, self._channel = script, store, channel
        self._webhook_secret = webhook_secret
        self._longest = limits.connect + limits.read
        self._sdk = portone.PaymentClient(secret=secret, base_url=url.rstrip("/"), store_id=store or None)
        # The SDK waits a minute for an answer, and takes no other time.
        self._sdk._async_client.timeout = httpx.Timeout(limits.read, connect=limits.connect)

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        return Window(
            kind="sdk",
            script=self._script,
            client_key=self._store,
            fields={
                "storeId": self._store,
                "channelKey": self._channel,
                "paymentId": order.number,
                "orderName": order.name[:100],
                "totalAmount": order.amount,
                "currency": order.currency,
                "payMethod": "CARD",
                "redirectUrl": urls.returned,
                "forceRedirect": True,
                "locale": window_language(PROVIDER, buyer.language),
            },
        )

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        """The amount does not come back: the confirmation sends ours, and PortOne compares."""
        if query.get("paymentId") != order.number:
            raise ReturnRefused("order_differs")
        code = query.get("code")
        if code:
            # What is the shop's to mend (P9) is no refusal of a card either.
            told = {code, query.get("pgCode", "")}
            ours = not told.isdisjoint(MISCONFIGURED)
            closed = ours or not told.isdisjoint(CLOSED_WINDOW)
            raise ReturnRefused(code[:64], closed=closed, declined=not closed, shops_fault=ours)
        token = query.get("paymentToken", "")
        if not 0 < len(token) <= _LONGEST_TOKEN:
            raise ReturnRefused("key_missing")
        return Authorisation(token, {"txId": query["txId"][:200]} if query.get("txId") else {})

    def is_decline(self, code: str) -> bool:
        """PortOne knows no closed URL: all comes by the return."""
        return False

    def is_shops_fault(self, code: str) -> bool:
        return code in MISCONFIGURED

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        """The payment id is the idempotency key. The amount is compared by PortOne before, and by us afterwards."""
        answer = await self._call(
            "confirm",
            self._sdk.confirm_payment_async(
                payment_id=order.number,
                payment_token=authorisation.key,
                tx_id=authorisation.data.get("txId"),
                currency=order.currency,
                total_amount=order.amount,
            ),
        )
        if isinstance(answer, NoAnswer):
            return answer.result(self.name)
        if not isinstance(answer, PortOneError):
            found = await self.look_up(order)
            known = found.outcome is ChargeOutcome.APPROVED or found.code == "amount_differs"
            return found if known else ChargeResult(ChargeOutcome.APPROVED, self.name, answer.pg_tx_id)
        code = code_of(answer)
        if code == "ALREADY_PAID":
            return await self.look_up(order)
        if code == "PG_PROVIDER":
            # The provider behind has answered, so nothing of ours is under way: the look-up has the truth.
            return await self._refused_behind(order, cast(PgProviderError, answer).pg_code)
        if code in WRONG_KEY:
            return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, authorisation.key, code)
        if code in MISCONFIGURED:
            log.error("payment misconfigured", provider=self.name, code=code)
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, code=code, health=CallHealth.FAILURE, shops_fault=True
            )
        return self._unknown(code)

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        answer = await self._call("look_up", self._sdk.get_payment_async(payment_id=order.number))
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, provider_key)
        if isinstance(answer, PortOneError):
            code = code_of(answer)
            if code == "PAYMENT_NOT_FOUND":
                return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code=code)
            return self._unknown(code)
        found = outcome_of(answer, order)
        if found.code == "amount_differs":
            log.error("payment amount differs", provider=self.name, order=order.number)
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
        left = order.amount - refunded_before
        answer = await self._call(
            "cancel",
            self._sdk.cancel_payment_async(
                payment_id=order.number,
                amount=amount,
                reason=reason[:200],
                current_cancellable_amount=None if amount is None else left,
            ),
        )
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, provider_key)
        expected = 0 if amount is None else left - amount
        if not isinstance(answer, PortOneError):
            return _cancelled(answer, provider_key, expected)
        code = code_of(answer)
        if code == "PAYMENT_ALREADY_CANCELLED":
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key, code, balance=0)
        if code in ("PAYMENT_NOT_FOUND", "PAYMENT_NOT_PAID"):
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, provider_key, code)
        # Made before, perhaps: what is left of the charge tells.
        found = await self.look_up(order)
        if found.balance == expected:
            return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
        log.warning("refund refused", provider=self.name, order=order.number, code=code)
        return replace(self._unknown(code), provider_key=provider_key, balance=found.balance)

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        """What waits for its approval ends without one; a virtual account is closed."""
        found = await self.look_up(order)
        match found.outcome:
            case ChargeOutcome.APPROVED:
                return await self.cancel(
                    order, None, amount=None, refunded_before=0, reason=reason, idempotency_key=idempotency_key
                )
            case ChargeOutcome.AWAITING_DEPOSIT:
                closed = await self._call("cancel", self._sdk.close_virtual_account_async(payment_id=order.number))
                if isinstance(closed, NoAnswer):
                    return closed.unknown(self.name, found.provider_key)
                if isinstance(closed, PortOneError):
                    return self._unknown(code_of(closed))
                return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
            case ChargeOutcome.CANCELLED | ChargeOutcome.UNKNOWN:
                return found
            case _:
                return replace(found, outcome=ChargeOutcome.NOT_CHARGED)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        """Raises ListFailed."""
        cursor: str | None = None
        for _ in range(_PAGES):
            answer = await self._call(
                "list",
                self._sdk.get_all_payments_by_cursor_async(
                    from_=(since - _EARLIER).isoformat(), until=until.isoformat(), cursor=cursor, size=_PAGE
                ),
            )
            if isinstance(answer, NoAnswer):
                raise ListFailed(answer.code)
            if isinstance(answer, PortOneError):
                raise ListFailed(code_of(answer))
            for item in answer.items:
                charge = _listed(item.payment)
                if charge is not None and since <= charge.approved_at < until:
                    yield charge
            if len(answer.items) < _PAGE:
                return
            cursor = answer.items[-1].cursor
        raise ListFailed(LIST_TOO_LONG)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """Signed by the Standard Webhooks' way; where no secret is set, a hint is a hint all the same."""
        try:
            text = body.decode()
            if self._webhook_secret:
                lower = {name.lower(): value for name, value in headers.items()}
                webhook.verify(self._webhook_secret, text, lower)
            told = orjson.loads(text)
        except (PortOneError, ValueError):
            return None
        data = told.get("data") if isinstance(told, dict) else None
        order = data.get("paymentId") if isinstance(data, dict) else None
        return order if isinstance(order, str) and 0 < len(order) <= 64 else None

    async def aclose(self) -> None:
        await self._sdk._async_client.aclose()

    async def _call(self, operation: str, asked: Awaitable[T]) -> T | PortOneError | NoAnswer:
        """The SDK's answer, PortOne's error, or that there is none to judge."""
        started = time.perf_counter()
        answer: T | PortOneError | NoAnswer
        try:
            async with asyncio.timeout(self._longest):
                answer = await asked
        except PortOneError as error:
            answer = error
        except (ValueError, KeyError, TypeError) as error:
            # An answer that is no JSON, or not of a form that this version of the SDK knows.
            log.warning("payment bad answer", provider=self.name, operation=operation, error=repr(error)[:200])
            answer = NoAnswer(sent=True, code="bad_answer", health=CallHealth.FAILURE)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            answer = failed_call(self.name, operation, error)
        metrics.SECONDS.labels(self.name, operation).observe(time.perf_counter() - started)
        if isinstance(answer, NoAnswer):
            answer.count(self.name)
        return answer

    async def _refused_behind(self, order: Order, code: str) -> ChargeResult:
        found = await self.look_up(order)
        match found.outcome:
            case ChargeOutcome.APPROVED | ChargeOutcome.DECLINED | ChargeOutcome.CANCELLED:
                return found
            case ChargeOutcome.NOT_CHARGED | ChargeOutcome.AUTHORISED:
                return ChargeResult(ChargeOutcome.DECLINED, self.name, code=code)
            case _:
                return replace(self._unknown(code), refused=False)

    def _unknown(self, code: str) -> ChargeResult:
        log.warning("payment code unknown", provider=self.name, code=code)
        return ChargeResult(
            ChargeOutcome.UNKNOWN,
            self.name,
            code=code,
            health=CallHealth.FAILURE,
            refused=True,
            shops_fault=code in MISCONFIGURED,
        )


def _cancelled(answer: portone.CancelPaymentResponse, provider_key: str | None, expected: int) -> ChargeResult:
    made = answer.cancellation
    if isinstance(made, portone.SucceededPaymentCancellation):
        return ChargeResult(ChargeOutcome.CANCELLED, PROVIDER, provider_key, balance=expected, refund_key=made.id)
    requested = isinstance(made, portone.RequestedPaymentCancellation)
    code = "CANCEL_REQUESTED" if requested else "CANCEL_FAILED"
    return ChargeResult(ChargeOutcome.UNKNOWN, PROVIDER, provider_key, code, temporary=requested, refused=not requested)


def _listed(payment: portone.Payment) -> ListedCharge | None:
    if not isinstance(payment, portone.PaidPayment | portone.PartialCancelledPayment | portone.CancelledPayment):
        return None
    at = moment(payment.paid_at)
    if at is None:
        return None
    amount = payment.amount
    # Named by its order: a payment id succeeds once, and is what everything is asked by.
    return ListedCharge(
        payment.id, payment.id, amount.total, amount.total - amount.cancelled, str(payment.currency), at
    )
