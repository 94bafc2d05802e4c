"""What Toss Payments' adapter makes of each answer, also of one that no provider should give (P1, P2, P9)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.payments.gateway import CallHealth, ChargeOutcome
from core.payments.toss import codes
from core.payments.toss.adapter_http import TossPayments
from tests.integration.toss_gateway import KEY, refund, toss
from tests.payment_servers import (
    Scripted,
    an_order,
    serve,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def at_script(script: Scripted) -> AsyncIterator[TossPayments]:
    opened = toss(script.url)
    yield opened
    await opened.aclose()


async def test_a_payment_key_cannot_name_another_call(script: Scripted, at_script: TossPayments) -> None:
    """Keys come from outside: one with slashes in it stays one part of the path."""
    script.says(b"{}")
    await refund(at_script, an_order(), "../confirm?x=")
    assert script.requests[0].startswith(b"POST /v1/payments/..%2Fconfirm%3Fx%3D/cancel HTTP/1.1")


async def test_a_connection_broken_after_sending_is_unknown(script: Scripted, at_script: TossPayments) -> None:
    script.answer = None
    result = await at_script.confirm(an_order(), KEY, "k1")
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.UNKNOWN,
        "connection_lost",
        CallHealth.FAILURE,
    )
    assert len(script.requests) == 1, "what may have charged is never sent again by itself"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b"<html>maintenance</html>"),
        ("200 OK", b"[]"),
        ("200 OK", b""),
        ("200 OK", b'{"status": "DONE"}'),
        ("200 OK", b'{"status": "DONE", "paymentKey": "k", "orderId": "another", "totalAmount": 15000}'),
        ("500 Internal Server Error", b"oops"),
        ("502 Bad Gateway", b'{"error": "upstream"}'),
        ("400 Bad Request", b'{"code": "A_CODE_OF_NEXT_YEAR", "message": "?"}'),
        ("302 Found", b""),
    ],
)
async def test_an_answer_that_cannot_be_read_is_unknown(
    script: Scripted, at_script: TossPayments, status: str, body: bytes
) -> None:
    """Neither approved nor failed: anything but a known code or this order's payment is unknown."""
    script.says(body, status=status)
    result = await at_script.confirm(an_order(), KEY, "k1")
    assert (result.outcome, result.health) == (ChargeOutcome.UNKNOWN, CallHealth.FAILURE)
    assert (await at_script.look_up(an_order())).outcome is ChargeOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("DONE", ChargeOutcome.APPROVED),
        ("PARTIAL_CANCELED", ChargeOutcome.APPROVED),
        ("CANCELED", ChargeOutcome.CANCELLED),
        ("ABORTED", ChargeOutcome.DECLINED),
        ("EXPIRED", ChargeOutcome.WRONG_KEY),
        ("IN_PROGRESS", ChargeOutcome.AUTHORISED),
        ("READY", ChargeOutcome.NOT_CHARGED),
        ("WAITING_FOR_DEPOSIT", ChargeOutcome.AWAITING_DEPOSIT),
        ("SOMETHING_NEW", ChargeOutcome.UNKNOWN),
    ],
)
async def test_what_each_status_proves(
    script: Scripted, at_script: TossPayments, status: str, outcome: ChargeOutcome
) -> None:
    order = an_order()
    payment = {"status": status, "paymentKey": "k", "orderId": order.number, "totalAmount": order.amount}
    script.says(orjson.dumps(payment))
    assert (await at_script.look_up(order)).outcome is outcome


@pytest.mark.parametrize("money", [{"totalAmount": 150}, {"totalAmount": 15_000, "currency": "USD"}])
async def test_another_amount_or_currency_is_never_taken_for_ours(
    script: Scripted, at_script: TossPayments, money: dict[str, Any]
) -> None:
    order = an_order(amount=15_000)
    for status in ("DONE", "PARTIAL_CANCELED", "WAITING_FOR_DEPOSIT"):
        script.says(orjson.dumps({"status": status, "paymentKey": "k", "orderId": order.number, **money}))
        result = await at_script.confirm(order, KEY, "k1")
        assert (result.outcome, result.code) == (ChargeOutcome.UNKNOWN, "amount_differs")


