"""PortOne's V2 API as far as Onsale uses it: confirm, payment, cancel, virtual account, the list by cursor.

Names, types and statuses are those of https://developers.portone.io/api/rest-v2 and of `portone-server-sdk`, which
reads every answer. Stricter than the real one: a member of a body that its documents do not name is refused, and each
call names its store. There is no idempotency key: a payment id succeeds once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.payments.portone.played import played_channel
from web.paysim.behaviour import Fate, draw
from web.paysim.exchange import Reply, read_object, send, text
from web.paysim.page import script
from web.paysim.payment import CHARGED, Payment
from web.paysim.portone_play import PROVIDER, PortOnePlay, error
from web.paysim.store_sqlite import Books, SimulatorStore
from web.paysim.webhooks import Webhooks

_REFUSALS: Final = ("REJECT_CARD_PAYMENT", "INVALID_STOPPED_CARD", "EXCEED_MAX_DAILY_PAYMENT_COUNT")
_MOST_LINES: Final = 1000
_CONFIRM: Final = frozenset(
    {"storeId", "paymentToken", "txId", "currency", "totalAmount", "taxFreeAmount", "isTest", "skipWebhook"}
)
_CANCEL: Final = frozenset(
    {
        "storeId",
        "amount",
        "taxFreeAmount",
        "vatAmount",
        "reason",
        "requester",
        "currentCancellableAmount",
        "refundAccount",
        "skipWebhook",
    }
)
_LIST: Final = frozenset({"storeId", "from", "until", "cursor", "size"})
_STATUSES: Final = {
    "READY": "READY",
    "IN_PROGRESS": "PAY_PENDING",
    "WAITING_FOR_DEPOSIT": "VIRTUAL_ACCOUNT_ISSUED",
    "DONE": "PAID",
    "PARTIAL_CANCELED": "PARTIAL_CANCELLED",
    "CANCELED": "CANCELLED",
    "ABORTED": "FAILED",
    "EXPIRED": "FAILED",
}

Decision = tuple[Reply, Payment | None]


class PortOneSimulator:
    """The handlers of `/paysim/portone/...`."""

    def __init__(self, store: SimulatorStore, play: PortOnePlay, secret: str, webhooks: Webhooks) -> None:
        self._store = store
        self._shop = play.client_key
        self._secret = secret
        self._webhooks = webhooks

    async def sdk(self, request: Request) -> Response:
        """`browser-sdk.js`, played."""
        return script("portone.js")

    async def confirm(self, request: Request) -> Response:
        order_id = request.path_params["payment_id"]

        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            token, amount = text(body, "paymentToken", 1000), body.get("totalAmount")
            if token is None or isinstance(amount, bool) or not isinstance(amount, int):
                return error("INVALID_REQUEST"), None
            payments = books.of_order(order_id)
            if not payments:
                return error("PAYMENT_NOT_FOUND"), None
            if any(one.is_settled for one in payments):
                return error("ALREADY_PAID"), None
            payment = next((one for one in payments if json.loads(one.details)["paymentToken"] == token), None)
            if payment is None or body.get("txId", payment.provider_key) != payment.provider_key:
                return error("INVALID_PAYMENT_TOKEN"), None
            if amount != payment.amount or body.get("currency", payment.currency) != payment.currency:
                return error("INFORMATION_MISMATCH"), None
            if not payment.is_confirmable(books.now, books.rules()):
                return error("INVALID_PAYMENT_TOKEN"), None
            return _charge(books, payment)

        return await self._post(request, _CONFIRM, decide)

    async def payment(self, request: Request) -> Response:
        refused = self._unauthorized(request) or self._another_store(request.query_params.get("storeId"))
        if refused is not None:
            return await send(request, refused)

        def look(books: Books) -> Reply:
            payments = books.of_order(request.path_params["payment_id"])
            settled = [one for one in payments if one.is_settled]
            found = next(reversed(settled or payments), None)
            return error("PAYMENT_NOT_FOUND") if found is None else Reply(200, self._payment(books, found))

        return await send(request, await self._store.work(PROVIDER, look))

    async def cancel(self, request: Request) -> Response:
        def decide(books: Books, body: Mapping[str, Any]) -> Decision:
            amount, expected = body.get("amount"), body.get("currentCancellableAmount")
            reason = text(body, "reason", 500)
            whole = all(
                one is None or (isinstance(one, int) and not isinstance(one, bool)) for one in (amount, expected)
            )
            if reason is None or not whole or (amount is not None and amount <= 0):
                return error("INVALID_REQUEST"), None
            payments = books.of_order(request.path_params["payment_id"])
            if not payments:
                return error("PAYMENT_NOT_FOUND"), None
            payment = next((one for one in payments if one.is_settled), None)
            if payment is not None and payment.status == "CANCELED":
                return error("PAYMENT_ALREADY_CANCELLED"), None
            if payment is None or payment.status not in CHARGED:
                return error("PAYMENT_NOT_PAID"), None
            if expected is not None and expected != payment.balance:
                return error("CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"), None
            if amount is not None and amount > payment.balance:
                return error("CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"), None
            given_back = books.give_back(payment, payment.balance if amount is None else amount, reason)
            return Reply(200, {"cancellation": _cancellations(books, given_back)[-1]}), given_back

        return await self._post(request, _CANCEL, decide)

    async def close_account(self, request: Request) -> Response:
        """Only cards are played: nothing waits for a deposit."""
        refused = self._unauthorized(request) or self._another_store(request.query_params.get("storeId"))
        return await send(request, refused or error("PAYMENT_NOT_WAITING_FOR_DEPOSIT"))

    async def by_cursor(self, request: Request) -> Response:
        """`requestBody` stands in the query, as JSON. By the time of the request, oldest first."""
        refused = self._unauthorized(request)
        try:
            asked = orjson.loads(request.query_params.get("requestBody", ""))
        except orjson.JSONDecodeError:
            asked = None
        if refused is None and (not isinstance(asked, dict) or not asked.keys() <= _LIST):
            refused = error("INVALID_REQUEST")
        if refused is not None or not isinstance(asked, dict):
            return await send(request, refused or error("INVALID_REQUEST"))
        since, until, size = _moment(asked.get("from")), _moment(asked.get("until")), asked.get("size", 10)
        after = _after(asked.get("cursor"))
        if since is None or until is None or after is None or not isinstance(size, int) or not 0 < size <= _MOST_LINES:
            return await send(request, self._another_store(asked.get("storeId")) or error("INVALID_REQUEST"))

        def read(books: Books) -> list[dict[str, Any]]:
            found = [one for one in books.all() if since <= one.opened_at < until and one.id > after][:size]
            return [{"payment": self._payment(books, one), "cursor": _cursor(one.id)} for one in found]

        refused = self._another_store(asked.get("storeId"))
        return await send(request, refused or Reply(200, {"items": await self._store.work(PROVIDER, read)}))

    async def _post(
        self, request: Request, members: frozenset[str], decide: Callable[[Books, Mapping[str, Any]], Decision]
    ) -> Response:
        body = await read_object(request)
        refused = self._unauthorized(request)
        if refused is None and (body is None or not body.keys() <= members):
            refused = error("INVALID_REQUEST")
        if refused is None and body is not None:
            refused = self._another_store(body.get("storeId"))
        if refused is not None or body is None:
            return await send(request, refused or error("INVALID_REQUEST"))
        reply, changed = await self._store.work(PROVIDER, lambda books: decide(books, body))
        if changed is not None:
            await self._webhooks.changed(changed)
        return await send(request, reply)

    def _unauthorized(self, request: Request) -> Reply | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        right = scheme == "PortOne" and hmac.compare_digest(secret.encode(), self._secret.encode())
        return None if right else error("UNAUTHORIZED")

    def _another_store(self, named: Any) -> Reply | None:
        return None if named == self._shop else error("FORBIDDEN", "storeId")

    def _payment(self, books: Books, payment: Payment) -> dict[str, Any]:
        """PortOne's Payment, with the members that each of its statuses must have."""
        status = payment.status_at(books.now, books.rules())
        at = _when(payment.approved_at or payment.opened_at)
        taken = payment.amount if payment.approved_at else 0
        code = payment.code or status
        return {
            "status": _STATUSES[status],
            "id": payment.order_id,
            "transactionId": payment.provider_key,
            "merchantId": "merchant-simulator",
            "storeId": self._shop,
            "method": {
                "type": "PaymentMethodCard",
                **({"approvalNumber": f"{payment.id:08}"} if payment.approved_at else {}),
            },
            "channel": {
                "type": "TEST",
                "id": "channel-simulator",
                "key": played_channel(self._shop),
                "name": "Test bank",
                "pgProvider": "TOSSPAYMENTS",
                "pgMerchantId": "onsale_simulator",
            },
            "version": "V2",
            "requestedAt": _when(payment.opened_at),
            "updatedAt": _when(books.now),
            "statusChangedAt": at,
            "orderName": payment.name,
            "amount": {
                "total": payment.amount,
                "taxFree": 0,
                "discount": 0,
                "paid": taken,
                "cancelled": payment.given_back,
                "cancelledTaxFree": 0,
            },
            "currency": payment.currency,
            "customer": {},
            "origin": {"platformType": "PC", "ipAddress": "192.0.2.1"},
            "disputes": [],
            "paidAt": at,
            "issuedAt": at,
            "cancelledAt": at,
            "cancellations": _cancellations(books, payment),
            "failedAt": at,
            "failure": {"reason": code, "pgCode": code, "pgMessage": code},
            "receiptUrl": f"{payment.page}/portone/receipts/{payment.window}",
        }


