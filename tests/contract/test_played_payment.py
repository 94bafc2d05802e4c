"""The simulator says on each page that no money moves, and is not there beside a real provider (P5)."""

from __future__ import annotations

import httpx
import pytest

from core.payments.links import PaymentLinks
from core.runtime import Runtime
from tests.booking import Bank, desk
from tests.conftest import MakeEvent
from tests.contract.api_client import open_client
from web.app import create_app
from web.server import _simulator

PLAYED = (
    ("en", "Test sale: the payments are simulated. No money moves"),
    ("ko", "결제는 모의로 진행되며 실제 금액이 청구되지 않고"),
)


async def _pages(runtime: Runtime, make_event: MakeEvent, payment: str, language: str) -> dict[str, httpx.Response]:
    at = desk(runtime, Bank())
    runtime.settings = runtime.settings.model_copy(update={"payment": payment})
    runtime.checkout, runtime.payments = at.checkout, at.checkout._payments
    event = await make_event()
    order = (await at.order(event, "v", 3)).payment
    paid = await at.ended(await at.buy(event, "w", 4))
    links = PaymentLinks("test-secret")
    assert order is not None
    assert paid.payment is not None
    paths = (
        "/",
        f"/events/{event.slug}",
        links.page(order.order),
        links.closed("toss", order.order),
        links.result(order.order),
        links.result(paid.payment.order),
        f"/reservations/{paid.id}/ticket?code={paid.ticket_code}",
        "/tickets",
        "/ops",
        "/nowhere",
        f"/pay/{order.order}?s=forged",
    )
    headers = {"Accept": "text/html", "Accept-Language": language}
    async with open_client(create_app(runtime, None)) as client:
        return {path: await client.get(path, headers=headers, follow_redirects=True) for path in paths}


@pytest.mark.parametrize(("language", "words"), PLAYED)
async def test_every_page_says_that_payments_are_played(
    runtime: Runtime, make_event: MakeEvent, language: str, words: str
) -> None:
    pages = await _pages(runtime, make_event, "simulator", language)
    silent = [path for path, page in pages.items() if words not in page.text]
    assert silent == []
    assert {page.headers["content-type"] for page in pages.values()} == {"text/html; charset=utf-8"}


async def test_beside_a_real_provider_nothing_is_played(runtime: Runtime, make_event: MakeEvent) -> None:
    """Neither a banner, nor a window, nor the books of a simulator whose payments would give tickets away."""
    pages = await _pages(runtime, make_event, "toss", "en")
    assert [path for path, page in pages.items() if 'id="simulated"' in page.text] == []
    with _simulator(runtime.settings) as store:
        assert store is None
        async with open_client(create_app(runtime, None, store)) as client:
            for method, path in (
                ("GET", "/paysim/toss/v2/standard"),
                ("POST", "/paysim/toss/windows"),
                ("POST", "/paysim/toss/v1/payments/confirm"),
                ("GET", "/paysim/ledger"),
            ):
                assert (await client.request(method, path, json={})).status_code == 404
