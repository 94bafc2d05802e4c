"""What one process has opened."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.booking.checkout import Checkout
from core.booking.comparing import Comparing
from core.booking.event_refunds_postgres import EventRefunds
from core.booking.findings_postgres import FindingRows
from core.booking.mails_again_postgres import MailsAgain
from core.booking.mending import Mending
from core.clock import Clock
from core.diagnosis.diagnose import Diagnose
from core.diagnosis.health_watch import HealthWatch
from core.errors import StoreUnavailable
from core.figures.history_redis import History
from core.figures.vitals_redis import VitalsBoard
from core.messaging.pipeline import EventPipeline
from core.payments.payments import Payments
from core.process.clock_redis import RedisClock
from core.process.job_watch import JobWatch
from core.process.jobs import Job, Jobs
from core.process.lease_redis import Leases
from core.process.lua_redis import ScriptRunner
from core.process.store_watch import StoreWatch
from core.process.supervisor import Supervisor
from core.runtime.job_list import job_list
from core.seats.halls import Halls
from core.seats.seats import Seats
from core.settings import Settings
from core.upkeep.load_redis import LoadReadings
from core.upkeep.reconcile import Reconcile
from core.venue.codes_postgres import Codes
from core.venue.event_store_postgres import EventStore
from core.waiting_list.composition import WaitingListParts
from core.waiting_room.access_redis import Access
from core.waiting_room.drawing import Announcer, Drawing
from core.waiting_room.draws_postgres import Draws
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.removals_postgres import Removals
from core.waiting_room.turns_redis import TurnLog


@dataclass(slots=True)
class Runtime:
    """One process's parts. `process` is unique among all processes of the installation.

    `clock` is the one that decides: Redis' (`time`), unless a test has given another.
    """

    settings: Settings
    clock: Clock
    time: RedisClock
    secret: str
    process: str
    database: databases.Database
    redis: Redis
    run: ScriptRunner
    events: EventStore
    codes: Codes
    access: Access
    waiting_room: WaitingRoom
    removals: Removals
    draws: Draws
    announcer: Announcer
    drawing: Drawing
    turn_log: TurnLog
    seats: Seats
    halls: Halls
    payments: Payments
    checkout: Checkout
    mails: MailsAgain
    waiting_list: WaitingListParts
    event_refunds: EventRefunds
    findings: FindingRows
    comparing: Comparing
    mending: Mending
    pipeline: EventPipeline
    reconcile: Reconcile
    diagnose: Diagnose
    load: LoadReadings
    vitals: VitalsBoard
    history: History
    watch: HealthWatch
    supervisor: Supervisor
    leases: Leases
    jobs: Jobs
    job_watch: JobWatch
    stores: StoreWatch

    async def start_jobs(self) -> None:
        """Begins the periodic work of this process: the one list of jobs, and the event pipeline."""
        await self.pipeline.start()
        self.jobs.start(*self.job_list())
        self.supervisor.run_forever("job-watch", self.job_watch.run)
        self.supervisor.run_forever("store-watch", self.stores.run)

    def job_list(self) -> list[Job]:
        """All periodic jobs of a process."""
        return job_list(self)

    async def stop_jobs(self, drain_seconds: float) -> int:
        """Takes on nothing new and lets what is under way end; returns how many tasks had to be cut off.

        Payments that are cut off are finished by another process, or by the next start.
        """
        await self.jobs.stop()
        await self.pipeline.stop()
        with contextlib.suppress(StoreUnavailable):
            await self.vitals.withdraw()
        return await self.supervisor.drain(drain_seconds)
