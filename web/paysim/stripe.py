"""Stripe's API as far as Onsale uses it: Checkout Sessions, PaymentIntents with manual capture, refunds, charges.

Objects, parameters and codes are those of https://docs.stripe.com/api. Bodies are forms with brackets, as Stripe's are;
a parameter that is not played is refused as an unknown one. An idempotency key belongs to its parameters: the same key
with others is an error, the same with the same gets the answer that the first got. Only manual capture is played, so
nothing but the shop's own capture moves money.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.payments.registry import PROVIDERS
from core.payments.stripe.objects import from_stripe, to_stripe
from web.paysim.behaviour import Fate, draw
from web.paysim.exchange import Reply, read_bytes, send
from web.paysim.payment import Payment
from web.paysim.shop import beside, is_return
from web.paysim.store_sqlite import Books, Remembered, SimulatorStore
from web.paysim.stripe_play import PROVIDER, StripePlay, error, session_of, window_of
from web.paysim.webhooks import Webhooks

_QUERY: Final = re.compile(r"metadata\['order'\]:'([A-Za-z0-9-]{1,64})'")
_CREATE: Final = re.compile(
    r"mode|client_reference_id|success_url|cancel_url|expires_at|locale|metadata\[\w+\]|"
    r"line_items\[0\]\[(quantity|price_data\]\[(currency|unit_amount|product_data\]\[name))\]|"
    r"payment_intent_data\[(capture_method|metadata\]\[\w+)\]"
)
#: Of the languages that Checkout speaks, those that the shop may ask for.
_LOCALES: Final = frozenset(PROVIDERS[PROVIDER].languages.values())
_LEAST_OPEN: Final = 30 * 60
_LONGEST_OPEN: Final = 24 * 3600
_MOST_LINES: Final = 100
_LARGEST_AMOUNT: Final = 10**12
#: Their last digit must be 0 (https://docs.stripe.com/currencies): 5124 thousandths are refused, 5120 are not.
_TENS_OF_THOUSANDTHS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

Decision = tuple[Reply, Payment | None]
Decide = Callable[[Books, Mapping[str, str]], Decision]


class StripeSimulator:
    """The handlers of `/paysim/stripe/v1/...`. `page`: where buyers' browsers find the simulator, when not beside the
    shop.
    """

    def __init__(self, store: SimulatorStore, play: StripePlay, secret: str, webhooks: Webhooks, page: str) -> None:
        self._store = store
        self._play = play
        self._secret = secret
        self._webhooks = webhooks
        self._page = page.rstrip("/")

    async def create_session(self, request: Request) -> Response:
        def decide(books: Books, form: Mapping[str, str]) -> Decision:
            unknown = next((name for name in form if not _CREATE.fullmatch(name)), None)
            if unknown is not None:
                return error("parameter_unknown", param=unknown), None
            columns = self._asked(form, books.now)
            if isinstance(columns, str):
                return error("parameter_invalid", param=columns), None
            made = books.add(provider_key=self._play.new_key(), status="READY", method="CARD", **columns)
            return Reply(200, _session(books, made, frozenset())), None

        return await self._post(request, decide)

    async def session(self, request: Request) -> Response:
        def look(books: Books, query: Mapping[str, str]) -> Reply:
            payment = self._of_session(request, books)
            return error("resource_missing") if payment is None else Reply(200, _session(books, payment, _wide(query)))

        return await self._get(request, look)

    async def expire_session(self, request: Request) -> Response:
        def decide(books: Books, form: Mapping[str, str]) -> Decision:
            payment = self._of_session(request, books)
            if payment is None:
                return error("resource_missing"), None
            if payment.left_at is not None or payment.status_at(books.now, books.rules()) != "READY":
                return error("checkout_session_not_open"), None
            ended = books.change(payment, left_at=books.now, code="close")
            return Reply(200, _session(books, ended, frozenset())), None

        return await self._post(request, decide)

    async def intent(self, request: Request) -> Response:
        def look(books: Books, query: Mapping[str, str]) -> Reply:
            payment = _of_intent(books, request.path_params["intent"])
            return error("resource_missing") if payment is None else Reply(200, _intent(books, payment, _wide(query)))

        return await self._get(request, look)

    async def search(self, request: Request) -> Response:
        def look(books: Books, query: Mapping[str, str]) -> Reply:
            named = _QUERY.fullmatch(query.get("query", ""))
            if named is None:
                return error("parameter_invalid", param="query")
            found = [one for one in books.of_order(named[1]) if one.authorised_at is not None]
            wide = frozenset(one.removeprefix("data.") for one in _wide(query))
            lines = [_intent(books, one, wide) for one in reversed(found)]
            return Reply(200, {"object": "search_result", "data": lines, "has_more": False, "url": "/v1/x"})

        return await self._get(request, look)

    async def capture(self, request: Request) -> Response:
        def decide(books: Books, form: Mapping[str, str]) -> Decision:
            payment = _of_intent(books, request.path_params["intent"])
            if payment is None:
                return error("resource_missing"), None
            if not payment.is_confirmable(books.now, books.rules()):
                return error("payment_intent_unexpected_state"), None
            return _charge(books, payment, _wide(form))

        return await self._post(request, decide)

    async def cancel_intent(self, request: Request) -> Response:
        def decide(books: Books, form: Mapping[str, str]) -> Decision:
            payment = _of_intent(books, request.path_params["intent"])
            if payment is None:
                return error("resource_missing"), None
            if payment.status != "IN_PROGRESS":
                return error("payment_intent_unexpected_state"), None
            released = books.give_back(payment, 0, form.get("cancellation_reason", "abandoned"))
            return Reply(200, _intent(books, released, _wide(form))), released

        return await self._post(request, decide)

    async def refund(self, request: Request) -> Response:
        def decide(books: Books, form: Mapping[str, str]) -> Decision:
            payment = _of_intent(books, form.get("payment_intent", ""))
            if payment is None:
                return error("resource_missing", param="payment_intent"), None
            if payment.approved_at is None:
                return error("charge_not_captured"), None
            if payment.balance == 0:
                return error("charge_already_refunded"), None
            named = form.get("amount")
            amount = payment.balance if named is None else from_stripe(_whole(named), payment.currency)
            if not amount or amount < 0 or (named is not None and not _is_even(amount, payment.currency)):
                return error("parameter_invalid", param="amount"), None
            if amount > payment.balance:
                return error("refund_too_large", param="amount"), None
            given_back = books.give_back(payment, amount, form.get("metadata[reason]", "requested_by_customer"))
            made = {
                "id": f"re_{books.refunds(given_back)[-1].key}",
                "object": "refund",
                "amount": to_stripe(amount, payment.currency),
                "currency": payment.currency.lower(),
                "payment_intent": payment.provider_key,
                "status": "succeeded",
                "metadata": {"order": payment.order_id},
            }
            return Reply(200, made), given_back

        return await self._post(request, decide)

    async def charges(self, request: Request) -> Response:
        """Newest first, as Stripe lists; also those that were not captured."""

        def look(books: Books, query: Mapping[str, str]) -> Reply:
            since, until = _whole(query.get("created[gte]", "0")), _whole(query.get("created[lt]", str(2**40)))
            limit, after = _whole(query.get("limit", "10")), query.get("starting_after")
            if since is None or until is None or limit is None or not 0 < limit <= _MOST_LINES:
                return error("parameter_invalid")
            found = [one for one in reversed(books.all()) if one.authorised_at and since <= one.authorised_at < until]
            if after is not None:
                place = next((at for at, one in enumerate(found) if _charge_id(one) == after), None)
                if place is None:
                    return error("resource_missing", param="starting_after")
                found = found[place + 1 :]
            lines = [_charge_object(one) for one in found[:limit]]
            return Reply(200, {"object": "list", "url": "/v1/charges", "data": lines, "has_more": len(found) > limit})

        return await self._get(request, look)

    def _asked(self, form: Mapping[str, str], now: float) -> dict[str, Any] | str:
        """The columns of a new Session; or the parameter that is wrong."""
        order, price = form.get("client_reference_id", ""), "line_items[0][price_data]"
        currency, amount = form.get(f"{price}[currency]", ""), _whole(form.get(f"{price}[unit_amount]", ""))
        name = form.get(f"{price}[product_data][name]", "")
        ends = _whole(form.get("expires_at", str(int(now) + _LONGEST_OPEN)))
        minor = from_stripe(amount, currency.upper())
        returned, closed = form.get("success_url", ""), form.get("cancel_url", "")
        wrong = {
            "mode": form.get("mode") != "payment",
            "client_reference_id": not re.fullmatch(r"[A-Za-z0-9_=-]{6,64}", order),
            "line_items[0][quantity]": form.get("line_items[0][quantity]") != "1",
            f"{price}[currency]": not re.fullmatch("[a-z]{3}", currency),
            f"{price}[unit_amount]": minor is None
            or not 0 < minor <= _LARGEST_AMOUNT
            or not _is_even(minor, currency.upper()),
            f"{price}[product_data][name]": not 0 < len(name) <= 250,
            "payment_intent_data[capture_method]": form.get("payment_intent_data[capture_method]") != "manual",
            "payment_intent_data[metadata][order]": form.get("payment_intent_data[metadata][order]") != order,
            "metadata[order]": form.get("metadata[order]") != order,
            "expires_at": ends is None or not _LEAST_OPEN - 5 <= ends - now <= _LONGEST_OPEN + 5,
            "locale": form.get("locale") not in (None, "auto", *_LOCALES),
            # The shop's secret vouches for whose address it is; that it is this order's is seen.
            "success_url": not is_return(returned, f"/pay/{PROVIDER}/return/{order}"),
            "cancel_url": not is_return(closed, f"/pay/{PROVIDER}/closed/{order}"),
        }
        first = next((name for name, is_wrong in wrong.items() if is_wrong), None)
        if first is not None or minor is None:
            return first or "amount"
        return {
            "order_id": order,
            "amount": minor,
            "currency": currency.upper(),
            "name": name,
            "returned": returned,
            "closed": closed,
            "page": self._page or beside(returned),
        }

    def _of_session(self, request: Request, books: Books) -> Payment | None:
        window = window_of(request.path_params["session"])
        return None if window is None else books.by_window(window)

    async def _get(self, request: Request, look: Callable[[Books, Mapping[str, str]], Reply]) -> Response:
        refused = self._unauthorized(request)
        if refused is not None:
            return await send(request, refused)
        query = dict(request.query_params.multi_items())
        return await send(request, await self._store.work(PROVIDER, lambda books: look(books, query)))

    async def _post(self, request: Request, decide: Decide) -> Response:
        body = (await read_bytes(request)).decode(errors="replace")
        refused, key = self._unauthorized(request), request.headers.get("idempotency-key")
        if refused is None and key is not None and not 0 < len(key) <= 255:
            refused = error("parameter_invalid", param="Idempotency-Key")
        if refused is not None:
            return await send(request, refused)
        form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=100))
        # The parameters are part of what a key stands for.
        path = f"{request.url.path}#{hashlib.sha256(json.dumps(sorted(form.items())).encode()).hexdigest()[:32]}"

        def once(books: Books) -> Decision:
            known = books.remembered_by_key(key) if key else None
            if known is not None:
                answer, earlier = known
                if earlier != path:
                    return error("idempotency_error"), None
                if answer.ready_at > books.now:
                    return error("idempotency_key_in_use"), None
                return Reply(answer.status, orjson.loads(answer.body)), None
            reply, changed = decide(books, form)
            if key:
                told = Remembered(reply.status, orjson.dumps(reply.body).decode(), books.now + reply.after)
                books.remember(key, request.method, path, told)
            return reply, changed

        reply, changed = await self._store.work(PROVIDER, once)
        if changed is not None:
            await self._webhooks.changed(changed)
        return await send(request, reply)

    def _unauthorized(self, request: Request) -> Reply | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        right = scheme.lower() == "bearer" and hmac.compare_digest(secret.encode(), self._secret.encode())
        return None if right else error("invalid_api_key")


def _charge(books: Books, payment: Payment, wide: frozenset[str]) -> Decision:
    """Draws the payment's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    payment = books.change(payment, tries=payment.tries + 1)
    fate, _ = draw(behaviour, payment.order_id, payment.tries, payment.card)
    late = behaviour.latency_seconds
    if fate is Fate.ERROR:
        return error("rate_limit", after=late), None
    if fate is Fate.DECLINED:
        declined = books.change(payment, status="ABORTED", code="card_declined", decided_at=books.now)
        return error("card_declined", after=late, decline_code="generic_decline"), declined
    charged = books.change(payment, status="DONE", decided_at=books.now, approved_at=books.now)
    return Reply(200, _intent(books, charged, wide), late, hangs=fate is Fate.HANG), charged


