"""A worker process for the tests to kill: it stops for ever inside the transaction of its first message.

`python -m tests.dying_worker SETTINGS_JSON TOPICS_JSON`; prints `in hand` when the effect is written, not committed.
"""

from __future__ import annotations

import asyncio
import json
import sys

from core.database import open_database
from core.events.pipeline import EventPipeline
from core.events.topics_kafka import Topics
from core.settings import Settings
from core.upkeep.supervisor import Supervisor
from tests.ledger_consumer import Ledger


async def main(settings: Settings, topics: Topics) -> None:
    database = await open_database(settings.database_url, 5)
    ledger = Ledger(after_effect=lambda: print("in hand", flush=True))
    pipeline = EventPipeline(
        database=database, settings=settings, supervisor=Supervisor(), process="dying", consumers=[ledger],
        topics=topics, consume=True,
    )  # fmt: skip
    await pipeline.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Settings.load(**json.loads(sys.argv[1])), Topics(**json.loads(sys.argv[2]))))
