"""All routes of the simulator, to be mounted under `/paysim`: `Mount("/paysim", routes=paysim_routes(...))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.paysim import kcp, toss
from web.paysim.operators import OperatorPages
from web.paysim.store_sqlite import SimulatorStore

Handler = Callable[[Request], Awaitable[Response]]


def paysim_routes(store: SimulatorStore, operator_token: str) -> list[Route]:
    """`store` is the caller's to close. Refused operator calls raise an `OnsaleError`; the application answers it."""
    operators = OperatorPages(store, operator_token)
    tosser, kcper = toss.TossSimulator(store), kcp.KcpSimulator(store)
    return [
        _route("/behaviour", operators.behaviour(toss.PROVIDER), "GET", "PUT"),
        _route("/ledger", operators.ledger(toss.PROVIDER), "GET"),
        *(
            route
            for provider in (toss.PROVIDER, kcp.PROVIDER)
            for route in (
                _route(f"/{provider}/behaviour", operators.behaviour(provider), "GET", "PUT"),
                _route(f"/{provider}/ledger", operators.ledger(provider), "GET"),
            )
        ),
        _route("/toss/v1/payments/confirm", tosser.confirm, "POST"),
        _route("/toss/v1/payments/orders/{order_id}", tosser.by_order, "GET"),
        _route("/toss/v1/payments/{payment_key}", tosser.by_key, "GET"),
        _route("/toss/v1/payments/{payment_key}/cancel", tosser.cancel, "POST"),
        _route("/kcp/gw/enc/v1/payment", kcper.approve, "POST"),
        _route("/kcp/gw/mod/v1/cancel", kcper.cancel, "POST"),
        _route("/kcp/std/inquery", kcper.inquire, "POST"),
    ]


def _route(path: str, handler: Handler, *methods: str) -> Route:
    async def named(request: Request) -> Response:
        # What metrics and the log call this call: the pattern, not each order's own path.
        request.scope.setdefault("state", {})["route"] = f"/paysim{path}"
        return await handler(request)

    return Route(path, named, methods=list(methods), name=f"paysim {path}")
