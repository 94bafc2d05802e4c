"""R4: after a loss of Redis a turn that was had is not had again ahead of those who waited."""

from __future__ import annotations

import pytest

from core import keys
from core.runtime import Runtime
from core.venue.event import Event
from core.waiting_room.place import PlaceState
from tests.conftest import MakeEvent
from tests.sale_keys import sale_keys

pytestmark = pytest.mark.usefixtures("patient")


@pytest.mark.parametrize(
    ("noted", "left", "keeps_old", "ahead"),
    [
        (True, True, True, 1),  # it is over, and PostgreSQL knows: the older ticket does not help
        (True, True, False, 1),
        (True, False, True, 0),  # the session would still last
        (False, False, False, 0),  # nobody has written it down yet; the ticket says so
    ],
)
async def test_only_who_was_in_comes_back_ahead(
    runtime: Runtime, make_event: MakeEvent, noted: bool, left: bool, keeps_old: bool, ahead: int
) -> None:
    event: Event = await make_event(active_limit=1)
    room = runtime.waiting_room
    first = await room.join(event, "first")
    waits = await room.join(event, "waits")
    old = room.ticket(event, "first", first.number)
    new = room.ticket_of(event, "first", first)
    if left:
        await room.leave(event, "first")
    if noted:
        await runtime.turn_log.run()
        assert not await runtime.redis.exists(keys.turns(event.slug))
    await runtime.redis.delete(*sale_keys(event.slug))
    # One place is somebody else's by now, so that who comes ahead of whom can be seen.
    assert (await room.join(event, "other")).state is PlaceState.ACTIVE
    await room.join(event, "waits", room.ticket(event, "waits", waits.number))
    back = await room.join(event, "first", old if keeps_old else new)
    assert back.state is PlaceState.WAITING
    assert back.ahead == ahead
