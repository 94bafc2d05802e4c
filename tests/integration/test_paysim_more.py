"""PortOne and Stripe, played strictly: the adapters go the whole way, and what documents refuse is refused (P4, P5).

The same code asks the real ones; only address and keys differ.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.embedded import Engines
from core.payments.gateway import Authorisation, ChargeOutcome, Order, ReturnRefused, WindowFailed
from core.payments.stripe.calls_http import code_of
from core.runtime import open_runtime
from core.settings import Settings
from tests.booking import until
from tests.conftest import MakeEvent
from tests.integration.onsale_process import serving
from tests.payment_servers import Simulator, a_buyer, an_order, gateway_at, returned, simulator, through_window, urls_of
from tests.waits import PATIENCE

BOTH = pytest.mark.parametrize("provider", ["portone", "stripe"])


@pytest.fixture(scope="module")
async def paysim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path_factory.mktemp("played") / "paysim.sqlite3") as running:
        yield running


@pytest.fixture
async def gateway(paysim: Simulator, provider: str) -> AsyncIterator[Any]:
    await paysim.rules(provider, window_seconds=1800.0, session_seconds=600.0)
    opened = gateway_at(paysim.url, provider)
    yield opened
    await opened.aclose()


async def charged(paysim: Simulator, gateway: Any, order: Order) -> Any:
    result = await gateway.confirm(order, await paysim.authorised(gateway, order), uuid.uuid4().hex)
    assert result.outcome is ChargeOutcome.APPROVED, result
    return result


@BOTH
async def test_from_the_window_to_the_last_refund(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.NOT_CHARGED
    authorisation = await paysim.authorised(gateway, order)
    waiting = await gateway.look_up(order, None if provider == "portone" else authorisation.key)
    assert waiting.outcome is ChargeOutcome.AUTHORISED, "only our own confirmation moves money"
    assert await paysim.charged(order.number, provider) == []
    done = await gateway.confirm(order, authorisation, "k-" + order.number)
    assert (done.outcome, done.balance) == (ChargeOutcome.APPROVED, 15_000)
    assert done.receipt.approval_number
    assert done.receipt.address
    # The same once more is the same charge.
    assert (await gateway.confirm(order, authorisation, "k-" + order.number)).outcome is ChargeOutcome.APPROVED
    assert await paysim.charged(order.number, provider) == [(True, False)]

    async def back(amount: int | None, before: int, key: str) -> Any:
        return await gateway.cancel(
            order, done.provider_key, amount=amount, refunded_before=before, reason="x", idempotency_key=key
        )

    part = await back(4_000, 0, f"r1-{order.number}")
    assert (part.outcome, part.balance) == (ChargeOutcome.CANCELLED, 11_000)
    again = await back(4_000, 0, f"r1-{order.number}")
    assert (again.outcome, again.balance) == (ChargeOutcome.CANCELLED, 11_000), "made once"
    (line,) = await paysim.payments(order.number, provider)
    assert line["balance"] == 11_000
    rest = await back(None, 4_000, f"r2-{order.number}")
    assert rest.outcome is ChargeOutcome.CANCELLED
    assert (await back(None, 15_000, f"r3-{order.number}")).outcome is ChargeOutcome.CANCELLED
    assert await paysim.charged(order.number, provider) == [(True, True)]


@BOTH
async def test_the_list_has_what_was_given_back_in_the_dashboard_and_is_read_in_pages(
    paysim: Simulator, gateway: Any, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    orders = [an_order() for _ in range(5)]
    for order in orders:
        await charged(paysim, gateway, order)
    (line,) = await paysim.payments(orders[0].number, provider)
    path = f"/{provider}/payments/{line['payment_key']}/refund"
    assert (await paysim.client.post(path, json={"amount": 5_000})).status_code == 200
    waiting = an_order()
    await paysim.authorised(gateway, waiting)
    monkeypatch.setattr(f"core.payments.{provider}.adapter_http._PAGE", 2)
    until = datetime.now(UTC) + timedelta(seconds=5)
    listed = {one.order: one async for one in gateway.list_charges(since, until)}
    assert {order.number for order in orders} <= set(listed)
    assert waiting.number not in listed, "what was not confirmed is no charge"
    assert (listed[orders[0].number].amount, listed[orders[0].number].balance) == (15_000, 10_000)
    assert listed[orders[1].number].balance == 15_000
    assert [one async for one in gateway.list_charges(since - timedelta(days=3), since - timedelta(days=2))] == []


@BOTH
async def test_a_declined_card_and_a_passing_error(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    declined = await gateway.confirm(order, await paysim.authorised(gateway, order, card="declined"), "a")
    assert declined.outcome is ChargeOutcome.DECLINED, declined
    assert not declined.shops_fault
    order = an_order()
    failed = await gateway.confirm(order, await paysim.authorised(gateway, order, card="error"), order.number)
    assert failed.outcome in (ChargeOutcome.DECLINED, ChargeOutcome.NOT_CHARGED)
    assert await paysim.charged(order.number, provider) == [], "nothing was charged"


@BOTH
async def test_an_answer_that_never_comes_is_unknown_and_looked_up(
    paysim: Simulator, gateway: Any, provider: str
) -> None:
    impatient, order = gateway_at(paysim.url, provider, read=2.0), an_order()
    authorisation = await paysim.authorised(gateway, order, card="hang")
    lost = await impatient.confirm(order, authorisation, "h")
    await impatient.aclose()
    assert (lost.outcome, lost.code) == (ChargeOutcome.UNKNOWN, "read_timeout")
    assert (await gateway.look_up(order, lost.provider_key)).outcome is ChargeOutcome.APPROVED


@BOTH
async def test_a_key_that_is_forged_or_too_old_is_no_refusal_of_a_card(
    paysim: Simulator, gateway: Any, provider: str
) -> None:
    order, other = an_order(), an_order()
    mine, theirs = await paysim.authorised(gateway, order), await paysim.authorised(gateway, other)
    forged = await gateway.confirm(order, theirs, "f1")
    assert forged.outcome is ChargeOutcome.WRONG_KEY, forged
    nonsense = Authorisation("cs_test_ab" if provider == "stripe" else "token_x")
    assert (await gateway.confirm(order, nonsense, "f2")).outcome is ChargeOutcome.WRONG_KEY
    assert (await gateway.confirm(order, mine, "f3")).outcome is ChargeOutcome.APPROVED, "it burnt the order"
    await paysim.rules(provider, session_seconds=0.0)
    late = an_order()
    result = await gateway.confirm(late, await paysim.authorised(gateway, late), "f4")
    assert result.outcome in (ChargeOutcome.WRONG_KEY, ChargeOutcome.UNKNOWN)
    assert await paysim.charged(late.number, provider) == []


@BOTH
async def test_a_wrong_secret_is_the_shops_fault(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    stranger = gateway_at(paysim.url, provider, secret_key="another")
    refused = await stranger.confirm(order, authorisation, "w")
    assert (refused.outcome, refused.shops_fault) == (ChargeOutcome.NOT_CHARGED, True)
    if provider == "stripe":
        with pytest.raises(WindowFailed) as failed:
            await stranger.open_window(order, a_buyer(), urls_of(order, provider))
        assert failed.value.shops_fault
    await stranger.aclose()


@BOTH
async def test_a_window_that_was_left_and_one_that_is_over(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    left = await paysim.end(await paysim.open(window.fields, provider), "close", provider)
    if provider == "stripe":
        assert left == urls_of(order, provider).closed
    else:
        with pytest.raises(ReturnRefused) as refused:
            gateway.read_return(order, returned(left), {})
        assert (refused.value.closed, refused.value.declined) == (True, False)
    await paysim.rules(provider, window_seconds=0.0)
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    name = await paysim.open(window.fields, provider)
    over = await paysim.client.post(f"/{provider}/windows/{name}/approve", json={})
    assert over.status_code in (400, 409)


async def _approved(paysim: Simulator, gateway: Any) -> tuple[Order, str]:
    """Authorised at Stripe, and the way back was never loaded: nobody here knows a key."""
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, "stripe"))
    return order, returned(await paysim.approved(window, "stripe"))["session_id"]


@pytest.mark.parametrize("provider", ["stripe"])
async def test_an_authorisation_that_nobody_here_heard_of_is_found_and_let_go_of(
    paysim: Simulator, gateway: Any, provider: str
) -> None:
    """The buyer's money is held for a week otherwise."""
    order, _ = await _approved(paysim, gateway)
    assert (await gateway.look_up(order)).outcome is ChargeOutcome.AUTHORISED
    gone = await gateway.void(order, None, reason="closed", idempotency_key=f"v-{order.number}")
    assert gone.outcome is ChargeOutcome.CANCELLED
    (line,) = await paysim.payments(order.number, provider)
    assert (line["status"], line["balance"]) == ("CANCELED", 0)
    again = await gateway.void(order, None, reason="closed", idempotency_key=f"v-{order.number}")
    assert again.outcome is ChargeOutcome.CANCELLED


