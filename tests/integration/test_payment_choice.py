"""The choice of provider: fail_fast, fallback, park; and never a second provider after a read timeout (S25, rule 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from prometheus_client import REGISTRY

from core.clock import SystemClock
from core.errors import PaymentUnavailable, StartupError, StoreUnavailable
from core.payments.breaker import Mode
from core.payments.composition import alternative, open_payments, provider_names
from core.payments.gateway import ChargeOutcome
from core.settings import Settings
from tests.payment_servers import Asked, Simulator, a_charge, free_port, payments_with, scripted, simulator

#: What a page returns that opened the payment windows of both: a key of each, good at no other.
BOTH = "toss=pk_ok_toss_1;kcp=pk_ok_kcp_1"


@pytest.fixture
async def paysim(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path / "paysim.sqlite3") as running:
        yield running


async def test_an_approved_charge_asks_the_first_provider_only(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        charge, asked = a_charge(BOTH), Asked()
        result = await payments.charge(charge, before_call=asked)
        assert (result.outcome, result.provider) == (ChargeOutcome.APPROVED, "toss")
        assert asked.providers == ["toss"]
        assert (await payments.look_up("toss", charge)).outcome is ChargeOutcome.APPROVED
        assert (await payments.cancel("toss", charge, result.provider_key, "x")).outcome is ChargeOutcome.CANCELLED


@pytest.mark.parametrize("when_open", ["fail_fast", "fallback", "park"])
async def test_a_read_timeout_never_falls_back(paysim: Simulator, when_open: str) -> None:
    """Rule 2. Fails when `UNKNOWN` is treated as "not charged": the second provider would charge as well."""
    async with payments_with(
        simulator_url=paysim.url, payment_when_open=when_open, payment_read_seconds=0.5, payment_retries=2
    ) as payments:
        charge, asked = a_charge("toss=pk_hang_toss_1;kcp=pk_ok_kcp_1"), Asked()
        result = await payments.charge(charge, before_call=asked)
        assert (result.outcome, result.provider, result.code) == (ChargeOutcome.UNKNOWN, "toss", "read_timeout")
        assert asked.providers == ["toss"]
        assert await paysim.charged(charge, "kcp") == []


async def test_a_declined_card_never_falls_back(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        asked, declined = Asked(), "toss=pk_declined_toss_1;kcp=pk_ok_kcp_1"
        assert (await payments.charge(a_charge(declined), before_call=asked)).outcome is ChargeOutcome.DECLINED
        assert asked.providers == ["toss"]


async def test_a_broken_connection_never_falls_back(paysim: Simulator, tmp_path: Path) -> None:
    async with scripted() as script:
        script.answer = None
        async with payments_with(
            payment_url=script.url, kcp_url=f"{paysim.url}/kcp", payment_when_open="fallback", **_kcp_key(tmp_path)
        ) as payments:
            asked = Asked()
            result = await payments.charge(a_charge(BOTH), before_call=asked)
            assert (result.outcome, asked.providers) == (ChargeOutcome.UNKNOWN, ["toss"])


async def test_fallback_after_a_refused_connection(paysim: Simulator, tmp_path: Path) -> None:
    async with payments_with(
        payment_url=f"http://127.0.0.1:{free_port()}",
        kcp_url=f"{paysim.url}/kcp",
        payment_when_open="fallback",
        **_kcp_key(tmp_path),
    ) as payments:
        charge, asked = a_charge(BOTH), Asked()
        result = await payments.charge(charge, before_call=asked)
        assert (result.outcome, result.provider) == (ChargeOutcome.APPROVED, "kcp")
        assert asked.providers == ["toss", "kcp"]
        assert await paysim.charged(charge, "kcp") == [(True, False)]


async def test_fallback_while_the_first_circuit_is_open_does_not_touch_the_first(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        charge, asked = a_charge(BOTH), Asked()
        assert (await payments.charge(charge, before_call=asked)).provider == "kcp"
        assert asked.providers == ["kcp"]
        payments.require_available()
        await payments.force_circuit("kcp", Mode.FORCED_OPEN)
        with pytest.raises(PaymentUnavailable):
            payments.require_available()
        result = await payments.charge(a_charge(BOTH), before_call=asked)
        assert (result.outcome, result.code) == (ChargeOutcome.NOT_CHARGED, "circuit_open")


async def test_fallback_after_a_temporary_error_that_is_proven_not_to_have_charged(paysim: Simulator) -> None:
    await paysim.behave(error_rate=1)
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        charge = a_charge("toss=tviva1;kcp=tviva1")
        assert (await payments.charge(charge, before_call=Asked())).provider == "kcp"
        assert await paysim.charged(charge) == []


async def test_fallback_charges_with_the_second_providers_own_key(paysim: Simulator) -> None:
    """S25: a key of the first provider's window buys nothing at the second, and is not shown to it."""
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        for key in ("pk_ok_toss_1", "toss=pk_ok_toss_1"):
            charge, asked = a_charge(key), Asked()
            with pytest.raises(PaymentUnavailable):
                payments.require_available(key)
            result = await payments.charge(charge, before_call=asked)
            assert (result.outcome, result.code) == (ChargeOutcome.NOT_CHARGED, "circuit_open")
            assert asked.providers == []
        payments.require_available(BOTH)
        charge = a_charge(BOTH)
        result = await payments.charge(charge, before_call=Asked())
        assert (result.outcome, result.provider) == (ChargeOutcome.APPROVED, "kcp")
        assert await paysim.charged(charge, "kcp") == [(True, False)]
        assert await paysim.ledger("toss") == []


