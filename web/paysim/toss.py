"""Toss Payments' API as far as Onsale uses it: confirm, look-up by order and by payment key, cancel, the list.

Names, statuses and codes are those of https://docs.tosspayments.com/reference. It is stricter than the real one where
the documents leave a choice: an idempotency key's answer is repeated whatever it was, temporary errors as well.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.payments.amounts import to_major, to_minor
from web.paysim.behaviour import Fate, draw
from web.paysim.exchange import Reply, read_object, send, text
from web.paysim.payment import CHARGED, Payment
from web.paysim.store_sqlite import Books, Remembered, SimulatorStore
from web.paysim.toss_play import PROVIDER, error
from web.paysim.webhooks import Webhooks

_SEOUL: Final = timezone(timedelta(hours=9))
#: Lines of the list in one answer, at most.
_MOST_LINES: Final = 10_000
#: Statuses that `PAYMENT_STATUS_CHANGED` is sent for: nobody is told of what waits, for the shop or for a deposit.
_ANNOUNCED: Final = frozenset({"DONE", "ABORTED", "CANCELED", "PARTIAL_CANCELED"})
_METHODS: Final[Mapping[str, str]] = {"CARD": "카드", "VIRTUAL_ACCOUNT": "가상계좌"}

_REFUSALS: Final = (
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_COMPANY",
    "INVALID_REJECT_CARD",
    "INVALID_STOPPED_CARD",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
)

Decision = tuple[Reply, Payment | None]


class TossSimulator:
    """The handlers of `/paysim/toss/v1/...`."""

    def __init__(self, store: SimulatorStore, secret: str, webhooks: Webhooks) -> None:
        self._store = store
        self._secret = secret
        self._webhooks = webhooks

    async def confirm(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            key, order_id = text(body, "paymentKey", 200), text(body, "orderId", 64)
            amount = body.get("amount")
            if key is None or order_id is None or isinstance(amount, bool) or not isinstance(amount, int | float):
                return error("INVALID_REQUEST"), None
            payment = books.by_key(key)
            if payment is None or payment.order_id != order_id or to_minor(amount, payment.currency) != payment.amount:
                return error("NOT_FOUND_PAYMENT_SESSION"), None
            paid = any(other.is_settled for other in books.of_order(order_id))
            if paid or payment.decided_at is not None:
                return error("ALREADY_PROCESSED_PAYMENT"), None
            if not payment.is_confirmable(books.now, books.rules()):
                return error("NOT_FOUND_PAYMENT_SESSION"), None
            return _charge(books, payment)

        return await self._post(request, decide)

    async def cancel(self, request: Request) -> Response:
        key = request.path_params["payment_key"]

        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            reason, payment = text(body, "cancelReason", 200), books.by_key(key)
            if reason is None:
                return error("INVALID_REQUEST"), None
            if payment is None:
                return error("NOT_FOUND_PAYMENT"), None
            if payment.status == "CANCELED":
                # As the real one was seen to answer: only what went back at once is told as cancelled.
                parts = _told_status(books, payment) == "PARTIAL_CANCELED"
                return error("NOT_CANCELABLE_AMOUNT" if parts else "ALREADY_CANCELED_PAYMENT"), None
            if payment.status == "WAITING_FOR_DEPOSIT":
                given_up = books.give_back(payment, 0, reason)
                return Reply(200, _payment(books, given_up)), given_up
            if payment.status not in CHARGED:
                return error("NOT_CANCELABLE_PAYMENT"), None
            amount = _cancel_amount(body, payment)
            if amount is None:
                return error("INVALID_REQUEST"), None
            if amount > payment.balance:
                return error("NOT_CANCELABLE_AMOUNT"), None
            if payment.method == "VIRTUAL_ACCOUNT" and not isinstance(body.get("refundReceiveAccount"), dict):
                return error("INVALID_REFUND_ACCOUNT_INFO"), None
            given_back = books.give_back(payment, amount, reason)
            return Reply(200, _payment(books, given_back)), given_back

        return await self._post(request, decide)

    async def by_order(self, request: Request) -> Response:
        def find(books: Books) -> Payment | None:
            payments = books.of_order(request.path_params["order_id"])
            settled = [one for one in payments if one.is_settled]
            return next(reversed(settled or payments), None)

        return await self._get(request, find)

    async def by_key(self, request: Request) -> Response:
        return await self._get(request, lambda books: books.by_key(request.path_params["payment_key"]))

    async def transactions(self, request: Request) -> Response:
        """Approvals and cancellations are lines of their own, in the order of their times."""
        refused = self._unauthorized(request)
        since, until = _moment(request, "startDate"), _moment(request, "endDate")
        limit = request.query_params.get("limit", "100")
        if refused is None and (since is None or until is None or not limit.isdecimal()):
            refused = error("INVALID_REQUEST")
        if refused is not None or since is None or until is None:
            return await send(request, refused or error("INVALID_REQUEST"))
        lines = await self._store.work(PROVIDER, lambda books: _transactions(books, since, until))
        after = request.query_params.get("startingAfter")
        if after:
            place = next((at for at, line in enumerate(lines) if line["transactionKey"] == after), len(lines))
            lines = lines[place + 1 :]
        return await send(request, Reply(200, lines[: min(int(limit), _MOST_LINES)]))

    async def _get(self, request: Request, find: Callable[[Books], Payment | None]) -> Response:
        refused = self._unauthorized(request)
        if refused is not None:
            return await send(request, refused)

        def look(books: Books) -> Reply:
            payment = find(books)
            return error("NOT_FOUND_PAYMENT") if payment is None else Reply(200, _payment(books, payment))

        return await send(request, await self._store.work(PROVIDER, look))

    async def _post(self, request: Request, decide: Callable[[Books, Mapping[str, Any]], Decision]) -> Response:
        """A POST with Toss Payments' idempotency: one answer for a key, method and path, whatever the body says."""
        body = await read_object(request)
        refused = self._unauthorized(request)
        key = request.headers.get("idempotency-key")
        if refused is None and key is not None and not 0 < len(key) <= 300:
            refused = error("INVALID_IDEMPOTENCY_KEY")
        if refused is not None:
            return await send(request, refused)
        method, path = request.method, request.url.path

        def once(books: Books) -> Decision:
            known = books.remembered(key, method, path) if key else None
            if known is not None:
                if known.ready_at > books.now:
                    return error("IDEMPOTENT_REQUEST_PROCESSING"), None
                return Reply(known.status, orjson.loads(known.body)), None
            reply, changed = (error("INVALID_REQUEST"), None) if body is None else decide(books, body)
            if key:
                answer = Remembered(reply.status, orjson.dumps(reply.body).decode(), books.now + reply.after)
                books.remember(key, method, path, answer)
            return reply, changed

        reply, changed = await self._store.work(PROVIDER, once)
        if changed is not None and changed.status in _ANNOUNCED:
            await self._webhooks.changed(changed)
        return await send(request, reply)

    def _unauthorized(self, request: Request) -> Reply | None:
        """HTTP Basic with the secret key as the user and no password."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeError):
            user, password = "", ""
        if scheme.lower() != "basic" or not user:
            return error("INCORRECT_BASIC_AUTH_FORMAT")
        right = hmac.compare_digest(user.encode(), self._secret.encode()) and not password
        return None if right else error("UNAUTHORIZED_KEY")


def _charge(books: Books, payment: Payment) -> Decision:
    """Draws the payment's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    payment = books.change(payment, tries=payment.tries + 1)
    fate, choice = draw(behaviour, payment.order_id, payment.tries, payment.card)
    if fate is Fate.ERROR:
        return error("PROVIDER_ERROR", after=behaviour.latency_seconds), None
    if fate is Fate.DECLINED:
        code = _REFUSALS[int(choice * len(_REFUSALS))]
        declined = books.change(payment, status="ABORTED", code=code, decided_at=books.now)
        return error(code, after=behaviour.latency_seconds), declined
    if payment.method == "VIRTUAL_ACCOUNT":
        charged = books.change(payment, status="WAITING_FOR_DEPOSIT")
    else:
        charged = books.change(payment, status="DONE", decided_at=books.now, approved_at=books.now)
    hangs = fate is Fate.HANG
    return Reply(200, _payment(books, charged), behaviour.latency_seconds, hangs=hangs), charged


