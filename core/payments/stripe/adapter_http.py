"""Stripe with manual capture, through `stripe` (its asynchronous calls, over httpx).

    window   POST /v1/checkout/sessions {mode: payment, payment_intent_data: {capture_method: manual, metadata}, ...};
             the buyer's browser goes to its `url` and comes back to `success_url` with the session's id
    confirm  GET  /v1/checkout/sessions/{id}, POST /v1/payment_intents/{id}/capture: only this moves money
    look-up  GET  /v1/payment_intents/{id}, GET /v1/checkout/sessions/{id}, GET /v1/payment_intents/search
    cancel   POST /v1/refunds {payment_intent, amount?}, with the refund's idempotency key
    void     POST /v1/payment_intents/{id}/cancel, POST /v1/checkout/sessions/{id}/expire
    list     GET  /v1/charges

The session's id is the key that a return brings. Its order, amount and currency are compared with ours at the
confirmation, before anything is captured: the return itself carries none. A session has a fixed end, so a window that
is opened again in the same ten minutes is the same session. Which methods of payment it offers, the account's dashboard
says: the parameter that names them differs between versions of the API, and only those that can be captured later are
offered with manual capture.

Checked against stripe-mock: the shape of every request. Only read in documents, never seen at the real service: what
the objects say afterwards; that a search finds an order within a minute; that a captured intent keeps `metadata`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson
import stripe
import structlog
from stripe.params.checkout import SessionCreateParams

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
    WindowFailed,
    WindowUrls,
)
from core.payments.provider_package import Limits
from core.payments.registry import window_language
from core.payments.stripe.calls_http import Answer, StripeCalls, code_of, is_ours
from core.payments.stripe.objects import CURRENCIES, PROVIDER, from_stripe, intent_outcome, order_of, to_stripe
from core.payments.transport_http import LIST_TOO_LONG, ListFailed, NoAnswer

log = structlog.get_logger(__name__)


_SESSION: Final = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_INTENT: Final = re.compile(r"pi_[A-Za-z0-9_]{1,250}")
#: A session is open for 30 minutes at least; its end is the same for all that ask within so many seconds.
_OPEN_SECONDS: Final = 1800
_STEP_SECONDS: Final = 600
#: A charge is listed by when it was authorised: its capture is later, by the window's time at most.
_EARLIER: Final = timedelta(hours=1)
#: HTTP status of a request that came while another with its idempotency key was being worked on.
_UNDER_WAY: Final = 409
_PAGE: Final = 100
_PAGES: Final = 3000


class Stripe:
    """A `PaymentGateway`."""

    name = PROVIDER
    idempotent = True
    needs_phone_number = False
    #: 135 and more, by the account's country: what an account does not take is refused when its window is opened.
    currencies: frozenset[str] | None = CURRENCIES
    #: The browser goes to Stripe's own page: nothing of theirs is loaded into ours.
    sources = ContentSources()

    def __init__(self, *, url: str, secret: str, webhook_secret: str, environment: str, limits: Limits) -> None:
        self.environment = environment
        self._webhook_secret = webhook_secret
        self._sdk = StripeCalls(url=url, secret=secret, limits=limits)

    async def open_window(self, order: Order, buyer: Buyer, urls: WindowUrls) -> Window:
        ends = (int(time.time()) // _STEP_SECONDS + 1) * _STEP_SECONDS + _OPEN_SECONDS
        separator = "&" if urlsplit(urls.returned).query else "?"
        metadata = {"order": order.number}
        asked: SessionCreateParams = {
            "mode": "payment",
            "client_reference_id": order.number,
            "metadata": metadata,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": to_stripe(order.amount, order.currency),
                        "product_data": {"name": order.name[:250]},
                    },
                }
            ],
            "payment_intent_data": {"capture_method": "manual", "metadata": metadata},
            # The braces are Stripe's: it puts the session's id there.
            "success_url": f"{urls.returned}{separator}session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": urls.closed,
            "expires_at": ends,
            "locale": cast("Any", window_language(PROVIDER, buyer.language)),
        }
        key = f"{order.number}-window-{ends}-{_digest(f'{urls.returned} {buyer.language}')}"
        answer = await self._sdk.call(
            "register", self._sdk.v1.checkout.sessions.create_async(asked, {"idempotency_key": key})
        )
        if isinstance(answer, NoAnswer):
            raise WindowFailed(answer.code, health=answer.health)
        if isinstance(answer, stripe.StripeError):
            code = code_of(answer)
            log.error("payment window refused", provider=self.name, order=order.number, code=code)
            # What it is asked for is the shop's: no buyer has a hand in price, currency, name or addresses.
            ours = is_ours(answer) or isinstance(answer, stripe.InvalidRequestError)
            raise WindowFailed(code, health=CallHealth.FAILURE, shops_fault=ours)
        url = answer.get("url")
        if not isinstance(url, str) or not url:
            raise WindowFailed("bad_answer", health=CallHealth.FAILURE)
        return Window(kind="redirect", url=url, fields={"session": str(answer.get("id", ""))})

    def read_return(self, order: Order, query: Mapping[str, str], form: Mapping[str, str]) -> Authorisation:
        """Nothing but the session's id comes back: whose it is, the confirmation asks Stripe."""
        session = query.get("session_id", "")
        if not _SESSION.fullmatch(session):
            raise ReturnRefused("key_missing")
        return Authorisation(session)

    def is_decline(self, code: str) -> bool:
        """Checkout declines cards on its own page: who comes by `cancel_url` went, and no code comes along."""
        return False

    def is_shops_fault(self, code: str) -> bool:
        return False

    async def confirm(self, order: Order, authorisation: Authorisation, idempotency_key: str) -> ChargeResult:
        """The key is a Session's, which a return brings, or an intent's, which a look-up has found (a lost return)."""
        if _INTENT.fullmatch(authorisation.key):
            found: ChargeResult | NoAnswer = await self.look_up(order, authorisation.key)
        else:
            found = await self._of_session(order, authorisation.key)
        if isinstance(found, NoAnswer):
            return found.result(self.name)
        if found.shops_fault:
            return replace(found, outcome=ChargeOutcome.NOT_CHARGED)
        if found.outcome is ChargeOutcome.NOT_CHARGED or found.code == "canceled":
            # Not authorised, or let go of: this key charges nothing.
            return replace(found, outcome=ChargeOutcome.WRONG_KEY)
        if found.outcome is not ChargeOutcome.AUTHORISED or found.provider_key is None:
            return found
        answer = await self._sdk.call(
            "confirm",
            self._sdk.v1.payment_intents.capture_async(
                found.provider_key, {"expand": ["latest_charge"]}, {"idempotency_key": idempotency_key}
            ),
        )
        if isinstance(answer, NoAnswer):
            return answer.result(self.name, found.provider_key)
        if isinstance(answer, stripe.StripeError):
            return self._refused(answer, found.provider_key)
        return _told(intent_outcome(answer, order), order)

    async def look_up(self, order: Order, provider_key: str | None = None) -> ChargeResult:
        """By the key that there is: a session's or an intent's; without one, by the order in the intents' metadata.

        A search may be a minute late. What it does not find was never confirmed by us, and so charged nothing.
        """
        if provider_key is not None and _SESSION.fullmatch(provider_key):
            session = await self._of_session(order, provider_key)
            return session.unknown(self.name, provider_key) if isinstance(session, NoAnswer) else session
        if provider_key is not None and _INTENT.fullmatch(provider_key):
            answer = await self._sdk.call(
                "look_up",
                self._sdk.v1.payment_intents.retrieve_async(provider_key, {"expand": ["latest_charge"]}),
            )
            return self._of_intent(answer, order, provider_key)
        found = await self._sdk.call(
            "look_up",
            self._sdk.v1.payment_intents.search_async(
                {"query": f"metadata['order']:'{order.number}'", "limit": 10, "expand": ["data.latest_charge"]}
            ),
        )
        if isinstance(found, NoAnswer):
            return found.unknown(self.name)
        if isinstance(found, stripe.StripeError):
            return self._unknown(found)
        outcomes = [intent_outcome(intent, order) for intent in found.get("data", [])]
        first = (ChargeOutcome.APPROVED, ChargeOutcome.UNKNOWN, ChargeOutcome.AUTHORISED, ChargeOutcome.CANCELLED)
        best = next((one for kind in first for one in outcomes if one.outcome is kind), None)
        return _told(best, order) if best else ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, code="not_found")

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
        """`reason` goes into the metadata: Stripe's own reasons are three words of its own."""
        if provider_key is None or not _INTENT.fullmatch(provider_key):
            found = await self.look_up(order, provider_key)
            if found.outcome is not ChargeOutcome.APPROVED or found.provider_key is None:
                lasting = found.outcome in (ChargeOutcome.CANCELLED, ChargeOutcome.UNKNOWN)
                return found if lasting else replace(found, outcome=ChargeOutcome.NOT_CHARGED)
            provider_key = found.provider_key
        asked: stripe.params.RefundCreateParams = {
            "payment_intent": provider_key,
            "metadata": {"order": order.number, "reason": reason[:200]},
        }
        if amount is not None:
            asked["amount"] = to_stripe(amount, order.currency)
        answer = await self._sdk.call(
            "cancel", self._sdk.v1.refunds.create_async(asked, {"idempotency_key": idempotency_key})
        )
        expected = 0 if amount is None else order.amount - refunded_before - amount
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, provider_key)
        if not isinstance(answer, stripe.StripeError):
            return _refunded(answer, provider_key, expected)
        if code_of(answer) == "charge_already_refunded":
            return ChargeResult(ChargeOutcome.CANCELLED, self.name, provider_key, code_of(answer), balance=0)
        # More than is left, or an error that is remembered for the key: made before, perhaps. The charge tells.
        found = await self.look_up(order, provider_key)
        if found.outcome is ChargeOutcome.CANCELLED or (amount is not None and found.balance == expected):
            return replace(found, outcome=ChargeOutcome.CANCELLED, code=None)
        log.warning("refund refused", provider=self.name, order=order.number, code=code_of(answer))
        result = replace(self._unknown(answer), provider_key=provider_key, balance=found.balance)
        # Under way is no refusal: the next try is the same request, never another one beside it.
        return replace(result, refused=False) if answer.http_status == _UNDER_WAY else result

    async def void(self, order: Order, provider_key: str | None, *, reason: str, idempotency_key: str) -> ChargeResult:
        """An authorisation holds the buyer's money for a week: it is let go of at once. An open session is closed."""
        found = await self.look_up(order, provider_key)
        match found.outcome:
            case ChargeOutcome.APPROVED:
                return await self.cancel(
                    order,
                    found.provider_key,
                    amount=None,
                    refunded_before=0,
                    reason=reason,
                    idempotency_key=idempotency_key,
                )
            case ChargeOutcome.AUTHORISED if found.provider_key is not None:
                answer = await self._sdk.call(
                    "cancel",
                    self._sdk.v1.payment_intents.cancel_async(
                        found.provider_key, {"cancellation_reason": "abandoned"}, {"idempotency_key": idempotency_key}
                    ),
                )
                return self._of_intent(answer, order, found.provider_key)
            case ChargeOutcome.CANCELLED | ChargeOutcome.UNKNOWN:
                return found
        if provider_key is not None and _SESSION.fullmatch(provider_key):
            closed = await self._sdk.call("cancel", self._sdk.v1.checkout.sessions.expire_async(provider_key))
            if isinstance(closed, NoAnswer):
                return closed.unknown(self.name, provider_key)
        return replace(found, outcome=ChargeOutcome.NOT_CHARGED)

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ListedCharge]:
        """Raises ListFailed. Charges that carry an order of ours; others of the account are somebody else's."""
        after: str | None = None
        for _ in range(_PAGES):
            asked: stripe.params.ChargeListParams = {
                "created": {"gte": int((since - _EARLIER).timestamp()), "lt": int(until.timestamp()) + 1},
                "limit": _PAGE,
            }
            if after is not None:
                asked["starting_after"] = after
            answer = await self._sdk.call("list", self._sdk.v1.charges.list_async(asked))
            if isinstance(answer, NoAnswer):
                raise ListFailed(answer.code)
            if isinstance(answer, stripe.StripeError):
                raise ListFailed(code_of(answer))
            lines = answer.get("data", [])
            for line in lines:
                charge = _listed(line)
                if charge is not None and since <= charge.approved_at < until:
                    yield charge
            if not answer.get("has_more") or not lines:
                return
            after = str(lines[-1]["id"])
        raise ListFailed(LIST_TOO_LONG)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """`Stripe-Signature`, at most 300 s old; where no secret is set, a hint is a hint all the same."""
        try:
            text = body.decode()
            if self._webhook_secret:
                signature = {name.lower(): value for name, value in headers.items()}.get("stripe-signature", "")
                stripe.WebhookSignature.verify_header(text, signature, self._webhook_secret, tolerance=300)
            told = orjson.loads(text)
        except (stripe.StripeError, ValueError):
            return None
        data = told.get("data") if isinstance(told, dict) else None
        thing = data.get("object") if isinstance(data, dict) else None
        order = order_of(thing) if isinstance(thing, dict) else None
        return order if order is not None and len(order) <= 64 else None

    async def aclose(self) -> None:
        await self._sdk.aclose()

    async def _of_session(self, order: Order, session: str) -> ChargeResult | NoAnswer:
        answer = await self._sdk.call(
            "look_up",
            self._sdk.v1.checkout.sessions.retrieve_async(
                session, {"expand": ["payment_intent", "payment_intent.latest_charge"]}
            ),
        )
        if isinstance(answer, NoAnswer):
            return answer
        if isinstance(answer, stripe.StripeError):
            if code_of(answer) == "resource_missing":
                return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, session, "resource_missing")
            return self._unknown(answer)
        if order_of(answer) != order.number:
            return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, session, "order_differs")
        intent = answer.get("payment_intent")
        if not isinstance(intent, Mapping):
            # No intent before the buyer has done anything.
            return ChargeResult(ChargeOutcome.NOT_CHARGED, self.name, session, str(answer.get("status")))
        return _told(intent_outcome(intent, order), order)

    def _of_intent(self, answer: Answer, order: Order, key: str) -> ChargeResult:
        if isinstance(answer, NoAnswer):
            return answer.unknown(self.name, key)
        if isinstance(answer, stripe.StripeError):
            if code_of(answer) == "resource_missing":
                return ChargeResult(ChargeOutcome.WRONG_KEY, self.name, key, "resource_missing")
            return replace(self._unknown(answer), provider_key=key)
        return _told(intent_outcome(answer, order), order)

    def _refused(self, error: stripe.StripeError, key: str) -> ChargeResult:
        """Of a capture."""
        code = code_of(error)
        if isinstance(error, stripe.CardError):
            return ChargeResult(ChargeOutcome.DECLINED, self.name, key, code)
        if is_ours(error):
            log.error("payment misconfigured", provider=self.name, code=code)
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, key, code, health=CallHealth.FAILURE, shops_fault=True
            )
        if isinstance(error, stripe.RateLimitError):
            return ChargeResult(
                ChargeOutcome.NOT_CHARGED, self.name, key, code, health=CallHealth.FAILURE, temporary=True
            )
        return replace(self._unknown(error), provider_key=key)

    def _unknown(self, error: stripe.StripeError) -> ChargeResult:
        code = code_of(error)
        log.warning("payment code unknown", provider=self.name, code=code, status=error.http_status)
        temporary = isinstance(error, stripe.RateLimitError) or (error.http_status or 500) >= 500
        return ChargeResult(
            ChargeOutcome.UNKNOWN,
            self.name,
            code=code,
            health=CallHealth.FAILURE,
            temporary=temporary,
            refused=not temporary,
            shops_fault=is_ours(error),
        )