@pytest.mark.parametrize("provider", ["toss", "kcp"])
async def test_the_simulator_takes_no_key_of_another_window(paysim: Simulator, provider: str) -> None:
    """Control of the test above: were a key handed on, the second provider would refuse it."""
    other = {"toss": "kcp", "kcp": "toss"}[provider]
    async with payments_with(simulator_url=paysim.url, payment_providers=provider) as payments:
        charge = a_charge(f"pk_ok_{other}_1")
        result = await payments.charge(charge, before_call=Asked())
        assert result.outcome in (ChargeOutcome.DECLINED, ChargeOutcome.NOT_CHARGED)
        assert await paysim.charged(charge, provider) == []


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        ("en=the box office;ko=현장 매표소", "the box office", "현장 매표소"),
        ("gate 3", "gate 3", "gate 3"),
        ("ko=3번 게이트", "3번 게이트", "3번 게이트"),
        ("a=b", "a=b", "a=b"),
    ],
)
def test_the_alternative_is_in_the_buyers_language(text: str, english: str, korean: str) -> None:
    settings = Settings(payment_alternative=text)
    assert (alternative(settings, "en"), alternative(settings, "ko")) == (english, korean)


async def test_fail_fast_says_so_with_an_alternative(paysim: Simulator) -> None:
    """S25: a plain message, the alternative named, when to come back. The second provider is not touched."""
    async with payments_with(simulator_url=paysim.url, payment_alternative="the box office at gate 3") as payments:
        for _ in range(10):
            await paysim.behave(error_rate=1)
            await payments.charge(a_charge("tviva1"), before_call=Asked())
        with pytest.raises(PaymentUnavailable) as refused:
            payments.require_available()
        assert "the box office at gate 3" in refused.value.detail
        assert refused.value.data["alternative"] == "the box office at gate 3"
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 30
        asked = Asked()
        result = await payments.charge(a_charge("pk_ok"), before_call=asked)
        assert (result.outcome, result.code, asked.providers) == (ChargeOutcome.NOT_CHARGED, "circuit_open", [])
        assert await paysim.ledger("kcp") == []