def _of_intent(books: Books, intent: str) -> Payment | None:
    """An intent is made when the buyer authorises."""
    payment = books.by_key(intent)
    return payment if payment is not None and payment.authorised_at is not None else None


def _session(books: Books, payment: Payment, wide: frozenset[str]) -> dict[str, Any]:
    status = payment.status_at(books.now, books.rules())
    over = payment.left_at is not None or (status == "EXPIRED" and payment.authorised_at is None)
    intent: Any = None
    if payment.authorised_at is not None:
        intent = payment.provider_key
        if "payment_intent" in wide:
            intent = _intent(books, payment, frozenset(one.removeprefix("payment_intent.") for one in wide))
    return {
        "id": session_of(payment),
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete" if payment.authorised_at else "expired" if over else "open",
        "url": None if over or payment.authorised_at else f"{payment.page}/stripe/windows/{payment.window}",
        "client_reference_id": payment.order_id,
        "metadata": {"order": payment.order_id},
        "amount_total": to_stripe(payment.amount, payment.currency),
        "currency": payment.currency.lower(),
        "payment_intent": intent,
        "payment_status": "paid" if payment.approved_at else "unpaid",
    }


def _intent(books: Books, payment: Payment, wide: frozenset[str]) -> dict[str, Any]:
    status = payment.status_at(books.now, books.rules())
    shown = {
        "IN_PROGRESS": "requires_capture",
        "DONE": "succeeded",
        "PARTIAL_CANCELED": "succeeded",
        "CANCELED": "succeeded" if payment.approved_at else "canceled",
        "ABORTED": "requires_payment_method",
        # An authorisation that nobody captured in time.
        "EXPIRED": "canceled",
    }[status]
    amount = to_stripe(payment.amount, payment.currency)
    failed = {"code": "card_declined", "decline_code": "generic_decline"} if status == "ABORTED" else None
    return {
        "id": payment.provider_key,
        "object": "payment_intent",
        "status": shown,
        "amount": amount,
        "amount_capturable": amount if shown == "requires_capture" else 0,
        "amount_received": amount if shown == "succeeded" else 0,
        "currency": payment.currency.lower(),
        "capture_method": "manual",
        "metadata": {"order": payment.order_id},
        "last_payment_error": failed,
        "latest_charge": _charge_object(payment) if "latest_charge" in wide else _charge_id(payment),
    }


