"""The one entry to payment: where a new attempt goes, and no second request after an unknown one (S25, P4, rule 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from core.clock import SystemClock
from core.errors import CurrencyNotTaken, NoSuchProvider, PaymentUnavailable, StartupError, StoreUnavailable
from core.payments.account import Account, account_of
from core.payments.breaker import Mode
from core.payments.composition import alternative, open_payments
from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult
from core.payments.payments import Payments
from core.settings import Settings
from tests.payment_servers import Asked, Simulator, an_order, payments_with, scripted
from tests.waits import PATIENCE

BOTH = "simulator:toss,kcp"
_KEYS: dict[str, Any] = {"toss_client_key": "test_ck_a", "toss_secret": "test_sk_a"}


async def confirm(
    payments: Payments, paysim: Simulator, provider: str = "toss", *, asked: Any = None, **chosen: str
) -> ChargeResult:
    """A new order whose window was opened and approved, confirmed at `provider`."""
    gateway, order = payments.gateway(provider), an_order()
    authorisation = await paysim.authorised(gateway, order, **chosen)
    before = asked if asked is not None else Asked()
    return await payments.confirm(account_of(gateway), order, authorisation, f"k-{order.number}", before_call=before)


async def test_from_the_attempt_to_the_refund(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment=BOTH, payment_when_open="fallback") as payments:
        gateway = payments.choose("KRW")
        account, order, asked = account_of(gateway), an_order(), Asked()
        assert account.provider == "toss"
        authorisation = await paysim.authorised(gateway, order)
        result = await payments.confirm(account, order, authorisation, "k1", before_call=asked)
        assert (result.outcome, result.provider, asked.times) == (ChargeOutcome.APPROVED, "toss", 1)
        assert (await payments.look_up(account, order)).outcome is ChargeOutcome.APPROVED
        cancelled = await payments.cancel(
            account, order, result.provider_key, amount=None, refunded_before=0, reason="x", idempotency_key="r1"
        )
        assert cancelled.outcome is ChargeOutcome.CANCELLED
        assert await paysim.ledger("kcp") == []


@pytest.mark.parametrize("when_open", ["fail_fast", "fallback", "park"])
async def test_a_read_timeout_is_unknown_and_sent_once(paysim: Simulator, when_open: str) -> None:
    """Rule 2. Fails when `UNKNOWN` is treated as "not charged": it would be sent again."""
    async with payments_with(
        simulator_url=paysim.url, payment_when_open=when_open, payment_read_seconds=0.5, payment_retries=2
    ) as payments:
        asked = Asked()
        result = await confirm(payments, paysim, asked=asked, card="hang")
        assert (result.outcome, result.code, asked.times) == (ChargeOutcome.UNKNOWN, "read_timeout", 1)


async def test_a_broken_connection_is_unknown_and_sent_once(paysim: Simulator) -> None:
    async with scripted() as script:
        script.answer = None
        async with (
            payments_with(simulator_url=paysim.url) as well,
            payments_with(payment="toss", toss_url=script.url, **_KEYS, payment_retries=2) as payments,
        ):
            order, asked = an_order(), Asked()
            authorisation = await paysim.authorised(well.gateway("toss"), order)
            account = account_of(payments.gateway("toss"))
            result = await payments.confirm(account, order, authorisation, "k1", before_call=asked)
            assert (result.outcome, asked.times, len(script.requests)) == (ChargeOutcome.UNKNOWN, 1, 1)


async def test_a_declined_card_is_not_tried_again(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment_retries=2) as payments:
        asked = Asked()
        result = await confirm(payments, paysim, asked=asked, card="declined")
        assert (result.outcome, asked.times) == (ChargeOutcome.DECLINED, 1)


async def test_a_temporary_error_is_tried_again_under_another_key(
    paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider remembers the error that it gave under a key: the same key would never be approved."""
    monkeypatch.setattr("core.payments.confirming._RETRY_SECONDS", 0.01)
    # With this seed each order's second try is drawn anew; over twenty orders some succeed only then.
    await paysim.behave(error_rate=0.5, seed=7)
    async with payments_with(simulator_url=paysim.url, payment_retries=3) as payments:
        await payments.force_circuit("toss", Mode.DISABLED)
        again = 0
        for _ in range(20):
            asked = Asked()
            result = await confirm(payments, paysim, asked=asked)
            again += result.outcome is ChargeOutcome.APPROVED and asked.times > 1
        charged = [line for line in await paysim.ledger() if line["charged"]]
        assert len({line["order_id"] for line in charged}) == len(charged)
        assert again > 0


