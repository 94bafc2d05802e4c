"""For operators of a demonstration and for tests: how each simulated provider behaves, and what it charged.

    GET, PUT /paysim/behaviour  {success_rate, latency_seconds, hang_rate, error_rate, seed}; a PUT may name some
    GET, PUT /paysim/rules      {window_seconds, session_seconds, webhook_...}: the provider's own times, its webhooks
    GET      /paysim/ledger     [{order_id, amount, charged, cancelled}, ...], in the order of charging
    GET      /paysim/payments   every window and payment with its status, balance and refunds; `?order_id=` one order's
    POST     /paysim/payments/{key}/refund   {amount?, reason?}: made in the provider's own dashboard
    POST     /paysim/payments/{key}/deposit  the buyer pays to the virtual account

`charged` and `cancelled` are booleans: money was taken; all of it was given back (then both are true). A declined order
is there with `charged` false. `/paysim/{provider}/...` is the same for one provider, the short paths speak of the
first. All need the operator token as a bearer token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from core.errors import Malformed
from web.paysim.behaviour import Behaviour, Rules
from web.paysim.exchange import read_object
from web.paysim.guard import Guard
from web.paysim.payment import CHARGED, Payment
from web.paysim.store_sqlite import Books, SimulatorStore
from web.paysim.webhooks import Webhooks
from web.problems import of_validation

Handler = Callable[[Request], Awaitable[Response]]
Kept = TypeVar("Kept", bound=BaseModel)


class OperatorPages:
    """The handlers; each is made for one provider."""

    def __init__(self, store: SimulatorStore, guard: Guard, webhooks: Webhooks) -> None:
        self._store = store
        self._guard = guard
        self._webhooks = webhooks

    def behaviour(self, provider: str) -> Handler:
        return self._kept(provider, Behaviour, Books.behaviour, Books.set_behaviour)

    def rules(self, provider: str) -> Handler:
        return self._kept(provider, Rules, Books.rules, Books.set_rules)

    def _kept(
        self, provider: str, model: type[Kept], read: Callable[[Books], Kept], write: Callable[[Books, Kept], None]
    ) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden, Malformed, InvalidRequest."""
            await self._guard.require(request)
            if request.method != "PUT":
                return _json((await self._store.work(provider, read)).model_dump())
            wanted = await read_object(request)
            if wanted is None:
                raise Malformed("the body is not a JSON object")

            def change(books: Books) -> Kept:
                changed = model.model_validate({**read(books).model_dump(), **wanted})
                write(books, changed)
                return changed

            try:
                changed = await self._store.work(provider, change)
            except ValidationError as error:
                raise of_validation(error) from None
            await self._guard.changed(request)
            return _json(changed.model_dump())

        return handle

    def ledger(self, provider: str) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden."""
            await self._guard.require(request)
            decided = await self._store.work(provider, Books.decided)
            return _json(
                [
                    {
                        "order_id": payment.order_id,
                        "amount": payment.amount,
                        "charged": payment.approved_at is not None,
                        "cancelled": payment.status == "CANCELED",
                    }
                    for payment in decided
                ]
            )

        return handle

    def payments(self, provider: str) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden."""
            await self._guard.require(request)
            order = request.query_params.get("order_id")

            def read(books: Books) -> list[dict[str, Any]]:
                found = books.of_order(order) if order is not None else books.all()
                return [_told(books, payment) for payment in found]

            return _json(await self._store.work(provider, read))

        return handle

    def refund(self, provider: str) -> Handler:
        """A refund that the shop hears of by a webhook, by the provider's list, or not at all."""

        def change(books: Books, payment: Payment, body: dict[str, Any]) -> Payment | None:
            amount = body.get("amount", payment.balance)
            whole = isinstance(amount, int) and not isinstance(amount, bool)
            if payment.status not in CHARGED or not whole or not 0 < amount <= payment.balance:
                return None
            return books.give_back(payment, amount, str(body.get("reason") or "dashboard")[:200], "dashboard")

        return self._changed(provider, change)

    def deposit(self, provider: str) -> Handler:
        def change(books: Books, payment: Payment, body: dict[str, Any]) -> Payment | None:
            if payment.status != "WAITING_FOR_DEPOSIT":
                return None
            return books.change(payment, status="DONE", decided_at=books.now, approved_at=books.now)

        return self._changed(provider, change)

    def _changed(self, provider: str, change: Callable[[Books, Payment, dict[str, Any]], Payment | None]) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden, Malformed (the payment is not in a state for it)."""
            await self._guard.require(request)
            body = await read_object(request) or {}

            def work(books: Books) -> tuple[Payment, dict[str, Any]] | None:
                payment = books.by_key(request.path_params["payment_key"])
                changed = change(books, payment, body) if payment else None
                return (changed, _told(books, changed)) if changed else None

            done = await self._store.work(provider, work)
            if done is None:
                raise Malformed("there is no such payment, or nothing of the kind can be done with it")
            await self._guard.changed(request)
            await self._webhooks.changed(done[0])
            return _json(done[1])

        return handle


def _told(books: Books, payment: Payment) -> dict[str, Any]:
    return {
        "order_id": payment.order_id,
        "payment_key": payment.provider_key,
        "window": payment.window,
        "status": payment.status_at(books.now, books.rules()),
        "method": payment.method,
        "amount": payment.amount,
        "currency": payment.currency,
        "balance": payment.balance,
        "code": payment.code,
        "refunds": [
            {"key": one.key, "amount": one.amount, "reason": one.reason, "by": one.asked_by}
            for one in books.refunds(payment)
        ],
    }


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
