"""All periodic work of a process, in one list."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.figures.history_redis import EVERY_SECONDS as HISTORY_SECONDS
from core.figures.vitals_redis import EVERY_SECONDS as VITALS_SECONDS
from core.process.clock_redis import EVERY_SECONDS as CLOCK_SECONDS
from core.process.jobs import Job
from core.upkeep.composition import open_limits, open_rounds
from core.upkeep.janitor_redis import delete_stray_locks
from core.upkeep.redis_watch_redis import RedisWatch
from core.upkeep.sweeping import Sweeping
from core.waiting_room.removals_postgres import FRESH_SECONDS

if TYPE_CHECKING:
    from core.runtime.parts import Runtime

_REDIS_WATCH_SECONDS = 3.0


def job_list(runtime: Runtime) -> list[Job]:
    settings = runtime.settings
    sweeping = Sweeping(
        events=runtime.events,
        waiting_room=runtime.waiting_room,
        clock=runtime.clock,
        seconds=settings.sweep_seconds,
        stores=runtime.stores,
        give_time=runtime.checkout.give_time,
        paid_in=runtime.checkout.paid_in,
    )
    rounds = open_rounds(
        settings,
        events=runtime.events,
        reconcile=runtime.reconcile,
        clock=runtime.clock,
        database=runtime.database,
    )
    redis_watch = RedisWatch(redis=runtime.redis, mend=rounds.everything)
    limits = open_limits(
        settings,
        redis=runtime.redis,
        readings=runtime.load,
        events=runtime.events,
        clock=runtime.clock,
        database=runtime.database,
    )

    async def finish_payments() -> None:
        await runtime.checkout.finish_due(wait=False)

    return [
        Job(
            "sweep",
            every=settings.sweep_seconds,
            run=sweeping.run,
            limit=10.0,
            needs=frozenset({"redis"}),
            vital=True,
        ),
        # Who gathered waits while it stands still, and `draw_waits` says so; what has been opened is sold on.
        Job(
            "draw",
            every=settings.sweep_seconds,
            run=runtime.drawing.run,
            limit=60.0,
            needs=frozenset({"redis", "database"}),
        ),
        Job("turns", every=settings.sweep_seconds, run=runtime.turn_log.run),
        Job(
            "payments",
            every=1.0,
            run=finish_payments,
            lease=False,
            needs=frozenset({"database"}),
            vital=True,
        ),
        # What is given back is offered, or on the map again, soon.
        Job(
            "returns",
            every=1.0,
            run=runtime.waiting_list.rounds.run,
            limit=60.0,
            needs=frozenset({"redis", "database"}),
        ),
        Job("offer_mails", every=1.0, run=runtime.waiting_list.mails.run, limit=120.0),
        Job("event_refunds", every=1.0, run=runtime.event_refunds.work, lease=False, limit=60.0),
        # A process that still lets in whom an operator has put out is no use to them.
        Job(
            "removals",
            every=FRESH_SECONDS,
            run=runtime.removals.refresh,
            lease=False,
            limit=5.0,
            needs=frozenset({"database"}),
        ),
        # It looks every minute whether an account is due: hourly each, sooner after a failure.
        Job("provider_lists", every=60.0, run=runtime.comparing.run, limit=1800.0),
        Job("reconcile", every=settings.reconcile_minutes * 60, run=rounds.run, limit=1800.0),
        Job("redis_watch", every=_REDIS_WATCH_SECONDS, run=redis_watch.run, limit=600.0),
        Job("paying", every=settings.janitor_seconds, run=rounds.paying, limit=60.0),
        Job(
            "janitor",
            every=settings.janitor_seconds,
            run=partial(delete_stray_locks, runtime.redis, runtime.database),
            limit=60.0,
        ),
        Job("clock", every=CLOCK_SECONDS, run=runtime.time.learn, lease=False, limit=5.0, needs=frozenset({"redis"})),
        Job("load", every=settings.limits_seconds, run=runtime.load.publish, lease=False, limit=5.0),
        Job("limits", every=settings.limits_seconds, run=limits.run, limit=10.0),
        Job("vitals", every=VITALS_SECONDS, run=runtime.vitals.run, lease=False, limit=5.0),
        Job("history", every=HISTORY_SECONDS, run=runtime.history.run, limit=10.0),
        # In every process: it has a lease of its own, and goes on without one while Redis is away.
        Job("health_watch", every=settings.watch_seconds, run=runtime.watch.run, lease=False, limit=60.0),
        *runtime.pipeline.jobs(),
    ]
