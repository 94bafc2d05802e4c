"""What the seat machine does to the stores beside the scripts that it tests: PostgreSQL's part of a checkout as plain
statements, time that passes, and what gets lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from core import keys
from core.database import raw
from core.runtime import Runtime
from core.seats.board import SeatState
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS
from core.venue.event import Event


@dataclass(eq=False)
class Reservation:
    visitor: str
    fence: int
    seats: list[int]
    status: str = "PAYING"
    id: Any = field(default_factory=uuid4)


class SeatStores:
    """Of one event."""

    def __init__(self, runtime: Runtime, event: Event) -> None:
        self.runtime = runtime
        self.event = event

    async def fences(self, some: list[int]) -> list[int]:
        """Of the seats' rows."""
        async with raw(self.runtime.database) as connection:
            rows = await connection.fetch(
                "SELECT fence FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[])", self.event.id, some
            )
        return [row["fence"] for row in rows]

    async def reserve(self, made: Reservation) -> bool:
        """What PostgreSQL's guard writes of seats and reservation (`booking/sql/begin.sql`)."""
        row = {
            "id": str(made.id),
            "event_id": self.event.id,
            "visitor": made.visitor,
            "idempotency_key": str(made.id),
            "request_digest": "",
            "email": "a@example.org",
            "address_key": "",
            "language": "en",
            "until": "now",
            "status": "PAYING",
            "amount": len(made.seats),
            "currency": "KRW",
            "fence": made.fence,
            "created_at": "now",
            "updated_at": "now",
        }
        async with raw(self.runtime.database) as connection, connection.transaction():
            done = await connection.execute(
                "UPDATE seats SET status = 'PAYING', fence = $3, updated_at = now() "
                "WHERE event_id = $1 AND ordinal = ANY ($2::int[]) AND status = 'AVAILABLE' AND fence < $3 "
                "AND (SELECT count(*) FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[]) "
                "AND status = 'AVAILABLE' AND fence < $3) = cardinality($2::int[])",
                self.event.id,
                made.seats,
                made.fence,
            )
            if done != f"UPDATE {len(made.seats)}":
                return False
            await connection.execute(
                "INSERT INTO reservations SELECT * FROM jsonb_populate_record(NULL::reservations, $1)", row
            )
            await connection.execute(
                "INSERT INTO reservation_seats (reservation_id, event_id, ordinal, price) "
                "SELECT $1, $2, unnest($3::int[]), 1",
                made.id,
                self.event.id,
                made.seats,
            )
        return True

    async def refused(self, made: Reservation, by_hand: list[int]) -> bool:
        async with raw(self.runtime.database) as connection:
            await connection.execute(
                "UPDATE seats SET status = 'BLOCKED', updated_at = now() "
                "WHERE event_id = $1 AND ordinal = ANY ($2::int[])",
                self.event.id,
                by_hand,
            )
        if await self.reserve(made):
            return True
        free = [seat for seat in made.seats if seat not in by_hand]
        await self.runtime.seats.settle(self.event, made.visitor, made.fence, free, SeatState.AVAILABLE)
        return False

    async def end(self, ended: Reservation) -> None:
        """What PostgreSQL writes of seats and reservation (`booking/sql/transition.sql`)."""
        after = "SOLD" if ended.status == "CONFIRMED" else "AVAILABLE"
        async with raw(self.runtime.database) as connection, connection.transaction():
            await connection.execute(
                "UPDATE reservations SET status = $2, reason = 'test' WHERE id = $1", ended.id, ended.status
            )
            await connection.execute(
                "UPDATE seats SET status = $3, fence = fence + ($3 = 'AVAILABLE')::int, updated_at = now() "
                "WHERE event_id = $1 AND ordinal = ANY ($2::int[])",
                self.event.id,
                ended.seats,
                after,
            )
            await connection.execute(
                "UPDATE reservation_seats SET live = $2 = 'SOLD' WHERE reservation_id = $1", ended.id, after
            )

    async def settled(self, told: Reservation) -> list[int]:
        """As `booking/sql/claim_columns.sql`: what is in PostgreSQL as this reservation's end left it."""
        status, fence = ("SOLD", told.fence) if told.status == "CONFIRMED" else ("AVAILABLE", told.fence + 1)
        async with raw(self.runtime.database) as connection:
            rows = await connection.fetch(
                "SELECT ordinal FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[]) AND status = $3 "
                "AND fence = $4 ORDER BY ordinal",
                self.event.id,
                told.seats,
                status,
                fence,
            )
        return [row["ordinal"] for row in rows]

    async def age(self, visitor: str, own: list[int], *, forgotten: bool, paying: bool) -> None:
        """As if the basket's deadline had passed: the states of held seats end with it, which are `own`."""
        redis, slug = self.runtime.redis, self.event.slug
        stored: Any = await redis.hget(keys.baskets(slug), visitor)
        text = stored.decode().split("|")
        text[1] = "1000"
        if forgotten:
            await redis.hdel(keys.baskets(slug), visitor)
            await redis.zrem(keys.basket_deadlines(slug), visitor)
        else:
            await redis.hset(keys.baskets(slug), visitor, "|".join(text))
            await redis.zadd(keys.basket_deadlines(slug), {visitor: 1000}, xx=True)
        if not paying:
            for seat in own:
                await redis.delete(keys.seat_state(slug, seat))
                await redis.zadd(keys.holds(slug), {str(seat): 1000}, xx=True)

    async def lose(self, parts: str) -> None:
        redis, slug = self.runtime.redis, self.event.slug
        if parts == "everything":
            await redis.delete(*[name async for name in redis.scan_iter(f"*{{{slug}}}*")])
        if parts in ("board", "both"):
            await redis.delete(keys.board(slug))
        if parts in ("version", "both"):
            await redis.delete(keys.board_version(slug))

    async def corrupt(self, seat: int, byte: int) -> None:
        await self.runtime.seats.ensure_board(self.event)
        await self.runtime.redis.setrange(keys.board(self.event.slug), seat, bytes([byte]).decode())

    async def forget(self, visitor: str, seats: list[int]) -> None:
        redis, slug = self.runtime.redis, self.event.slug
        await self.runtime.seats.ensure_board(self.event)
        await redis.delete(*(keys.seat_state(slug, seat) for seat in seats))
        await redis.hdel(keys.baskets(slug), visitor)
        await redis.zrem(keys.active_paying(slug), visitor)

    async def orphan(self, seats: list[int]) -> None:
        for seat in seats:
            name = keys.seat_state(self.event.slug, seat)
            await self.runtime.redis.pexpire(name, PAYMENT_PROTECTION_MS - 61_000)
        report = await self.runtime.reconcile.run_paying(self.event)
        assert {m.ordinal for m in report.found} == set(seats)
