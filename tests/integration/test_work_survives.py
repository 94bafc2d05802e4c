"""R1: a job that has something to do survives an error at any of its awaits, and what it was about to do gets done.

A refund that is due (HTTP), an event that is given back, seats for who waits, the e-mail about them (SMTP), a draw,
lists of charges: each is seeded anew until no await is left at which the job was not struck.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from core.booking.event_refunds_postgres import EventRefunds
from core.booking.reservation import Reservation
from core.embedded import Engines
from core.process.jobs import Job, Jobs
from core.process.supervisor import Supervisor
from core.process.tasks import awaited
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event, SaleStatus
from tests.booking import Bank, Desk, desk, rows
from tests.conftest import MakeEvent
from tests.integration.test_email import Inbox, mail_server
from tests.payment_servers import Simulator, an_order, returned, urls_of
from tests.strikes import Strikes
from tests.waiting_list import list_of
from tests.waits import PATIENCE, until

pytestmark = pytest.mark.usefixtures("patient")

#: So many rounds without a new await end a test.
FRUITLESS = 2
MOST_ROUNDS = 150

#: True in a job's run, and in each task that it begins.
_IN_JOB: ContextVar[bool] = ContextVar("_IN_JOB", default=False)

#: Whether what was seeded is done.
Done = Callable[[], Awaitable[bool]]


@dataclass
class Shop:
    """A process that pays by HTTP and mails by SMTP."""

    runtime: Runtime
    make_event: MakeEvent
    paysim: Simulator
    inbox: Inbox
    desk: Desk

    async def bought(self, event: Event, seat: int) -> Reservation:
        """Through the provider's window."""
        visitor = f"v{seat}"
        ordered = await self.desk.order(event, visitor, seat)
        assert ordered.payment is not None
        order = replace(an_order(), number=ordered.payment.order)
        window = await self.desk.checkout.open_window(order.number, device="pc", urls=urls_of(order))
        await self.desk.checkout.returned(order.number, returned(await self.paysim.approved(window)), {})
        return await self.desk.ended(ordered)


@pytest.fixture
async def shop(settings: Settings, stores: Engines, paysim: Simulator, make_event: MakeEvent) -> AsyncIterator[Shop]:
    inbox = Inbox()
    async with mail_server(inbox) as port:
        changes = {"simulator_url": paysim.url, "smtp_url": SecretStr(f"smtp://127.0.0.1:{port}")}
        async with open_runtime(settings.model_copy(update=changes), stores) as runtime:
            # Leases and pauses of a test, so that what a strike has left is taken up soon.
            made = desk(runtime, Bank(), payments=runtime.payments)
            runtime.checkout = made.checkout
            runtime.event_refunds = EventRefunds(runtime.database, made.checkout, "test")
            yield Shop(runtime, make_event, paysim, inbox, made)
            await made.supervisor.drain(PATIENCE)


async def a_due_refund(shop: Shop) -> Done:
    """Its answer was lost: the provider has made it, and is asked again under the same key."""
    bought = await shop.bought(await shop.make_event(), 3)
    await shop.desk.checkout.cancel(bought.id, bought.visitor)
    query = "SELECT state FROM refunds WHERE reservation_id = $1"

    async def made() -> bool:
        found = await rows(shop.runtime, query, bought.id)
        return bool(found) and all(row["state"] == "DONE" for row in found)

    await until(made)
    await rows(
        shop.runtime,
        "UPDATE refunds SET state = 'PENDING', done_at = NULL, next_attempt_at = now(), claimed_by = NULL, "
        "claimed_until = NULL WHERE reservation_id = $1",
        bought.id,
    )
    return made