async def test_park_keeps_the_reservation_for_later(paysim: Simulator) -> None:
    """S25: `parked` tells the booking room to try again; submission stays open."""
    async with payments_with(simulator_url=paysim.url, payment_when_open="park") as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        payments.require_available()
        charge, asked = a_charge("pk_ok"), Asked()
        result = await payments.charge(charge, before_call=asked)
        assert (result.outcome, result.code, asked.providers) == (ChargeOutcome.NOT_CHARGED, "parked", [])
        await payments.force_circuit("toss", Mode.CLOSED)
        assert (await payments.charge(charge, before_call=asked)).outcome is ChargeOutcome.APPROVED
    async with payments_with(payment_url=f"http://127.0.0.1:{free_port()}", payment_when_open="park") as payments:
        assert (await payments.charge(a_charge(), before_call=Asked())).code == "parked"


async def test_a_misconfigured_provider_is_not_parked() -> None:
    """Waiting would not help: an operator has to act, and the buyer is told now."""
    async with scripted() as script:
        script.says(b'{"code": "UNAUTHORIZED_KEY"}', status="401 Unauthorized")
        async with payments_with(payment_url=script.url, payment_when_open="park") as payments:
            result = await payments.charge(a_charge(), before_call=Asked())
            assert (result.outcome, result.code) == (ChargeOutcome.NOT_CHARGED, "UNAUTHORIZED_KEY")


