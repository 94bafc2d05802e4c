"""The payment simulator: its operator calls, its books across processes and kills, its draws (S23)."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import textwrap
import uuid
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.payments.gateway import Order
from core.payments.kcp import codes as kcp_codes
from core.payments.provider_package import played_keys
from core.payments.toss import codes as toss_codes
from tests.payment_servers import (
    SECRET_KEY,
    TOKEN,
    Scripted,
    Simulator,
    an_order,
    gateway_at,
    returned,
    scripted,
    serve,
    simulator,
    simulator_app,
    urls_of,
)
from tests.waits import PATIENCE
from web.paysim import SimulatorStore, kcp, toss
from web.paysim.behaviour import CARDS, Behaviour, Fate, draw
from web.paysim.store_sqlite import Books

SECRET = httpx.BasicAuth(played_keys(SECRET_KEY, "toss")[1], "")


async def paid(paysim: Simulator, order: str = "", *, key: str | None = None, **chosen: str) -> httpx.Response:
    """A window opened and approved, and its payment confirmed."""
    return await confirm(paysim, await approved(paysim, order, **chosen), key=key)


async def approved(paysim: Simulator, number: str = "", **chosen: str) -> dict[str, Any]:
    """What a confirmation of a new, approved window is sent with."""
    order = an_order()
    number = number or order.number
    urls = urls_of(order)
    fields = {
        "method": "CARD",
        "amount": {"currency": "KRW", "value": 15_000},
        "orderId": number,
        "orderName": "Test night",
        "successUrl": urls.returned.replace(order.number, number),
        "failUrl": urls.closed.replace(order.number, number),
    }
    told = returned(await paysim.end(await paysim.open(fields), **chosen))
    return {"paymentKey": told["paymentKey"], "orderId": number, "amount": 15_000}


async def confirm(paysim: Simulator, body: dict[str, Any], *, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await paysim.client.post("/toss/v1/payments/confirm", json=body, headers=headers, auth=SECRET)


async def test_defaults_and_partial_changes(tmp_path: Path) -> None:
    """S23: defaults 0.7, 2, 0, 0; one PUT may name one member, and keeps the others."""
    store = SimulatorStore(tmp_path / "new" / "paysim.sqlite3")
    async with (
        serve(simulator_app(store)) as url,
        httpx.AsyncClient(headers=_bearer(TOKEN), trust_env=False, timeout=PATIENCE) as client,
    ):
        url = f"{url}/paysim/behaviour"
        first = {"success_rate": 0.7, "latency_seconds": 2.0, "hang_rate": 0.0, "error_rate": 0.0, "seed": None}
        assert (await client.get(url)).json() == first
        changed = await client.put(url, json={"latency_seconds": 0, "hang_rate": 0.25})
        assert changed.json() == {**first, "latency_seconds": 0.0, "hang_rate": 0.25}
        assert (await client.get(url)).json() == changed.json()
        assert (await client.get(url.replace("paysim/", "paysim/toss/"))).json() == changed.json()
        assert (await client.get(url.replace("paysim/", "paysim/kcp/"))).json() == first
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"success_rate": 1.1},
        {"success_rate": -0.1},
        {"success_rate": "1"},
        {"success_rate": True},
        {"success_rate": None},
        {"latency_seconds": 121},
        {"latency_seconds": -1},
        {"latency": 1},
        {"seed": -1},
        {"hang_rate": 0.6, "error_rate": 0.5},
    ],
)
async def test_a_wrong_behaviour_changes_nothing(paysim: Simulator, wrong: dict[str, Any]) -> None:
    """Rule 9: one clear problem response."""
    before = (await paysim.client.get("/behaviour")).json()
    answer = await paysim.client.put("/behaviour", json={"latency_seconds": 7, **wrong})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await paysim.client.get("/behaviour")).json() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
async def test_a_body_that_is_no_object(paysim: Simulator, body: bytes) -> None:
    answer = await paysim.client.put("/behaviour", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/behaviour", "/ledger", "/toss/behaviour", "/kcp/ledger"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_operator_calls_need_the_token(paysim: Simulator, path: str, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=paysim.url, trust_env=False, timeout=PATIENCE) as anybody:
        for method in ("GET", "PUT") if "behaviour" in path else ("GET",):
            answer = await anybody.request(method, path, headers=headers, json={"success_rate": 0})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        cookie = await anybody.get(path, headers={"Cookie": f"onsale_operator={TOKEN}"})
        assert cookie.status_code == 403, "a cookie travels by itself: bearer only"


async def test_the_ledger(paysim: Simulator) -> None:
    """P5: `[{order_id, amount, charged, cancelled}]`, in the order of charging; `order_id` is the order number."""
    orders = {card: an_order().number for card in ("good", "declined", "error", "")}
    answers = {card: await paid(paysim, order, card=card) for card, order in orders.items()}
    key = answers[""].json()["paymentKey"]
    cancelled = await paysim.client.post(f"/toss/v1/payments/{key}/cancel", json={"cancelReason": "x"}, auth=SECRET)
    assert cancelled.json()["status"] == "CANCELED"
    await approved(paysim)
    assert (await paysim.client.get("/ledger")).json() == [
        {"order_id": orders["good"], "amount": 15_000, "charged": True, "cancelled": False},
        {"order_id": orders["declined"], "amount": 15_000, "charged": False, "cancelled": False},
        {"order_id": orders[""], "amount": 15_000, "charged": True, "cancelled": True},
    ]


async def test_a_declined_answer_is_repeated_too(paysim: Simulator) -> None:
    body = await approved(paysim, card="declined")
    first = await confirm(paysim, body, key="k1")
    assert first.json()["code"] in toss_codes.DECLINED
    assert (await confirm(paysim, body, key="k1")).json() == first.json()


async def test_a_hundred_at_once_charge_once(paysim: Simulator) -> None:
    body = await approved(paysim)
    answers = await asyncio.gather(*(confirm(paysim, body, key=str(number)) for number in range(100)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 99]
    assert len(await paysim.ledger()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "15000"},
        {"amount": True},
        {"amount": None},
        {"orderId": 7},
        {"orderId": "a" * 65},
        {"paymentKey": ""},
        {"paymentKey": None},
        {"paymentKey": "k" * 201},
    ],
)
async def test_a_bad_request_charges_nothing(paysim: Simulator, wrong: dict[str, Any]) -> None:
    answer = await confirm(paysim, {**await approved(paysim), **wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert await paysim.ledger() == []


async def test_secrets(paysim: Simulator) -> None:
    """P5: the shop's own, with no password; a wrong one is UNAUTHORIZED_KEY."""
    url, body = "/toss/v1/payments/confirm", await approved(paysim)
    nobody = await paysim.client.post(url, json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (403, "INCORRECT_BASIC_AUTH_FORMAT")
    for user, password in (("test_sk_x", ""), ("live_sk_x", ""), (played_keys(SECRET_KEY, "toss")[1], "p")):
        wrong = await paysim.client.post(url, json=body, auth=httpx.BasicAuth(user, password))
        assert (wrong.status_code, wrong.json()["code"]) == (401, "UNAUTHORIZED_KEY")
    client_key = httpx.BasicAuth(played_keys(SECRET_KEY, "toss")[0], "")
    assert (await paysim.client.post(url, json=body, auth=client_key)).status_code == 401
    order = f"/toss/v1/payments/orders/{body['orderId']}"
    assert (await paysim.client.get(order)).status_code == 403
    assert await paysim.ledger() == []


async def test_what_cannot_be_cancelled(paysim: Simulator) -> None:
    async def cancel(key: str, **body: Any) -> tuple[int, str]:
        answer = await paysim.client.post(
            f"/toss/v1/payments/{key}/cancel", json={"cancelReason": "x", **body}, auth=SECRET
        )
        return answer.status_code, answer.json().get("code", answer.json().get("status"))

    assert await cancel("tgen_nothing") == (404, "NOT_FOUND_PAYMENT")
    declined = an_order().number
    await paid(paysim, declined, card="declined")
    found = await paysim.client.get(f"/toss/v1/payments/orders/{declined}", auth=SECRET)
    assert found.json()["status"] == "ABORTED"
    assert found.json()["failure"]["code"] in toss_codes.DECLINED
    assert await cancel(found.json()["paymentKey"]) == (403, "NOT_CANCELABLE_PAYMENT")
    key = (await paid(paysim)).json()["paymentKey"]
    assert await cancel(key, cancelReason="") == (400, "INVALID_REQUEST")
    for nonsense in (0, -1, 0.5, "100", True):
        assert await cancel(key, cancelAmount=nonsense) == (400, "INVALID_REQUEST")
    assert await cancel(key, cancelAmount=15_001) == (403, "NOT_CANCELABLE_AMOUNT")
    assert await cancel(key, cancelAmount=1) == (200, "PARTIAL_CANCELED")
    assert await cancel(key, cancelAmount=15_000) == (403, "NOT_CANCELABLE_AMOUNT")
    assert await cancel(key) == (200, "PARTIAL_CANCELED"), "as the real one leaves it after parts"
    assert await cancel(key) == (403, "NOT_CANCELABLE_AMOUNT")
    whole = (await paid(paysim)).json()["paymentKey"]
    assert await cancel(whole) == (200, "CANCELED")
    assert await cancel(whole) == (400, "ALREADY_CANCELED_PAYMENT")
    found = await paysim.client.get(f"/toss/v1/payments/{key}", auth=SECRET)
    assert [one["cancelAmount"] for one in found.json()["cancels"]] == [1, 14_999]


async def test_the_charge_is_written_before_the_delay(paysim: Simulator) -> None:
    """A server killed while a buyer waits leaves a charged order behind, as a real provider would."""
    for provider in ("toss", "kcp"):
        gateway, order = gateway_at(paysim.url, provider, read=60), an_order()
        authorisation = await paysim.authorised(gateway, order)
        await paysim.behave(provider, latency_seconds=60)
        waiting = asyncio.create_task(gateway.confirm(order, authorisation, "k1"))
        async with asyncio.timeout(PATIENCE):
            while not await paysim.ledger(provider):
                await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await gateway.aclose()


async def test_several_processes_share_the_books(tmp_path: Path) -> None:
    """Two servers on one file: what one is told, the other does; one order is charged once between them."""
    path = tmp_path / "paysim.sqlite3"
    async with simulator(path) as first, simulator(path) as second:
        await first.behave(success_rate=0)
        assert (await paid(second)).json()["code"] in toss_codes.DECLINED
        await first.behave(success_rate=1)
        for _ in range(20):
            body = await approved(first)
            tries = [confirm(one, body, key=str(uuid.uuid4())) for one in (first, second) * 3]
            answers = await asyncio.gather(*tries)
            assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
        assert await first.ledger() == await second.ledger()
        assert len(await first.ledger()) == 21


async def test_the_books_survive_a_killed_process(tmp_path: Path) -> None:
    """SIGKILL right after the charge was decided."""
    path = tmp_path / "paysim.sqlite3"
    code = textwrap.dedent(f"""
        import asyncio, os, signal
        from pathlib import Path
        from web.paysim import SimulatorStore
        async def main():
            store = SimulatorStore(Path({str(path)!r}))
            await store.work("toss", lambda books: books.add(
                order_id="killed-order", provider_key="key", amount=5, currency="KRW", name="x", status="DONE",
                decided_at=books.now, approved_at=books.now,
            ))
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env={**os.environ, "PYTHONPATH": "."})
    assert await child.wait() == -signal.SIGKILL
    async with simulator(path) as paysim:
        assert await paysim.ledger() == [{"order_id": "killed-order", "amount": 5, "charged": True, "cancelled": False}]


async def test_a_failed_piece_of_work_leaves_nothing(tmp_path: Path) -> None:
    store = SimulatorStore(tmp_path / "paysim.sqlite3")

    def fails(books: Books) -> None:
        books.add(order_id="an-order", provider_key="key", amount=5, currency="KRW", name="x", status="DONE")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await store.work("toss", fails)
    assert await store.work("toss", Books.all) == []
    store.close()


async def test_too_large_a_body(paysim: Simulator) -> None:
    answer = await paysim.client.post("/toss/v1/payments/confirm", content=b"x" * 70_000, auth=SECRET)
    assert answer.status_code == 413


async def test_kcp_refuses_what_is_not_complete(paysim: Simulator) -> None:
    gateway, order = gateway_at(paysim.url, "kcp"), an_order()
    authorisation = await paysim.authorised(gateway, order)
    whole = {
        **{name: authorisation.data[name] for name in ("tran_cd", "enc_data", "enc_info")},
        "site_cd": gateway._site,
        "kcp_cert_info": gateway._signer.certificate,
        "ordr_mony": "15000",
        "ordr_no": order.number,
        "pay_type": "PACA",
    }
    for missing in whole:
        body = {name: value for name, value in whole.items() if name != missing}
        answer = await paysim.client.post("/kcp/gw/enc/v1/payment", json=body)
        assert (answer.status_code, answer.json()["res_cd"]) == (200, "SIM400"), missing
    assert await paysim.ledger("kcp") == []
    assert (await paysim.client.post("/kcp/gw/enc/v1/payment", json=whole)).json()["res_cd"] == "0000"
    await gateway.aclose()


async def test_books_of_the_simulator_before_are_read_on(tmp_path: Path) -> None:
    """Its charges were made under the reservation's id, and can still be given back."""
    path = tmp_path / "paysim.sqlite3"
    with sqlite3.connect(path) as old:
        old.executescript("""
            CREATE TABLE behaviour (provider TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
            CREATE TABLE orders (id INTEGER PRIMARY KEY, provider TEXT, order_id TEXT, provider_key TEXT,
                amount INTEGER, status TEXT, code TEXT, reason TEXT, created_at REAL, cancelled_at REAL);
            CREATE TABLE tries (provider TEXT); CREATE TABLE answers (provider TEXT);
        """)
        rows = [("one", "k1", "DONE"), ("two", "k2", "ABORTED"), ("three", "k3", "CANCELED")]
        old.executemany(
            "INSERT INTO orders (provider, order_id, provider_key, amount, status, created_at)"
            " VALUES ('toss', ?, ?, 500, ?, strftime('%s'))",
            rows,
        )
    old.close()
    async with simulator(path) as paysim:
        states = [(line["order_id"], line["charged"], line["cancelled"]) for line in await paysim.ledger()]
        assert states == [("one", True, False), ("two", False, False), ("three", True, True)]
        cancelled = await paysim.client.post("/toss/v1/payments/k1/cancel", json={"cancelReason": "x"}, auth=SECRET)
        assert cancelled.json()["status"] == "CANCELED"


def _of_a_shop(url: str, order: Order) -> dict[str, Any]:
    return {
        "method": "CARD",
        "amount": {"currency": "KRW", "value": 15_000},
        "orderId": order.number,
        "orderName": "Test night",
        "successUrl": f"{url}/pay/toss/return/{order.number}",
        "failUrl": f"{url}/pay/toss/closed/{order.number}",
    }


async def _told(shop: Scripted, webhooks: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        while len(shop.requests) < webhooks:
            await asyncio.sleep(0.05)
    assert all(request.startswith(b"POST /webhooks/toss HTTP/1.1") for request in shop.requests)
    return [orjson.loads(request.partition(b"\r\n\r\n")[2]) for request in shop.requests]


async def test_webhooks_late_twice_and_out_of_order(paysim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """P6: sent to the shop whose window it was; they prove nothing, and the shop has to look up."""
    # Longer than the way to the refund takes on a machine that stands still meanwhile.
    monkeypatch.setattr("web.paysim.webhooks._OVERTAKEN_SECONDS", 6.0)
    async with scripted() as shop:
        shop.says(b"{}")
        await paysim.rules(webhook_copies=2, webhook_delay_seconds=0.2, webhook_disorder=True)
        order = an_order()
        key = returned(await paysim.end(await paysim.open(_of_a_shop(shop.url, order))))["paymentKey"]
        await confirm(paysim, {"paymentKey": key, "orderId": order.number, "amount": 15_000})
        await paysim.client.post(f"/toss/payments/{key}/refund", json={})
        bodies = await _told(shop, 4)
        assert [body["data"]["status"] for body in bodies] == ["CANCELED", "CANCELED", "DONE", "DONE"]
        assert {body["data"]["orderId"] for body in bodies} == {order.number}


async def test_a_deposit_is_told_in_a_form_of_its_own(paysim: Simulator) -> None:
    """P5: without `eventType`, `data` and payment key, and nobody is told of what waits for a deposit."""
    async with scripted() as shop:
        shop.says(b"{}")
        await paysim.rules(webhook_copies=1)
        order = an_order()
        window = await paysim.open(_of_a_shop(shop.url, order))
        key = returned(await paysim.end(window, method="VIRTUAL_ACCOUNT"))["paymentKey"]
        await confirm(paysim, {"paymentKey": key, "orderId": order.number, "amount": 15_000})
        await paysim.client.post(f"/toss/payments/{key}/deposit")
        (told,) = await _told(shop, 1)
    assert set(told) == {"createdAt", "secret", "status", "transactionKey", "orderId"}
    assert (told["orderId"], told["status"]) == (order.number, "DONE")
    gateway = gateway_at(paysim.url)
    assert gateway.read_webhook({}, orjson.dumps(told)) == order.number
    await gateway.aclose()


def test_the_simulators_refusals_are_codes_that_the_adapters_know() -> None:
    assert set(toss._REFUSALS) <= toss_codes.DECLINED
    assert set(kcp._REFUSALS) <= kcp_codes.DECLINED


def test_a_seed_makes_draws_repeatable() -> None:
    behaviour = Behaviour(success_rate=0.5, error_rate=0.2, hang_rate=0.2, seed=42)
    orders = [f"order-{number}" for number in range(200)]
    fates = [draw(behaviour, order, 1, "")[0] for order in orders]
    assert fates == [draw(behaviour, order, 1, "")[0] for order in orders]
    assert set(fates) == set(Fate)
    assert fates != [draw(behaviour, order, 2, "")[0] for order in orders], "a second try is drawn anew"
    assert fates != [draw(behaviour.model_copy(update={"seed": 43}), order, 1, "")[0] for order in orders]


def test_rates_are_kept() -> None:
    """Over many orders the shares are those that were asked for (each within five standard deviations)."""
    behaviour = Behaviour(success_rate=0.7, error_rate=0.1, hang_rate=0.05, seed=1)
    drawn = [draw(behaviour, f"order-{number}", 1, "")[0] for number in range(20_000)]
    expected = {Fate.ERROR: 0.1, Fate.HANG: 0.05, Fate.APPROVED: 0.85 * 0.7, Fate.DECLINED: 0.85 * 0.3}
    for fate, share in expected.items():
        assert drawn.count(fate) / 20_000 == pytest.approx(share, abs=5 * (share * (1 - share) / 20_000) ** 0.5)


@given(st.integers(0, 2**63 - 1) | st.none())
def test_test_cards_decide_whatever_the_behaviour(seed: int | None) -> None:
    behaviour = Behaviour(success_rate=0.5, hang_rate=0.3, error_rate=0.3, seed=seed)
    for card, fate in CARDS.items():
        assert draw(behaviour, "order-1", 1, card)[0] is fate


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