@pytest.mark.parametrize("code", sorted(codes.DECLINED))
async def test_a_refusal_counts_by_its_code_whatever_the_status(
    script: Scripted, at_script: TossPayments, code: str
) -> None:
    script.says(orjson.dumps({"code": code}), status="500 Internal Server Error")
    assert (await at_script.confirm(an_order(), KEY, "k1")).outcome is ChargeOutcome.DECLINED


@pytest.mark.parametrize("code", sorted(codes.MISCONFIGURED))
async def test_a_wrong_secret_is_the_shops_fault(script: Scripted, at_script: TossPayments, code: str) -> None:
    """P9: never told to a buyer as declined; of a look-up, nothing is proven by it."""
    script.says(orjson.dumps({"code": code}), status="401 Unauthorized")
    result = await at_script.confirm(an_order(), KEY, "k1")
    assert (result.outcome, result.shops_fault, result.temporary) == (ChargeOutcome.NOT_CHARGED, True, False)
    found = await at_script.look_up(an_order())
    assert (found.outcome, found.shops_fault) == (ChargeOutcome.UNKNOWN, True)


async def test_parts_that_came_to_the_whole_are_all_of_it(script: Scripted, at_script: TossPayments) -> None:
    """P6, P7: the real one leaves it PARTIAL_CANCELED then; its balance says that nothing is left."""
    order = an_order()
    payment = {"paymentKey": "k", "orderId": order.number, "totalAmount": order.amount}
    script.says(orjson.dumps({**payment, "status": "PARTIAL_CANCELED", "balanceAmount": 0}))
    found = await at_script.look_up(order)
    assert (found.outcome, found.balance) == (ChargeOutcome.CANCELLED, 0), "a ticket for money that went back"
    script.says(orjson.dumps({**payment, "status": "PARTIAL_CANCELED", "balanceAmount": 1}))
    assert (await at_script.look_up(order)).outcome is ChargeOutcome.APPROVED


@pytest.mark.parametrize("amount", [None, 5_000])
async def test_a_refund_under_way_is_not_refused(script: Scripted, at_script: TossPayments, amount: int | None) -> None:
    """P7: what was refused is asked for under a new key; beside a part that is being given back, it would go twice."""
    order = an_order()
    script.says(orjson.dumps({"code": "IDEMPOTENT_REQUEST_PROCESSING"}), status="409 Conflict")
    result = await refund(at_script, order, "k", amount)
    assert (result.outcome, result.refused) == (ChargeOutcome.UNKNOWN, False)
    script.says(orjson.dumps({"code": "REFUND_REJECTED"}), status="400 Bad Request")
    result = await refund(at_script, order, "k", amount)
    assert (result.outcome, result.refused) == (ChargeOutcome.UNKNOWN, True)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "FAILED_REFUND_PROCESS"),
        (500, "FAILED_PARTIAL_REFUND"),
        (500, "A_CODE_OF_NEXT_YEAR"),
        (400, "PROVIDER_ERROR"),
        (429, "TOO_MANY_REQUESTS"),
    ],
)
async def test_an_error_of_its_own_ends_the_request_that_had_it(status: int, code: str) -> None:
    """P7: it is remembered for the key for 15 days. Where the balance has not moved, another key of this hour asks."""
    order, keys = an_order(), list[str]()
    payment = {"paymentKey": "k", "orderId": order.number, "totalAmount": order.amount}

    async def handle(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({**payment, "status": "DONE", "balanceAmount": order.amount})
        keys.append(request.headers["idempotency-key"])
        if keys[-1] == "r1":
            return JSONResponse({"code": code}, status)
        return JSONResponse({**payment, "status": "PARTIAL_CANCELED", "balanceAmount": order.amount - 5_000})

    async with serve(Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST"])])) as url:
        gateway = toss(url)
        made = await refund(gateway, order, "k", 5_000)
        await gateway.aclose()
    assert (made.outcome, made.balance) == (ChargeOutcome.CANCELLED, 10_000)
    assert (keys[0], len(keys)) == ("r1", 2)
    assert keys[1].startswith("r1-")


def test_what_a_script_says_of_the_shop_is_known_on_both_sides() -> None:
    """P9: a window that does not open for our keys is told to our server, which tells an operator."""
    told = (ROOT / "static" / "js" / "pay" / "windows.js").read_text()
    (listed,) = re.findall(r"const OURS = new Set\(\[(.*?)\]\)", told, re.DOTALL)
    assert set(re.findall(r"[A-Z0-9_]+", listed)) == codes.WINDOW_MISCONFIGURED
