"""The board in Redis: read it, and build it anew from PostgreSQL when Redis has lost it (S13)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import asyncpg
import databases
from redis.asyncio import Redis

from core import audit_postgres as audit
from core import keys
from core.database import BACKGROUND_SECONDS, raw
from core.errors import InvalidRequest, OutcomeUnknown, StoreUnavailable
from core.process.calls import redis_call
from core.process.lease_redis import DELETE_IF
from core.process.once import Once
from core.seats.board import STATE_OF_STATUS, BoardSnapshot, SeatState
from core.seats.hold_scripts_redis import BoardLost
from core.seats.scripts_redis import SeatScripts
from core.venue.event import Event

# The lease of a rebuild: longer than reading 100,000 rows takes, short enough that a dead builder is replaced soon.
_REBUILD_LEASE_MS = 10_000
_REBUILD_WAIT_SECONDS = 12.0
# How long a caller waits for it.
_PATIENCE_SECONDS = 3.0

# PostgreSQL ends one of two transactions that change the same row of `events`; the one that was ended tries again.
_CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_TRIES = 8
_CONFLICT_PAUSE_SECONDS = 0.02


_SEATS = "SELECT ordinal, status FROM shown_seats WHERE event_id = $1 ORDER BY ordinal"
_PAYING = """
SELECT r.visitor, r.fence, array_agg(s.ordinal ORDER BY s.ordinal) AS ordinals
FROM reservations r JOIN reservation_seats s ON s.reservation_id = r.id AND s.live
WHERE r.event_id = $1 AND r.status = 'PAYING' AND r.offer_id IS NULL GROUP BY r.id
"""
_STATUSES = "SELECT ordinal, status FROM seats WHERE event_id = $1 AND ordinal = ANY($2::int[])"
# Locked in ordinal order, as checkout does: the two can then never wait for each other.
_CHANGE = """
WITH locked AS (
    SELECT ordinal FROM seats WHERE event_id = $1 AND ordinal = ANY($2::int[]) AND status = $4
    ORDER BY ordinal FOR UPDATE
)
UPDATE seats s SET status = $3, version = version + 1, updated_at = now()
FROM locked l WHERE s.event_id = $1 AND s.ordinal = l.ordinal RETURNING s.ordinal
"""
_UNPRICED = """
SELECT DISTINCT category FROM seats WHERE event_id = $1 AND ordinal = ANY($2) AND category <> ALL($3) ORDER BY 1
"""
_STILL_FREE = """
SELECT ordinal FROM seats WHERE event_id = $1 AND ordinal = ANY($2::int[]) AND status = 'AVAILABLE'
ORDER BY ordinal FOR SHARE
"""

T = TypeVar("T")


class _Truth(NamedTuple):
    """What PostgreSQL knows of an event's seats, as `SeatScripts.rebuild` takes it."""

    epoch: int
    states: bytes
    highest_fence: int
    paying: list[tuple[str, int, list[int]]]


