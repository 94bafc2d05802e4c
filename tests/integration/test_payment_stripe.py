"""Stripe: what is sent, against stripe-mock; what is made of answers, against a server with our own (P4, P9)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import StartupError
from core.payments.composition import open_provider
from core.payments.gateway import Authorisation, CallHealth, ChargeOutcome, Order, ReturnRefused, WindowFailed
from core.payments.provider_package import Limits
from core.payments.registry import PROVIDERS
from core.payments.stripe.adapter_http import Stripe
from core.payments.stripe.composition import open_gateway, open_old_gateway
from core.payments.stripe.objects import from_stripe, to_stripe
from core.payments.stripe.settings import ProviderSettings
from core.payments.transport_http import ListFailed
from core.settings import Settings
from tests.payment_servers import a_buyer, an_order, free_port, scripted, serve, urls_of
from tests.stripe_mock import stripe_mock

SESSION = "cs_test_a1"
INTENT = "pi_a1"
RETURNED = Authorisation(SESSION)
LIMITS = Limits(3, 20, 20)
WEBHOOK_SECRET = "whsec_tests"


def stripe_at(url: str, limits: Limits = LIMITS, webhook_secret: str = WEBHOOK_SECRET) -> Stripe:
    return Stripe(url=url, secret="sk_test_123", webhook_secret=webhook_secret, environment="test:x", limits=limits)


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with stripe_mock() as address:
        yield address


# What is sent, checked by Stripe's own specification.


async def test_every_request_is_of_the_specifications_shape(mock: str, caplog: pytest.LogCaptureFixture) -> None:
    """stripe-mock refuses a parameter that there is not, or that is of another type, with an HTTP 400."""
    gateway, order = stripe_at(mock), an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, "stripe"))
    assert window.kind == "redirect"
    assert (window.url or "").startswith("https://")
    # Its examples are another order's: whatever is asked for, an answer was understood, and none was taken for ours.
    now = datetime.now(UTC)
    results = [
        await gateway.confirm(order, RETURNED, "k1"),
        await gateway.look_up(order, SESSION),
        await gateway.look_up(order, INTENT),
        await gateway.void(order, SESSION, reason="x", idempotency_key="v1"),
    ]
    assert {result.outcome for result in results} <= {ChargeOutcome.WRONG_KEY, ChargeOutcome.NOT_CHARGED}
    for key, amount in ((INTENT, None), (INTENT, 100)):
        refund = await gateway.cancel(
            order, key, amount=amount, refunded_before=0, reason="x", idempotency_key=f"r-{amount}"
        )
        assert refund.outcome is ChargeOutcome.CANCELLED, refund.code
    assert [one async for one in gateway.list_charges(now - timedelta(days=1), now)] == []
    await gateway.aclose()


async def test_capture_cancel_and_search_are_of_the_specifications_shape(mock: str) -> None:
    """The calls that the examples never lead to."""
    gateway, order = stripe_at(mock), an_order()
    intents = gateway._sdk.v1.payment_intents
    captured = await gateway._sdk.call(
        "confirm", intents.capture_async(INTENT, {"expand": ["latest_charge"]}, {"idempotency_key": "k"})
    )
    assert isinstance(captured, dict)
    cancelled = await gateway._sdk.call("cancel", intents.cancel_async(INTENT, {"cancellation_reason": "abandoned"}))
    assert isinstance(cancelled, dict)
    assert (await gateway.look_up(order)).outcome in (ChargeOutcome.NOT_CHARGED, ChargeOutcome.UNKNOWN)
    expired = await gateway._sdk.call("cancel", gateway._sdk.v1.checkout.sessions.expire_async(SESSION))
    assert isinstance(expired, dict)
    await gateway.aclose()


async def test_a_parameter_that_there_is_not_would_be_seen(mock: str) -> None:
    """The negative control of the tests above."""
    gateway = stripe_at(mock)
    wrong: Any = {"cancellation_reason": "no such reason"}
    answer = await gateway._sdk.call("cancel", gateway._sdk.v1.payment_intents.cancel_async(INTENT, wrong))
    assert not isinstance(answer, dict)
    await gateway.aclose()


# What is made of answers.


@dataclass
class Told:
    """A server with Stripe's paths; `answers`: `METHOD /path` -> (status, body); others are resource_missing."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: Request) -> Response:
        name = f"{request.method} {request.url.path}"
        form = dict(parse_qsl((await request.body()).decode()))
        self.asked.append((name, form, dict(request.headers)))
        missing = (404, {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "?"}})
        status, body = self.answers.get(name, missing)
        return Response(orjson.dumps(body), status_code=status, media_type="application/json")

    def error(self, name: str, status: int, type_: str, code: str) -> None:
        self.answers[name] = (status, {"error": {"type": type_, "code": code, "message": "?"}})

    def session(self, order: Order, status: str, **changes: Any) -> None:
        """The session, its intent in this state, and what a capture would answer."""
        intent = intent_of(order, status, **changes)
        whole = {
            "id": SESSION,
            "object": "checkout.session",
            "client_reference_id": order.number,
            "metadata": {"order": order.number},
            "status": "complete",
            "payment_intent": intent,
        }
        self.answers[f"GET /v1/checkout/sessions/{SESSION}"] = (200, whole)
        self.answers[f"GET /v1/payment_intents/{INTENT}"] = (200, intent)
        captured = intent_of(order, "succeeded")
        self.answers[f"POST /v1/payment_intents/{INTENT}/capture"] = (200, captured)