def _charge_id(payment: Payment) -> str:
    return f"ch_sim{payment.id}"


def _charge_object(payment: Payment) -> dict[str, Any]:
    amount = to_stripe(payment.amount, payment.currency)
    return {
        "id": _charge_id(payment),
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if payment.approved_at else 0,
        "amount_refunded": to_stripe(payment.given_back, payment.currency),
        "captured": payment.approved_at is not None,
        "currency": payment.currency.lower(),
        "created": int(payment.authorised_at or payment.opened_at),
        "metadata": {"order": payment.order_id},
        "payment_intent": payment.provider_key,
        "payment_method_details": {"type": "card", "card": {"authorization_code": f"{payment.id:06}"}},
        "receipt_url": f"{payment.page}/stripe/receipts/{payment.window}",
        "refunded": payment.status == "CANCELED",
        "status": "failed" if payment.status == "ABORTED" else "succeeded",
    }


def _wide(sent: Mapping[str, str]) -> frozenset[str]:
    """What is asked to be expanded: `expand[0]=latest_charge`."""
    return frozenset(value for name, value in sent.items() if name.startswith("expand["))


def _is_even(amount: int, currency: str) -> bool:
    return currency not in _TENS_OF_THOUSANDTHS or amount % 10 == 0


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,15}", text) else None


def webhook(payment: Payment) -> dict[str, Any]:
    """An event about the intent. Unsigned: the played shop has no secret for them, and takes a hint for a hint."""
    kind = "charge.refunded" if payment.given_back else "payment_intent.succeeded"
    thing = {"id": payment.provider_key, "object": "payment_intent", "metadata": {"order": payment.order_id}}
    return {
        "id": f"evt_{payment.id}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "data": {"object": thing},
    }
