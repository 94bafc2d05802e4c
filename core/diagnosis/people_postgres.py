"""The visitor, as PostgreSQL knows them: kept out by an operator (R9), with as many seats as one may have (F3), with an
access code that is spent (F7), or with payments that failed in a row.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any

import databases

from core.clock import iso
from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.sentences import Sentence, said
from core.venue.event import Event
from core.waiting_room.phases import doors

_REMOVED = """
SELECT until, actor FROM removals
WHERE event_id = $1 AND visitor = $2 AND ended_at IS NULL AND until > now() ORDER BY until DESC LIMIT 1
"""
_NETWORKS = """
SELECT network, until, actor FROM removals
WHERE event_id = $1 AND network IS NOT NULL AND ended_at IS NULL AND until > now() ORDER BY until DESC
"""
_SEATS = """
SELECT count(*) FROM reservations r JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
WHERE r.event_id = $1 AND r.visitor = $2 AND r.status IN ('PAYING', 'CONFIRMED')
"""
#: Of the networks that are kept out.
_SHOWN = 5
#: As `core/booking/sql/failures.sql` has it.
_FAILED = """
SELECT max(updated_at) + interval '60 seconds' AS until FROM (
    SELECT status, reason, updated_at FROM reservations
    WHERE event_id = $1 AND visitor = $2 ORDER BY updated_at DESC LIMIT 5
) AS latest
HAVING count(*) = 5 AND bool_and(status = 'FAILED' AND reason IN ('declined', 'payment_window_ended'))
   AND max(updated_at) + interval '60 seconds' > now()
"""
# The product's own functions count under a lock, which a look does not take.
_OF_PHASES = """
SELECT p.name, p.quota, count(line.ordinal) AS sold, coalesce((
    SELECT sum(cardinality(o.ordinals)) FROM offers o
    WHERE o.event_id = p.event_id AND (o.phase = p.name OR o.phase IS NULL) AND o.state = 'OPEN' AND o.until > now()
), 0) AS offered
FROM phases p
LEFT JOIN reservations r ON r.event_id = p.event_id AND r.phase = p.name AND r.status IN ('PAYING', 'CONFIRMED')
LEFT JOIN reservation_seats line ON line.reservation_id = r.id AND line.live
WHERE p.event_id = $1 AND p.name = ANY ($2::text[]) AND p.quota IS NOT NULL
GROUP BY p.event_id, p.name, p.quota
"""
_OF_CODE = """
SELECT g.uses, c.revoked_at, (
    SELECT count(*) FROM reservations r
    WHERE r.event_id = c.event_id AND r.code = c.digest AND r.visitor <> $3
      AND (r.status IN ('PAYING', 'CONFIRMED') OR r.status = 'CANCELLED' AND r.ticket_code IS NOT NULL)
) AS used_by_others, EXISTS (
    SELECT FROM reservations r WHERE r.event_id = c.event_id AND r.code = c.digest AND r.visitor = $3
      AND r.status IN ('PAYING', 'CONFIRMED')
) AS bought
FROM codes c JOIN code_groups g ON g.event_id = c.event_id AND g.name = c.group_name
WHERE c.event_id = $1 AND c.digest = $2
"""


async def phases(
    database: databases.Database, event: Event, now: datetime, visitor: str | None, code: bytes | None
) -> AsyncIterator[Finding]:
    """What the phases that are open now keep a buyer from. `code`: the digest of the code that the visitor's place was
    taken with. Nothing for a sale without phases. Raises StoreUnavailable.
    """
    open_now = doors(event, now, joining=True)
    if open_now is None:
        return
    near = [*open_now.coded.values(), *([open_now.free] if open_now.free is not None else [])]
    async with raw(database) as connection:
        for row in await connection.fetch(_OF_PHASES, event.id, [phase.name for phase in near]):
            seen = said("phase.sold", phase=row["name"], sold=row["sold"], quota=row["quota"])
            if row["offered"]:
                seen = said("phase.offered", standing=seen, offered=int(row["offered"]))
            full = row["sold"] + row["offered"] >= row["quota"]
            yield warn("phase", Cause.QUOTA_REACHED, seen) if full else passed("phase", seen)
        own = await connection.fetchrow(_OF_CODE, event.id, code, visitor) if code and visitor else None
    if own is not None:
        spent = own["used_by_others"] >= own["uses"] and not own["bought"]
        seen = said("code.used", uses=own["uses"], others=own["used_by_others"])
        if own["revoked_at"] is not None:
            yield fail("code", Cause.CODE_USED, said("code.revoked", time=iso(own["revoked_at"])))
        else:
            yield fail("code", Cause.CODE_USED, seen) if spent else passed("code", seen)
    elif visitor is not None and open_now.want_a_code:
        names = ", ".join(phase.name for phase in near)
        yield fail("code", Cause.CODE_WANTED, said("code.wanted", phases=names, visitor=visitor))


async def allowed(
    database: databases.Database, event: Event, visitor: str, network: str | None = None
) -> AsyncIterator[Finding]:
    """`network`: the one that the visitor's place counts in; None: there is no place. Raises StoreUnavailable."""
    async with raw(database) as connection:
        removal = await connection.fetchrow(_REMOVED, event.id, visitor)
        networks = await connection.fetch(_NETWORKS, event.id)
        seats = await connection.fetchval(_SEATS, event.id, visitor)
        paused = await connection.fetchval(_FAILED, event.id, visitor)
    if removal is not None:
        until, who = iso(removal["until"]), removal["actor"]
        yield fail("removal", Cause.VISITOR_REMOVED, said("removal.visitor", visitor=visitor, until=until, who=who))
    for finding in _kept_out(networks, network):
        yield finding
    if paused is not None:
        yield fail("payments", Cause.PAYMENT_PAUSED, said("payments.paused", visitor=visitor, time=iso(paused)))
    seen = said("seats.of_visitor", visitor=visitor, seats=seats, most=event.max_seats)
    yield warn("seats", Cause.SEAT_LIMIT, seen) if seats >= event.max_seats else passed("seats", seen)


def _kept_out(removed: Sequence[Any], network: str | None) -> Iterator[Finding]:
    """Networks are wider or narrower than those that places count in: whose address it is only the customer knows."""
    told = [_removed(one) for one in removed]
    own = _network(network)
    if own is None:
        if told:
            yield warn("removal", Cause.NETWORKS_REMOVED, said("removal.networks", networks=told[:_SHOWN]))
        return
    for one, network_told in zip(removed, told, strict=True):
        if one["network"].version == own.version and own.overlaps(one["network"]):
            whole = own.subnet_of(one["network"])
            seen = said("removal.comes_from", own=str(own), network=network_told)
            yield (
                fail("removal", Cause.VISITOR_REMOVED, seen) if whole else warn("removal", Cause.NETWORKS_REMOVED, seen)
            )


def _removed(one: Any) -> Sentence:
    return said("removal.network", network=str(one["network"]), until=iso(one["until"]), who=one["actor"])


def _network(text: str | None) -> Any | None:
    try:
        return ipaddress.ip_network(text) if text else None
    except ValueError:  # a socket file, a test client
        return None
