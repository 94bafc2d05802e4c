"""NHN KCP's adapter against the simulator and against a server that misbehaves (P4, S25, S27, rule 2)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.errors import StartupError
from core.payments.gateway import (
    Authorisation,
    CallHealth,
    ChargeOutcome,
    Order,
    ReturnRefused,
    WindowFailed,
)
from core.payments.kcp.adapter_http import NhnKcp
from core.payments.kcp.composition import open_gateway, open_old_gateway
from core.payments.kcp.settings import ProviderSettings
from core.payments.kcp.signature import PlayedSigner, RsaSigner, Signer
from core.payments.provider_package import Limits
from tests.payment_servers import (
    Scripted,
    Simulator,
    a_buyer,
    an_order,
    free_port,
    gateway_at,
    returned,
    urls_of,
)
from tests.waits import PATIENCE

GIVEN = Authorisation("enc_x", {"tran_cd": "00101234", "enc_data": "a.b", "enc_info": "c.d__", "ordr_chk": "x|1"})
LIMITS = Limits(20, 60, 20)


@pytest.fixture
async def gateway(paysim: Simulator) -> AsyncIterator[NhnKcp]:
    opened = gateway_at(paysim.url, "kcp")
    yield opened
    await opened.aclose()


@pytest.fixture
async def at_script(script: Scripted) -> AsyncIterator[NhnKcp]:
    opened = kcp(script.url)
    yield opened
    await opened.aclose()


def kcp(url: str, signer: Signer | None = None) -> NhnKcp:
    return NhnKcp(
        url=url,
        script="https://spay.kcp.co.kr/plugin/kcp_spay_hub.js",
        site_code="T0000",
        signer=signer or PlayedSigner("x"),
        not_found=frozenset({"SIM404"}),
        environment="test:x",
        played=False,
        limits=LIMITS,
    )


async def refund(gateway: NhnKcp, order: Order, key: str | None, amount: int | None = None, before: int = 0) -> Any:
    return await gateway.cancel(
        order, key, amount=amount, refunded_before=before, reason="buyer cancelled", idempotency_key="nobodys"
    )


@pytest.mark.parametrize("device", ["pc", "phone"])
async def test_from_the_window_to_the_refund(paysim: Simulator, gateway: NhnKcp, device: str) -> None:
    """P4: both ways to the window; `tran_cd` and the encrypted data as given; given back, twice asked, once done."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order, device=device)
    assert authorisation.key.startswith("enc_")
    approved = await gateway.confirm(order, authorisation, "nobodys")
    assert approved.outcome is ChargeOutcome.APPROVED
    assert approved.provider_key is not None
    assert len(approved.provider_key) == 14
    assert approved.receipt is not None
    assert approved.receipt.approval_number
    assert approved.receipt.approved_at is not None
    found = await gateway.look_up(order, approved.provider_key)
    assert (found.outcome, found.balance) == (ChargeOutcome.APPROVED, order.amount)
    for _ in range(2):
        cancelled = await refund(gateway, order, approved.provider_key)
        assert (cancelled.outcome, cancelled.balance) == (ChargeOutcome.CANCELLED, 0)
    assert (await gateway.look_up(order, approved.provider_key)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number, "kcp") == [(True, True)]


async def test_what_the_page_is_given_on_a_pc(gateway: NhnKcp) -> None:
    """The buyer's phone number only here, and only when the page has asked for it."""
    order = an_order()
    for phone in ("", "01012345678"):
        window = await gateway.open_window(order, a_buyer(phone=phone), urls_of(order, "kcp"))
        assert (window.kind, window.script) == ("sdk", "/paysim/kcp/plugin/kcp_spay_hub.js")
        assert window.fields["ordr_idxx"] == order.number
        assert window.fields["good_mny"] == "15000"
        assert window.fields["Ret_URL"] == urls_of(order, "kcp").returned
        assert window.fields["buyr_tel2"] == phone
        assert window.fields["enc_data"] == ""
        assert "example.com" not in repr(window.fields)
    assert gateway.needs_phone_number