async def test_a_temporary_error_is_tried_again_under_the_same_key(
    paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.payments.payments._RETRY_SECONDS", 0.01)
    # With this seed each order's second try is drawn anew; over twenty orders some succeed only then.
    await paysim.behave(error_rate=0.5, seed=7)
    async with payments_with(simulator_url=paysim.url, payment_retries=3) as payments:
        await payments.force_circuit("toss", Mode.DISABLED)
        again = 0
        for _ in range(20):
            charge, asked = a_charge("tviva1"), Asked()
            result = await payments.charge(charge, before_call=asked)
            again += result.outcome is ChargeOutcome.APPROVED and len(asked.providers) > 1
            assert len(await paysim.charged(charge)) == (result.outcome is ChargeOutcome.APPROVED)
        assert again > 0


async def test_a_provider_without_the_buyers_authorisation_is_passed_over(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_when_open="fallback") as payments:
        asked = Asked()
        assert (await payments.charge(a_charge("kcp=pk_ok"), before_call=asked)).provider == "kcp"
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        result = await payments.charge(a_charge("toss=pk_ok"), before_call=asked)
        assert (result.outcome, result.code) == (ChargeOutcome.NOT_CHARGED, "circuit_open")
        assert asked.providers == ["kcp"]


async def test_nothing_is_sent_when_it_cannot_be_written_down_first(paysim: Simulator) -> None:
    """The caller's note of who was asked comes before the request; without it nothing leaves."""

    async def lost(provider: str) -> None:
        raise StoreUnavailable

    async with payments_with(simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01) as payments:
        charge = a_charge("pk_ok")
        with pytest.raises(StoreUnavailable):
            await payments.charge(charge, before_call=lost)
        assert await paysim.charged(charge) == []
        # The permit came back: a half-open circuit with one probe is not stuck.
        await _open(payments, paysim)
        await asyncio.sleep(0.02)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await payments.charge(a_charge("pk_ok"), before_call=lost)
        assert (await payments.charge(a_charge("pk_ok"), before_call=Asked())).outcome is ChargeOutcome.APPROVED


async def test_a_cancelled_task_gives_its_permit_back(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01) as payments:
        await _open(payments, paysim)
        await asyncio.sleep(0.02)
        probe = asyncio.create_task(payments.charge(a_charge("pk_hang"), before_call=Asked()))
        async with asyncio.timeout(10):
            while not any(line["charged"] for line in await paysim.ledger()):
                await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert (await payments.charge(a_charge("pk_ok"), before_call=Asked())).outcome is ChargeOutcome.APPROVED


@pytest.mark.parametrize("well", [True, False])
async def test_who_was_accepted_waits_for_the_probes(
    paysim: Simulator, monkeypatch: pytest.MonkeyPatch, well: bool
) -> None:
    """When an open circuit's wait is over everybody is let in at once, but only three calls are probes."""
    monkeypatch.setattr("core.payments.payments._LOOK_SECONDS", 0.02)
    async with payments_with(simulator_url=paysim.url, breaker_open_seconds=0.3) as payments:
        await _open(payments, paysim)
        await asyncio.sleep(0.3)
        await paysim.behave(latency_seconds=0.2, error_rate=0 if well else 1)
        payments.require_available()
        charges = (payments.charge(a_charge("tviva1"), before_call=Asked()) for _ in range(8))
        results = await asyncio.gather(*charges)
        if well:
            assert [result.outcome for result in results] == [ChargeOutcome.APPROVED] * 8
        else:
            codes = sorted(str(result.code) for result in results)
            assert codes == ["PROVIDER_ERROR"] * 3 + ["circuit_open"] * 5


async def test_no_more_charges_than_allowed_are_under_way(paysim: Simulator) -> None:
    await paysim.behave(latency_seconds=0.2)
    under_way, most = 0, 0

    async def count(provider: str) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

    async def one() -> None:
        nonlocal under_way
        await payments.charge(a_charge("pk_ok"), before_call=count)
        under_way -= 1

    async with payments_with(simulator_url=paysim.url, payment_concurrency=3) as payments:
        await asyncio.gather(*(one() for _ in range(9)))
    assert most == 3


async def test_timeouts_are_counted_for_the_alert(paysim: Simulator) -> None:
    """S30: payment timeouts above 0.1/s page somebody."""
    before = REGISTRY.get_sample_value("onsale_payment_timeouts_total", {"provider": "toss"}) or 0
    async with payments_with(simulator_url=paysim.url, payment_read_seconds=0.3) as payments:
        await payments.charge(a_charge("pk_hang"), before_call=Asked())
    assert REGISTRY.get_sample_value("onsale_payment_timeouts_total", {"provider": "toss"}) == before + 1


async def test_a_provider_that_is_not_configured_any_more_is_unknown(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_providers="toss") as payments:
        assert (await payments.look_up("kcp", a_charge())).code == "provider_not_configured"
        with pytest.raises(ValueError, match="no payment provider 'kcp'"):
            await payments.force_circuit("kcp", Mode.FORCED_OPEN)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ("toss", "kcp")),
        ({"payment_providers": "simulator"}, ("toss",)),
        ({"payment_providers": "kcp, toss"}, ("kcp", "toss")),
        ({"payment_url": "https://api.tosspayments.com"}, ("toss",)),
        ({"kcp_url": "https://spl.kcp.co.kr"}, ("kcp",)),
    ],
)
def test_which_providers_there_are(given: dict[str, Any], names: tuple[str, ...]) -> None:
    assert provider_names(Settings(**given)) == names


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"payment_providers": "stripe"}, "there is no 'stripe'"),
        ({"payment_providers": "toss,kcp", "payment_url": "https://x.example"}, "ONSALE_KCP_URL is empty"),
        ({"kcp_url": "https://spl.kcp.co.kr"}, "ONSALE_KCP_CERTIFICATE and ONSALE_KCP_PRIVATE_KEY are needed"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(StartupError, match=complaint):
        open_payments(settings=Settings(**given), redis=None, clock=SystemClock())


async def _open(payments: Any, paysim: Simulator) -> None:
    """Opens the first provider's circuit by failing calls, not by force: it is to become half open by itself."""
    await paysim.behave(error_rate=1)
    for _ in range(10):
        await payments.charge(a_charge("tviva1"), before_call=Asked())
    await paysim.behave(error_rate=0)
    assert payments.circuits()[0].mode is Mode.OPEN


def _kcp_key(folder: Path) -> dict[str, Any]:
    """A certificate and key in files, as an installation with the real NHN KCP has them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n")
    return {"kcp_certificate": str(folder / "cert.pem"), "kcp_private_key": str(folder / "key.pem")}
