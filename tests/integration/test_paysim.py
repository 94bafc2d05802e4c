"""The payment simulator: its operator calls, its books across processes and kills, its draws (S23)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.payments import kcp_codes, toss_codes
from tests.payment_servers import TOKEN, Simulator, a_charge, serve, simulator, simulator_app
from web.paysim import SimulatorStore, kcp, toss
from web.paysim.behaviour import Behaviour, Fate, draw

SECRET = httpx.BasicAuth("test_sk_x", "")


@pytest.fixture
async def paysim(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path / "paysim.sqlite3") as running:
        yield running


async def confirm(paysim: Simulator, order_id: str, *, key: str | None = None, **body: Any) -> httpx.Response:
    sent = {"paymentKey": "pk_ok", "orderId": order_id, "amount": 15_000, **body}
    headers = {"Idempotency-Key": key} if key else {}
    return await paysim.client.post("/toss/v1/payments/confirm", json=sent, headers=headers, auth=SECRET)


async def test_defaults_and_partial_changes(tmp_path: Path) -> None:
    """S23: defaults 0.7, 2, 0, 0; one PUT may name one member, and keeps the others."""
    store = SimulatorStore(tmp_path / "new" / "paysim.sqlite3")
    async with serve(simulator_app(store)) as url, httpx.AsyncClient(headers=_bearer(TOKEN), trust_env=False) as client:
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
    async with httpx.AsyncClient(base_url=paysim.url, trust_env=False) as anybody:
        for method in ("GET", "PUT") if "behaviour" in path else ("GET",):
            answer = await anybody.request(method, path, headers=headers, json={"success_rate": 0})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        cookie = await anybody.get(path, headers={"Cookie": f"onsale_operator={TOKEN}"})
        assert cookie.status_code == 403, "a cookie travels by itself: bearer only"


async def test_an_installation_without_a_token_has_no_operators(tmp_path: Path) -> None:
    from starlette.routing import Mount

    from web.paysim import paysim_routes

    store = SimulatorStore(tmp_path / "x.sqlite3")
    app = simulator_app(store)
    app.router.routes[:] = [Mount("/paysim", routes=paysim_routes(store, ""))]
    async with serve(app) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/paysim/ledger", headers={"Authorization": "Bearer"})).status_code == 403
    store.close()


async def test_the_ledger(paysim: Simulator) -> None:
    """S23: `[{order_id, amount, charged, cancelled}]`, in the order of charging."""
    orders = {key: a_charge(key).order_id for key in ("pk_ok", "pk_declined", "pk_error", "pk_ok2")}
    answers = {key: await confirm(paysim, order, paymentKey=key) for key, order in orders.items()}
    key = answers["pk_ok2"].json()["paymentKey"]
    cancelled = await paysim.client.post(f"/toss/v1/payments/{key}/cancel", json={"cancelReason": "x"}, auth=SECRET)
    assert cancelled.json()["status"] == "CANCELED"
    assert (await paysim.client.get("/ledger")).json() == [
        {"order_id": orders["pk_ok"], "amount": 15_000, "charged": True, "cancelled": False},
        {"order_id": orders["pk_declined"], "amount": 15_000, "charged": False, "cancelled": False},
        {"order_id": orders["pk_ok2"], "amount": 15_000, "charged": True, "cancelled": True},
    ]


async def test_the_same_idempotency_key_gives_the_same_answer(paysim: Simulator) -> None:
    order = a_charge().order_id
    first = await confirm(paysim, order, key=order)
    again = await confirm(paysim, order, key=order)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other_body = await confirm(paysim, order, key=order, amount=1)
    assert (other_body.status_code, other_body.json()["code"]) == (400, "INVALID_REQUEST")
    other_key = await confirm(paysim, order, key="another")
    assert (other_key.status_code, other_key.json()["code"]) == (400, "ALREADY_PROCESSED_PAYMENT")
    assert len(await paysim.ledger()) == 1


async def test_a_declined_answer_is_repeated_too(paysim: Simulator) -> None:
    order = a_charge().order_id
    first = await confirm(paysim, order, key=order, paymentKey="pk_declined")
    assert first.json()["code"] in toss_codes.DECLINED
    assert (await confirm(paysim, order, key=order, paymentKey="pk_declined")).json() == first.json()


async def test_a_temporary_error_is_not_remembered(paysim: Simulator) -> None:
    order = a_charge().order_id
    await paysim.behave(error_rate=1)
    answer = await confirm(paysim, order, key=order, paymentKey="tviva")
    assert (answer.status_code, answer.json()["code"]) == (400, "PROVIDER_ERROR")
    await paysim.behave(error_rate=0)
    assert (await confirm(paysim, order, key=order, paymentKey="tviva")).status_code == 200


async def test_a_hundred_at_once_charge_once(paysim: Simulator) -> None:
    order = a_charge().order_id
    answers = await asyncio.gather(*(confirm(paysim, order, key=str(number)) for number in range(100)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 99]
    assert len(await paysim.ledger()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": "15000"},
        {"amount": 1.5},
        {"amount": True},
        {"amount": 10**20},
        {"orderId": "x"},
        {"orderId": "a" * 65},
        {"orderId": "no spaces"},
        {"orderId": 7},
        {"paymentKey": ""},
        {"paymentKey": None},
    ],
)
async def test_a_bad_request_charges_nothing(paysim: Simulator, wrong: dict[str, Any]) -> None:
    answer = await confirm(paysim, a_charge().order_id, **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert await paysim.ledger() == []


async def test_secrets(paysim: Simulator) -> None:
    url, body = "/toss/v1/payments/confirm", {"paymentKey": "pk_ok", "orderId": a_charge().order_id, "amount": 100}
    nobody = await paysim.client.post(url, json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "UNAUTHORIZED_KEY")
    live = await paysim.client.post(url, json=body, auth=httpx.BasicAuth("live_sk_x", ""))
    assert (live.status_code, live.json()["code"]) == (400, "INVALID_API_KEY")
    assert await paysim.ledger() == []


async def test_what_cannot_be_cancelled(paysim: Simulator) -> None:
    async def cancel(key: str, **body: Any) -> tuple[int, str]:
        answer = await paysim.client.post(
            f"/toss/v1/payments/{key}/cancel", json={"cancelReason": "x", **body}, auth=SECRET
        )
        return answer.status_code, answer.json().get("code", answer.json().get("status"))

    assert await cancel("tgen_nothing") == (404, "NOT_FOUND_PAYMENT")
    declined = a_charge().order_id
    await confirm(paysim, declined, paymentKey="pk_declined")
    found = await paysim.client.get(f"/toss/v1/payments/orders/{declined}", auth=SECRET)
    assert found.json()["status"] == "ABORTED"
    assert found.json()["failure"]["code"] in toss_codes.DECLINED
    assert await cancel(found.json()["paymentKey"]) == (403, "NOT_CANCELABLE_PAYMENT")
    key = (await confirm(paysim, a_charge().order_id)).json()["paymentKey"]
    assert await cancel(key, cancelReason="") == (400, "INVALID_REQUEST")
    assert await cancel(key, cancelAmount=1) == (403, "NOT_ALLOWED_PARTIAL_REFUND")
    assert await cancel(key, cancelAmount=15_000) == (200, "CANCELED")
    assert await cancel(key) == (400, "ALREADY_CANCELED_PAYMENT")
    assert (await paysim.client.get(f"/toss/v1/payments/{key}", auth=SECRET)).json()["status"] == "CANCELED"


async def test_the_charge_is_written_before_the_delay(paysim: Simulator) -> None:
    """A server killed while a buyer waits leaves a charged order behind, as a real provider would."""
    await paysim.behave(latency_seconds=60)
    for path, provider in (("/toss/v1/payments/confirm", "toss"), ("/kcp/gw/enc/v1/payment", "kcp")):
        await paysim.behave(provider, latency_seconds=60)
        order = a_charge().order_id
        body = {"paymentKey": "pk_ok", "orderId": order, "amount": 15_000} if provider == "toss" else _approval(order)
        waiting = asyncio.create_task(paysim.client.post(path, json=body, auth=SECRET, timeout=30))
        async with asyncio.timeout(10):
            while not await paysim.ledger(provider):
                await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_several_processes_share_the_books(tmp_path: Path) -> None:
    """Two servers on one file: what one is told, the other does; one order is charged once between them."""
    path = tmp_path / "paysim.sqlite3"
    async with simulator(path) as first, simulator(path) as second:
        await first.behave(success_rate=0)
        order = a_charge().order_id
        assert (await confirm(second, order, paymentKey="tviva")).json()["code"] in toss_codes.DECLINED
        await first.behave(success_rate=1)
        for _ in range(20):
            order = a_charge().order_id
            tries = [
                confirm(one, order, paymentKey="tviva", key=f"{order}-{number}")
                for number, one in enumerate((first, second) * 3)
            ]
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
            await store.work("toss", lambda books: books.add("killed-order", "key", 5, "DONE"))
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env={**os.environ, "PYTHONPATH": "."})
    assert await child.wait() == -signal.SIGKILL
    async with simulator(path) as paysim:
        assert await paysim.ledger() == [{"order_id": "killed-order", "amount": 5, "charged": True, "cancelled": False}]


async def test_a_failed_piece_of_work_leaves_nothing(tmp_path: Path) -> None:
    store = SimulatorStore(tmp_path / "paysim.sqlite3")

    def fails(books: Any) -> None:
        books.add("an-order", "key", 5, "DONE")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await store.work("toss", fails)
    assert await store.work("toss", lambda books: books.all_orders()) == []
    store.close()


async def test_too_large_a_body(paysim: Simulator) -> None:
    answer = await paysim.client.post("/toss/v1/payments/confirm", content=b"x" * 70_000, auth=SECRET)
    assert answer.status_code == 413


async def test_kcp_refuses_what_is_not_complete(paysim: Simulator) -> None:
    whole = _approval(a_charge().order_id)
    for missing in whole:
        body = {name: value for name, value in whole.items() if name != missing}
        answer = await paysim.client.post("/kcp/gw/enc/v1/payment", json=body)
        assert (answer.status_code, answer.json()["res_cd"]) == (200, "SIM400"), missing
    assert await paysim.ledger("kcp") == []
    assert (await paysim.client.post("/kcp/gw/enc/v1/payment", json=whole)).json()["res_cd"] == "0000"


def test_the_simulators_refusals_are_codes_that_the_adapters_know() -> None:
    assert set(toss._REFUSALS) <= toss_codes.DECLINED
    assert set(kcp._REFUSALS) <= kcp_codes.DECLINED


def test_a_seed_makes_draws_repeatable() -> None:
    behaviour = Behaviour(success_rate=0.5, error_rate=0.2, hang_rate=0.2, seed=42)
    orders = [f"order-{number}" for number in range(200)]
    fates = [draw(behaviour, order, 1, "tviva")[0] for order in orders]
    assert fates == [draw(behaviour, order, 1, "tviva")[0] for order in orders]
    assert set(fates) == set(Fate)
    assert fates != [draw(behaviour, order, 2, "tviva")[0] for order in orders], "a second try is drawn anew"
    assert fates != [draw(behaviour.model_copy(update={"seed": 43}), order, 1, "tviva")[0] for order in orders]


def test_rates_are_kept() -> None:
    """Over many orders the shares are those that were asked for (each within five standard deviations)."""
    behaviour = Behaviour(success_rate=0.7, error_rate=0.1, hang_rate=0.05, seed=1)
    drawn = [draw(behaviour, f"order-{number}", 1, "tviva")[0] for number in range(20_000)]
    expected = {Fate.ERROR: 0.1, Fate.HANG: 0.05, Fate.APPROVED: 0.85 * 0.7, Fate.DECLINED: 0.85 * 0.3}
    for fate, share in expected.items():
        assert drawn.count(fate) / 20_000 == pytest.approx(share, abs=5 * (share * (1 - share) / 20_000) ** 0.5)


@given(st.integers(0, 2**63 - 1) | st.none())
def test_test_keys_decide_whatever_the_behaviour(seed: int | None) -> None:
    behaviour = Behaviour(success_rate=0.5, hang_rate=0.3, error_rate=0.3, seed=seed)
    keys = {"pk_ok_1": Fate.APPROVED, "pk_declined": Fate.DECLINED, "pk_hang": Fate.HANG, "pk_error": Fate.ERROR}
    for key, fate in keys.items():
        assert draw(behaviour, "order-1", 1, key)[0] is fate


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _approval(order_id: str) -> dict[str, str]:
    return {
        "tran_cd": "00100000",
        "site_cd": "T0000",
        "kcp_cert_info": "x",
        "enc_data": "pk_ok",
        "enc_info": "x",
        "ordr_mony": "15000",
        "ordr_no": order_id,
        "pay_type": "PACA",
    }
