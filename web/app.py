"""The Starlette application of one process: every route, and the order of what surrounds them."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import OnsaleError
from core.languages import LANGUAGES
from core.payments.composition import alternative, asked_providers
from core.payments.links import PaymentLinks
from core.runtime import Runtime
from core.waiting_room.composition import captcha_script
from realtime.live import Live
from web import (
    api_draw,
    api_events,
    api_holds,
    api_mails,
    api_meta,
    api_operator,
    api_outage,
    api_queue,
    api_reservations,
    api_visitors,
    api_waiting_list,
    health,
    sockets,
)
from web.assets import Assets
from web.call_table import CallTable, pages_of
from web.composition import open_app_state, origins_of
from web.endpoint import Endpoint, routes
from web.ops import (
    books,
    circuits,
    codes,
    comparison,
    figures,
    inspect,
    networks,
    new_sale,
    picture,
    records,
    refunds,
    removals,
    sales,
    sessions,
    waiting_list,
)
from web.ops.pages import Console
from web.pages import Pages
from web.pay.routes import payment_routes
from web.paysim import SimulatorStore, own_addresses, paysim_routes
from web.paysim.guard import OperatorGuard
from web.problems import Problems
from web.requests import Requests

#: Every call of the HTTP API but `/openapi.json`, which is made from them.
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *api_visitors.ENDPOINTS,
    *api_events.ENDPOINTS,
    *api_queue.ENDPOINTS,
    *api_outage.ENDPOINTS,
    *api_draw.ENDPOINTS,
    *api_holds.ENDPOINTS,
    *api_reservations.ENDPOINTS,
    *api_mails.ENDPOINTS,
    *api_waiting_list.ENDPOINTS,
    *api_operator.ENDPOINTS,
    *new_sale.ENDPOINTS,
    *picture.ENDPOINTS,
    *codes.ENDPOINTS,
    *sales.ENDPOINTS,
    *figures.ENDPOINTS,
    *inspect.ENDPOINTS,
    *records.ENDPOINTS,
    *refunds.ENDPOINTS,
    *comparison.ENDPOINTS,
    *books.ENDPOINTS,
    *sessions.ENDPOINTS,
    *removals.ENDPOINTS,
    *circuits.ENDPOINTS,
    *networks.ENDPOINTS,
    *waiting_list.ENDPOINTS,
    *health.ENDPOINTS,
    api_meta.METRICS,
)


class _Application(Starlette):
    """Starlette with `Requests` around everything, in the place of its own outermost layer, which catches what that
    has caught already. A channel keeps each layer that waits for it, half a KiB each: this one waits for none.
    """

    def __init__(self, requests: Callable[[ASGIApp], Requests], routes: list[BaseRoute], problems: Problems) -> None:
        handlers = {OnsaleError: problems.refused, HTTPException: problems.framework}
        super().__init__(routes=routes, exception_handlers=handlers)
        self._requests = requests

    def build_middleware_stack(self) -> ASGIApp:
        return self._requests(ExceptionMiddleware(self.router, handlers=self.exception_handlers))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        return self.middleware_stack(scope, receive, send)


def create_app(runtime: Runtime, live: Live | None, simulator: SimulatorStore | None = None) -> Starlette:
    """`live` is None where no live channel is served, `simulator` where real providers are paid with.

    The caller has opened all three and closes them.
    """
    settings = runtime.settings
    assets = Assets()
    pages = Pages(
        assets,
        simulated_payment=settings.simulated_payment,
        providers=asked_providers(settings),
        alternatives={language: alternative(settings, language) for language in LANGUAGES},
        captcha_script=captcha_script(settings),
    )
    problems = Problems(pages.error)
    links = PaymentLinks(runtime.secret)
    shown = [*pages.routes(), *payment_routes(pages, links)]
    calls = CallTable([*ENDPOINTS, _description(), *pages_of(shown)])
    app = _Application(
        lambda inner: Requests(inner, problems, calls, channels=live is not None),
        _routes(runtime, live, assets, pages, shown, simulator),
        problems,
    )
    # `/api/events/` is not `/api/events`: an answer in the wrong place is a fault that nobody finds.
    app.router.redirect_slashes = False
    app.state.parts = open_app_state(runtime, live, assets, links)
    return app


def _routes(
    runtime: Runtime,
    live: Live | None,
    assets: Assets,
    pages: Pages,
    shown: Sequence[Route],
    simulator: SimulatorStore | None,
) -> list[BaseRoute]:
    return [
        *routes([*ENDPOINTS, _description()]),
        *shown,
        *Console(pages).routes(),
        *([sockets.ROUTE] if live is not None else []),
        *([_simulator(runtime, simulator)] if simulator is not None else []),
        Route("/static/{path:path}", assets.serve, methods=["GET"], name="static"),
        sockets.NOWHERE,
    ]


@functools.cache
def _description() -> Endpoint:
    """`GET /openapi.json`: what it says depends on no setting."""
    return api_meta.description_of(ENDPOINTS)


def _simulator(runtime: Runtime, store: SimulatorStore) -> BaseRoute:
    settings = runtime.settings
    routes = paysim_routes(
        store,
        OperatorGuard(),
        secret_key=runtime.secret,
        is_ours=own_addresses(origins_of(settings)),
        page=settings.simulator_page,
    )
    return Mount("/paysim", routes=routes)
