"""Toss Payments' adapter against the simulator and against a server that misbehaves (S23, S27, rule 2)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from core.payments.toss_http import TossPayments

from core.payments import toss_codes
from core.payments.gateway import CallHealth, ChargeOutcome
from tests.payment_servers import Scripted, Simulator, a_charge, free_port, scripted, simulator


@pytest.fixture
async def paysim(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path / "paysim.sqlite3") as running:
        yield running


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as running:
        yield running


def toss(url: str, **changes: Any) -> TossPayments:
    fields = {"secret": "test_sk_x", "connect": 1.0, "read": 5.0, "charges": 20}
    return TossPayments(url=url, **{**fields, **changes})


async def test_approved_looked_up_cancelled_and_cancelled_again(paysim: Simulator) -> None:
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge("pk_ok")
    approved = await gateway.charge(charge)
    assert (approved.outcome, approved.health) == (ChargeOutcome.APPROVED, CallHealth.SUCCESS)
    assert await gateway.look_up(charge) == approved
    assert await paysim.charged(charge) == [(True, False)]
    for _ in range(2):
        cancelled = await gateway.cancel(charge, approved.provider_key, "buyer cancelled")
        assert (cancelled.outcome, cancelled.provider_key) == (ChargeOutcome.CANCELLED, approved.provider_key)
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(charge) == [(True, True)]
    await gateway.aclose()


async def test_cancelling_without_the_key_finds_it(paysim: Simulator) -> None:
    """A process that died with the answer left no key behind."""
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge("pk_ok")
    await gateway.charge(charge)
    assert (await gateway.cancel(charge, None, "deadline")).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(charge) == [(True, True)]
    assert (await gateway.cancel(charge, None, "deadline")).outcome is ChargeOutcome.CANCELLED
    await gateway.aclose()


async def test_declined_is_an_answer_and_not_a_failure_of_the_provider(paysim: Simulator) -> None:
    """S24: declined cards are not failures."""
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge("pk_declined")
    result = await gateway.charge(charge)
    assert (result.outcome, result.health) == (ChargeOutcome.DECLINED, CallHealth.SUCCESS)
    assert result.code in toss_codes.DECLINED
    looked_up = await gateway.look_up(charge)
    assert (looked_up.outcome, looked_up.code) == (ChargeOutcome.DECLINED, result.code)
    assert (await gateway.cancel(charge, None, "x")).outcome is ChargeOutcome.NOT_CHARGED
    assert await paysim.charged(charge) == [(False, False)]
    await gateway.aclose()


async def test_the_same_charge_again_is_the_same_charge(paysim: Simulator) -> None:
    """Rule 2: the idempotency key is the reservation's id; ten at once, one charge."""
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge("pk_ok")
    results = await asyncio.gather(*(gateway.charge(charge) for _ in range(10)))
    assert {result.outcome for result in results} == {ChargeOutcome.APPROVED}
    assert await paysim.charged(charge) == [(True, False)]
    await gateway.aclose()


async def test_a_key_under_way_is_unknown_and_nobodys_fault(paysim: Simulator) -> None:
    await paysim.behave(latency_seconds=30)
    gateway, charge = toss(f"{paysim.url}/toss", read=0.3), a_charge("pk_ok")
    assert (await gateway.charge(charge)).code == "read_timeout"
    second = await gateway.charge(charge)
    assert (second.outcome, second.code) == (ChargeOutcome.UNKNOWN, "IDEMPOTENT_REQUEST_PROCESSING")
    assert second.health is CallHealth.IGNORED
    await gateway.aclose()


@pytest.mark.parametrize(
    ("key", "outcome"), [("pk_ok", ChargeOutcome.APPROVED), ("pk_declined", ChargeOutcome.DECLINED)]
)
async def test_already_processed_is_answered_with_the_truth(
    paysim: Simulator, key: str, outcome: ChargeOutcome
) -> None:
    """ALREADY_PROCESSED_PAYMENT only says that somebody was here before; what became of it, the look-up knows."""
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge(key)
    first = await paysim.client.post(
        "/toss/v1/payments/confirm",
        json={"paymentKey": key, "orderId": charge.order_id, "amount": charge.amount},
        headers={"Authorization": _basic("test_sk_x"), "Idempotency-Key": "somebody else's"},
    )
    assert first.status_code in (200, 400, 403)
    assert (await gateway.charge(charge)).outcome is outcome
    assert len(await paysim.charged(charge)) == 1
    await gateway.aclose()