def _charge(books: Books, payment: Payment) -> Decision:
    """Draws the payment's fate and writes it down; the answer's delay begins after that."""
    behaviour = books.behaviour()
    payment = books.change(payment, tries=payment.tries + 1)
    fate, choice = draw(behaviour, payment.order_id, payment.tries, payment.card)
    late = behaviour.latency_seconds
    if fate is Fate.ERROR:
        return error("PG_PROVIDER", after=late, pgCode="PROVIDER_ERROR", pgMessage="temporary error"), None
    if fate is Fate.DECLINED:
        code = _REFUSALS[int(choice * len(_REFUSALS))]
        declined = books.change(payment, status="ABORTED", code=code, decided_at=books.now)
        return error("PG_PROVIDER", after=late, pgCode=code, pgMessage="the card was refused"), declined
    charged = books.change(payment, status="DONE", decided_at=books.now, approved_at=books.now)
    summary = {"pgTxId": f"pg_{charged.id:010}", "paidAt": _when(books.now)}
    return Reply(200, summary, late, hangs=fate is Fate.HANG), charged


def _cancellations(books: Books, payment: Payment) -> list[dict[str, Any]]:
    return [
        {
            "status": "SUCCEEDED",
            "id": one.key,
            "totalAmount": one.amount,
            "taxFreeAmount": 0,
            "vatAmount": 0,
            "reason": one.reason,
            "requestedAt": _when(one.at),
            "cancelledAt": _when(one.at),
        }
        for one in books.refunds(payment)
    ]


def _moment(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def _cursor(id: int) -> str:
    return base64.urlsafe_b64encode(f"p{id}".encode()).decode()


def _after(cursor: Any) -> int | None:
    """The last id before this page; None: not a cursor of ours."""
    if cursor is None:
        return 0
    try:
        named = base64.urlsafe_b64decode(cursor).decode()
    except (TypeError, ValueError, binascii.Error):
        return None
    return int(named[1:]) if named[:1] == "p" and named[1:].isdecimal() else None


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def webhook(payment: Payment) -> dict[str, Any]:
    """Version 2024-04-25. Unsigned: the played shop has no secret for them, and takes a hint for a hint."""
    paid = payment.status in CHARGED and not payment.given_back
    kind = "Transaction.Paid" if paid else "Transaction.Cancelled" if payment.approved_at else "Transaction.Failed"
    return {
        "type": kind,
        "timestamp": _when(payment.decided_at or payment.opened_at),
        "data": {"paymentId": payment.order_id, "transactionId": payment.provider_key, "storeId": ""},
    }
