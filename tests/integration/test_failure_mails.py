"""E-mails about payments that failed: what the page told gets none, and an address is not filled by strangers."""

from __future__ import annotations

import asyncio
import uuid

import databases
import pytest

from core.messaging.delivery_postgres import deliver
from core.messaging.reservation_message import EventType, ReservationMessage, parse
from core.notifications.email_consumer import EmailConsumer
from core.notifications.letter import Letter
from tests.outbox_rows import fetch, payload

pytestmark = pytest.mark.usefixtures("patient")


class Box:
    """A mailer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.at_once = 1

    async def send(self, *letters: Letter) -> None:
        await asyncio.sleep(0)
        self.sent.extend(letters)

    async def close(self) -> None: ...


def failed(**fields: object) -> ReservationMessage:
    body = payload(uuid.uuid4(), status="FAILED", **({"reason": "payment_window_ended", "ticket_code": None} | fields))
    return parse(uuid.uuid4(), EventType.FAILED, body)


async def test_one_failure_e_mail_an_address_event_and_hour(database: databases.Database) -> None:
    """52 "not booked" mails went to a stranger's address in ten seconds."""
    await fetch(database, "DELETE FROM failure_mails")
    box = Box()
    consumers = [EmailConsumer(mailer=box, base_url="", sender="a@example.org") for _ in range(4)]
    events = [failed() for _ in range(20)]
    await asyncio.gather(*(deliver(database, consumers[n % 4], [event]) for n, event in enumerate(events)))
    assert len(box.sent) == 1
    await deliver(database, consumers[0], [failed(email="Kim@Example.org")])
    assert len(box.sent) == 1, "the same address in other letters"
    await deliver(database, consumers[0], [failed(email="lee@example.org")])
    await deliver(database, consumers[0], [failed(event_id=1)])
    assert len(box.sent) == 3
    await fetch(database, "UPDATE failure_mails SET sent_at = sent_at - interval '1 hour'")
    await deliver(database, consumers[0], [failed()])
    assert len(box.sent) == 4


async def test_a_decline_that_the_page_told_gets_none(database: databases.Database) -> None:
    await fetch(database, "DELETE FROM failure_mails")
    box = Box()
    consumer = EmailConsumer(mailer=box, base_url="", sender="a@example.org")
    await deliver(database, consumer, [failed(reason="declined")])
    assert box.sent == []
    await deliver(database, consumer, [failed()])
    assert len(box.sent) == 1, "the one that was not sent counted"