def intent_of(order: Order, status: str, **changes: Any) -> dict[str, Any]:
    charge = {
        "id": "ch_1",
        "object": "charge",
        "amount_refunded": 0,
        "created": 1_700_000_000,
        "receipt_url": "https://pay.stripe.com/receipts/1",
        "payment_method_details": {"type": "card", "card": {"authorization_code": "123456"}},
    }
    return {
        "id": INTENT,
        "object": "payment_intent",
        "status": status,
        "amount": to_stripe(order.amount, order.currency),
        "amount_received": to_stripe(order.amount, order.currency) if status == "succeeded" else 0,
        "currency": order.currency.lower(),
        "metadata": {"order": order.number},
        "latest_charge": charge,
        **changes,
    }


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    told = Told()
    app = Starlette(routes=[Route("/{path:path}", told.handle, methods=["GET", "POST"])])
    async with serve(app) as url:
        told.url = url
        yield told


@pytest.fixture
async def gateway(told: Told) -> AsyncIterator[Stripe]:
    opened = stripe_at(told.url)
    yield opened
    await opened.aclose()


async def test_what_the_window_is_asked_for(told: Told, gateway: Stripe) -> None:
    """Manual capture; our return and closed addresses; opened again, it is the same session for Stripe."""
    order = an_order()
    told.answers["POST /v1/checkout/sessions"] = (200, {"id": SESSION, "url": "https://checkout.stripe.com/c/1"})
    for _ in range(2):
        window = await gateway.open_window(order, a_buyer(), urls_of(order, "stripe"))
        assert (window.kind, window.url) == ("redirect", "https://checkout.stripe.com/c/1")
    (_, form, headers), (_, _, again) = told.asked
    assert form["payment_intent_data[capture_method]"] == "manual"
    assert form["payment_intent_data[metadata][order]"] == order.number
    assert form["client_reference_id"] == order.number
    assert form["line_items[0][price_data][unit_amount]"] == "15000"
    assert form["success_url"] == f"{urls_of(order, 'stripe').returned}&session_id={{CHECKOUT_SESSION_ID}}"
    assert form["cancel_url"] == urls_of(order, "stripe").closed
    assert 1800 <= int(form["expires_at"]) - time.time() <= 2400
    assert headers["idempotency-key"] == again["idempotency-key"]
    assert "example.com" not in repr(form)


async def test_a_window_that_stripe_will_not_open(told: Told, gateway: Stripe) -> None:
    order = an_order()
    """P9: what is asked for is the shop's, price and currency too; that Stripe is away is not."""
    refusals = ((401, "authentication_error", True), (400, "invalid_request_error", True), (500, "api_error", False))
    for status, type_, fault in refusals:
        told.error("POST /v1/checkout/sessions", status, type_, "a_code")
        with pytest.raises(WindowFailed) as failed:
            await gateway.open_window(order, a_buyer(), urls_of(order, "stripe"))
        assert (failed.value.code, failed.value.shops_fault) == ("a_code", fault)