async def test_a_temporary_error_is_an_http_400_without_a_charge(paysim: Simulator) -> None:
    """PROVIDER_ERROR: judged by its code; the look-up proves that nothing was charged."""
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge("pk_error")
    result = await gateway.charge(charge)
    assert (result.outcome, result.code, result.temporary) == (ChargeOutcome.NOT_CHARGED, "PROVIDER_ERROR", True)
    assert result.health is CallHealth.FAILURE
    assert await paysim.charged(charge) == []
    await gateway.aclose()


async def test_a_hanging_provider_is_unknown_and_the_look_up_knows(paysim: Simulator) -> None:
    """S27: a timeout is an unknown outcome, never a failure. The charge is there."""
    gateway, charge = toss(f"{paysim.url}/toss", read=0.3), a_charge("pk_hang")
    result = await gateway.charge(charge)
    assert (result.outcome, result.code, result.health) == (ChargeOutcome.UNKNOWN, "read_timeout", CallHealth.TIMEOUT)
    assert await paysim.charged(charge) == [(True, False)]
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.APPROVED
    await gateway.aclose()


async def test_connection_refused_is_proven_not_charged() -> None:
    gateway, charge = toss(f"http://127.0.0.1:{free_port()}"), a_charge()
    result = await gateway.charge(charge)
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.NOT_CHARGED,
        "connect_failed",
        CallHealth.FAILURE,
    )
    # Not having been able to ask proves nothing.
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.cancel(charge, "key", "x")).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.cancel(charge, None, "x")).outcome is ChargeOutcome.UNKNOWN
    await gateway.aclose()


async def test_no_such_order(paysim: Simulator) -> None:
    gateway, charge = toss(f"{paysim.url}/toss"), a_charge()
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.NOT_CHARGED
    assert (await gateway.cancel(charge, None, "x")).outcome is ChargeOutcome.NOT_CHARGED
    assert (await gateway.cancel(charge, "tgen_nothing", "x")).outcome is ChargeOutcome.NOT_CHARGED
    await gateway.aclose()


async def test_a_payment_key_cannot_name_another_call(script: Scripted) -> None:
    """Keys come from outside: one with slashes in it stays one part of the path."""
    script.says(b"{}")
    gateway = toss(script.url)
    await gateway.cancel(a_charge(), "../confirm?x=", "x")
    assert script.requests[0].startswith(b"POST /v1/payments/..%2Fconfirm%3Fx%3D/cancel HTTP/1.1")
    await gateway.aclose()


async def test_a_connection_broken_after_sending_is_unknown(script: Scripted) -> None:
    script.answer = None
    gateway = toss(script.url)
    result = await gateway.charge(a_charge())
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.UNKNOWN,
        "connection_lost",
        CallHealth.FAILURE,
    )
    assert len(script.requests) == 1, "what may have charged is never sent again by itself"
    await gateway.aclose()


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
async def test_an_answer_that_cannot_be_read_is_unknown(script: Scripted, status: str, body: bytes) -> None:
    """Neither approved nor failed: anything but a known code or this order's payment is unknown."""
    script.says(body, status=status)
    gateway = toss(script.url)
    result = await gateway.charge(a_charge())
    assert (result.outcome, result.health) == (ChargeOutcome.UNKNOWN, CallHealth.FAILURE)
    assert (await gateway.look_up(a_charge())).outcome is ChargeOutcome.UNKNOWN
    await gateway.aclose()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("DONE", ChargeOutcome.APPROVED),
        ("CANCELED", ChargeOutcome.CANCELLED),
        ("ABORTED", ChargeOutcome.DECLINED),
        ("EXPIRED", ChargeOutcome.DECLINED),
        ("IN_PROGRESS", ChargeOutcome.UNKNOWN),
        ("READY", ChargeOutcome.UNKNOWN),
        ("WAITING_FOR_DEPOSIT", ChargeOutcome.UNKNOWN),
        ("PARTIAL_CANCELED", ChargeOutcome.UNKNOWN),
    ],
)
async def test_only_final_statuses_are_final(script: Scripted, status: str, outcome: ChargeOutcome) -> None:
    gateway, charge = toss(script.url), a_charge()
    payment = {"status": status, "paymentKey": "k", "orderId": charge.order_id, "totalAmount": charge.amount}
    script.says(orjson.dumps(payment))
    assert (await gateway.look_up(charge)).outcome is outcome
    await gateway.aclose()