async def test_a_phones_trade_is_registered_first(paysim: Simulator, gateway: NhnKcp) -> None:
    order = an_order()
    window = await gateway.open_window(order, a_buyer("phone"), urls_of(order, "kcp"))
    assert (window.kind, window.url) == ("form", "http://shop.test/paysim/kcp/pay")
    assert window.fields["approval_key"]
    assert "buyr_tel2" not in window.fields
    # The form leads a browser to the window; one that was changed on the way does not.
    form = {name: str(value) for name, value in window.fields.items()}
    async with httpx.AsyncClient(base_url=paysim.url, trust_env=False, timeout=PATIENCE) as browser:
        answer = await browser.post("/kcp/pay", data=form)
        assert (answer.status_code, answer.headers["location"][:20]) == (303, "/paysim/kcp/windows/")
        cheaper = await browser.post("/kcp/pay", data={**form, "good_mny": "100"})
        assert cheaper.json()["res_cd"] == "SIM401"


async def test_a_registration_that_fails_opens_no_window(script: Scripted, at_script: NhnKcp) -> None:
    order = an_order()
    for body, code in ((b'{"Code": "9999"}', "9999"), (b"{}", "bad_answer"), (b"<html>", "bad_answer")):
        script.says(body)
        with pytest.raises(WindowFailed) as failed:
            await at_script.open_window(order, a_buyer("phone"), urls_of(order, "kcp"))
        assert (failed.value.code, failed.value.health) == (code, CallHealth.FAILURE)
    away = kcp(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(WindowFailed, match="connect_failed"):
        await away.open_window(order, a_buyer("phone"), urls_of(order, "kcp"))
    await away.aclose()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ordr_chk": "another|15000"}, "order_differs"),
        ({"ordr_idxx": "another"}, "order_differs"),
        ({"ordr_chk": None}, "order_differs"),
        ({"ordr_chk": "{order}|14999"}, "amount_differs"),
        ({"good_mny": "14999"}, "amount_differs"),
        ({"tran_cd": None}, "key_missing"),
        ({"enc_data": None}, "key_missing"),
        ({"enc_info": ""}, "key_missing"),
        ({"enc_data": "x" * 8193}, "key_missing"),
        ({"res_cd": "<script>"}, "unknown"),
    ],
)
def test_a_return_that_was_tampered_with(changes: dict[str, str | None], code: str) -> None:
    gateway, order = kcp("http://127.0.0.1:1"), an_order()
    form = {
        "res_cd": "0000",
        "ordr_idxx": order.number,
        "good_mny": "15000",
        "tran_cd": "00100000",
        "enc_data": "one.with.dots",
        "enc_info": "two.with.dots",
        "ordr_chk": f"{order.number}|15000",
    }
    read = gateway.read_return(order, {}, form)
    assert read.data == {name: form[name] for name in ("tran_cd", "enc_data", "enc_info", "ordr_chk")}
    changed = {name: value.replace("{order}", order.number) for name, value in {**form, **changes}.items() if value}
    with pytest.raises(ReturnRefused) as refused:
        gateway.read_return(order, {}, changed)
    assert refused.value.code == code


async def test_a_window_that_was_left_says_how(paysim: Simulator, gateway: NhnKcp) -> None:
    for ending, closed in (("close", True), ("decline", False)):
        order = an_order()
        opened = await gateway.open_window(order, a_buyer(), urls_of(order, "kcp"))
        url = await paysim.end(await paysim.open(opened.fields, "kcp"), ending, "kcp")
        with pytest.raises(ReturnRefused) as refused:
            gateway.read_return(order, returned(url), {})
        assert (refused.value.closed, refused.value.declined) == (closed, not closed)
    # What is the shop's to mend is no refusal of a card (P9).
    with pytest.raises(ReturnRefused) as refused:
        gateway.read_return(an_order(), {"res_cd": "SIM403"}, {})
    assert (refused.value.closed, refused.value.declined, refused.value.shops_fault) == (True, False, True)


