"""The reservation that a question is about, with its payment; and the refunds that wait for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import reduce
from typing import Any
from uuid import UUID

import databases

from core.booking.attempt import order_number
from core.booking.comparing import NO_LIST
from core.booking.findings_postgres import LATE, FindingRows, open_findings
from core.clock import iso
from core.database import raw
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.payments.faults_postgres import shops_faults
from core.sentences import said

# A due payment is claimed within a second or two; nobody working on it after this long is a fault.
_STUCK_SECONDS = 30
# Differences from a provider's list that are told one by one, at most.
_MOST_TOLD = 20

_RESERVATION = """
SELECT r.id, r.visitor, r.status, r.reason, r.amount, r.currency, r.created_at, r.updated_at, e.slug,
       a.order_no, a.number, a.state AS payment, a.provider, a.code AS error_code, a.tries, a.deadline, a.untold,
       a.shops_fault, a.claimed_by, a.claimed_until > now() AS claimed,
       extract(epoch FROM a.claimed_until - now())::float AS claim_seconds, r.fence, r.until, e.id AS event_id,
       -- Past every end that it can have, and nothing will look at it in time.
       r.status = 'PAYING' AND a.next_attempt_at > now() + interval '1 minute' AND (
           a.state IN ('OPEN', 'CLOSED', 'DECLINED')
               AND greatest(r.until, a.retry_until) + interval '90 seconds' < now()
           OR a.state IN ('AUTHORISED', 'CALLED') AND a.next_attempt_at > now() + interval '1 hour'
           OR a.state IN ('APPROVED', 'EXPIRED', 'VOIDED')) AS forgotten,
       back.needs_person_at, back.owed, back.code AS refund_code,
       (coalesce(a.next_attempt_at, 'infinity') < now() - make_interval(secs => $2)
           AND (a.claimed_until IS NULL OR a.claimed_until < now() - make_interval(secs => $2)))
       OR coalesce(back.overdue, false) AS overdue,
       array(SELECT ordinal FROM reservation_seats s WHERE s.reservation_id = r.id ORDER BY ordinal) AS seats
FROM reservations r
JOIN events e ON e.id = r.event_id
LEFT JOIN LATERAL (
    SELECT * FROM payment_attempts WHERE reservation_id = r.id ORDER BY number DESC LIMIT 1
) AS a ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS owed, min(needs_person_at) AS needs_person_at, min(code) AS code,
           bool_or(next_attempt_at < now() - make_interval(secs => $2)
                   AND (claimed_until IS NULL OR claimed_until < now() - make_interval(secs => $2))) AS overdue
    FROM refunds WHERE reservation_id = r.id AND state = 'PENDING'
) AS back
WHERE r.id = $1
"""
_REFUSED = """
SELECT count(*) AS refunds, min(f.needs_person_at) AS since,
       (array_agg(r.id ORDER BY f.needs_person_at))[1:5] AS ids,
       sum(coalesce(f.amount, r.amount))::bigint AS amount, min(r.currency) AS currency,
       count(DISTINCT r.currency) AS currencies
FROM refunds f JOIN reservations r ON r.id = f.reservation_id
WHERE f.needs_person_at IS NOT NULL AND f.state = 'PENDING'
"""
# A claim whose process is gone is let go of, and the attempt is due: at once, unless its buyer has time left.
_RELEASE = """
UPDATE payment_attempts a
SET claimed_by = NULL, claimed_until = NULL,
    next_attempt_at = CASE WHEN a.state IN ('OPEN', 'CLOSED', 'DECLINED') AND NOT a.untold
                           THEN greatest(now(), least(a.next_attempt_at,
                                                      coalesce(a.retry_until, r.until + interval '60 seconds')))
                           ELSE now() END
FROM reservations r
WHERE a.order_no = $1 AND r.id = a.reservation_id AND a.claimed_by IS NOT DISTINCT FROM $2
  AND (a.untold OR a.state IN ('OPEN', 'AUTHORISED', 'CALLED', 'CLOSED', 'DECLINED')
       OR r.status = 'PAYING' AND a.state IN ('EXPIRED', 'VOIDED'))
RETURNING a.order_no
"""
# A reservation without an attempt has never been at a provider: nothing can have been charged. It gets the one that it
# lacks, at no provider and over at once, so that it ends as every other one does: seats, message, buyer's page.
_MAKE_ORDER = """
INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                              next_attempt_at)
SELECT $2, r.id, 1, 'none', 'none', r.amount, r.currency, 'OPEN', now() FROM reservations r
WHERE r.id = $1 AND r.status = 'PAYING' AND r.created_at < now() - interval '1 minute'
  AND NOT EXISTS (SELECT FROM payment_attempts WHERE reservation_id = r.id)
RETURNING order_no
"""
_PAYERS = "SELECT visitor FROM reservations WHERE event_id = $1 AND status = 'PAYING'"
# Reservations of a sale that nothing will ever finish, the oldest first.
_ORPHANS = """
SELECT r.id FROM reservations r
WHERE r.event_id = $1 AND r.status = 'PAYING' AND r.created_at < now() - interval '1 minute'
  AND NOT EXISTS (SELECT FROM payment_attempts WHERE reservation_id = r.id)
