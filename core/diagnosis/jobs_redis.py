"""The periodic jobs: do they succeed, who has their leases, and does any process run at all?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping

from redis.asyncio import Redis

from core import keys
from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.diagnosis.processes_redis import Processes
from core.process.successes_redis import LastSuccess, Successes
from core.sentences import Sentence, said

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

    def with_lease(since: Sentence) -> Sentence:
        if owner is None:
            return said("jobs.without_lease", since=since)
        return said("jobs.with_lease", since=since, owner=_text(owner))

    if sweep is not None and not sweep.late:
        yield passed("sweep", with_lease(said("jobs.succeeded", seconds=round(sweep.seconds))))
    elif (on_sale or sweep is not None) and keys.job_lease("sweep") not in held:
        since = said("jobs.late", seconds=round(sweep.seconds)) if sweep is not None else said("jobs.no_success")
        if not runs:
            yield fail("processes", Cause.NO_PROCESS, said("jobs.no_process", since=since))
            return  # that is why nothing else runs either
        yield fail("sweep", Cause.SWEEP_STOPPED, with_lease(since))
    if not runs:
        return  # nothing to judge by: a server that was ended in order left these figures
    late = {name: last for name, last in successes.items() if last.late and keys.job_lease(name) not in held}
    if "payments" in late:
        seconds = round(late["payments"].seconds)
        yield fail("jobs", Cause.PAYMENTS_STOPPED, said("jobs.payments_late", seconds=seconds))
    elif "payments" in successes:
        yield passed("jobs", said("jobs.payments", seconds=round(successes["payments"].seconds)))
    others = {name: last.seconds for name, last in sorted(late.items()) if name not in _NAMED}
    if others:
        yield warn("jobs", Cause.JOB_STOPPED, late_jobs(others))


def late_jobs(seconds: Mapping[str, float]) -> Sentence:
    """`seconds` since the last success, by the job's name."""
    jobs = [said("jobs.late_one", name=name, seconds=round(value)) for name, value in seconds.items()]
    return said("jobs.others_late", jobs=jobs)


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
            state = said("lease.of_silent") if gone else said("lease.of_other")
            yield fail(
                f"lease of {name}",
                Cause.LEASE_LEFT_BEHIND,
                said("lease.left_behind", who=who, state=state, left=left_of(ttl)),
                "lease",
                lease,
            )


def left_of(ttl: int) -> Sentence:
    """How long a key still lasts: `ttl` in milliseconds, as Redis tells it; -1: it has no end."""
    return said("lease.endless") if ttl == -1 else said("lease.lasts", seconds=round(ttl / 1000))