async def test_where_a_new_attempt_goes(paysim: Simulator) -> None:
    """S25, P4: by preference, by the buyer's choice, and past a provider whose circuit is open."""
    async with payments_with(simulator_url=paysim.url, payment=BOTH, payment_when_open="fallback") as payments:
        assert payments.names == ("toss", "kcp")
        assert payments.choose("KRW", "kcp").name == "kcp"
        assert payments.choose("KRW", failed="toss").name == "kcp", "a new attempt after no answer goes elsewhere"
        with pytest.raises(NoSuchProvider):
            payments.choose("KRW", "stripe")
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        assert payments.choose("KRW").name == "kcp"
        payments.require_available()
        with pytest.raises(PaymentUnavailable):
            payments.choose("KRW", "toss")
        await payments.force_circuit("kcp", Mode.FORCED_OPEN)
        with pytest.raises(PaymentUnavailable):
            payments.require_available()
        asked = Asked()
        result = await confirm(payments, paysim, asked=asked)
        assert (result.outcome, result.code, asked.times) == (ChargeOutcome.NOT_CHARGED, "circuit_open", 0)


async def test_without_fallback_the_second_is_for_those_who_name_it(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, payment=BOTH) as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        with pytest.raises(PaymentUnavailable):
            payments.choose("KRW")
        assert payments.choose("KRW", "kcp").name == "kcp"


async def test_a_currency_that_nobody_takes(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url) as payments:
        assert payments.choose("EUR").name == "toss", "the simulator takes all"
    async with payments_with(payment="toss", **_KEYS) as payments:
        assert not payments.takes("EUR")
        with pytest.raises(CurrencyNotTaken):
            payments.choose("EUR")


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
    """S25: a plain message, the alternative named, when to come back."""
    async with payments_with(simulator_url=paysim.url, payment_alternative="the box office at gate 3") as payments:
        await _open(payments, paysim)
        with pytest.raises(PaymentUnavailable) as refused:
            payments.require_available()
        assert "the box office at gate 3" in refused.value.detail
        assert refused.value.data["alternative"] == "the box office at gate 3"
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 30
        asked = Asked()
        result = await confirm(payments, paysim, asked=asked)
        assert (result.outcome, result.code, asked.times) == (ChargeOutcome.NOT_CHARGED, "circuit_open", 0)


async def test_park_keeps_the_authorisation_for_later(paysim: Simulator) -> None:
    """S25: `parked` tells the booking room to try again; new orders stay possible."""
    async with payments_with(simulator_url=paysim.url, payment_when_open="park") as payments:
        await payments.force_circuit("toss", Mode.FORCED_OPEN)
        payments.require_available()
        gateway, order, asked = payments.gateway("toss"), an_order(), Asked()
        account, authorisation = account_of(gateway), await paysim.authorised(gateway, order)
        parked = await payments.confirm(account, order, authorisation, "k1", before_call=asked)
        assert (parked.outcome, parked.code, asked.times) == (ChargeOutcome.NOT_CHARGED, "parked", 0)
        await payments.force_circuit("toss", Mode.CLOSED)
        result = await payments.confirm(account, order, authorisation, "k1", before_call=asked)
        assert result.outcome is ChargeOutcome.APPROVED


async def test_a_misconfigured_provider_is_not_parked(paysim: Simulator) -> None:
    """P9: waiting would not help: an operator has to act, and the buyer is told now."""
    wrong: dict[str, Any] = {
        "toss_secret": "test_sk_of_another_shop",
        "payment_when_open": "park",
        "payment_retries": 3,
    }
    async with payments_with(simulator_url=paysim.url, **wrong) as payments:
        asked = Asked()
        result = await confirm(payments, paysim, asked=asked)
        assert (result.outcome, result.code) == (ChargeOutcome.NOT_CHARGED, "UNAUTHORIZED_KEY")
        assert result.shops_fault
        assert asked.times == 1, "asked again, it would only say the same"