async def test_captured_with_the_key_that_it_was_bound_to(told: Told, gateway: Stripe) -> None:
    order = an_order()
    told.session(order, "requires_capture")
    assert (await gateway.look_up(order, SESSION)).outcome is ChargeOutcome.AUTHORISED
    result = await gateway.confirm(order, RETURNED, "k1")
    assert (result.outcome, result.provider_key, result.balance) == (ChargeOutcome.APPROVED, INTENT, 15_000)
    assert result.receipt is not None
    assert (result.receipt.method, result.receipt.approval_number) == ("card", "123456")
    name, _, headers = told.asked[-1]
    assert name == f"POST /v1/payment_intents/{INTENT}/capture"
    assert headers["idempotency-key"] == "k1"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"metadata": {"order": "another"}}, ChargeOutcome.WRONG_KEY),
        ({"amount": 150}, ChargeOutcome.UNKNOWN),
        ({"currency": "usd"}, ChargeOutcome.UNKNOWN),
        ({"status": "requires_payment_method"}, ChargeOutcome.WRONG_KEY),
        ({"status": "canceled"}, ChargeOutcome.WRONG_KEY),
        ({"status": "processing"}, ChargeOutcome.UNKNOWN),
    ],
)
async def test_nothing_is_captured_that_is_not_ours(
    told: Told, gateway: Stripe, changes: dict[str, Any], outcome: ChargeOutcome
) -> None:
    """P1: order, amount and currency are compared before the money moves."""
    order = an_order()
    told.session(order, **{"status": "requires_capture", **changes})
    assert (await gateway.confirm(order, RETURNED, "k1")).outcome is outcome
    assert not [name for name, _, _ in told.asked if name.endswith("/capture")]


async def test_somebody_elses_session(told: Told, gateway: Stripe) -> None:
    order = an_order()
    assert (await gateway.confirm(order, RETURNED, "k1")).outcome is ChargeOutcome.WRONG_KEY
    told.session(an_order(), "requires_capture")
    assert (await gateway.confirm(order, RETURNED, "k1")).outcome is ChargeOutcome.WRONG_KEY
    for session in ("", "pi_1", "cs_<script>"):
        with pytest.raises(ReturnRefused, match="key_missing"):
            gateway.read_return(order, {"session_id": session}, {})
    assert gateway.read_return(order, {"session_id": SESSION}, {}) == RETURNED


@pytest.mark.parametrize(
    ("status", "type_", "code", "outcome", "fault"),
    [
        (402, "card_error", "card_declined", ChargeOutcome.DECLINED, False),
        (401, "authentication_error", "", ChargeOutcome.NOT_CHARGED, True),
        (403, "invalid_request_error", "", ChargeOutcome.NOT_CHARGED, True),
        (429, "rate_limit_error", "rate_limit", ChargeOutcome.NOT_CHARGED, False),
        (500, "api_error", "", ChargeOutcome.UNKNOWN, False),
        (400, "invalid_request_error", "a_code_of_next_year", ChargeOutcome.UNKNOWN, False),
    ],
)
async def test_what_an_error_of_a_capture_proves(
    told: Told, gateway: Stripe, status: int, type_: str, code: str, outcome: ChargeOutcome, fault: bool
) -> None:
    """P9: the shop's own mistakes are never a declined card."""
    order = an_order()
    told.session(order, "requires_capture")
    told.error(f"POST /v1/payment_intents/{INTENT}/capture", status, type_, code)
    result = await gateway.confirm(order, RETURNED, "k1")
    assert (result.outcome, result.shops_fault) == (outcome, fault)
    assert len([name for name, _, _ in told.asked if name.endswith("/capture")]) == 1, "the SDK does not try again"


