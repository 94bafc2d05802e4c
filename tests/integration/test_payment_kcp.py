"""NHN KCP's adapter against the simulator and against a server that misbehaves (S25, S27, rule 2)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from core.payments.kcp_http import NhnKcp
from core.payments.kcp_signature import RsaSigner, SimulatorSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.errors import StartupError
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


def kcp(url: str, **changes: Any) -> NhnKcp:
    fields = {
        "site_code": "T0000",
        "signer": SimulatorSigner(),
        "not_found": frozenset({"SIM404"}),
        "connect": 1.0,
        "read": 5.0,
        "charges": 20,
    }
    return NhnKcp(url=url, **{**fields, **changes})


async def test_approved_inquired_cancelled_and_cancelled_again(paysim: Simulator) -> None:
    gateway, charge = kcp(f"{paysim.url}/kcp"), a_charge("pk_ok")
    approved = await gateway.charge(charge)
    assert approved.outcome is ChargeOutcome.APPROVED
    assert approved.provider_key is not None
    assert len(approved.provider_key) == 14
    assert (await gateway.look_up(charge, approved.provider_key)).outcome is ChargeOutcome.APPROVED
    for _ in range(2):
        assert (await gateway.cancel(charge, approved.provider_key, "x")).outcome is ChargeOutcome.CANCELLED
    assert (await gateway.look_up(charge, approved.provider_key)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(charge, "kcp") == [(True, True)]
    await gateway.aclose()


async def test_declined(paysim: Simulator) -> None:
    gateway, charge = kcp(f"{paysim.url}/kcp"), a_charge("pk_declined")
    result = await gateway.charge(charge)
    assert (result.outcome, result.health) == (ChargeOutcome.DECLINED, CallHealth.SUCCESS)
    assert await paysim.charged(charge, "kcp") == [(False, False)]
    await gateway.aclose()


async def test_a_lost_answer_is_net_cancelled(paysim: Simulator) -> None:
    """No idempotency key and no look-up by order: after a read timeout the charge is undone, not asked for."""
    gateway, charge = kcp(f"{paysim.url}/kcp", read=0.5), a_charge("pk_hang")
    result = await gateway.charge(charge)
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.CANCELLED,
        "read_timeout",
        CallHealth.TIMEOUT,
    )
    assert await paysim.charged(charge, "kcp") == [(True, True)]
    await gateway.aclose()


async def test_no_such_order_after_a_lost_answer_stays_unknown(script: Scripted) -> None:
    """The approval may still be on its way when the net-cancel finds nothing: the resolver has to ask again."""
    gateway, charge = kcp(script.url), a_charge()
    script.answer = None
    first = asyncio.create_task(gateway.charge(charge))
    async with asyncio.timeout(10):
        while not script.requests:
            await asyncio.sleep(0)
    script.says(b'{"res_cd": "SIM404"}')
    result = await first
    assert (result.outcome, result.health) == (ChargeOutcome.UNKNOWN, CallHealth.FAILURE)
    assert [request.split(b" ")[1] for request in script.requests] == [b"/gw/enc/v1/payment", b"/gw/mod/v1/cancel"]
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.NOT_CHARGED
    await gateway.aclose()


async def test_an_answered_error_is_proven_by_the_net_cancel(paysim: Simulator) -> None:
    gateway, charge = kcp(f"{paysim.url}/kcp"), a_charge("pk_error")
    result = await gateway.charge(charge)
    assert (result.outcome, result.code, result.temporary) == (ChargeOutcome.NOT_CHARGED, "SIM500", True)
    assert result.health is CallHealth.FAILURE
    assert await paysim.charged(charge, "kcp") == []
    await gateway.aclose()


async def test_looking_up_an_order_that_nobody_was_told_of_settles_it(paysim: Simulator) -> None:
    """A process died between the charge and its answer: the order cannot be asked for, so it is undone."""
    gateway, charge = kcp(f"{paysim.url}/kcp"), a_charge("pk_ok")
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.NOT_CHARGED
    await gateway.charge(charge)
    for _ in range(2):
        assert (await gateway.look_up(charge)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(charge, "kcp") == [(True, True)]
    await gateway.aclose()


async def test_the_simulator_charges_twice_what_is_sent_twice(paysim: Simulator) -> None:
    """The negative control of every test here: without our care, this provider takes the money again."""
    gateway, charge = kcp(f"{paysim.url}/kcp"), a_charge("pk_ok")
    await gateway.charge(charge)
    await gateway.charge(charge)
    assert await paysim.charged(charge, "kcp") == [(True, False)] * 2
    assert (await gateway.cancel(charge, None, "x")).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(charge, "kcp") == [(True, True)] * 2
    await gateway.aclose()


async def test_connection_refused_is_proven_not_charged() -> None:
    gateway, charge = kcp(f"http://127.0.0.1:{free_port()}"), a_charge()
    assert (await gateway.charge(charge)).outcome is ChargeOutcome.NOT_CHARGED
    assert (await gateway.look_up(charge)).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.look_up(charge, "20240101000000")).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.cancel(charge, None, "x")).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.cancel(charge, "20240101000000", "x")).outcome is ChargeOutcome.UNKNOWN
    await gateway.aclose()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"{}",
        b'{"res_cd": "0000"}',
        b'{"res_cd": "0000", "tno": "1", "amount": "1"}',
        b'{"res_cd": "9999", "res_msg": "?"}',
        b'{"res_cd": 0}',
    ],
)
async def test_anything_but_a_clear_approval_is_unknown(script: Scripted, body: bytes) -> None:
    """And an answer to the net-cancel that nobody understands does not make it any clearer."""
    gateway, charge = kcp(script.url), a_charge()
    script.says(body)
    first = asyncio.create_task(gateway.charge(charge))
    async with asyncio.timeout(10):
        while not script.requests:
            await asyncio.sleep(0)
    script.says(b'{"res_cd": "8888"}')
    assert (await first).outcome is ChargeOutcome.UNKNOWN
    await gateway.aclose()


async def test_requests_are_shaped_and_signed_as_nhn_kcp_documents(script: Scripted, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encrypted = serialization.BestAvailableEncryption(b"changeit")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMIID\nabcd\n-----END CERTIFICATE-----\n")
    signer = RsaSigner(certificate=tmp_path / "cert.pem", private_key=tmp_path / "key.pem", password="changeit")
    gateway, charge = kcp(script.url, signer=signer), a_charge("toss=tviva1;kcp=ENC_DATA.ENC_INFO")
    script.says(orjson.dumps({"res_cd": "0000", "tno": "22379123456789", "amount": "15000"}))
    assert (await gateway.charge(charge)).outcome is ChargeOutcome.APPROVED
    assert _body(script.requests[0]) == {
        "tran_cd": "00100000",
        "site_cd": "T0000",
        "pay_type": "PACA",
        "ordr_mony": "15000",
        "ordr_no": charge.order_id,
        "kcp_cert_info": "-----BEGIN CERTIFICATE-----MIIDabcd-----END CERTIFICATE-----",
        "enc_data": "ENC_DATA",
        "enc_info": "ENC_INFO",
    }
    await gateway.cancel(charge, "22379123456789", "buyer cancelled")
    sent = _body(script.requests[1])
    assert (sent["tno"], sent["mod_type"], sent["mod_desc"]) == ("22379123456789", "STSC", "buyer cancelled")
    key.public_key().verify(
        base64.b64decode(sent["kcp_sign_data"]), b"T0000^22379123456789^STSC", padding.PKCS1v15(), hashes.SHA256()
    )
    with pytest.raises(StartupError, match="private key cannot be used"):
        RsaSigner(certificate=tmp_path / "cert.pem", private_key=tmp_path / "key.pem", password="wrong")
    await gateway.aclose()


def _body(request: bytes) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(request.partition(b"\r\n\r\n")[2])
    return body
