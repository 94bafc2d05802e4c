"""The periodic jobs: do they succeed, who has their leases, and does any process run at all?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping

from redis.asyncio import Redis

from core import keys
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.diagnosis.processes_redis import Processes
from core.process.successes_redis import LastSuccess, Successes

#: Without them nobody is let in, or put out, and no opening is drawn.
_VITAL = ("sweep", "draw")
_NAMED = {"sweep": Cause.SWEEP_STOPPED, "payments": Cause.PAYMENTS_STOPPED}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def jobs(client: Redis, processes: Processes, *, on_sale: bool, served: bool = False) -> AsyncIterator[Finding]:
    """`on_sale`: a sale is open that was asked about, so that a sweep is missed. `served`: who asks is a process that
    serves. Raises StoreUnavailable.
    """
    runs = served or bool(processes.alive)
    successes = await Successes(client).read()
    stuck = [finding async for finding in _leases(client, processes, {*successes, *_VITAL}, successes)]
    for finding in stuck:
        yield finding
    held = {finding.about for finding in stuck}
    sweep, owner = successes.get("sweep"), await client.get(keys.job_lease("sweep"))
    by = f"; {_text(owner)} has its lease" if owner is not None else "; no process has its lease"
    if sweep is not None and not sweep.late:
        yield passed("sweep", f"succeeded {sweep.seconds:.0f} s ago{by}")
    elif (on_sale or sweep is not None) and keys.job_lease("sweep") not in held:
        since = f"no success for {sweep.seconds:.0f} s" if sweep is not None else "no success is known"
        if not runs:
            yield fail("processes", Cause.NO_PROCESS, f"none tells how it is; the sweep: {since}")
            return  # that is why nothing else runs either
        yield fail("sweep", Cause.SWEEP_STOPPED, f"{since}{by}")
    if not runs:
        return  # nothing to judge by: a server that was ended in order left these figures
    late = {name: last for name, last in successes.items() if last.late and keys.job_lease(name) not in held}
    if "payments" in late:
        yield fail(
            "jobs", Cause.PAYMENTS_STOPPED, f"payments left over: no success for {late['payments'].seconds:.0f} s"
        )
    elif "payments" in successes:
        yield passed("jobs", f"payments left over are finished: succeeded {successes['payments'].seconds:.0f} s ago")
    others = [f"{name} for {last.seconds:.0f} s" for name, last in sorted(late.items()) if name not in _NAMED]
    if others:
        yield warn("jobs", Cause.JOB_STOPPED, f"no success: {', '.join(others)}")


async def _leases(
    client: Redis, processes: Processes, names: Collection[str], successes: Mapping[str, LastSuccess]
) -> AsyncIterator[Finding]:
    """A lease that no end frees in time: without a TTL, or with one that is long and whose owner is gone."""
    for name in sorted(names):
        lease = keys.job_lease(name)
        async with client.pipeline(transaction=False) as pipe:
            pipe.get(lease)
            pipe.pttl(lease)
            owner, ttl = await pipe.execute()
        if owner is None:
            continue
        who, last = _text(owner), successes.get(name)
        # Its number may be another program's by now; and one that hangs does not do the job either.
        gone = not processes.is_heard(who)
        late = last is None or last.late
        if ttl == -1 or (gone and late and ttl > 10_000):
            left = "has no end" if ttl == -1 else f"lasts {ttl / 1000:.0f} s more"
            state = "which tells nothing of itself" if gone else "which did not set it so"
            yield fail(
                f"lease of {name}", Cause.LEASE_LEFT_BEHIND, f"belongs to {who}, {state}, and {left}", "lease", lease
            )