ORDER BY r.created_at LIMIT 20
"""
_LATEST = """
SELECT r.id FROM reservations r WHERE r.event_id = $1 AND r.visitor = $2 ORDER BY r.created_at DESC LIMIT 1
"""


async def find_reservation(database: databases.Database, id: UUID) -> Any | None:
    """The row with its payment, its event's slug and its seats. Raises StoreUnavailable."""
    async with raw(database) as connection:
        return await connection.fetchrow(_RESERVATION, id, float(_STUCK_SECONDS))


async def release_claim(database: databases.Database, order: str, claimed_by: str | None) -> bool:
    """The attempt is due at once, for whoever takes it; False when somebody else has claimed it by now."""
    async with raw(database) as connection:
        return await connection.fetchval(_RELEASE, order, claimed_by) is not None


async def make_missing_order(database: databases.Database, id: UUID) -> bool:
    """An order that is over, for a reservation that has none: `finish_due` ends both.

    False when there is nothing to end. Raises StoreUnavailable.
    """
    async with raw(database) as connection:
        return await connection.fetchval(_MAKE_ORDER, id, order_number(id, 1)) is not None


async def payers(database: databases.Database, event_id: int) -> frozenset[str]:
    """Who is paying by PostgreSQL's account. Raises StoreUnavailable."""
    async with raw(database) as connection:
        return frozenset(row["visitor"] for row in await connection.fetch(_PAYERS, event_id))


async def orphans(database: databases.Database, event_id: int) -> AsyncIterator[Finding]:
    """Reservations of a sale that have no order. Raises StoreUnavailable."""
    async with raw(database) as connection:
        rows = await connection.fetch(_ORPHANS, event_id)
    for row in rows:
        told = said("payments.orderless", id=str(row["id"]))
        yield fail("payments", Cause.PAYMENT_WITHOUT_ORDER, told, "orderless", str(row["id"]))


async def latest_reservation(database: databases.Database, event_id: int, visitor: str) -> UUID | None:
    async with raw(database) as connection:
        id: UUID | None = await connection.fetchval(_LATEST, event_id, visitor)
    return id


async def refunds(database: databases.Database) -> AsyncIterator[Finding]:
    """Refunds that wait for a person, of everybody. Raises StoreUnavailable."""
    async with raw(database) as connection:
        row = await connection.fetchrow(_REFUSED)
    assert row is not None  # noqa: S101 - an aggregate always has its row
    if not row["refunds"]:
        yield passed("refunds", said("refunds.none"))
        return
    number, since, ids = row["refunds"], iso(row["since"]), " ".join(str(id) for id in row["ids"])
    yield warn(
        "refunds",
        Cause.REFUNDS_REFUSED,
        said(
            "refunds.refused_of",
            number=number,
            amount=int(row["amount"]),
            currency=row["currency"],
            since=since,
            ids=ids,
        )
        if row["currencies"] == 1
        else said("refunds.refused", number=number, since=since, ids=ids),
    )


async def misconfigured(database: databases.Database) -> AsyncIterator[Finding]:
    """Payments that fail for a reason that is the shop's to mend (P9). Raises StoreUnavailable."""
    found = await shops_faults(database)
    for fault in found:
        told = said("payments.fault", provider=fault.provider, failed=fault.failed, of=fault.of, code=fault.code)
        yield fail("payments", Cause.PAYMENTS_MISCONFIGURED, told)
    if not found:
        yield passed("payments", said("payments.no_fault"))


async def provider_lists(database: databases.Database) -> AsyncIterator[Finding]:
    """What the comparison with the providers' lists has found, and whether it comes to its end (P6). Raises
    StoreUnavailable.
    """
    step, rows = "provider lists", FindingRows(database)
    found, among = await open_findings(database, _MOST_TOLD)
    for one in found:
        detail = said(
            "lists.differ",
            provider=one.provider,
            kind=str(one.kind),
            order=one.order,
            left_there=str(one.left_there),
            amount_there=str(one.amount_there),
            left_here=str(one.left_here),
            amount_here=str(one.amount_here),
            currency=str(one.currency),
            since=iso(one.found_at),
        )
        # Each is an alert of its own, told once.
        differs = fail(step, Cause.PROVIDER_DIFFERS, detail)
        yield replace(differs, subject=one.order, about=str(one.reservation_id) if one.reservation_id else None)
    if among > len(found):
        yield fail(step, Cause.PROVIDER_DIFFERS, said("lists.more", number=among - len(found)))
    now, fine = await rows.now(), []
    for account in await rows.compared():
        until = iso(account.compared_until) if account.compared_until else None
        if account.code == NO_LIST:
            fine.append(said("lists.no_list", provider=account.provider))
        elif account.code is not None and (account.compared_until is None or now - account.compared_until > LATE):
            told = (
                said("lists.late", provider=account.provider, until=until, code=account.code)
                if until
                else said("lists.never_read", provider=account.provider, code=account.code)
            )
            yield warn(step, Cause.COMPARISON_LATE, told)
        elif until:
            fine.append(said("lists.compared", provider=account.provider, until=until))
        else:
            fine.append(said("lists.never_compared", provider=account.provider))
    if not found:
        read = reduce(lambda before, one: said("lists.and", one=before, other=one), fine) if fine else None
        yield passed(step, read or said("lists.nothing"))
