"""A ticket's e-mail sent again, and an address corrected, by the buyer and by an operator (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from core.booking.addresses import masked
from core.messaging.delivery_postgres import deliver
from core.messaging.reservation_message import EventType, ReservationMessage, parse
from core.notifications.email_consumer import EmailConsumer
from core.runtime import Runtime
from core.venue.event import Event
from tests.booking import Bank, rows
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from tests.contract.test_refund_desk import refund, settled
from tests.contract.test_reservations import bought, ended, hold, pay, submit
from tests.integration.test_failure_mails import Box

pytestmark = pytest.mark.usefixtures("bank")

KIM, LEE = "kim@example.org", "lee@example.org"


async def paid(api: Api, bank: Bank, event: Event, *seats: int) -> dict[str, Any]:
    return await ended(api, await bought(api, bank, event, *seats))


def again(api: Api, id: str, email: str | None = None, **sent: Any) -> Any:
    body = {} if email is None else {"email": email}
    return api.call("POST", f"/api/reservations/{id}/mails", json=body, **sent)


async def told(runtime: Runtime, id: str, type_: str = EventType.MAIL_AGAIN) -> Sequence[ReservationMessage]:
    """The reservation's messages of this type, oldest first."""
    query = "SELECT event_uid, type, payload FROM outbox WHERE reservation_id = $1 AND type = $2 ORDER BY id"
    return [parse(row["event_uid"], row["type"], row["payload"]) for row in await rows(runtime, query, UUID(id), type_)]


async def mailed(runtime: Runtime, message: ReservationMessage) -> Any:
    """The one e-mail that the consumer makes of it."""
    box = Box()
    await deliver(
        runtime.database, EmailConsumer(mailer=box, base_url="https://sale.example", sender="a@b.example"), [message]
    )
    (letter,) = box.sent
    return message_from_bytes(letter.content, policy=default)


async def trail(runtime: Runtime, event: Event) -> list[Any]:
    return list(
        await rows(
            runtime,
            "SELECT actor, action, detail FROM audit WHERE subject = $1 AND action LIKE 'mail.%' ORDER BY id",
            event.slug,
        )
    )