async def test_the_result_is_posted_by_the_buyers_browser(paysim: Simulator, gateway: NhnKcp) -> None:
    """Cross-site, as at the real one: the page at the end of the window is a form to `Ret_URL`."""
    order = an_order()
    opened = await gateway.open_window(order, a_buyer(), urls_of(order, "kcp"))
    window = await paysim.open(opened.fields, "kcp")
    async with httpx.AsyncClient(
        base_url=paysim.url, headers={"Accept": "text/html"}, trust_env=False, timeout=PATIENCE
    ) as browser:
        page = await browser.post(f"/kcp/windows/{window}/approve", data={"card": "good"})
        assert page.status_code == 200
        assert f'action="{urls_of(order, "kcp").returned}"' in page.text
        assert 'name="enc_data"' in page.text
        assert "form-action 'self' http://shop.test" in page.headers["content-security-policy"]
        assert "frame-ancestors 'self' http://shop.test" in page.headers["content-security-policy"]


async def test_the_wrong_window_data_charge_nothing(paysim: Simulator, gateway: NhnKcp) -> None:
    """Another order's, a constant `tran_cd`, the two texts swapped: not this order's; its own still work after that."""
    order, other = an_order(), an_order()
    own, others = await paysim.authorised(gateway, order), await paysim.authorised(gateway, other)
    swapped = {**own.data, "enc_data": own.data["enc_info"], "enc_info": own.data["enc_data"]}
    for wrong in (others.data, {**own.data, "tran_cd": "00100000"}, swapped):
        result = await gateway.confirm(order, Authorisation("enc_x", wrong), "nobodys")
        assert (result.outcome, result.code) == (ChargeOutcome.WRONG_KEY, "SIM401")
    assert (await gateway.confirm(order, own, "nobodys")).outcome is ChargeOutcome.APPROVED


async def test_too_late_is_not_declined(paysim: Simulator, gateway: NhnKcp) -> None:
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await paysim.rules("kcp", session_seconds=0.05)
    await asyncio.sleep(0.1)
    assert (await gateway.confirm(order, authorisation, "nobodys")).outcome is ChargeOutcome.WRONG_KEY
    voided = await gateway.void(order, authorisation.key, reason="late", idempotency_key="v")
    assert voided.outcome is ChargeOutcome.NOT_CHARGED


async def test_a_wrong_certificate_is_the_shops_fault(paysim: Simulator, gateway: NhnKcp) -> None:
    """P9."""
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    wrong = NhnKcp(
        url=f"{paysim.url}/kcp",
        script="",
        site_code=gateway._site,
        signer=PlayedSigner("another shop's"),
        not_found=frozenset({"SIM404"}),
        environment="played:x",
        played=True,
        limits=LIMITS,
    )
    result = await wrong.confirm(order, authorisation, "nobodys")
    assert (result.outcome, result.code, result.shops_fault) == (ChargeOutcome.NOT_CHARGED, "SIM403", True)
    found = await wrong.look_up(order, "20240101000000")
    assert (found.outcome, found.shops_fault) == (ChargeOutcome.UNKNOWN, True)
    with pytest.raises(WindowFailed) as failed:
        await wrong.open_window(order, a_buyer("phone"), urls_of(order, "kcp"))
    assert failed.value.shops_fault
    await wrong.aclose()


async def test_parts_are_given_back_once_each(paysim: Simulator, gateway: NhnKcp) -> None:
    """P7: without idempotency keys, what is left tells a repeat."""
    order = an_order()
    tno = (await gateway.confirm(order, await paysim.authorised(gateway, order), "nobodys")).provider_key
    for _ in range(2):
        first = await refund(gateway, order, tno, 4_000)
        assert (first.outcome, first.balance) == (ChargeOutcome.CANCELLED, 11_000)
    found = await gateway.look_up(order, tno)
    assert (found.outcome, found.balance) == (ChargeOutcome.APPROVED, 11_000)
    too_much = await refund(gateway, order, tno, 12_000, 4_000)
    assert (too_much.outcome, too_much.refused, too_much.balance) == (ChargeOutcome.UNKNOWN, True, 11_000)
    for _ in range(2):
        rest = await refund(gateway, order, tno, None, 4_000)
        assert (rest.outcome, rest.balance) == (ChargeOutcome.CANCELLED, 0)
    (line,) = await paysim.payments(order.number, "kcp")
    assert [one["amount"] for one in line["refunds"]] == [4_000, 11_000]