def _cancel_amount(body: Mapping[str, Any], payment: Payment) -> int | None:
    """All that is left unless a part is named; None for nonsense."""
    named = body.get("cancelAmount")
    if named is None:
        return payment.balance
    amount = None if isinstance(named, str) else to_minor(named, payment.currency)
    return amount or None


def _payment(books: Books, payment: Payment) -> dict[str, Any]:
    """Toss Payments' Payment object, with the members that matter here."""
    status = _told_status(books, payment)
    code = "EXPIRED_PAYMENT" if status == "EXPIRED" else payment.code if status == "ABORTED" else None
    cancels = [
        {
            "transactionKey": one.key,
            "cancelReason": one.reason,
            "cancelAmount": to_major(one.amount, payment.currency),
            "refundableAmount": to_major(one.remaining, payment.currency),
            "canceledAt": _when(one.at),
            "cancelStatus": "DONE",
        }
        for one in books.refunds(payment)
    ]
    card = payment.method == "CARD" and payment.approved_at is not None
    return {
        "version": "2022-11-16",
        "mId": "onsale_simulator",
        "type": "NORMAL",
        "paymentKey": payment.provider_key,
        "lastTransactionKey": cancels[-1]["transactionKey"] if cancels else f"tx_{payment.id}",
        "orderId": payment.order_id,
        "orderName": payment.name,
        "currency": payment.currency,
        "method": _METHODS[payment.method] if payment.authorised_at or payment.approved_at else None,
        "status": status,
        "requestedAt": _when(payment.opened_at),
        "approvedAt": _when(payment.approved_at),
        "totalAmount": to_major(payment.amount, payment.currency),
        "balanceAmount": to_major(_balance(payment), payment.currency),
        "isPartialCancelable": True,
        "card": {"approveNo": f"{payment.id:08}", "cardType": "신용"} if card else None,
        "virtualAccount": {"bankCode": "20", "accountNumber": f"X{payment.id:012}"}
        if payment.method == "VIRTUAL_ACCOUNT" and payment.authorised_at
        else None,
        "receipt": {"url": f"{payment.page}/toss/receipts/{payment.window}"} if payment.approved_at else None,
        "cancels": cancels or None,
        "failure": {"code": code, "message": error(code).body["message"]} if code else None,  # type: ignore[call-overload]
    }