async def test_nothing_is_sent_when_it_cannot_be_written_down_first(paysim: Simulator) -> None:
    """The caller's note of the call comes before the request; without it nothing leaves."""

    async def lost() -> None:
        raise StoreUnavailable

    async with payments_with(simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01) as payments:
        with pytest.raises(StoreUnavailable):
            await confirm(payments, paysim, asked=lost)
        assert await paysim.ledger() == []
        # The permit came back: a half-open circuit with one probe is not stuck.
        await _open(payments, paysim)
        await asyncio.sleep(0.02)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await confirm(payments, paysim, asked=lost)
        assert (await confirm(payments, paysim)).outcome is ChargeOutcome.APPROVED


async def test_a_cancelled_task_gives_its_permit_back(paysim: Simulator) -> None:
    async with payments_with(simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01) as payments:
        await _open(payments, paysim)
        await asyncio.sleep(0.02)
        probe = asyncio.create_task(confirm(payments, paysim, card="hang"))
        async with asyncio.timeout(PATIENCE):
            while not any(line["charged"] for line in await paysim.ledger()):
                await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert (await confirm(payments, paysim)).outcome is ChargeOutcome.APPROVED


async def test_no_more_charges_than_allowed_are_under_way(paysim: Simulator) -> None:
    await paysim.behave(latency_seconds=0.2)
    under_way, most = 0, 0

    async def count() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

    async def one() -> None:
        nonlocal under_way
        await confirm(payments, paysim, asked=count)
        under_way -= 1

    async with payments_with(simulator_url=paysim.url, payment_concurrency=3) as payments:
        await asyncio.gather(*(one() for _ in range(9)))
    assert most == 3


async def test_timeouts_are_counted_for_the_alert(paysim: Simulator) -> None:
    """S30: payment timeouts above 0.1/s page somebody."""
    before = REGISTRY.get_sample_value("onsale_payment_timeouts_total", {"provider": "toss"}) or 0
    async with payments_with(simulator_url=paysim.url, payment_read_seconds=0.5) as payments:
        await confirm(payments, paysim, card="hang")
    assert REGISTRY.get_sample_value("onsale_payment_timeouts_total", {"provider": "toss"}) == before + 1


async def test_an_account_that_there_are_no_keys_for_is_asked_nothing(paysim: Simulator) -> None:
    """P1: look-ups and refunds go where the attempt was made; the other account of the same provider is another."""
    async with payments_with(simulator_url=paysim.url) as payments:
        for account in (Account("toss", "live:somebody"), Account("kcp", "played:x")):
            assert not payments.can_finish(account)
            assert (await payments.look_up(account, an_order())).code == "provider_not_configured"
        with pytest.raises(ValueError, match="no payment provider 'kcp'"):
            await payments.force_circuit("kcp", Mode.FORCED_OPEN)


async def test_payments_of_before_accounts_are_finished_by_the_same_kind_of_the_same_provider() -> None:
    """P1: migration 0007 could not tell more of them than played or live."""
    async with payments_with(payment="toss", **_KEYS) as payments:
        assert payments.can_finish(Account("toss", "live:before-0007:toss"))
        assert not payments.can_finish(Account("toss", "played:before-0007:toss"))
        assert not payments.can_finish(Account("kcp", "live:before-0007:kcp"))