async def test_refunds(told: Told, gateway: Stripe) -> None:
    order = an_order()
    told.session(order, "succeeded")
    told.answers["POST /v1/refunds"] = (200, {"id": "re_1", "object": "refund", "status": "succeeded"})
    part = await gateway.cancel(order, SESSION, amount=4_000, refunded_before=1_000, reason="x", idempotency_key="r1")
    assert (part.outcome, part.balance, part.refund_key) == (ChargeOutcome.CANCELLED, 10_000, "re_1")
    _, form, headers = told.asked[-1]
    assert (form["payment_intent"], form["amount"], headers["idempotency-key"]) == (INTENT, "4000", "r1")
    told.error("POST /v1/refunds", 400, "invalid_request_error", "charge_already_refunded")
    whole = await gateway.cancel(order, INTENT, amount=None, refunded_before=0, reason="x", idempotency_key="r2")
    assert (whole.outcome, whole.balance) == (ChargeOutcome.CANCELLED, 0)
    told.error("POST /v1/refunds", 400, "invalid_request_error", "balance_insufficient")
    poor = await gateway.cancel(order, INTENT, amount=100, refunded_before=0, reason="x", idempotency_key="r3")
    assert (poor.outcome, poor.code, poor.refused) == (ChargeOutcome.UNKNOWN, "balance_insufficient", True)
    charge = {**intent_of(order, "succeeded")["latest_charge"], "amount_refunded": 100}
    told.session(order, "succeeded", latest_charge=charge)
    made = await gateway.cancel(order, INTENT, amount=100, refunded_before=0, reason="x", idempotency_key="r3")
    assert (made.outcome, made.balance) == (ChargeOutcome.CANCELLED, 14_900)


async def test_a_refund_under_way_is_not_refused(told: Told, gateway: Stripe) -> None:
    """P7: what was refused is asked for under a new key; beside a part that is being given back, it would go twice."""
    order = an_order()
    told.session(order, "succeeded")
    told.error("POST /v1/refunds", 409, "idempotency_error", "idempotency_key_in_use")
    result = await gateway.cancel(order, INTENT, amount=100, refunded_before=0, reason="x", idempotency_key="r1")
    assert (result.outcome, result.refused) == (ChargeOutcome.UNKNOWN, False)


async def test_an_error_that_is_remembered_is_no_answer_to_what_was_made(told: Told, gateway: Stripe) -> None:
    """P7: Stripe repeats a 500 under its key; whether all is given back the charge tells."""
    order = an_order()
    charge = {**intent_of(order, "succeeded")["latest_charge"], "amount_refunded": 15_000}
    told.session(order, "succeeded", latest_charge=charge)
    told.error("POST /v1/refunds", 500, "api_error", "")
    made = await gateway.cancel(order, INTENT, amount=None, refunded_before=0, reason="x", idempotency_key="r1")
    assert (made.outcome, made.balance) == (ChargeOutcome.CANCELLED, 0)


async def test_an_authorisation_is_let_go_of(told: Told, gateway: Stripe) -> None:
    order = an_order()
    told.session(order, "requires_capture")
    told.answers[f"POST /v1/payment_intents/{INTENT}/cancel"] = (200, intent_of(order, "canceled"))
    voided = await gateway.void(order, SESSION, reason="late", idempotency_key="v1")
    assert voided.outcome is ChargeOutcome.CANCELLED
    told.session(order, "canceled")
    assert (await gateway.void(order, SESSION, reason="late", idempotency_key="v1")).outcome is ChargeOutcome.CANCELLED
    told.session(order, "requires_payment_method")
    closed = await gateway.void(order, SESSION, reason="late", idempotency_key="v1")
    assert closed.outcome is ChargeOutcome.NOT_CHARGED
    assert told.asked[-1][0] == f"POST /v1/checkout/sessions/{SESSION}/expire"


async def test_without_a_key_the_order_is_searched_for(told: Told, gateway: Stripe) -> None:
    order = an_order()
    told.answers["GET /v1/payment_intents/search"] = (200, {"object": "search_result", "data": [], "has_more": False})
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.NOT_CHARGED
    found = [intent_of(order, "canceled"), intent_of(order, "succeeded")]
    told.answers["GET /v1/payment_intents/search"] = (200, {"object": "search_result", "data": found})
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.APPROVED


async def test_nothing_is_proven_by_silence() -> None:
    order = an_order()
    away = stripe_at(f"http://127.0.0.1:{free_port()}")
    result = await away.confirm(order, RETURNED, "k1")
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.NOT_CHARGED,
        "connect_failed",
        CallHealth.FAILURE,
    )
    assert (await away.look_up(order, SESSION)).outcome is ChargeOutcome.UNKNOWN
    assert (await away.look_up(order, INTENT)).outcome is ChargeOutcome.UNKNOWN
    assert (await away.look_up(order)).outcome is ChargeOutcome.UNKNOWN
    with pytest.raises(WindowFailed, match="connect_failed"):
        await away.open_window(order, a_buyer(), urls_of(order, "stripe"))
    with pytest.raises(ListFailed):
        [one async for one in away.list_charges(datetime.now(UTC), datetime.now(UTC))]
    await away.aclose()
    async with scripted() as script:
        script.answer = None
        lost = stripe_at(script.url)
        assert (await lost.confirm(order, RETURNED, "k1")).outcome is ChargeOutcome.UNKNOWN
        assert len(script.requests) == 1
        for body in (b"<html>", b"[]", b"{}"):
            script.says(body)
            assert (await lost.confirm(order, RETURNED, "k1")).outcome in (
                ChargeOutcome.UNKNOWN,
                ChargeOutcome.WRONG_KEY,
            )
            assert (await lost.look_up(order, INTENT)).outcome is not ChargeOutcome.APPROVED
        await lost.aclose()