async def test_another_amount_is_never_taken_for_ours(script: Scripted) -> None:
    gateway, charge = toss(script.url), a_charge(amount=15_000)
    payment = {"status": "DONE", "paymentKey": "k", "orderId": charge.order_id, "totalAmount": 150}
    script.says(orjson.dumps(payment))
    result = await gateway.charge(charge)
    assert (result.outcome, result.code) == (ChargeOutcome.UNKNOWN, "amount_differs")
    await gateway.aclose()


@pytest.mark.parametrize("code", sorted(toss_codes.DECLINED))
async def test_a_refusal_counts_by_its_code_whatever_the_status(script: Scripted, code: str) -> None:
    script.says(orjson.dumps({"code": code}), status="500 Internal Server Error")
    gateway = toss(script.url)
    assert (await gateway.charge(a_charge())).outcome is ChargeOutcome.DECLINED
    await gateway.aclose()


async def test_a_wrong_key_is_the_operators_and_not_the_buyers_fault(script: Scripted) -> None:
    script.says(b'{"code": "UNAUTHORIZED_KEY"}', status="401 Unauthorized")
    gateway = toss(script.url)
    result = await gateway.charge(a_charge())
    assert (result.outcome, result.health) == (ChargeOutcome.NOT_CHARGED, CallHealth.FAILURE)
    assert not result.temporary
    await gateway.aclose()


async def test_the_request_is_as_toss_payments_documents_it(script: Scripted) -> None:
    """Basic auth with the secret key and no password, orderId and Idempotency-Key the reservation's id."""
    script.says(b"{}")
    gateway, charge = toss(script.url, secret="test_sk_abc"), a_charge("tviva20240101")
    await gateway.charge(charge)
    head, _, body = script.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/payments/confirm HTTP/1.1")
    lines = {line.split(b": ")[0].lower(): line.split(b": ")[1] for line in head.split(b"\r\n")[1:]}
    assert lines[b"authorization"] == b"Basic " + base64.b64encode(b"test_sk_abc:")
    assert lines[b"idempotency-key"] == charge.order_id.encode()
    assert orjson.loads(body) == {"paymentKey": "tviva20240101", "orderId": charge.order_id, "amount": 15000}
    await gateway.aclose()


async def test_a_full_pool_is_not_the_providers_fault(paysim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every connection of ours hanging, a further charge is proven not sent."""
    monkeypatch.setattr("core.payments.transport_http._SPARE_CONNECTIONS", 0)
    gateway = toss(f"{paysim.url}/toss", charges=1, connect=0.2, read=20)
    hanging = asyncio.create_task(gateway.charge(a_charge("pk_hang")))
    async with asyncio.timeout(10):
        while not await paysim.ledger():
            await asyncio.sleep(0.01)
    result = await gateway.charge(a_charge("pk_ok"))
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.NOT_CHARGED,
        "pool_full",
        CallHealth.IGNORED,
    )
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await gateway.aclose()


async def test_look_ups_get_through_while_every_charge_hangs(paysim: Simulator) -> None:
    """S27: the resolver must be able to ask about the very charges that hang."""
    gateway = toss(f"{paysim.url}/toss", charges=1, connect=0.5, read=20)
    charge = a_charge("pk_hang")
    hanging = asyncio.create_task(gateway.charge(charge))
    async with asyncio.timeout(10):
        while not await paysim.ledger():
            await asyncio.sleep(0.01)
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.APPROVED
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await gateway.aclose()


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"{secret}:".encode()).decode()