def _told_status(books: Books, payment: Payment) -> str:
    """What was given back in parts stays PARTIAL_CANCELED, with a balance of 0 in the end."""
    status = payment.status_at(books.now, books.rules())
    in_parts = status == "CANCELED" and len(books.refunds(payment)) > 1
    return "PARTIAL_CANCELED" if in_parts else status


def _balance(payment: Payment) -> int:
    """Toss Payments counts what could be given back; of a payment without an approval that is its amount."""
    return payment.amount if payment.status in ("READY", "IN_PROGRESS", "WAITING_FOR_DEPOSIT") else payment.balance


def _transactions(books: Books, since: float, until: float) -> list[dict[str, Any]]:
    lines = []
    for payment in books.approved_between(0, until):
        common = {
            "mId": "onsale_simulator",
            "paymentKey": payment.provider_key,
            "orderId": payment.order_id,
            "currency": payment.currency,
            "method": _METHODS[payment.method],
        }
        amount = to_major(payment.amount, payment.currency)
        lines.append(
            (payment.approved_at or 0.0, {**common, "transactionKey": f"tx_{payment.id}", "amount": amount}, "DONE")
        )
        for one in books.refunds(payment):
            status = "CANCELED" if one.remaining == 0 else "PARTIAL_CANCELED"
            amount = to_major(one.amount, payment.currency)
            lines.append((one.at, {**common, "transactionKey": one.key, "amount": amount}, status))
    return [
        {**line, "status": status, "transactionAt": _when(at)}
        for at, line, status in sorted(lines, key=lambda line: line[0])
        if since <= at < until
    ]


def _moment(request: Request, name: str) -> float | None:
    try:
        return datetime.fromisoformat(request.query_params.get(name, "")).replace(tzinfo=_SEOUL).timestamp()
    except ValueError:
        return None


def _when(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_SEOUL).isoformat(timespec="seconds") if seconds else None


def webhook(payment: Payment) -> dict[str, Any]:
    """`DEPOSIT_CALLBACK` has no `eventType`, no `data` and no payment key, as the real one has none."""
    if payment.method == "VIRTUAL_ACCOUNT" and payment.status == "DONE":
        return {
            "createdAt": _when(payment.decided_at),
            "secret": f"ps_{payment.id}",
            "status": "DONE",
            "transactionKey": f"tx_{payment.id}",
            "orderId": payment.order_id,
        }
    return {
        "eventType": "PAYMENT_STATUS_CHANGED",
        "createdAt": _when(payment.decided_at or payment.opened_at),
        "data": {
            "orderId": payment.order_id,
            "paymentKey": payment.provider_key,
            "status": payment.status,
            "totalAmount": to_major(payment.amount, payment.currency),
        },
    }