async def test_the_list(told: Told, gateway: Stripe) -> None:
    order, now = an_order(), datetime.now(UTC)
    ours = {
        "id": "ch_1",
        "object": "charge",
        "amount_captured": 15_000,
        "amount_refunded": 4_000,
        "currency": "krw",
        "created": int(now.timestamp()) - 10,
        "payment_intent": INTENT,
        "metadata": {"order": order.number},
    }
    others = {**ours, "id": "ch_2", "metadata": {}}
    uncaptured = {**ours, "id": "ch_3", "amount_captured": 0}
    page = {"object": "list", "data": [ours, others, uncaptured], "has_more": False, "url": "/v1/charges"}
    told.answers["GET /v1/charges"] = (200, page)
    listed = [one async for one in gateway.list_charges(now - timedelta(hours=1), now)]
    assert [(one.order, one.amount, one.balance, one.currency) for one in listed] == [
        (order.number, 15_000, 11_000, "KRW")
    ]


def test_a_webhook_is_believed_when_it_is_signed() -> None:
    """P6: `Stripe-Signature`, at most 300 s old."""
    gateway, open_ = stripe_at("http://127.0.0.1:1"), stripe_at("http://127.0.0.1:1", webhook_secret="")
    body = orjson.dumps(
        {"type": "checkout.session.completed", "data": {"object": {"client_reference_id": "abcdef1a1"}}}
    )
    for age, believed in ((0, True), (400, False)):
        stamp = int(time.time()) - age
        made = hmac.new(WEBHOOK_SECRET.encode(), f"{stamp}.{body.decode()}".encode(), hashlib.sha256).hexdigest()
        order = gateway.read_webhook({"Stripe-Signature": f"t={stamp},v1={made}"}, body)
        assert order == ("abcdef1a1" if believed else None)
    assert gateway.read_webhook({}, body) is None
    assert gateway.read_webhook({"stripe-signature": "t=1,v1=forged"}, body) is None
    assert open_.read_webhook({}, body) == "abcdef1a1"
    for nonsense in (b"", b"\xff", b"[]", b'{"data": {"object": 1}}'):
        assert open_.read_webhook({}, nonsense) is None


def test_amounts() -> None:
    """Minor units are Stripe's, but for two currencies that it counts in hundredths."""
    for currency, ours, theirs in (("KRW", 15_000, 15_000), ("EUR", 1_550, 1_550), ("ISK", 500, 50_000)):
        assert to_stripe(ours, currency) == theirs
        assert from_stripe(theirs, currency) == ours
    assert from_stripe(50_050, "ISK") is None
    assert from_stripe(True, "KRW") is None
    # ISO 4217 has hundredths of an ariary, Stripe has none: 100 of them would be taken for one.
    assert "MGA" not in (Stripe.currencies or ())
    assert {"KRW", "EUR", "ISK", "KWD"} <= (Stripe.currencies or frozenset())


def test_settings_and_environments() -> None:
    test = open_gateway(ProviderSettings(stripe_secret="sk_test_a"), LIMITS, None).environment
    assert test.startswith("test:")
    assert open_gateway(ProviderSettings(stripe_secret="sk_live_a"), LIMITS, None).environment.startswith("live:")
    assert "sk_test" not in test
    with pytest.raises(StartupError, match="ONSALE_STRIPE_SECRET is empty"):
        open_provider(PROVIDERS["stripe"], Settings(), LIMITS)
    old = open_old_gateway(ProviderSettings(stripe_secret="sk_test_b", stripe_old_secret="sk_test_a"), LIMITS)
    assert old is not None
    assert old.environment == test
