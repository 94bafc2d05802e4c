"""Access codes in PostgreSQL: made, imported, revoked, and read by each process as one piece (F7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import databases

from core.database import BACKGROUND_SECONDS, planned_anew, raw
from core.errors import InvalidRequest
from core.process.once import Once
from core.venue.codes import MOST_CODES, MOST_USES, CodeBook, CodeDigests, new_code
from core.venue.event import Event
from core.venue.event_name import what_is_wrong_with_part

#: Codes that are written at once.
_BATCH: Final = 10_000

_GROUP = """
INSERT INTO code_groups (event_id, name, uses) VALUES ($1, $2, $3)
ON CONFLICT (event_id, name) DO UPDATE SET uses = CASE
    WHEN EXISTS (SELECT FROM codes WHERE event_id = $1 AND group_name = $2) THEN code_groups.uses ELSE excluded.uses END
RETURNING uses
"""
_ADD = """
INSERT INTO codes (event_id, digest, group_name) SELECT $1, digest, $2 FROM unnest($3::bytea[]) AS digest
ON CONFLICT (event_id, digest) DO NOTHING
"""
_CHANGED = "UPDATE events SET codes_version = codes_version + 1 WHERE id = $1"
_COUNT = "SELECT count(*) FROM codes WHERE event_id = $1"
_REVOKE = """
UPDATE codes SET revoked_at = now()
WHERE event_id = $1 AND revoked_at IS NULL AND ($2::text IS NULL OR group_name = $2)
  AND ($3::bytea[] IS NULL OR digest = ANY ($3))
"""
_GROUPS = """
SELECT g.name, g.uses, g.made_at, count(c.digest) AS codes, count(c.revoked_at) AS revoked,
       (SELECT count(*) FROM reservations r JOIN codes own ON own.event_id = r.event_id AND own.digest = r.code
        WHERE r.event_id = g.event_id AND r.code IS NOT NULL AND own.group_name = g.name
          AND (r.status IN ('PAYING', 'CONFIRMED') OR r.status = 'CANCELLED' AND r.ticket_code IS NOT NULL)) AS spent
