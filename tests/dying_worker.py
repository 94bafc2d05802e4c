"""A worker process for the tests to kill, or that is killed by a message.

`python -m tests.dying_worker SETTINGS_JSON TOPICS_JSON [EVENT_UID]`: stops for ever inside the transaction of its
first message, and prints `in hand` when the effect is written, not committed. With an event's uid it handles
messages until that one comes, which ends the process (-9), as the kernel does when memory is short.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence

import asyncpg

from core.database import open_database
from core.messaging.composition import open_pipeline
from core.messaging.reservation_message import ReservationMessage
from core.messaging.retry import RetryPlan
from core.messaging.topics_kafka import Topics
from core.process.supervisor import Supervisor
from core.settings import Settings
from tests.ledger_consumer import Ledger


class Killed(Ledger):
    def __init__(self, killer: str) -> None:
        super().__init__(batch=100)
        self._killer = killer

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        if self._killer in {str(event.uid) for event in events}:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().handle(connection, events)


async def main(settings: Settings, topics: Topics, killer: str) -> None:
    database = await open_database(settings.database_url, 5)
    ledger = Killed(killer) if killer else Ledger(after_effect=lambda: print("in hand", flush=True))
    pipeline = open_pipeline(
        settings,
        database=database,
        supervisor=Supervisor(),
        process="dying",
        consumers=[ledger],
        topics=topics,
        consume=True,
        retries=RetryPlan(1),
    )
    await pipeline.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = [*sys.argv[1:], ""]
    asyncio.run(main(Settings.load(**json.loads(given[0])), Topics(**json.loads(given[1])), given[2]))
