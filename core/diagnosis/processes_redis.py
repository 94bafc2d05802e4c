"""Whether every process tells how it is: one that hangs keeps its buyers' connections, and nobody hears them (R2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.clock import Clock
from core.diagnosis.finding import Cause, Finding, fail, passed
from core.figures.vitals_redis import VitalsBoard


async def processes(vitals: VitalsBoard, clock: Clock) -> AsyncIterator[Finding]:
    """Raises StoreUnavailable."""
    now = clock.now().timestamp()
    silent = await vitals.silent()
    if silent:
        told = ", ".join(
            f"process {one.pid} on {one.host} for {now - one.at:.0f} s (it had {one.channels} channels)"
            for one in silent
        )
        yield fail("processes", Cause.PROCESS_SILENT, f"silent: {told}")
    else:
        yield passed("processes", f"{len(await vitals.all())} tell how they are")
