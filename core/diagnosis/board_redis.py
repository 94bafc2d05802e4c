"""The board of a sale: is it there, is it this hall's, and does it say what PostgreSQL says?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import databases
from redis.asyncio import Redis

from core import keys
from core.database import BACKGROUND_SECONDS, raw
from core.diagnosis.finding import Cause, Finding, fail, passed
from core.diagnosis.seats_redis import lock
from core.seats.board import STATE_OF_STATUS, SeatState
from core.sentences import Sentence, said
from core.venue.event import Event

_SEATS = "SELECT ordinal, status FROM shown_seats WHERE event_id = $1 ORDER BY ordinal"
_EPOCH = "SELECT epoch FROM events WHERE id = $1"
_SETTLING_SECONDS = 0.3
#: Shown of those that differ.
_SHOWN = 10


async def board(client: Redis, slug: str, event: Event | None, database: databases.Database) -> AsyncIterator[Finding]:
    """`event` None: PostgreSQL is away, and nothing is compared. Raises StoreUnavailable."""
    name, version = keys.board(slug), keys.board_version(slug)
    held = await lock(client, "board lock", keys.board_lock(slug))
    if held.cause is not None:
        yield held  # first: with it nobody can build the board
    states = await client.get(name)
    epoch, counter = await client.hmget(version, ["epoch", "counter"])
    if states is None or epoch is None:
        yield fail("board", Cause.BOARD_LOST, said("board.lost"), fix="board")
        return
    standing = said("board.standing", epoch=_number(epoch), version=_number(counter))
    if event is None:
        yield passed("board", standing)
        return
    states = states if isinstance(states, bytes) else states.encode("latin-1")
    async with raw(database) as connection:
        known = await connection.fetchval(_EPOCH, event.id)
        rows = await connection.fetch(_SEATS, event.id, timeout=BACKGROUND_SECONDS)
    wrong: Sentence | None = None
    if len(states) != len(rows):
        wrong = said("board.other_seats", seats=len(states), hall=len(rows))
    elif any(byte > max(SeatState) for byte in states):
        wrong = said("board.bad_state")
    elif not _number(epoch).isdigit() or not _number(counter).isdigit():
        wrong = said("board.bad_version", epoch=repr(_number(epoch)[:20]), version=repr(_number(counter)[:20]))
    elif int(_number(epoch)) != known:
        wrong = said("board.old", epoch=_number(epoch), known=str(known))
    if wrong is not None:
        yield fail(
            "board", Cause.BOARD_DAMAGED, said("board.damaged", standing=standing, wrong=wrong), fix="board anew"
        )
        return
    yield passed("board", standing)
    differs = _differing(states, rows)
    if differs:
        # What was under way between the two looks is gone by now.
        await asyncio.sleep(_SETTLING_SECONDS)
        async with raw(database) as connection:
            rows = await connection.fetch(_SEATS, event.id, timeout=BACKGROUND_SECONDS)
        again = await client.get(name)
        states = again if isinstance(again, bytes) and len(again) == len(rows) else states
        differs = sorted(set(differs) & set(_differing(states, rows)))
    yield _judged(differs)


def _differing(states: bytes, rows: Sequence[Any]) -> list[int]:
    """A hold lives in Redis only; what is being paid for shows as held."""
    return [
        row["ordinal"]
        for row, byte in zip(rows, states, strict=True)
        if byte != STATE_OF_STATUS[row["status"]] and not (row["status"] == "AVAILABLE" and byte == SeatState.HELD)
    ]


def _judged(differs: Sequence[int]) -> Finding:
    if not differs:
        return passed("seats", said("board.agrees"))
    shown = ", ".join(map(str, differs[:_SHOWN])) + (" ..." if len(differs) > _SHOWN else "")
    return fail("seats", Cause.MISMATCH, said("board.differs", number=len(differs), seats=shown), fix="seats")


def _number(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
