"""The visitor: in the queue, in, or out; heard of lately or not; with a basket or without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from redis.asyncio import Redis

from core import keys
from core.clock import Clock, iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS
from core.seats.seats import Seats
from core.venue.event import Event
from core.waiting_room.place import PlaceState
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.visit_times import VisitTimes

#: A basket that has been paying for so long, and has no reservation, will never have one.
_BEGUN_SECONDS = 60.0


async def visitor(
    client: Redis,
    waiting_room: WaitingRoom,
    seats: Seats,
    times: VisitTimes,
    clock: Clock,
    event: Event,
    name: str,
    payers: Collection[str] | None,
) -> AsyncIterator[Finding]:
    """`payers`: who is paying by PostgreSQL's account; None: it is not known."""
    place = await waiting_room.place(event, name)
    if place is None:
        spent = await client.zscore(keys.waiting_spent(event.slug), name)
        was = f"had number {int(spent)}, which was used" if spent else "has no number"
        yield warn("visitor", Cause.VISITOR_OUT, f"{name} is neither waiting nor in; {was}")
    elif place.state is PlaceState.WAITING:
        eta = f", about {place.eta_seconds} s" if place.eta_seconds is not None else ""
        yield warn("visitor", Cause.VISITOR_WAITING, f"{name} waits: number {place.number}, {place.ahead} ahead{eta}")
        yield await _heard(client, times, clock, keys.waiting_beats(event.slug), name, times.waiting_grace)
    elif place.state is PlaceState.ENTERED:
        draw = f" at {iso(place.entry.draw_at)}" if place.entry is not None else ""
        yield passed("visitor", f"{name} has entered the pre-queue: the order is drawn{draw}")
    else:
        until = iso(place.until) if place.until else "?"
        yield passed("visitor", f"{name} is in until {until}")
        yield await _heard(client, times, clock, keys.active_users(event.slug), name, times.active_grace)
    text = await client.hget(keys.baskets(event.slug), name)
    basket = await seats.basket(event, name)
    if basket is not None and basket.paying and payers is not None and name not in payers:
        since = await _paying_seconds(client, event.slug, basket.seats)
        detail = f"{list(basket.seats)} have been kept for a payment for {since:.0f} s, and there is no reservation"
        stuck = since > _BEGUN_SECONDS
        yield fail("basket", Cause.BASKET_STUCK, detail, "basket", name) if stuck else passed("basket", detail)
    elif basket is not None:
        what = "is paying for" if basket.paying else "holds"
        yield passed("basket", f"{what} {list(basket.seats)} until {iso(basket.until)}, fence {basket.fence}")
    elif text is not None:
        yield warn("basket", Cause.BASKET_LAPSED, "the hold ran out")
    else:
        yield passed("basket", "holds nothing")


async def known_place(client: Redis, slug: str, name: str) -> AsyncIterator[Finding]:
    """What Redis alone says, with PostgreSQL away."""
    number, active = (
        await client.zscore(keys.waiting_queue(slug), name),
        await client.zscore(keys.active_users(slug), name),
    )
    if active is not None:
        yield passed("visitor", f"{name} is in")
    elif number is not None:
        ahead = await client.zrank(keys.waiting_queue(slug), name)
        yield warn("visitor", Cause.VISITOR_WAITING, f"{name} waits: number {int(number)}, {ahead} ahead")
    else:
        yield warn("visitor", Cause.VISITOR_OUT, f"{name} is neither waiting nor in")


async def _paying_seconds(client: Redis, slug: str, seats: Sequence[int]) -> float:
    """How long ago the payment began, by what is left of its protection."""
    left = [await client.pttl(keys.seat_state(slug, ordinal)) for ordinal in seats]
    return max((PAYMENT_PROTECTION_MS - ttl for ttl in left), default=PAYMENT_PROTECTION_MS) / 1000


async def _heard(client: Redis, times: VisitTimes, clock: Clock, key: str, name: str, grace: float) -> Finding:
    score = await client.zscore(key, name)
    if score is None:
        return passed("heartbeat", "none needed")
    age = max(0.0, clock.now().timestamp() - score / 1000)
    detail = f"last heard {age:.0f} s ago, out after {grace:.0f} s"
    # Two beats missed: a browser that is well would have been heard.
    late = age > min(2.5 * times.beat, grace)
    return warn("heartbeat", Cause.HEARTBEAT_LATE, detail) if late else passed("heartbeat", detail)
