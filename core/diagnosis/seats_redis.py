"""The seat: what Redis and PostgreSQL say of it, who has it, and its lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from redis.asyncio import Redis

from core import keys
from core.clock import iso
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.seats.board import STATE_OF_STATUS, SeatState
from core.seats.hold_scripts_redis import HOLD_KEPT_MS
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS, SeatScripts
from core.sentences import said
from core.upkeep.mismatch import Seen, mismatch_of
from core.upkeep.seat_rows_postgres import SeatRows
from core.venue.event import Event

#: Why a seat of this status cannot be had, while no reservation and no hold says so.
NOT_FOR_SALE: Final[Mapping[str, Cause]] = {
    "SOLD": Cause.SEAT_SOLD,
    "BLOCKED": Cause.SEAT_BLOCKED,
    "RETURNED": Cause.SEAT_RETURNED,
}


async def seat(
    client: Redis,
    scripts: SeatScripts,
    rows: SeatRows,
    event: Event,
    ordinal: int,
    visitor: str | None,
    *,
    bought: bool = False,
) -> AsyncIterator[Finding]:
    """`bought`: by whom it is asked about."""
    row = await rows.one(event.id, ordinal)
    if row is None:
        told = said("seat.unknown", slug=event.slug, last=str(event.seat_count - 1), seat=str(ordinal))
        yield fail("seat", Cause.NO_SUCH_SEAT, told)
        return
    [values] = await scripts.inspect(event.slug, [ordinal])
    seen = Seen(*values)
    mismatch = mismatch_of(row, seen, PAYMENT_PROTECTION_MS) if seen.byte >= 0 else None
    holder = seen.state.partition("|")[0]
    truth = said("seat.standing", status=row.status, since=iso(row.updated_at), fence=str(row.fence))
    if mismatch is not None:
        yield fail(
            "seat",
            Cause.MISMATCH,
            said("seat.mismatch", kind=str(mismatch.kind), redis=mismatch.redis, status=row.status),
            fix="seat",
            about=str(ordinal),
        )
    elif row.status == "SOLD" and bought:
        yield passed("seat", said("seat.bought", standing=truth))
    elif row.status in NOT_FOR_SALE:
        looks = STATE_OF_STATUS[row.status].name
        yield warn(
            "seat",
            NOT_FOR_SALE[row.status],
            truth if looks == row.status else said("seat.looks", standing=truth, looks=looks),
        )
    elif row.status == "PAYING":
        own = row.payer == visitor
        yield (
            passed("seat", said("seat.own_payment", standing=truth))
            if own
            else warn("seat", Cause.SEAT_HELD, said("seat.payment", standing=truth, visitor=str(row.payer)))
        )
    elif seen.byte == SeatState.HELD:
        seconds = round(max(seen.ttl_ms - HOLD_KEPT_MS, 0) / 1000)
        held = said("seat.held", standing=truth, visitor=holder, seconds=seconds)
        yield passed("seat", held) if holder == visitor else warn("seat", Cause.SEAT_HELD, held)
    else:
        yield passed("seat", said("seat.free", standing=truth))
    yield await lock(client, "seat lock", keys.seat_lock(event.slug, ordinal))


async def lock(client: Redis, step: str, name: str) -> Finding:
    """Raises what Redis raises."""
    ttl = await client.pttl(name)
    if ttl == -1:
        return fail(step, Cause.LOCK_WITHOUT_TTL, said("lock.endless", key=name), fix="lock", about=name)
    return passed(step, said("lock.none") if ttl < 0 else said("lock.locked", milliseconds=ttl))
