"""A process that gives time back after an outage and is killed in the middle of it.

`python -m tests.dying_sweeper SETTINGS_JSON SLUG WHEN`: `owed`, after the first batch of visitors; `paying`, when those
who pay have their time in PostgreSQL and Redis does not know it yet. It ends itself with SIGKILL, as the kernel does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import datetime

from core.embedded import Engines
from core.runtime import open_runtime
from core.settings import Settings
from core.upkeep.sweeping import Sweeping


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(settings: Settings, slug: str, when: str) -> None:
    async with open_runtime(settings, Engines(settings.database_url, settings.redis_url)) as runtime:
        event = await runtime.events.get(slug)
        if when == "owed":
            await runtime.waiting_room.sweep(event, batches=1)
            _die()

        async def give_time(event_id: int, ended: datetime, seconds: float) -> int:
            given = await runtime.checkout.give_time(event_id, ended, seconds)
            if event_id == event.id:
                _die()
            return given

        sweeping = Sweeping(
            events=runtime.events, waiting_room=runtime.waiting_room, clock=runtime.clock, give_time=give_time
        )
        while True:
            await sweeping.run()
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(Settings.load(**json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]))
