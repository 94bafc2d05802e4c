"""Places by network, for an operator: the largest first, with who is in and what is held (F4, R9)."""

from __future__ import annotations

from core.runtime import Runtime
from core.waiting_room.price import Bidder
from tests.conftest import MakeEvent
from tests.contract.api_client import Api


async def test_the_largest_network_comes_first(runtime: Runtime, make_event: MakeEvent, operator: Api) -> None:
    event = await make_event(active_limit=3)
    small, large = "198.51.100.0/24", "203.0.113.0/24"
    for network, visitors in ((small, "ab"), (large, "cdef")):
        for visitor in visitors:
            await runtime.waiting_room.join(event, visitor, None, None, Bidder(network))
    await runtime.seats.hold(event, "a", [0, 1])
    await runtime.seats.hold(event, "c", [2, 3, 4])
    told = (await operator.call("GET", f"/api/operator/events/{event.slug}/networks", expect=200)).json()
    assert told["networks"] == [
        {"network": large, "places": 4, "active": 1, "seats_held": 3},
        {"network": small, "places": 2, "active": 2, "seats_held": 2},
    ]
