"""The visitor: in the queue, in, or out; heard of lately or not; with a basket or without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from redis.asyncio import Redis

from core import keys
from core.clock import Clock, iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS
from core.seats.seats import Seats
from core.sentences import said
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
        seen = (
            said("visitor.out_had", visitor=name, number=int(spent))
            if spent
            else said("visitor.out_none", visitor=name)
        )
        yield warn("visitor", Cause.VISITOR_OUT, seen)
    elif place.state is PlaceState.WAITING:
        seen = said("visitor.waits", visitor=name, number=place.number, ahead=place.ahead)
        if place.eta_seconds is not None:
            seen = said("visitor.waits_about", standing=seen, seconds=place.eta_seconds)
        yield warn("visitor", Cause.VISITOR_WAITING, seen)
        yield await _heard(client, times, clock, keys.waiting_beats(event.slug), name, times.waiting_grace)
    elif place.state is PlaceState.ENTERED:
        yield passed(
            "visitor",
            said("visitor.entered_at", visitor=name, time=iso(place.entry.draw_at))
            if place.entry is not None
            else said("visitor.entered", visitor=name),
        )
    else:
        until = iso(place.until) if place.until else "?"
        yield passed("visitor", said("visitor.is_in_until", visitor=name, until=until))
        yield await _heard(client, times, clock, keys.active_users(event.slug), name, times.active_grace)
    text = await client.hget(keys.baskets(event.slug), name)
    basket = await seats.basket(event, name)
    if basket is not None and basket.paying and payers is not None and name not in payers:
        since = await _paying_seconds(client, event.slug, basket.seats)
        seen = said("basket.kept", seats=str(list(basket.seats)), seconds=round(since))
        stuck = since > _BEGUN_SECONDS
        yield fail("basket", Cause.BASKET_STUCK, seen, "basket", name) if stuck else passed("basket", seen)
    elif basket is not None:
        seats_told, until, fence = str(list(basket.seats)), iso(basket.until), str(basket.fence)
        yield passed(
            "basket",
            said("basket.pays", seats=seats_told, until=until, fence=fence)
            if basket.paying
            else said("basket.holds", seats=seats_told, until=until, fence=fence),
        )
    elif text is not None:
        yield warn("basket", Cause.BASKET_LAPSED, said("basket.lapsed"))
    else:
        yield passed("basket", said("basket.none"))


async def known_place(client: Redis, slug: str, name: str) -> AsyncIterator[Finding]:
    """What Redis alone says, with PostgreSQL away."""
    number, active = (
        await client.zscore(keys.waiting_queue(slug), name),
        await client.zscore(keys.active_users(slug), name),
    )
    if active is not None:
        yield passed("visitor", said("visitor.is_in", visitor=name))
    elif number is not None:
        ahead = await client.zrank(keys.waiting_queue(slug), name)
        seen = said("visitor.waits", visitor=name, number=int(number), ahead=ahead or 0)
        yield warn("visitor", Cause.VISITOR_WAITING, seen)
    else:
        yield warn("visitor", Cause.VISITOR_OUT, said("visitor.out", visitor=name))


async def _paying_seconds(client: Redis, slug: str, seats: Sequence[int]) -> float:
    """How long ago the payment began, by what is left of its protection."""
    left = [await client.pttl(keys.seat_state(slug, ordinal)) for ordinal in seats]
    return max((PAYMENT_PROTECTION_MS - ttl for ttl in left), default=PAYMENT_PROTECTION_MS) / 1000


async def _heard(client: Redis, times: VisitTimes, clock: Clock, key: str, name: str, grace: float) -> Finding:
    score = await client.zscore(key, name)
    if score is None:
        return passed("heartbeat", said("heartbeat.none"))
    age = max(0.0, clock.now().timestamp() - score / 1000)
    seen = said("heartbeat.last", seconds=round(age), grace=round(grace))
    # Two beats missed: a browser that is well would have been heard.
    late = age > min(2.5 * times.beat, grace)
    return warn("heartbeat", Cause.HEARTBEAT_LATE, seen) if late else passed("heartbeat", seen)
