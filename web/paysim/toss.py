"""Toss Payments as far as Onsale uses it: confirm, look-up by order and by payment key, cancel.

Names, statuses and codes are those of https://docs.tosspayments.com/reference. Differences, on purpose:

* any secret key is good but a live one: nobody should send that to a simulator;
* the answer's `paymentKey` is made from the order, so that test keys may be used for many orders;
* a temporary `PROVIDER_ERROR` is not remembered for its key: nothing happened, so the same may be tried again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from web.paysim.behaviour import Fate, draw, is_foreign
from web.paysim.exchange import Reply, read_object, send, text
from web.paysim.store_sqlite import Books, Order, Remembered, SimulatorStore

PROVIDER: Final = "toss"

_SEOUL: Final = timezone(timedelta(hours=9))
_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_=-]{6,64}")
_LARGEST_AMOUNT: Final = 10**12

#: code -> HTTP status and English text of Toss Payments' table.
_ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    "ALREADY_PROCESSED_PAYMENT": (400, "This is a payment that has already been processed."),
    "PROVIDER_ERROR": (400, "This is temporary error. Please try again in a few minutes."),
    "INVALID_REQUEST": (400, "The bad request."),
    "INVALID_API_KEY": (400, "Incorrect secret key."),
    "INVALID_IDEMPOTENCY_KEY": (400, "An idempotency key has at most 300 characters."),
    "IDEMPOTENT_REQUEST_PROCESSING": (409, "The previous request with this idempotency key is being processed."),
    "UNAUTHORIZED_KEY": (401, "Unauthorized secretKey or clientKey."),
    "NOT_FOUND_PAYMENT_SESSION": (404, "There is no payment under way with this key."),
    "NOT_FOUND_PAYMENT": (404, "Not found payment."),
    "ALREADY_CANCELED_PAYMENT": (400, "This is a payment that has already been canceled."),
    "NOT_CANCELABLE_PAYMENT": (403, "This payment cannot be canceled."),
    "NOT_ALLOWED_PARTIAL_REFUND": (403, "The simulator gives back whole amounts only."),
    "REJECT_CARD_PAYMENT": (403, "Exceeded the limit or insufficient balance."),
    "REJECT_CARD_COMPANY": (403, "The card company refused the payment."),
    "INVALID_REJECT_CARD": (400, "Refer to card issuer/decline."),
    "INVALID_STOPPED_CARD": (400, "This is a suspended card."),
    "EXCEED_MAX_DAILY_PAYMENT_COUNT": (400, "The number of payments a day is exceeded."),
}
_REFUSALS: Final = (
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_COMPANY",
    "INVALID_REJECT_CARD",
    "INVALID_STOPPED_CARD",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
)


class TossSimulator:
    """The handlers of `/paysim/toss/v1/payments/...`."""

    def __init__(self, store: SimulatorStore) -> None:
        self._store = store

    async def confirm(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Reply:
            payment_key, order_id = text(body, "paymentKey", 4096), text(body, "orderId", 64)
            amount = body.get("amount")
            if payment_key is None or order_id is None or not _ORDER_ID.fullmatch(order_id):
                return _error("INVALID_REQUEST")
            if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= _LARGEST_AMOUNT:
                return _error("INVALID_REQUEST")
            if is_foreign(payment_key, PROVIDER):
                return _error("NOT_FOUND_PAYMENT_SESSION")
            if books.orders(order_id):
                return _error("ALREADY_PROCESSED_PAYMENT")
            return _charge(books, order_id, amount, payment_key)

        return await self._post(request, decide)

    async def cancel(self, request: Request) -> Response:
        key = request.path_params["payment_key"]

        def decide(books: Books, body: Mapping[str, Any]) -> Reply:
            reason, order = text(body, "cancelReason", 200), books.by_key(key)
            if reason is None:
                return _error("INVALID_REQUEST")
            if order is None:
                return _error("NOT_FOUND_PAYMENT")
            if order.status == "CANCELED":
                return _error("ALREADY_CANCELED_PAYMENT")
            if order.status != "DONE":
                return _error("NOT_CANCELABLE_PAYMENT")
            if body.get("cancelAmount") not in (None, order.amount):
                return _error("NOT_ALLOWED_PARTIAL_REFUND")
            return Reply(200, _payment(books.give_back(order, reason)))

        return await self._post(request, decide)

    async def by_order(self, request: Request) -> Response:
        return await self._get(request, lambda books: next(iter(books.orders(request.path_params["order_id"])), None))

    async def by_key(self, request: Request) -> Response:
        return await self._get(request, lambda books: books.by_key(request.path_params["payment_key"]))

    async def _get(self, request: Request, find: Callable[[Books], Order | None]) -> Response:
        refused = _unauthorized(request)
        if refused is None:
            order = await self._store.work(PROVIDER, find)
            refused = _error("NOT_FOUND_PAYMENT") if order is None else Reply(200, _payment(order))
        return await send(request, refused)

    async def _post(self, request: Request, decide: Callable[[Books, Mapping[str, Any]], Reply]) -> Response:
        """A POST with Toss Payments' idempotency: the same key gets the first one's answer, once that is out."""
        body = await read_object(request)
        refused = _unauthorized(request)
        key = request.headers.get("idempotency-key")
        if refused is None and body is None:
            refused = _error("INVALID_REQUEST")
        if refused is None and key is not None and not 0 < len(key) <= 300:
            refused = _error("INVALID_IDEMPOTENCY_KEY")
        if refused is not None or body is None:
            return await send(request, refused or _error("INVALID_REQUEST"))
        asked = hashlib.sha256(request.url.path.encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()

        def once(books: Books) -> Reply:
            known = books.remembered(key) if key else None
            if known is not None:
                if known.request != asked:
                    return _error("INVALID_REQUEST")
                if known.ready_at > time.time():
                    return _error("IDEMPOTENT_REQUEST_PROCESSING")
                return Reply(known.status, orjson.loads(known.body))
            reply = decide(books, body)
            if key and reply.body.get("code") != "PROVIDER_ERROR":
                answer = Remembered(asked, reply.status, orjson.dumps(reply.body).decode(), time.time() + reply.after)
                books.remember(key, answer)
            return reply

        return await send(request, await self._store.work(PROVIDER, once))


def _charge(books: Books, order_id: str, amount: int, payment_key: str) -> Reply:
    """Draws the order's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    fate, choice = draw(behaviour, order_id, books.count_try(order_id), payment_key)
    key = f"tgen_{hashlib.sha256(order_id.encode()).hexdigest()[:24]}"
    if fate is Fate.ERROR:
        return _error("PROVIDER_ERROR", after=behaviour.latency_seconds)
    if fate is Fate.DECLINED:
        code = _REFUSALS[int(choice * len(_REFUSALS))]
        books.add(order_id, key, amount, "ABORTED", code)
        return _error(code, after=behaviour.latency_seconds)
    order = books.add(order_id, key, amount, "DONE")
    return Reply(200, _payment(order), behaviour.latency_seconds, hangs=fate is Fate.HANG)