async def test_declined(paysim: Simulator, gateway: NhnKcp) -> None:
    order = an_order()
    result = await gateway.confirm(order, await paysim.authorised(gateway, order, card="declined"), "nobodys")
    assert (result.outcome, result.health) == (ChargeOutcome.DECLINED, CallHealth.SUCCESS)
    assert await paysim.charged(order.number, "kcp") == [(False, False)]


async def test_a_lost_answer_is_net_cancelled(paysim: Simulator) -> None:
    """No idempotency key and no look-up by order: after a read timeout the charge is undone, not asked for."""
    gateway, order = gateway_at(paysim.url, "kcp", read=3), an_order()
    result = await gateway.confirm(order, await paysim.authorised(gateway, order, card="hang"), "nobodys")
    assert (result.outcome, result.code, result.health) == (
        ChargeOutcome.CANCELLED,
        "read_timeout",
        CallHealth.TIMEOUT,
    )
    assert await paysim.charged(order.number, "kcp") == [(True, True)]
    await gateway.aclose()


async def test_no_such_order_after_a_lost_answer_stays_unknown(script: Scripted, at_script: NhnKcp) -> None:
    """The approval may still be on its way when the net-cancel finds nothing: the resolver has to ask again."""
    order = an_order()
    script.answer = None
    first = asyncio.create_task(at_script.confirm(order, GIVEN, "nobodys"))
    async with asyncio.timeout(PATIENCE):
        while not script.requests:
            await asyncio.sleep(0)
    script.says(b'{"res_cd": "SIM404"}')
    result = await first
    assert (result.outcome, result.health) == (ChargeOutcome.UNKNOWN, CallHealth.FAILURE)
    assert [request.split(b" ")[1] for request in script.requests] == [b"/gw/enc/v1/payment", b"/gw/mod/v1/cancel"]
    assert (await at_script.look_up(order, "enc_0123")).outcome is ChargeOutcome.NOT_CHARGED


async def test_an_answered_error_is_proven_by_the_net_cancel(paysim: Simulator, gateway: NhnKcp) -> None:
    order = an_order()
    result = await gateway.confirm(order, await paysim.authorised(gateway, order, card="error"), "nobodys")
    assert (result.outcome, result.code, result.temporary) == (ChargeOutcome.NOT_CHARGED, "SIM500", True)
    assert result.health is CallHealth.FAILURE
    assert await paysim.charged(order.number, "kcp") == []


async def test_looking_up_an_order_that_nobody_was_told_of_settles_it(paysim: Simulator, gateway: NhnKcp) -> None:
    """A process died between the charge and its answer: the order cannot be asked for, so it is undone."""
    order = an_order()
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.NOT_CHARGED
    authorisation = await paysim.authorised(gateway, order)
    await gateway.confirm(order, authorisation, "nobodys")
    for _ in range(2):
        assert (await gateway.look_up(order, authorisation.key)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number, "kcp") == [(True, True)]


async def test_the_simulator_charges_twice_what_is_sent_twice(paysim: Simulator, gateway: NhnKcp) -> None:
    """The negative control of every test here: without our care, this provider takes the money again."""
    assert not gateway.idempotent
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    await gateway.confirm(order, authorisation, "one")
    await gateway.confirm(order, authorisation, "one")
    assert await paysim.charged(order.number, "kcp") == [(True, False)] * 2
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number, "kcp") == [(True, True)] * 2


async def test_connection_refused_is_proven_not_charged() -> None:
    gateway, order = kcp(f"http://127.0.0.1:{free_port()}"), an_order()
    assert (await gateway.confirm(order, GIVEN, "nobodys")).outcome is ChargeOutcome.NOT_CHARGED
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.UNKNOWN
    assert (await gateway.look_up(order, "20240101000000")).outcome is ChargeOutcome.UNKNOWN
    assert (await refund(gateway, order, None)).outcome is ChargeOutcome.UNKNOWN
    assert (await refund(gateway, order, "20240101000000")).outcome is ChargeOutcome.UNKNOWN
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
async def test_anything_but_a_clear_approval_is_unknown(script: Scripted, at_script: NhnKcp, body: bytes) -> None:
    """And an answer to the net-cancel that nobody understands does not make it any clearer."""
    script.says(body)
    first = asyncio.create_task(at_script.confirm(an_order(), GIVEN, "nobodys"))
    async with asyncio.timeout(PATIENCE):
        while not script.requests:
            await asyncio.sleep(0)
    script.says(b'{"res_cd": "8888"}')
    assert (await first).outcome is ChargeOutcome.UNKNOWN