async def test_the_account_before_is_finished_with_its_own_key() -> None:
    """P1: `ONSALE_TOSS_OLD_SECRET`: new attempts go to the new account, what is under way to the old one."""
    async with scripted() as script:
        script.says(b'{"code": "NOT_FOUND_PAYMENT"}', status="404 Not Found")
        old: dict[str, Any] = {"payment": "toss", "toss_url": script.url, **_KEYS}
        async with payments_with(**old) as before:
            account = account_of(before.gateway("toss"))
        changed = {**old, "toss_secret": "test_sk_new", "toss_old_secret": _KEYS["toss_secret"]}
        async with payments_with(**changed) as payments:
            assert account_of(payments.choose("KRW")) != account
            assert payments.can_finish(account)
            assert (await payments.look_up(account, an_order())).outcome is ChargeOutcome.NOT_CHARGED
        async with payments_with(**{**changed, "toss_old_secret": ""}) as payments:
            assert not payments.can_finish(account)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"payment": "toss", **_KEYS, "toss_secret": "test_sk_b", "toss_old_secret": "test_sk_a"}, b"/v1/payments/"),
        (
            {
                "payment": "portone",
                "portone_client_key": "store",
                "portone_channel_key": "channel",
                "portone_secret": "b",
                "portone_old_secret": "a",
            },
            b"/payments/",
        ),
        (
            {"payment": "stripe", "stripe_secret": "sk_test_b", "stripe_old_secret": "sk_test_a"},
            b"/v1/payment_intents/",
        ),
    ],
    ids=["toss", "portone", "stripe"],
)
async def test_the_account_before_is_asked_at_its_own_address(given: dict[str, Any], path: bytes) -> None:
    """P1: `ONSALE_..._OLD_URL`, for each provider."""
    provider = str(given["payment"])
    async with scripted() as old, scripted() as new:
        old.says(b"{}")
        new.says(b"{}")
        addresses: dict[str, Any] = {f"{provider}_url": new.url, f"{provider}_old_url": old.url}
        async with payments_with(**given, **addresses) as payments:
            (before,) = payments.accounts() - {account_of(payments.gateway(provider))}
            await payments.look_up(before, an_order())
    assert old.requests
    assert path in old.requests[0]
    assert not new.requests


async def test_what_is_under_way_at_the_account_before_passes_by_the_new_ones_circuit(paysim: Simulator) -> None:
    """P1, S24: the new account's provider is kept back; the buyer who has authorised at the old one is not."""
    async with scripted() as old:
        old.says(b'{"code": "REJECT_CARD_PAYMENT"}', status="403 Forbidden")
        given: dict[str, Any] = {"payment": "toss", **_KEYS, "toss_secret": "test_sk_b", "toss_old_secret": "test_sk_a"}
        async with (
            payments_with(simulator_url=paysim.url) as well,
            payments_with(**given, toss_url=paysim.url, toss_old_url=old.url) as payments,
        ):
            (before,) = payments.accounts() - {account_of(payments.gateway("toss"))}
            await payments.force_circuit("toss", Mode.FORCED_OPEN)
            order, asked = an_order(), Asked()
            authorisation = await paysim.authorised(well.gateway("toss"), order)
            result = await payments.confirm(before, order, authorisation, "k1", before_call=asked)
    assert (result.outcome, asked.times, len(old.requests)) == (ChargeOutcome.DECLINED, 1, 1)


@pytest.mark.parametrize("kept_back_by", ["the circuit", "a temporary error", "missing keys"])
async def test_what_is_proven_of_a_repeated_confirm_proves_nothing_of_the_first(
    paysim: Simulator, kept_back_by: str
) -> None:
    """Rule 2: the first one may have charged. Its outcome stays unknown, and no other idempotency key is tried."""
    asked = Asked()
    async with payments_with(simulator_url=paysim.url, payment_retries=2) as payments:
        gateway, order = payments.gateway("toss"), an_order()
        authorisation = await paysim.authorised(gateway, order, card="error")
        account = Account("toss", "live:somebody") if kept_back_by == "missing keys" else account_of(gateway)
        if kept_back_by == "the circuit":
            await payments.force_circuit("toss", Mode.FORCED_OPEN)
        result = await payments.confirm(account, order, authorisation, "k1", before_call=asked, sent_before=True)
    assert (result.outcome, result.temporary) == (ChargeOutcome.UNKNOWN, False)
    assert asked.times == (1 if kept_back_by == "a temporary error" else 0)


