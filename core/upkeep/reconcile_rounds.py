"""When the consistency job looks at what: what changed lately in most runs, everything now and then (S14)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from core import audit_postgres as audit
from core.clock import Clock
from core.upkeep.reconcile import Reconcile, Report
from core.venue.event import SaleState
from core.venue.event_store_postgres import EventStore

if TYPE_CHECKING:
    import databases

log = structlog.get_logger(__name__)

# Beyond the pause between two runs, so that nothing falls between them, whatever a run takes.
_OVERLAP = timedelta(minutes=2)


class ReconcileRounds:
    """The body of the `reconcile` job. The first run of a process is a full one."""

    def __init__(
        self,
        *,
        events: EventStore,
        reconcile: Reconcile,
        every_minutes: float,
        full_every: int,
        clock: Clock,
        database: databases.Database,
    ) -> None:
        """A run comes each `every_minutes`; each `full_every`th looks at all seats."""
        self._events = events
        self._reconcile = reconcile
        self._clock = clock
        self._database = database
        self._recent = timedelta(minutes=every_minutes) + _OVERLAP
        self._full_every = full_every
        self._runs = 0

    async def run(self) -> None:
        full = self._runs % self._full_every == 0
        self._runs += 1
        await self._compare(full=full)

    async def paying(self) -> None:
        """The seats of open sales that Redis says are being paid for."""
        for event in await self._events.list():
            if event.sale_state(self._clock.now()) is SaleState.OPEN:
                await self._reconcile.run_paying(event)

    async def everything(self) -> None:
        """All seats of all open sales, now."""
        await self._compare(full=True)

    async def _compare(self, *, full: bool) -> None:
        for event in await self._events.list():
            if event.sale_state(self._clock.now()) is not SaleState.OPEN:
                continue
            report = await self._reconcile.run(event, changed_within=self._recent)
            await self._note(report)
            if full:
                report = await self._reconcile.run(event)
                await self._note(report)
            log.info(
                "reconciled",
                event_slug=event.slug,
                seats=report.seats,
                found=len(report.found),
                mended=report.mended,
                full=full,
            )

    async def _note(self, report: Report) -> None:
        """Into the audit trail: people are told what was mended (S32)."""
        if report.mended:
            await audit.record(
                self._database,
                actor=audit.SYSTEM,
                action="heal.seats",
                subject=report.event,
                count=report.mended,
                seats=[{"seat": m.ordinal, "kind": m.kind} for m in report.found[:50]],
            )