def _error(code: str, *, after: float = 0.0) -> Reply:
    status, message = _ERRORS[code]
    return Reply(status, {"code": code, "message": message}, after)


def _unauthorized(request: Request) -> Reply | None:
    """HTTP Basic with the secret key as the user and no password."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    try:
        user = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeError):
        user = ""
    if scheme.lower() != "basic" or not user:
        return _error("UNAUTHORIZED_KEY")
    return _error("INVALID_API_KEY") if user.startswith("live_") else None


def _payment(order: Order) -> dict[str, Any]:
    """Toss Payments' Payment object, with the members that matter here."""
    charged = order.status in ("DONE", "CANCELED")
    cancelled = order.status == "CANCELED"
    return {
        "version": "2022-11-16",
        "mId": "onsale_simulator",
        "type": "NORMAL",
        "paymentKey": order.provider_key,
        "orderId": order.order_id,
        "orderName": "Onsale",
        "currency": "KRW",
        "method": "카드",
        "status": order.status,
        "requestedAt": _when(order.created_at),
        "approvedAt": _when(order.created_at) if charged else None,
        "totalAmount": order.amount,
        "balanceAmount": order.amount if order.status == "DONE" else 0,
        "cancels": [
            {
                "cancelReason": order.reason,
                "cancelAmount": order.amount,
                "refundableAmount": 0,
                "canceledAt": _when(order.cancelled_at),
                "cancelStatus": "DONE",
            }
        ]
        if cancelled
        else None,
        "failure": {"code": order.code, "message": _ERRORS[order.code][1]} if order.code else None,
    }


def _when(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_SEOUL).isoformat(timespec="seconds") if seconds else None
