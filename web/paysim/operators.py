"""For operators of a demonstration and for tests: how each simulated provider behaves, and what it charged.

    GET, PUT /paysim/behaviour  {success_rate, latency_seconds, hang_rate, error_rate, seed}; a PUT may name some
    GET      /paysim/ledger     [{order_id, amount, charged, cancelled}, ...], in the order of charging

`charged` and `cancelled` are booleans: money was taken; it was given back (then both are true). A declined order is
there with `charged` false. `/paysim/{provider}/...` is the same for one provider, the short paths speak of the first.
All need the operator token as a bearer token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from core.errors import Malformed
from web.paysim.behaviour import Behaviour
from web.paysim.exchange import read_object
from web.paysim.store_sqlite import Books, SimulatorStore
from web.problems import of_validation
from web.security import Operators

Handler = Callable[[Request], Awaitable[Response]]


class OperatorPages:
    """The handlers; `provider` None is the path's."""

    def __init__(self, store: SimulatorStore, operator_token: str) -> None:
        self._store = store
        self._operators = Operators(operator_token)

    def behaviour(self, provider: str) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden, Malformed, InvalidRequest."""
            self._require(request)
            if request.method != "PUT":
                return _json((await self._store.work(provider, Books.behaviour)).model_dump())
            wanted = await read_object(request)
            if wanted is None:
                raise Malformed("the body is not a JSON object")

            def change(books: Books) -> Behaviour:
                behaviour = Behaviour.model_validate({**books.behaviour().model_dump(), **wanted})
                books.set_behaviour(behaviour)
                return behaviour

            try:
                return _json((await self._store.work(provider, change)).model_dump())
            except ValidationError as error:
                raise of_validation(error) from None

        return handle

    def ledger(self, provider: str) -> Handler:
        async def handle(request: Request) -> Response:
            """Raises Forbidden."""
            self._require(request)
            orders = await self._store.work(provider, Books.all_orders)
            return _json(
                [
                    {
                        "order_id": order.order_id,
                        "amount": order.amount,
                        "charged": order.status != "ABORTED",
                        "cancelled": order.status == "CANCELED",
                    }
                    for order in orders
                ]
            )

        return handle

    def _require(self, request: Request) -> None:
        # By bearer token alone: a PUT that a browser's cookie could make would need proof of our own page.
        self._operators.require({"authorization": request.headers.get("authorization", "")})


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers={"Cache-Control": "no-store"})
