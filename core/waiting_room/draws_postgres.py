"""Draws in PostgreSQL: what was announced, what was frozen, what was drawn. Each step is one guarded statement (F2).

A draw happens once: whoever is second finds the first one's result. What a process that died left half done, the next
one goes on with from the row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import databases

from core.database import BACKGROUND_SECONDS, raw
from core.process.bounded import Bounded
from core.venue.event import DrawState, Event, Opening, SaleStatus
from core.venue.phase import Phase
from core.waiting_room import draw

_DIGEST_BYTES = 32
#: Orders that a process keeps for look-ups by receipt: a draw of 200,000 takes some 50 MB.
_KEPT_ORDERS = 2

_COLUMNS = (
    "id, phase, state, draw_at, seed, commitment, beacon_source, beacon_round, beacon_value, base, reserved, root, "
    "coalesce(octet_length(receipts) / 32, 0) AS count, frozen_at, told_at, created_at"
)


@dataclass(frozen=True, slots=True)
class BeaconRound:
    """A public value that is named before it exists: where it comes from, and which one."""

    source: str
    round: int


@dataclass(frozen=True, slots=True)
class DrawRow:
    """A row of `draws`. `count` is how many were frozen; `told`: every entry has its number."""

    id: int
    phase: str
    state: DrawState
    draw_at: datetime
    seed: bytes
    commitment: str
    beacon: BeaconRound | None
    beacon_value: str | None
    base: int
    reserved: int
    root: str | None
    count: int
    frozen_at: datetime | None
    told: bool
    created_at: datetime

    @property
    def opening(self) -> Opening:
        return Opening(self.id, self.phase, self.state, self.draw_at, self.created_at, self.base, self.reserved)


class _IsDrawn(Exception):
    """Takes back what a transaction has written."""

    def __init__(self, row: asyncpg.Record) -> None:
        super().__init__()
        self.row = row


class Draws:
    """Raises StoreUnavailable."""

    def __init__(self, database: databases.Database) -> None:
        self._database = database
        self._orders: Bounded[int, dict[bytes, int]] = Bounded(_KEPT_ORDERS)

    async def announce(self, event: Event, phase: Phase, beacon: BeaconRound | None = None) -> DrawRow:
        """The phase's draw to come, with its commitment: made when there is none, moved when its opening was moved.

        Of an opening that was drawn already, the draw that was: who read the sale before it knows nothing of that, and
        another draw, of nobody, would be shown in the place of it.
        """
        seed = draw.new_seed()
        row: Any
        try:
            async with raw(self._database, writes=True) as connection, connection.transaction():
                row = await connection.fetchrow(
                    f"""
                    INSERT INTO draws (event_id, phase, draw_at, seed, commitment, beacon_source, beacon_round)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)
                    ON CONFLICT (event_id, phase) WHERE told_at IS NULL DO UPDATE
                    SET draw_at = CASE WHEN draws.state = 'announced' THEN excluded.draw_at ELSE draws.draw_at END,
                        -- A beacon is named again only for an opening that was moved: never while it is about to come.
                        beacon_source = CASE WHEN draws.state = 'announced' AND draws.draw_at <> excluded.draw_at
                                             THEN excluded.beacon_source ELSE draws.beacon_source END,
                        beacon_round = CASE WHEN draws.state = 'announced' AND draws.draw_at <> excluded.draw_at
                                            THEN excluded.beacon_round ELSE draws.beacon_round END
                    RETURNING {_COLUMNS}, xmax = 0 AS is_new
                    """,  # noqa: S608
                    event.id,
                    phase.name,
                    phase.opens_at,
                    seed,
                    draw.commitment(seed),
                    beacon.source if beacon else None,
                    beacon.round if beacon else None,
                    timeout=BACKGROUND_SECONDS,
                )
                if row["is_new"]:
                    # Asked after it: what ended a draw in this very moment, so that none was there to move, is seen.
                    drawn = await connection.fetchrow(
                        f"""
                        SELECT {_COLUMNS} FROM draws WHERE event_id = $1 AND phase = $2 AND told_at IS NOT NULL
                        AND (draw_at >= $3 OR EXISTS (SELECT FROM events WHERE id = $1 AND status <> $4))
                        ORDER BY id DESC LIMIT 1
                        """,  # noqa: S608
                        event.id,
                        phase.name,
                        phase.opens_at,
                        SaleStatus.SCHEDULED.value,
                        timeout=BACKGROUND_SECONDS,
                    )
                    if drawn is not None:
                        raise _IsDrawn(drawn)
        except _IsDrawn as known:
            row = known.row
        return _draw_row(row)

    async def open_now(self, draw_id: int, beacon: BeaconRound | None, now: datetime) -> None:
        """The sale was opened by hand: the draw is due, with that beacon's round in place of the later one.

        `now` is Redis' time, by which the scripts judge what is due: PostgreSQL's own may be another (R3).
        """
        await self._row(
            f"""
            UPDATE draws SET draw_at = $4, beacon_source = coalesce($2, beacon_source),
                             beacon_round = coalesce($3, beacon_round)
            WHERE id = $1 AND state = 'announced' AND draw_at > $4 RETURNING {_COLUMNS}
            """,  # noqa: S608
            draw_id,
            beacon.source if beacon else None,
            beacon.round if beacon else None,
            now,
        )

    async def withdraw(self, draw_id: int, tell: Callable[[], Awaitable[object]]) -> None:
        """Nobody gathers for it any more: its phase was taken away. `tell` says so to Redis, before it is committed:
        entries without a draw would hold up everybody behind them, so that what was not told is not done.
        """
        async with raw(self._database, writes=True) as connection, connection.transaction():
            done: str = await connection.execute("DELETE FROM draws WHERE id = $1 AND state = 'announced'", draw_id)
            if done == "DELETE 1":
                await tell()

    async def to_come(self, event: Event) -> list[DrawRow]:
        """The event's draws that are not over, by their time."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM draws WHERE event_id = $1 AND told_at IS NULL ORDER BY draw_at, id",  # noqa: S608
                event.id,
            )
        return [_draw_row(row) for row in rows]

    async def shown(self, event: Event, phase: str | None = None) -> DrawRow | None:
        """The draw that people ask about: the next one, else the last; of one phase, or of all."""
        row = await self._row(
            f"""
            SELECT {_COLUMNS} FROM draws
            WHERE event_id = $1 AND ($2::text IS NULL OR phase = $2)
            ORDER BY told_at IS NULL DESC, CASE WHEN told_at IS NULL THEN draw_at END, id DESC LIMIT 1
            """,  # noqa: S608
            event.id,
            phase,
        )
        return _draw_row(row) if row is not None else None

    async def freeze(
        self, draw_id: int, receipts: Sequence[str], *, base: int, reserved: int, now: datetime
    ) -> DrawRow:
        """Writes who takes part, and the root; who is second gets the first one's. `now`: see `open_now`."""
        ordered = sorted(receipts)
        await self._row(
            f"""
            UPDATE draws SET state = 'frozen', root = $2, receipts = $3, base = $4, reserved = $5, frozen_at = $6
            WHERE id = $1 AND state = 'announced' RETURNING {_COLUMNS}
            """,  # noqa: S608
            draw_id,
            draw.root(ordered),
            bytes.fromhex("".join(ordered)),
            base,
            reserved,
            now,
        )
        return await self._get(draw_id)

    async def name_later(self, draw_id: int, beacon: BeaconRound) -> DrawRow:
        """Another round, for a root that became public after the one that was named."""
        await self._row(
            f"""
            UPDATE draws SET beacon_source = $2, beacon_round = $3
            WHERE id = $1 AND state = 'frozen' AND beacon_round < $3 RETURNING {_COLUMNS}
            """,  # noqa: S608
            draw_id,
            beacon.source,
            beacon.round,
        )
        return await self._get(draw_id)

    async def record(self, draw_id: int, order: Sequence[str], beacon_value: str) -> DrawRow:
        """Writes the order; who is second gets the first one's."""
        await self._row(
            f"""
            UPDATE draws SET state = 'drawn', receipts = $2, beacon_value = nullif($3, ''), drawn_at = now()
            WHERE id = $1 AND state = 'frozen' RETURNING {_COLUMNS}
            """,  # noqa: S608
            draw_id,
            bytes.fromhex("".join(order)),
            beacon_value,
        )
        return await self._get(draw_id)

    async def told(self, draw_id: int) -> None:
        """Every entry has its number."""
        async with raw(self._database) as connection:
            await connection.execute(
                "UPDATE draws SET told_at = now() WHERE id = $1 AND state = 'drawn' AND told_at IS NULL", draw_id
            )

    async def receipts(self, draw_id: int) -> list[str]:
        """Sorted while frozen, in the order of the draw when drawn."""
        async with raw(self._database) as connection:
            packed = await connection.fetchval(
                "SELECT receipts FROM draws WHERE id = $1", draw_id, timeout=BACKGROUND_SECONDS
            )
        digits = bytes(packed or b"").hex()
        return [digits[at : at + 64] for at in range(0, len(digits), 2 * _DIGEST_BYTES)]

    async def number(self, draw_id: int, receipt: str) -> int:
        """The queue number that a draw gave a receipt; 0 for one that did not take part, or before it is drawn."""
        row = await self._get_or_none(draw_id)
        if row is None or row.state is not DrawState.DRAWN or not draw.is_receipt(receipt):
            return 0
        order = self._orders.get(draw_id)
        if order is None:
            listed = await self.receipts(draw_id)
            order = {bytes.fromhex(entry): place for place, entry in enumerate(listed, 1)}
            self._orders.keep(draw_id, order)
        place = order.get(bytes.fromhex(receipt), 0)
        return row.base + place if place else 0

    async def _get(self, draw_id: int) -> DrawRow:
        row = await self._get_or_none(draw_id)
        if row is None:
            raise LookupError(f"draw {draw_id} was withdrawn")
        return row

    async def _get_or_none(self, draw_id: int) -> DrawRow | None:
        row = await self._row(f"SELECT {_COLUMNS} FROM draws WHERE id = $1", draw_id)  # noqa: S608
        return _draw_row(row) if row is not None else None

    async def _row(self, statement: str, *arguments: Any) -> Any:
        async with raw(self._database) as connection:
            return await connection.fetchrow(statement, *arguments, timeout=BACKGROUND_SECONDS)


def _draw_row(row: asyncpg.Record) -> DrawRow:
    return DrawRow(
        id=row["id"],
        phase=row["phase"],
        state=DrawState(row["state"]),
        draw_at=row["draw_at"],
        seed=bytes(row["seed"]),
        commitment=row["commitment"],
        beacon=BeaconRound(row["beacon_source"], row["beacon_round"]) if row["beacon_source"] else None,
        beacon_value=row["beacon_value"],
        base=row["base"],
        reserved=row["reserved"],
        root=row["root"],
        count=row["count"],
        frozen_at=row["frozen_at"],
        told=row["told_at"] is not None,
        created_at=row["created_at"],
    )