def _digest(text: str) -> str:
    """A few letters that tell two addresses apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _refunded(refund: Mapping[str, Any], key: str, expected: int) -> ChargeResult:
    status, name = refund.get("status"), str(refund.get("id") or "") or None
    if status in ("succeeded", "pending"):
        # Pending: it is made, and on its way to the bank.
        return ChargeResult(ChargeOutcome.CANCELLED, PROVIDER, key, balance=expected, refund_key=name)
    return ChargeResult(
        ChargeOutcome.UNKNOWN, PROVIDER, key, f"refund_{status}", CallHealth.SUCCESS, refused=True, refund_key=name
    )


def _listed(charge: Mapping[str, Any]) -> ListedCharge | None:
    order, currency = order_of(charge), str(charge.get("currency") or "").upper()
    amount = from_stripe(charge.get("amount_captured"), currency)
    back = from_stripe(charge.get("amount_refunded"), currency)
    key, created = charge.get("payment_intent"), charge.get("created")
    if order is None or not amount or back is None or not isinstance(key, str) or not isinstance(created, int):
        return None
    return ListedCharge(order, key, amount, amount - back, currency, datetime.fromtimestamp(created, UTC))


def _told(result: ChargeResult, order: Order) -> ChargeResult:
    if result.code == "amount_differs":
        log.error("payment amount differs", provider=PROVIDER, order=order.number)
    return result