async def test_an_error_that_a_provider_remembers_opens_no_circuit(paysim: Simulator) -> None:
    """S24: after an outage those who ask again under their key hear of it for long; that is no news of the provider.
    A connection that it refuses is.
    """
    repeated: dict[str, Any] = {"before_call": Asked(), "sent_before": True}
    async with (
        payments_with(simulator_url=paysim.url) as payments,
        payments_with(simulator_url="http://127.0.0.1:9") as unreached,
    ):
        gateway, order = payments.gateway("toss"), an_order()
        authorisation = await paysim.authorised(gateway, order, card="error")
        for circuits in (payments, unreached):
            account = account_of(circuits.gateway("toss"))
            await circuits.confirm(account, order, authorisation, "k1", **repeated)
        assert [one.circuits()[0].calls for one in (payments, unreached)] == [0, 1]
        await payments.confirm(account_of(gateway), order, authorisation, "k2", before_call=Asked())
        assert payments.circuits()[0].calls == 1, "said for the first time under a key"


async def test_who_waits_for_probes_waits_no_longer_than_for_an_answer(paysim: Simulator) -> None:
    """S24: the probe that hangs is not waited for; the next try, with the same seats, is the buyer's own."""
    impatient: dict[str, Any] = {
        "payment_connect_seconds": 0.1,
        "payment_read_seconds": 0.1,
        "breaker_probe_seconds": 3600,
    }
    async with payments_with(
        simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01, **impatient
    ) as payments:
        circuit, failed = payments._by_name["toss"].circuit, asyncio.Event()
        for _ in range(10):
            await circuit.record(await circuit.admit() or 0, CallHealth.FAILURE, 0.0)
        await asyncio.sleep(0.02)
        out = asyncio.Event()

        async def held_up() -> None:
            out.set()
            await failed.wait()

        async with asyncio.timeout(PATIENCE):
            probe = asyncio.create_task(confirm(payments, paysim, asked=held_up))
            await out.wait()
            other = await confirm(payments, paysim)
            failed.set()
            await probe
    assert (other.outcome, other.code) == (ChargeOutcome.NOT_CHARGED, "circuit_open")


async def test_who_comes_while_probes_are_out_waits_for_their_verdict(
    paysim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S24: a buyer who has authorised is not failed because three others are trying whether the provider is well."""
    monkeypatch.setattr("core.payments.confirming._LOOK_SECONDS", 0.01)
    async with payments_with(simulator_url=paysim.url, breaker_probes=1, breaker_open_seconds=0.01) as payments:
        await _open(payments, paysim)
        await asyncio.sleep(0.02)
        out, go, asked = asyncio.Event(), asyncio.Event(), Asked()
        circuit, kept_back = payments._by_name["toss"].circuit, 0
        admit = circuit.admit

        async def counted() -> int | None:
            nonlocal kept_back
            permit = await admit()
            kept_back += permit is None
            return permit

        async def held_up() -> None:
            out.set()
            await go.wait()

        monkeypatch.setattr(circuit, "admit", counted)
        async with asyncio.timeout(PATIENCE):
            probe = asyncio.create_task(confirm(payments, paysim, asked=held_up))
            await out.wait()
            other = asyncio.create_task(confirm(payments, paysim, asked=asked))
            while kept_back < 2 and not other.done():
                await asyncio.sleep(0.01)
            go.set()
            ends = await asyncio.gather(probe, other)
    assert [one.outcome for one in ends] == [ChargeOutcome.APPROVED] * 2
    assert asked.times == 1


def test_what_cannot_work_is_said_at_the_start() -> None:
    settings = Settings(payment="toss,kcp", toss_client_key="test_ck_a", toss_secret="test_sk_a")
    with pytest.raises(StartupError, match="ONSALE_KCP_CERTIFICATE is empty"):
        open_payments(settings=settings, redis=None, clock=SystemClock())


async def _open(payments: Payments, paysim: Simulator) -> None:
    """Opens the first provider's circuit by failing calls, not by force: it is to become half open by itself."""
    await paysim.behave(error_rate=1)
    for _ in range(10):
        await confirm(payments, paysim)
    await paysim.behave(error_rate=0)
    assert payments.circuits()[0].mode is Mode.OPEN