async def test_requests_are_shaped_and_signed_as_nhn_kcp_documents(script: Scripted, tmp_path: Path) -> None:
    key, signer = _key(tmp_path)
    gateway, order = kcp(script.url, signer=signer), an_order()
    script.says(orjson.dumps({"res_cd": "0000", "tno": "22379123456789", "amount": "15000"}))
    assert (await gateway.confirm(order, GIVEN, "nobodys")).outcome is ChargeOutcome.APPROVED
    assert _body(script.requests[0]) == {
        "tran_cd": "00101234",
        "site_cd": "T0000",
        "pay_type": "PACA",
        "ordr_mony": "15000",
        "ordr_no": order.number,
        "kcp_cert_info": "-----BEGIN CERTIFICATE-----MIIDabcd-----END CERTIFICATE-----",
        "enc_data": "a.b",
        "enc_info": "c.d__",
    }
    await refund(gateway, order, "22379123456789", 5_000, 1_000)
    sent = _body(script.requests[1])
    assert (sent["tno"], sent["mod_type"], sent["mod_desc"]) == ("22379123456789", "STPC", "buyer cancelled")
    assert (sent["mod_mny"], sent["rem_mny"]) == ("5000", "14000")
    key.public_key().verify(
        base64.b64decode(sent["kcp_sign_data"]), b"T0000^22379123456789^STPC", padding.PKCS1v15(), hashes.SHA256()
    )
    with pytest.raises(StartupError, match="private key cannot be used"):
        RsaSigner(certificate=tmp_path / "cert.pem", private_key=tmp_path / "key.pem", password="wrong")
    await gateway.aclose()


async def test_no_list_and_no_webhooks(gateway: NhnKcp) -> None:
    with pytest.raises(NotImplementedError):
        [line async for line in gateway.list_charges(datetime.now(UTC), datetime.now(UTC))]
    assert gateway.read_webhook({}, b'{"order_no": "abcdef1"}') is None


def test_environments_and_addresses(tmp_path: Path) -> None:
    """A test site is asked at NHN KCP's test addresses, and is another environment than a live one."""
    _key(tmp_path)
    files: dict[str, Any] = {
        "kcp_certificate": str(tmp_path / "cert.pem"),
        "kcp_private_key": str(tmp_path / "key.pem"),
        "kcp_private_key_password": "changeit",
    }
    test = open_gateway(ProviderSettings(kcp_site_code="T0000", **files), LIMITS, None)
    live = open_gateway(ProviderSettings(kcp_site_code="A8QOB", **files), LIMITS, None)
    assert test.environment.startswith("test:")
    assert live.environment.startswith("live:")
    assert test._script.startswith("https://testspay.kcp.co.kr/")
    assert live._script.startswith("https://spay.kcp.co.kr/")
    old: dict[str, Any] = {f"kcp_old_{name}": files[f"kcp_{name}"] for name in ("certificate", "private_key")}
    before = open_old_gateway(ProviderSettings(kcp_old_site_code="A8QOB", **files, **old), LIMITS)
    assert before is not None
    assert before.environment == live.environment
    assert open_old_gateway(ProviderSettings(**files), LIMITS) is None
    with pytest.raises(StartupError, match="ONSALE_KCP_OLD_CERTIFICATE"):
        open_old_gateway(ProviderSettings(kcp_old_site_code="A8QOB"), LIMITS)


def _key(folder: Path) -> tuple[rsa.RSAPrivateKey, RsaSigner]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encrypted = serialization.BestAvailableEncryption(b"changeit")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted)
    (folder / "key.pem").write_bytes(pem)
    (folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMIID\nabcd\n-----END CERTIFICATE-----\n")
    return key, RsaSigner(certificate=folder / "cert.pem", private_key=folder / "key.pem", password="changeit")


def _body(request: bytes) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(request.partition(b"\r\n\r\n")[2])
    return body
