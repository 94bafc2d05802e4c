"""All routes of the simulator, to be mounted under `/paysim`: `Mount("/paysim", routes=paysim_routes(...))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.payments.provider_package import played_keys
from core.payments.registry import PLAYED
from web.paysim import kcp, portone, stripe, toss
from web.paysim.guard import Guard
from web.paysim.kcp_play import PROVIDER as KCP
from web.paysim.kcp_play import KcpPlay
from web.paysim.operators import OperatorPages
from web.paysim.page import BankPages, script
from web.paysim.play import ENDINGS
from web.paysim.portone_play import PROVIDER as PORTONE
from web.paysim.portone_play import PortOnePlay
from web.paysim.shop import IsOurs
from web.paysim.store_sqlite import SimulatorStore
from web.paysim.stripe_play import PROVIDER as STRIPE
from web.paysim.stripe_play import StripePlay
from web.paysim.toss_play import PROVIDER as TOSS
from web.paysim.toss_play import TossPlay
from web.paysim.webhooks import Webhooks
from web.paysim.windows import Windows

Handler = Callable[[Request], Awaitable[Response]]


def paysim_routes(
    store: SimulatorStore, guard: Guard, *, secret_key: str, is_ours: IsOurs, page: str = ""
) -> list[Route]:
    """`store` is the caller's to close. `secret_key` is the shop's: its keys at the played providers are made of it.

    `page`: where buyers' browsers find the simulator, when that is not `/paysim` beside the shop. Refused operator
    calls raise an `OnsaleError`; the application answers it.
    """
    keys = {provider: played_keys(secret_key, provider) for provider in PLAYED}
    webhooks = Webhooks(store, {TOSS: toss.webhook, KCP: kcp.webhook, PORTONE: portone.webhook, STRIPE: stripe.webhook})
    operators = OperatorPages(store, guard, webhooks)
    site_code, kcp_secret = keys[KCP]
    client_key, toss_secret = keys[TOSS]
    kcp_play = KcpPlay(site_code, kcp_secret)
    portone_play, stripe_play = PortOnePlay(keys[PORTONE][0]), StripePlay(keys[STRIPE][0])
    windows = Windows(store, [TossPlay(client_key), kcp_play, portone_play, stripe_play], is_ours)
    tosser = toss.TossSimulator(store, toss_secret, webhooks)
    kcper = kcp.KcpSimulator(store, kcp_play, kcp_secret, windows, webhooks, page)
    portoner = portone.PortOneSimulator(store, portone_play, keys[PORTONE][1], webhooks)
    striper = stripe.StripeSimulator(store, stripe_play, keys[STRIPE][1], webhooks, page)
    return [
        *_operated(operators, PLAYED[0], ""),
        *(route for provider in PLAYED for route in _operated(operators, provider, f"/{provider}")),
        _route("/assets/{file}", BankPages().file, "GET"),
        _route("/{provider}/windows", windows.open, "POST"),
        _route("/{provider}/windows", windows.preflight, "OPTIONS"),
        _route("/{provider}/windows/{window}", windows.show, "GET"),
        *(_route(f"/{{provider}}/windows/{{window}}/{ending}", windows.end(ending), "POST") for ending in ENDINGS),
        _route("/{provider}/receipts/{window}", windows.receipt, "GET"),
        _route("/toss/v2/standard", _toss_script, "GET"),
        _route("/toss/v1/payments/confirm", tosser.confirm, "POST"),
        _route("/toss/v1/payments/orders/{order_id}", tosser.by_order, "GET"),
        _route("/toss/v1/payments/{payment_key}", tosser.by_key, "GET"),
        _route("/toss/v1/payments/{payment_key}/cancel", tosser.cancel, "POST"),
        _route("/toss/v1/transactions", tosser.transactions, "GET"),
        _route("/kcp/plugin/kcp_spay_hub.js", kcper.hub, "GET"),
        _route("/kcp/std/tradeReg/register", kcper.register, "POST"),
        _route("/kcp/pay", kcper.pay, "POST"),
        _route("/kcp/gw/enc/v1/payment", kcper.approve, "POST"),
        _route("/kcp/gw/mod/v1/cancel", kcper.cancel, "POST"),
        _route("/kcp/std/inquery", kcper.inquire, "POST"),
        _route("/portone/v2/browser-sdk.js", portoner.sdk, "GET"),
        _route("/portone/payments/{payment_id}", portoner.payment, "GET"),
        _route("/portone/payments/{payment_id}/confirm", portoner.confirm, "POST"),
        _route("/portone/payments/{payment_id}/cancel", portoner.cancel, "POST"),
        _route("/portone/payments/{payment_id}/virtual-account/close", portoner.close_account, "POST"),
        _route("/portone/payments-by-cursor", portoner.by_cursor, "GET"),
        _route("/stripe/v1/checkout/sessions", striper.create_session, "POST"),
        _route("/stripe/v1/checkout/sessions/{session}", striper.session, "GET"),
        _route("/stripe/v1/checkout/sessions/{session}/expire", striper.expire_session, "POST"),
        _route("/stripe/v1/payment_intents/search", striper.search, "GET"),
        _route("/stripe/v1/payment_intents/{intent}", striper.intent, "GET"),
        _route("/stripe/v1/payment_intents/{intent}/capture", striper.capture, "POST"),
        _route("/stripe/v1/payment_intents/{intent}/cancel", striper.cancel_intent, "POST"),
        _route("/stripe/v1/refunds", striper.refund, "POST"),
        _route("/stripe/v1/charges", striper.charges, "GET"),
    ]


def _operated(operators: OperatorPages, provider: str, prefix: str) -> list[Route]:
    return [
        _route(f"{prefix}/behaviour", operators.behaviour(provider), "GET", "PUT"),
        _route(f"{prefix}/rules", operators.rules(provider), "GET", "PUT"),
        _route(f"{prefix}/ledger", operators.ledger(provider), "GET"),
        _route(f"{prefix}/payments", operators.payments(provider), "GET"),
        _route(f"{prefix}/payments/{{payment_key}}/refund", operators.refund(provider), "POST"),
        _route(f"{prefix}/payments/{{payment_key}}/deposit", operators.deposit(provider), "POST"),
    ]


async def _toss_script(request: Request) -> Response:
    return script("toss.js")


def _route(path: str, handler: Handler, *methods: str) -> Route:
    async def named(request: Request) -> Response:
        # What metrics and the log call this call: the pattern, not each order's own path.
        request.scope.setdefault("state", {})["route"] = f"/paysim{path}"
        return await handler(request)

    return Route(path, named, methods=list(methods), name=f"paysim {path} {methods[0]}")