async def an_event_to_give_back(shop: Shop) -> Done:
    event = await shop.make_event()
    bought = await shop.bought(event, 3)
    begun = await shop.runtime.event_refunds.start(event.id, key="k", reason="storm", asked_by="operator")

    async def over() -> bool:
        # As if the minute had passed for which it is its process's.
        await rows(
            shop.runtime,
            "UPDATE event_refunds SET claimed_until = now(), next_attempt_at = now() WHERE event_id = $1 "
            "AND state = 'RUNNING'",
            event.id,
        )
        await shop.desk.checkout.finish_due()
        (report,) = await shop.runtime.event_refunds.of_event(event.id)
        (state,) = await rows(shop.runtime, "SELECT status FROM reservations WHERE id = $1", bought.id)
        return (report.id, report.state, state["status"]) == (begun.id, "DONE", "CANCELLED")

    return over


async def seats_for_who_waits(shop: Shop) -> Done:
    sale = list_of(shop.runtime, await shop.make_event(seats=6))
    given = await sale.sell(1, 2)
    await sale.join("pair", 2)
    await sale.give_back(given)

    async def offered() -> bool:
        return await sale.offered("pair") == (1, 2)

    return offered


async def a_mail_to_who_waits(shop: Shop) -> Done:
    sale = list_of(shop.runtime, await shop.make_event(seats=6))
    given = await sale.sell(1, 2)
    to = f"{sale.event.slug}@example.org"
    await sale.join("pair", 2, email=to)
    await sale.give_back(given)
    await sale.round()

    async def mailed() -> bool:
        # As if the five minutes had passed for which an offer is its process's.
        await rows(shop.runtime, "UPDATE offers SET mailing_until = NULL WHERE event_id = $1", sale.event.id)
        unsent = await rows(shop.runtime, "SELECT FROM offers WHERE event_id = $1 AND mailed_at IS NULL", sale.event.id)
        return to in shop.inbox.recipients and not unsent

    return mailed


async def a_draw(shop: Shop) -> Done:
    opens_at = datetime.now(UTC) + timedelta(minutes=10)
    event = await shop.make_event(status=SaleStatus.SCHEDULED, opens_at=opens_at, prequeue_seconds=900)
    for visitor in ("a", "b"):
        await shop.runtime.waiting_room.join(await shop.runtime.events.fresh(event.slug), visitor)
    await shop.runtime.events.update(event.slug, opens_at=datetime.now(UTC))

    async def told() -> bool:
        drawn = await shop.runtime.draws.shown(event)
        return drawn is not None and drawn.told

    return told


async def a_list_of_charges(shop: Shop) -> Done:
    await shop.bought(await shop.make_event(), 3)
    await rows(shop.runtime, "DELETE FROM provider_lists")

    async def read() -> bool:
        # NHN KCP has none.
        return bool(await rows(shop.runtime, "SELECT FROM provider_lists WHERE compared_until IS NOT NULL"))

    return read


WORK: dict[str, Callable[[Shop], Awaitable[Done]]] = {
    "payments": a_due_refund,
    "event_refunds": an_event_to_give_back,
    "returns": seats_for_who_waits,
    "offer_mails": a_mail_to_who_waits,
    "draw": a_draw,
    "provider_lists": a_list_of_charges,
}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", WORK)
async def test_what_a_job_has_to_do_is_done_after_an_error_at_any_of_its_awaits(name: str, shop: Shop) -> None:
    runtime, strikes = shop.runtime, Strikes()
    [job] = [job for job in runtime.job_list() if job.name == name]
    supervisor = Supervisor()
    jobs = Jobs(supervisor=supervisor, leases=runtime.leases)

    async def run() -> Any:
        _IN_JOB.set(True)
        return await awaited(f"struck:{name}", job.run())

    rounds = fruitless = 0
    with strikes.on(lambda coroutine: _IN_JOB.get()):
        while rounds < MOST_ROUNDS and fruitless < FRUITLESS:
            rounds += 1
            before = len(strikes.struck)
            done = await WORK[name](shop)
            strikes.arm()
            jobs.start(Job(f"{name}-tried", every=0.01, run=run, limit=job.limit, lease=job.lease))
            await until(done, f"{name} after {strikes.struck[-1:]}")
            strikes.armed = False
            await jobs.stop()
            fruitless = fruitless + 1 if len(strikes.struck) == before else 0
    await supervisor.drain(PATIENCE)
    assert len(strikes.struck) > 2, "the job had nothing to do"