async def test_a_buyer_has_the_ticket_sent_again(
    visitor: Api, other: Api, nobody: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    state = await paid(visitor, bank, event, 3, 4)
    answer = (await again(visitor, state["id"], expect=202)).json()
    assert answer == {"email": KIM, "corrected": False}
    (message,) = await told(runtime, state["id"])
    assert (message.email, message.ticket_code, message.amount) == (KIM, state["ticket_code"], 30000)
    assert [seat.ordinal for seat in message.seats] == [3, 4]
    email = await mailed(runtime, message)
    assert email["To"] == KIM
    assert f"code={state['ticket_code']}" in email.get_body(("plain",)).get_content()
    assert [each.get_content_type() for each in email.walk()].count("image/png") == 1, "the ticket's code as a picture"
    # Nobody else can ask for it, or learn by asking that there is such a reservation.
    await again(other, state["id"], expect=404, code="reservation_not_found")
    await again(other, state["id"], LEE, expect=404, code="reservation_not_found")
    await again(nobody, state["id"], expect=401)
    assert len(await told(runtime, state["id"])) == 1
    (entry,) = await trail(runtime, event)
    assert (entry["actor"], entry["action"]) == ("buyer", "mail.again")
    assert entry["detail"] == {"reservation": state["id"], "email": masked(KIM)}


async def test_a_corrected_address_is_used_from_then_on_and_the_old_ticket_opens_nothing(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    state = await paid(visitor, bank, event, 3, 4)
    # Written to the wrong address, and still waiting for a mail server.
    (waiting,) = await told(runtime, state["id"], EventType.CONFIRMED)
    answer = (await again(visitor, state["id"], LEE, expect=202)).json()
    assert answer == {"email": LEE, "corrected": True}
    code = (await visitor.call("GET", f"/api/reservations/{state['id']}", expect=200)).json()["ticket_code"]
    assert code != state["ticket_code"], "what went to somebody else's mailbox would be a ticket"
    page = f"/reservations/{state['id']}/ticket"
    assert (await visitor.client.get(page, params={"code": state["ticket_code"]})).status_code == 404
    assert (await visitor.client.get(page, params={"code": code})).status_code == 200
    for message in (waiting, *await told(runtime, state["id"])):
        email = await mailed(runtime, message)
        text = email.get_body(("plain",)).get_content()
        assert email["To"] == LEE
        assert f"code={code}" in text
        assert state["ticket_code"] not in text
    # What follows goes there as well.
    await visitor.call("POST", f"/api/reservations/{state['id']}/cancel", json={"seats": [3]}, expect=200)
    (returned,) = await told(runtime, state["id"], EventType.REFUNDED)
    assert returned.email == LEE
    entries = await trail(runtime, event)
    assert [entry["action"] for entry in entries] == ["mail.correct"]
    assert entries[0]["detail"] == {"reservation": state["id"], "email": masked(LEE), "before": masked(KIM)}
    assert KIM not in str(entries)
    assert LEE not in str(entries)


async def test_the_same_address_is_no_correction(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    state = await paid(visitor, bank, await make_event(), 3)
    answer = (await again(visitor, state["id"], KIM, expect=202)).json()
    assert answer["corrected"] is False
    assert (await told(runtime, state["id"]))[0].ticket_code == state["ticket_code"]


async def test_a_ticket_is_sent_again_now_and_then(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    """One in a minute, five in a day, also of ten that come at once."""
    state = await paid(visitor, bank, await make_event(), 3)
    answers = await asyncio.gather(*(again(visitor, state["id"]) for _ in range(10)))
    assert sorted(one.status_code for one in answers) == [202, *[429] * 9]
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.json()["code"] == "mailed_often"
    assert 0 < int(refused.headers["retry-after"]) < 3600
    for sent in range(2, 6):
        await rows(runtime, "UPDATE mail_allowances SET latest = latest - interval '1 minute'")
        await again(visitor, state["id"], expect=202)
        assert len(await told(runtime, state["id"])) == sent
    await rows(runtime, "UPDATE mail_allowances SET latest = latest - interval '1 minute'")
    tomorrow = await again(visitor, state["id"], expect=429, code="mailed_often")
    assert int(tomorrow.headers["retry-after"]) > 3600
    await rows(
        runtime,
        "UPDATE mail_allowances SET since = since - interval '1 day', latest = latest - interval '1 day'",
    )
    await again(visitor, state["id"], expect=202)


async def test_a_strangers_address_is_not_filled(
    visitor: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    """Over all reservations; what is refused changes nothing."""
    event = await make_event()
    state = await paid(visitor, bank, event, 3)
    await rows(
        runtime,
        "INSERT INTO mail_allowances (subject, since, latest, sent) VALUES ($1, now(), now(), 10)",
        f"{event.id} stranger@example.net",
    )
    await again(visitor, state["id"], "stranger@example.net", expect=429, code="mailed_often")
    assert await told(runtime, state["id"]) == []
    shown = (await visitor.call("GET", f"/api/reservations/{state['id']}", expect=200)).json()
    assert shown["ticket_code"] == state["ticket_code"]
    # Not counted either: the buyer's own address can be written to at once.
    assert (await again(visitor, state["id"], expect=202)).json()["email"] == KIM


async def test_a_corrected_address_has_no_more_seats_than_one_buyer_may(
    visitor: Api, other: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    """F3, rule 11."""
    event = await make_event(max_seats=2)
    await paid(visitor, bank, event, 3)
    await hold(other, event, 4, 5)
    accepted = await submit(other, event, json={"email": LEE})
    await pay(other, bank, accepted)
    state = await ended(other, accepted.headers["location"])
    refused = await again(other, state["id"], KIM, expect=422, code="too_many_seats")
    assert refused.json()["max"] == 2
    assert await told(runtime, state["id"]) == []
    await again(other, state["id"], "pat@example.org", expect=202)


async def test_an_operator_sends_it_and_corrects_the_address(
    visitor: Api, operator: Api, bank: Bank, runtime: Runtime, make_event: MakeEvent
) -> None:
    event = await make_event()
    state = await paid(visitor, bank, event, 3, 4)
    path = f"/api/operator/reservations/{state['id']}/mails"
    for _ in range(2):  # not limited: it is written down who did it
        answer = (await operator.call("POST", path, json={}, expect=202)).json()
        assert answer == {"email": masked(KIM), "corrected": False}
    await refund(operator, state["id"], "one", seats=[3], refunded_before=0)
    await settled(operator, state["id"])
    answer = (await operator.call("POST", path, json={"email": LEE}, expect=202)).json()
    assert answer == {"email": masked(LEE), "corrected": True}
    *_, last = await told(runtime, state["id"])
    assert (last.email, last.amount, [seat.ordinal for seat in last.seats]) == (LEE, 15000, [4])
    entries = await trail(runtime, event)
    assert [entry["action"] for entry in entries] == ["mail.again", "mail.again", "mail.correct"]
    assert {entry["actor"].partition("@")[0] for entry in entries} == {"token"}
    found = (await operator.call("POST", "/api/operator/reservations", json={"text": LEE}, expect=200)).json()
    assert state["id"] in [one["id"] for one in found["reservations"]]
