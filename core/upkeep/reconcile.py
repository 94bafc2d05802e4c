"""The consistency job: compares Redis with PostgreSQL seat by seat, and mends Redis (S14, S15).

What a page shows is only a suspicion: the replica may lag, a hold or a payment may be under way. Each suspicion is
looked at again under the seat's lock, against the primary, and Redis is changed only where it is still as it was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from prometheus_client import Counter

from core.clock import iso
from core.seats.scripts_redis import PAYMENT_PROTECTION_MS, SeatScripts
from core.seats.seat_lock_redis import LockBusy, SeatLocks
from core.seats.seats import Seats
from core.upkeep.mismatch import Mismatch, Row, Seen, mismatch_of
from core.upkeep.seat_rows_postgres import SeatRows
from core.venue.event import Event

log = structlog.get_logger(__name__)

MISMATCHES = Counter("onsale_reconcile_mismatches", "Seats on which Redis and PostgreSQL disagreed", ["kind"])
REPAIRS = Counter("onsale_reconcile_repairs", "Seats that were mended in Redis", ["kind"])

#: A mismatch that is part of something under way is gone after this; then it is looked at again.
_SETTLING_SECONDS = 0.2


@dataclass(slots=True)
class Report:
    """What one run found. `mended` counts those of `found` that Redis says rightly now."""

    event: str
    seats: int = 0
    found: list[Mismatch] = field(default_factory=list)
    mended: int = 0

    def lines(self) -> list[str]:
        return [
            f"{self.event} seat {m.ordinal}: {m.kind}: Redis says {m.redis}; "
            f"PostgreSQL says {m.database} since {iso(m.since)}"
            for m in self.found
        ]


class Reconcile:
    """`page` seats at a time with `pause` seconds between, so that it never gets in a sale's way."""

    def __init__(
        self, *, rows: SeatRows, scripts: SeatScripts, seats: Seats, locks: SeatLocks, page: int, pause: float
    ) -> None:
        self._rows = rows
        self._scripts = scripts
        self._seats = seats
        self._locks = locks
        self._page = page
        self._pause = pause

    async def run(self, event: Event, *, changed_within: timedelta | None = None, dry_run: bool = False) -> Report:
        """All seats of the event, or those that PostgreSQL changed within a time. Raises StoreUnavailable."""
        report = Report(event.slug)
        await self._seats.ensure_board(event)
        async for page in self._rows.pages(event.id, size=self._page, changed_within=changed_within):
            await self._compare(event, page, report, dry_run=dry_run)
            await asyncio.sleep(self._pause)
        return report

    async def run_paying(self, event: Event) -> Report:
        """Only the seats that Redis says are being paid for: a process that died between Redis and PostgreSQL leaves
        such seats behind, and PostgreSQL has not changed them, so nothing else would look at them soon.
        """
        report = Report(event.slug)
        ordinals = await self._scripts.paying(event.slug)
        for first in range(0, len(ordinals), self._page):
            page = await self._rows.some(event.id, ordinals[first : first + self._page])
            await self._compare(event, page, report, dry_run=False)
        return report

    async def _compare(self, event: Event, page: Sequence[Row], report: Report, *, dry_run: bool) -> None:
        report.seats += len(page)
        seen = await self._look(event, [row.ordinal for row in page])
        suspects = [
            row.ordinal
            for row, s in zip(page, seen, strict=True)
            if mismatch_of(row, s, PAYMENT_PROTECTION_MS) is not None
        ]
        if suspects:
            await asyncio.sleep(_SETTLING_SECONDS)
        for ordinal in suspects:
            await self._check(event, ordinal, report, dry_run=dry_run)

    async def check_seat(self, event: Event, ordinal: int) -> Report:
        """One seat, at once. Raises StoreUnavailable."""
        report = Report(event.slug, seats=1)
        await self._seats.ensure_board(event)
        await self._check(event, ordinal, report, dry_run=False)
        return report

    async def _look(self, event: Event, ordinals: Sequence[int]) -> list[Seen]:
        return [Seen(*values) for values in await self._scripts.inspect(event.slug, ordinals)]

    async def _check(self, event: Event, ordinal: int, report: Report, *, dry_run: bool) -> None:
        try:
            async with self._locks.hold(event.slug, [ordinal]):
                row = await self._rows.one(event.id, ordinal)
                [seen] = await self._look(event, [ordinal])
                mismatch = mismatch_of(row, seen, PAYMENT_PROTECTION_MS) if row else None
                if mismatch is None:
                    return
                report.found.append(mismatch)
                MISMATCHES.labels(mismatch.kind).inc()
                done = not dry_run and await self._scripts.mend(
                    event.slug,
                    ordinal,
                    seen=(seen.byte, seen.state),
                    byte=mismatch.mend.byte,
                    state=mismatch.mend.state,
                )
        except LockBusy:
            return  # somebody works on the seat at this moment: the next run looks again
        log.warning(
            "seat mended" if done else "seat mismatch",
            event_slug=event.slug,
            seat=ordinal,
            kind=mismatch.kind,
            redis=mismatch.redis,
            database=mismatch.database,
            since=iso(mismatch.since),
            dry_run=dry_run,
        )
        if done:
            REPAIRS.labels(mismatch.kind).inc()
            report.mended += 1