FROM code_groups g LEFT JOIN codes c ON c.event_id = g.event_id AND c.group_name = g.name
WHERE g.event_id = $1 GROUP BY g.event_id, g.name, g.uses, g.made_at ORDER BY g.made_at, g.name
"""
# One row a group, all digests in one piece: a million of them are 16 MB, and no row of its own each.
_BOOK = """
SELECT g.name, g.uses, coalesce(string_agg(c.digest, ''::bytea ORDER BY c.digest), ''::bytea) AS digests
FROM code_groups g
LEFT JOIN codes c ON c.event_id = g.event_id AND c.group_name = g.name AND c.revoked_at IS NULL
WHERE g.event_id = $1 GROUP BY g.name, g.uses
"""


@dataclass(frozen=True, slots=True)
class Added:
    """`codes` are new; `known` were in the file twice, or there before."""

    codes: int
    known: int


@dataclass(frozen=True, slots=True)
class CodeGroup:
    """`uses`: purchases that each code is good for; `spent`: purchases made with codes of the group."""

    name: str
    uses: int
    made_at: datetime
    codes: int
    revoked: int
    spent: int


class Codes:
    """All calls raise StoreUnavailable when PostgreSQL is away."""

    def __init__(self, database: databases.Database, secret: str) -> None:
        self._database = database
        self._digests = CodeDigests(secret)
        self._books: dict[int, CodeBook] = {}
        self._reads = Once[CodeBook]("codes")

    def digest(self, event: Event, code: str) -> bytes:
        return self._digests.of(event.id, code)

    async def book(self, event: Event) -> CodeBook:
        """The event's good codes; read once, and again when they were changed."""
        kept = self._books.get(event.id)
        if kept is None or kept.version < event.codes_version:
            kept = await self._reads(f"{event.id} {event.codes_version}", partial(self._read, event))
        return kept

    async def _read(self, event: Event) -> CodeBook:
        async with raw(self._database) as connection, connection.transaction(isolation="repeatable_read"):
            version = await connection.fetchval("SELECT codes_version FROM events WHERE id = $1", event.id)
            rows = await connection.fetch(_BOOK, event.id, timeout=BACKGROUND_SECONDS)
        book = CodeBook(version or 0, {row["name"]: (row["digests"], row["uses"]) for row in rows})
        self._books[event.id] = book
        return book

    async def make(self, event: Event, group: str, count: int, uses: int = 1) -> list[str]:
        """New codes, which are kept nowhere: what this returns is the only copy. Raises InvalidRequest."""
        if not 1 <= count <= MOST_CODES:
            raise InvalidRequest(f"count: 1 to {MOST_CODES} codes")
        made = await asyncio.to_thread(_new_codes, count)
        await self.add(event, group, made, uses)
        return made

    async def add(self, event: Event, group: str, codes: Iterable[str], uses: int = 1) -> Added:
        """Codes that were made elsewhere, streamed; all of them or none.

        `codes` is read in another thread, so many at a time as are written at once: a million is seconds of work.
        Raises InvalidRequest: a group that cannot be, too many codes, or other `uses` than the group has.
        """
        _check_group(group, uses)
        added = seen = 0
        waiting = iter(codes)
        async with raw(self._database, writes=True) as connection, connection.transaction():
            kept = await connection.fetchval(_GROUP, event.id, group, uses)
            if kept != uses:
                raise InvalidRequest(f"uses: each code of {group!r} is good for {kept}; name another group")
            before = await connection.fetchval(_COUNT, event.id)
            while batch := await asyncio.to_thread(self._next, event, waiting):
                digests = list(set(batch))
                done = await connection.execute(_ADD, event.id, group, digests, timeout=BACKGROUND_SECONDS)
                seen += len(batch)
                added += int(done.rpartition(" ")[2])
                if before + added > MOST_CODES:
                    raise InvalidRequest(f"an event has {MOST_CODES} codes at most")
            await connection.execute(_CHANGED, event.id)
        return Added(added, seen - added)

    def _next(self, event: Event, codes: Iterator[str]) -> list[bytes]:
        return [self.digest(event, code) for code in islice(codes, _BATCH)]

    async def revoke(self, event: Event, group: str | None, codes: Sequence[str] | None) -> int:
        """These codes, or all of a group. Places that were taken with them stay until the seats are paid for: then
        they are refused. Returns how many. Raises InvalidRequest.
        """
        if group is None and not codes:
            raise InvalidRequest("name a group, or the codes")
        digests = [self.digest(event, code) for code in codes] if codes is not None else None
        async with raw(self._database, writes=True) as connection, planned_anew(connection):
            done = await connection.execute(_REVOKE, event.id, group, digests, timeout=BACKGROUND_SECONDS)
            await connection.execute(_CHANGED, event.id)
        return int(done.rpartition(" ")[2])

    async def groups(self, event_id: int) -> Sequence[CodeGroup]:
        """The oldest first."""
        async with raw(self._database) as connection:
            rows: Any = await connection.fetch(_GROUPS, event_id, timeout=BACKGROUND_SECONDS)
        return [CodeGroup(**row) for row in rows]


def _new_codes(count: int) -> list[str]:
    """No two alike."""
    made: dict[str, None] = {}
    while len(made) < count:
        made |= dict.fromkeys(new_code() for _ in range(count - len(made)))
    return list(made)


def _check_group(name: str, uses: int) -> None:
    """Raises InvalidRequest."""
    if (wrong := what_is_wrong_with_part(name)) is not None:
        raise InvalidRequest(f"group: {wrong}", errors=[{"at": "group", "message": wrong}])
    if not 1 <= uses <= MOST_USES:
        raise InvalidRequest(f"uses: 1 to {MOST_USES}")
