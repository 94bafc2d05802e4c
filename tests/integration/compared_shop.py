"""A shop whose books are compared with the list of a provider, the simulator, that a test changes behind its back."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from core.booking.books_postgres import movements
from core.booking.findings_postgres import Found
from core.booking.reservation import Reservation
from core.embedded import Engines
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event
from tests.booking import rows, until
from tests.payment_servers import Simulator, an_order, gateway_at, returned, simulator, urls_of

PRICE = 15_000


@pytest.fixture(scope="module", name="paysim")
async def simulator_of_file(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with simulator(tmp_path_factory.mktemp("compared") / "paysim.sqlite3") as running:
        yield running


@pytest.fixture(name="shop")
async def compared_shop(settings: Settings, stores: Engines, paysim: Simulator) -> AsyncIterator[Runtime]:
    own = settings.model_copy(
        update={"simulator_url": paysim.url, "payment": "simulator:toss", "resolver_seconds": 0.05}
    )
    async with open_runtime(own, stores) as opened:
        await rows(opened, "DELETE FROM payment_findings")
        await rows(opened, "DELETE FROM provider_lists")
        yield opened
        await opened.supervisor.drain(0)


async def bought(shop: Runtime, paysim: Simulator, event: Event, *seats: int) -> Reservation:
    """A confirmed reservation, paid through the window."""
    visitor = f"v-{uuid4().hex[:8]}"
    await shop.waiting_room.join(event, visitor)
    await shop.seats.hold(event, visitor, seats)
    begun = await shop.checkout.submit(
        event, visitor, idempotency_key="k", email="kim@example.org", language="en", provider=None
    )
    assert begun.payment is not None
    order = an_order()
    window = await shop.checkout.open_window(
        begun.payment.order, device="pc", urls=urls_of(type(order)(begun.payment.order, begun.amount, "KRW", ""))
    )
    await shop.checkout.returned(begun.payment.order, returned(await paysim.approved(window)), {})

    async def confirmed() -> Reservation | None:
        now = await shop.checkout.get(begun.id, visitor)
        return now if now.status == "CONFIRMED" else None

    return await until(confirmed)


async def key_of(paysim: Simulator, order: str) -> str:
    return str((await paysim.payments(order))[-1]["payment_key"])


async def in_dashboard(paysim: Simulator, order: str, **body: Any) -> None:
    answer = await paysim.client.post(f"/toss/payments/{await key_of(paysim, order)}/refund", json=body)
    assert answer.status_code == 200, answer.text


async def found_of(shop: Runtime, order: str) -> list[Found]:
    return [one for one in await shop.findings.latest(500) if one.order == order]


async def one_found(shop: Runtime, order: str) -> Found:
    await shop.comparing.compare()
    (found,) = await found_of(shop, order)
    return found


async def exported(shop: Runtime, order: str) -> int:
    """What the export of the books says is left of the order."""
    text = "".join([piece async for piece in movements(shop.database, event_id=None, since=None, before=None)])
    lines = [one for one in csv.DictReader(io.StringIO(text)) if one["order"] == order]
    return sum(int(one["amount"]) for one in lines if one["state"] == "DONE")


async def agrees(shop: Runtime, paysim: Simulator, order: str) -> int:
    """What is left of the order: the same in the ledger, in the database and in the export."""
    ledger = sum(one["balance"] for one in await paysim.payments(order))
    (row,) = await rows(
        shop,
        "SELECT a.amount - a.refunded AS left, (SELECT coalesce(sum(amount), 0) FROM refunds f "
        "WHERE f.order_no = a.order_no AND f.state = 'DONE') AS done, a.amount FROM payment_attempts a "
        "WHERE order_no = $1",
        order,
    )
    assert row["left"] == row["amount"] - row["done"] == ledger == await exported(shop, order)
    return int(ledger)


async def stray(paysim: Simulator) -> str:
    """A charge at the provider whose order nobody here knows."""
    gateway, order = gateway_at(paysim.url), an_order()
    charged = await gateway.confirm(order, await paysim.authorised(gateway, order), uuid4().hex)
    assert charged.outcome == "approved"
    await gateway.aclose()
    return order.number