@BOTH
async def test_what_a_webhook_leads_to_can_be_confirmed_or_is_left_alone(
    paysim: Simulator, gateway: Any, provider: str
) -> None:
    """P6: the return was lost, and a look-up finds what the buyer has authorised. A key that it names is one that a
    confirmation takes; PortOne's token only the return brings.
    """
    order = an_order()
    await paysim.authorised(gateway, order)
    found = await gateway.look_up(order)
    assert found.outcome is ChargeOutcome.AUTHORISED
    if provider == "portone":
        assert found.provider_key is None
        return
    confirmed = await gateway.confirm(order, Authorisation(found.provider_key), f"w-{order.number}")
    assert confirmed.outcome is ChargeOutcome.APPROVED, confirmed


async def test_a_window_that_was_closed_here_and_approved_there_is_let_go_of(
    settings: Settings,
    stores: Engines,
    paysim: Simulator,
    make_event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P2: nobody brought a key, so that the order alone is what the provider is asked by: `void(order, None)`."""
    own = settings.model_copy(
        update={"simulator_url": paysim.url, "payment": "simulator:stripe", "resolver_seconds": 0.05}
    )
    await paysim.rules("stripe", window_seconds=1800.0, session_seconds=600.0)
    async with open_runtime(own, stores) as shop:
        event = await make_event()
        await shop.waiting_room.join(event, "v")
        await shop.seats.hold(event, "v", [3])
        begun = await shop.checkout.submit(
            event, "v", idempotency_key="k", email="kim@example.org", language="en", provider=None
        )
        assert begun.payment is not None
        number = begun.payment.order
        urls = urls_of(Order(number, begun.amount, "KRW", ""), "stripe")
        window = await shop.checkout.open_window(number, device="pc", urls=urls)
        await paysim.approved(window, "stripe")
        asked: list[tuple[str, str | None]] = []
        real = shop.payments.void

        async def void(account: Any, order: Order, key: str | None, **more: Any) -> Any:
            asked.append((order.number, key))
            return await real(account, order, key, **more)

        monkeypatch.setattr(shop.payments, "void", void)
        await shop.checkout.closed(number, None)

        async def let_go_of() -> bool:
            await shop.checkout.finish_due()
            return bool((await paysim.payments(number, "stripe"))[-1]["status"] == "CANCELED")

        await until(let_go_of)
        assert (number, None) in asked
        await shop.supervisor.drain(0)


async def test_a_whole_purchase_at_each_provider(tmp_path: Path) -> None:
    """Page, window by its HTTP twin, return, confirmation, by a real server; a closed window leads back and is paid."""
    with serving(
        tmp_path,
        "--demo",
        ONSALE_DATA=str(tmp_path / "data"),
        ONSALE_PAYMENT="simulator:toss,kcp,portone,stripe",
        ONSALE_ACTIVE_GRACE_SECONDS="900",
    ) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        for seat, provider in enumerate(("toss", "kcp", "portone", "stripe")):
            async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, trust_env=False) as browser:
                good = {"success_rate": 1.0, "latency_seconds": 0}
                answer = await browser.put(f"/paysim/{provider}/behaviour", json=good, headers=headers)
                assert answer.status_code == 200, answer.text
                visitor = (await browser.post("/api/visitors")).json()["token"]
                browser.headers["Authorization"] = f"Bearer {visitor}"
                at = "/api/events/demo"
                assert (await browser.post(f"{at}/queue", json={})).status_code == 200
                assert (await browser.post(f"{at}/holds", json={"seats": [20 + seat]})).status_code == 201
                sent = {"email": "kim@example.org", "provider": provider}
                made = await browser.post(f"{at}/reservations", json=sent, headers={"Idempotency-Key": provider})
                assert made.status_code == 202, made.text
                async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, trust_env=False) as another:
                    # Neither page nor way back need the visitor's token.
                    await through_window(another, made.json()["payment"])

                async def confirmed(browser: httpx.AsyncClient = browser, where: str = made.headers["location"]) -> Any:
                    told = (await browser.get(where)).json()
                    return told if told["status"] != "PAYING" else None

                ended = await until(confirmed)
                assert ended["status"] == "CONFIRMED", ended
                ledger = (await browser.get(f"/paysim/{provider}/ledger", headers=headers)).json()
                assert [(line["charged"], line["cancelled"]) for line in ledger] == [(True, False)]


@pytest.mark.parametrize("provider", ["stripe"])
async def test_an_open_session_is_closed(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    session = str(window.fields["session"])
    gone = await gateway.void(order, session, reason="closed", idempotency_key="v2")
    assert gone.outcome is ChargeOutcome.NOT_CHARGED
    name = await paysim.open(window.fields, provider)
    assert (await paysim.client.post(f"/{provider}/windows/{name}/approve", json={})).status_code == 409


@pytest.mark.parametrize("provider", ["stripe"])
async def test_stripe_is_as_strict_as_its_documents(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    again = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    assert again.fields == window.fields, "the same key and the same parameters: the same session"
    calls = gateway._sdk.v1.checkout.sessions

    async def refused(changes: dict[str, Any], key: str) -> str:
        good = {
            "mode": "payment",
            "client_reference_id": order.number,
            "metadata": {"order": order.number},
            "line_items": [
                {"quantity": 1, "price_data": {"currency": "krw", "unit_amount": 1, "product_data": {"name": "x"}}}
            ],
            "payment_intent_data": {"capture_method": "manual", "metadata": {"order": order.number}},
            "success_url": urls_of(order, provider).returned,
            "cancel_url": urls_of(order, provider).closed,
        }
        answer = await gateway._sdk.call("register", calls.create_async({**good, **changes}, {"idempotency_key": key}))
        return "" if isinstance(answer, dict) else str(getattr(answer, "param", None) or code_of(answer))

    assert await refused({}, "s0") == ""
    assert await refused({"line_items": []}, "s0") == "idempotency_error", "another request under the same key"
    assert await refused({"captur_method": "x"}, "s1") == "captur_method"
    assert await refused({"payment_intent_data": {"capture_method": "automatic"}}, "s2") == (
        "payment_intent_data[capture_method]"
    )
    assert await refused({"success_url": "http://shop.test/elsewhere"}, "s3") == "success_url"
    assert await refused({"expires_at": 1}, "s4") == "expires_at"
    dinars = {"currency": "kwd", "product_data": {"name": "x"}}
    for amount, wrong in ((5_124, "line_items[0][price_data][unit_amount]"), (5_120, "")):
        lines = [{"quantity": 1, "price_data": {**dinars, "unit_amount": amount}}]
        assert await refused({"line_items": lines}, f"s5-{amount}") == wrong, "the last of three digits is a 0"


@pytest.mark.parametrize("provider", ["portone"])
@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"storeId": "store-x"}, "UNAUTHORIZED"),
        ({"channelKey": "channel-key-x"}, "CHANNEL_NOT_FOUND"),
        ({"totalAmount": 15_000.5}, "INVALID_REQUEST"),
        ({"totalAmount": 0}, "INVALID_REQUEST"),
        ({"redirectUrl": "http://elsewhere.test/pay"}, "INVALID_REQUEST"),
        ({"forceRedirect": False}, "INVALID_REQUEST"),
        ({"noSuchField": 1}, "INVALID_REQUEST"),
    ],
)
async def test_portones_window_is_as_strict_as_its_documents(
    paysim: Simulator, gateway: Any, provider: str, changes: dict[str, Any], kind: str
) -> None:
    order = an_order()
    window = await gateway.open_window(order, a_buyer(), urls_of(order, provider))
    answer = await paysim.client.post(
        f"/{provider}/windows", json={**window.fields, **changes}, headers={"Authorization": ""}
    )
    assert (answer.status_code >= 400, answer.json()["type"]) == (True, kind)


@pytest.mark.parametrize("provider", ["portone"])
async def test_portone_compares_amount_and_store(paysim: Simulator, gateway: Any, provider: str) -> None:
    order = an_order()
    authorisation = await paysim.authorised(gateway, order)
    other = Order(order.number, 14_000, "KRW", "x")
    assert (await gateway.confirm(other, authorisation, "x")).outcome is ChargeOutcome.WRONG_KEY
    headers = {"Authorization": "PortOne " + gateway._sdk._secret}
    answer = await paysim.client.get(f"/portone/payments/{order.number}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "FORBIDDEN"), "each call names its store"