class BoardStore:
    """Reads and rebuilds boards. Raises StoreUnavailable."""

    def __init__(self, *, redis: Redis, database: databases.Database, scripts: SeatScripts) -> None:
        self._redis = redis
        self._database = database
        self._scripts = scripts
        self._building = Once[None]("board")

    async def snapshot(self, event: Event) -> BoardSnapshot:
        """The board and its version. With Redis away: what PostgreSQL knows, under version 0 (S16).

        Holds are missing from such a board; nobody can make one meanwhile either, and whoever has it meets a gap with
        the first change after Redis is back, and resyncs.
        """
        try:
            for _ in range(3):
                snapshot = await self._scripts.snapshot(event.slug)
                if snapshot is not None:
                    return snapshot
                await self.ensure(event)
        except StoreUnavailable:
            return await self._from_postgres(event)
        raise StoreUnavailable(retry_after=2)

    async def _from_postgres(self, event: Event) -> BoardSnapshot:
        async with raw(self._database) as connection:
            epoch = await connection.fetchval("SELECT epoch FROM events WHERE id = $1", event.id)
            rows = await connection.fetch(_SEATS, event.id)
        return BoardSnapshot(epoch, 0, bytes(STATE_OF_STATUS[row["status"]] for row in rows))

    async def ensure(self, event: Event) -> None:
        """Makes sure that Redis has a board: one process builds it, the others wait for it.

        One task of this process asks for all who wait: a crowd that meets a lost board makes few calls, not a crowd's.
        Who waits is refused in time (S16); the task goes on, and who comes again finds the board.
        """
        try:
            await self._building(event.slug, partial(self._ensure, event), limit=_PATIENCE_SECONDS)
        except (TimeoutError, OutcomeUnknown) as error:
            # Whether the board is there shows with the next call; of what was asked for nothing was done.
            raise StoreUnavailable(retry_after=2) from error

    async def _ensure(self, event: Event) -> None:
        lock, token = keys.board_lock(event.slug), secrets.token_hex(16)
        deadline = asyncio.get_running_loop().time() + _REBUILD_WAIT_SECONDS
        with redis_call:
            while not await self._is_there(event):
                if await self._redis.set(lock, token, nx=True, px=_REBUILD_LEASE_MS):
                    try:
                        await self._rebuild(event)
                    finally:
                        await self._redis.eval(DELETE_IF, 1, lock, token)
                    return
                if asyncio.get_running_loop().time() > deadline:
                    raise StoreUnavailable(retry_after=2)
                await asyncio.sleep(0.05)

    async def _is_there(self, event: Event) -> bool:
        """Both keys: a Redis that evicts may have thrown away one of them."""
        version = keys.board_version(event.slug)
        return bool(await self._redis.exists(keys.board(event.slug)) and await self._redis.hexists(version, "epoch"))

    async def _rebuild(self, event: Event) -> None:
        truth = await self._read_truth(event)
        await self._scripts.rebuild(event.slug, *truth)
        if truth.epoch > 1:  # the first one is no loss
            with contextlib.suppress(StoreUnavailable):
                await audit.record(
                    self._database, actor=audit.SYSTEM, action="heal.board", subject=event.slug, epoch=truth.epoch
                )

    async def _read_truth(self, event: Event) -> _Truth:
        """Reads again when an operator changes the event at the same moment (S13)."""
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._read_once(event)
            except _CONFLICTS as error:
                if attempt == _TRIES:
                    raise StoreUnavailable(retry_after=2) from error
            await asyncio.sleep(_CONFLICT_PAUSE_SECONDS * attempt * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt returns or raises")

    async def _read_once(self, event: Event) -> _Truth:
        # What a checkout commits after this read reaches the board by its own `settle`, which finds either no board
        # (and waits for this one) or this one.
        async with raw(self._database) as connection, connection.transaction(isolation="repeatable_read"):
            epoch = await connection.fetchval(
                "UPDATE events SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch", event.id
            )
            rows = await connection.fetch(_SEATS, event.id, timeout=BACKGROUND_SECONDS)
            paying = await connection.fetch(_PAYING, event.id, timeout=BACKGROUND_SECONDS)
            fence = await connection.fetchval("SELECT coalesce(max(fence), 0) FROM seats WHERE event_id = $1", event.id)
        states = bytes(STATE_OF_STATUS[row["status"]] for row in rows)
        return _Truth(epoch, states, fence, [(row["visitor"], row["fence"], row["ordinals"]) for row in paying])

    async def with_board(self, event: Event, call: Callable[[], Awaitable[T]]) -> T:
        """Runs a script; where Redis has lost the board it is put back first."""
        try:
            return await call()
        except BoardLost:
            await self.ensure(event)
            return await call()

    async def block(self, event: Event, ordinals: Sequence[int]) -> list[int]:
        """AVAILABLE -> BLOCKED; returns the seats that changed.

        The board is written while the rows are locked, before they are committed: no moment shows a BLOCKED row as
        free, whatever dies. A commit that fails leaves a board that offers less than it could, until it is mended.
        """
        async with raw(self._database, writes=True) as connection, connection.transaction():
            changed = _ordinals(await connection.fetch(_CHANGE, event.id, list(ordinals), "BLOCKED", "AVAILABLE"))
            if changed:
                await self.with_board(event, lambda: self._scripts.block(event, changed))
        return changed

    async def reopen_free(self, event: Event, ordinals: Sequence[int]) -> None:
        """Shows seats that PostgreSQL has made available as such; those that have become somebody's since are left out.
        Safe to repeat.
        """
        async with raw(self._database) as connection, connection.transaction():
            free = _ordinals(await connection.fetch(_STILL_FREE, event.id, list(ordinals)))
            if free:
                await self.with_board(event, lambda: self._scripts.reopen(event, free, SeatState.SOLD))

    async def statuses(self, event: Event, ordinals: Sequence[int]) -> dict[int, str]:
        """ordinal -> its row's status."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_STATUSES, event.id, list(ordinals))
        return {row["ordinal"]: row["status"] for row in rows}

    async def unblock(self, event: Event, ordinals: Sequence[int]) -> list[int]:
        """BLOCKED -> AVAILABLE; returns the seats that changed.

        The board is written after the commit, while the rows are locked again: a seat that was blocked once more in
        between is left out, and one that is blocked afterwards is written afterwards. Raises InvalidRequest for seats
        without a price: they are not for sale.
        """
        async with raw(self._database, writes=True) as connection:
            if unpriced := await connection.fetch(_UNPRICED, event.id, list(ordinals), list(event.prices)):
                names = ", ".join(repr(row["category"]) for row in unpriced)
                raise InvalidRequest(f"seats of {names} have no price: they are not for sale, and stay blocked")
            changed = _ordinals(await connection.fetch(_CHANGE, event.id, list(ordinals), "AVAILABLE", "BLOCKED"))
            async with connection.transaction():
                free = _ordinals(await connection.fetch(_STILL_FREE, event.id, changed))
                if free:
                    await self.with_board(event, lambda: self._scripts.reopen(event, free, SeatState.BLOCKED))
        return changed


def _ordinals(rows: Sequence[Any]) -> list[int]:
    return sorted(row["ordinal"] for row in rows)
