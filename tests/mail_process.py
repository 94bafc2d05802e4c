"""A process that writes e-mails, to be killed or stopped: `python -m tests.mail_process SETTINGS_JSON NAME`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from core.database import open_database
from core.messaging.composition import open_pipeline
from core.notifications.composition import email_consumer, open_mailer
from core.process.lua_redis import ScriptRunner
from core.process.store_redis import open_redis
from core.process.supervisor import Supervisor
from core.settings import Settings


async def main(settings: Settings, name: str) -> None:
    database = await open_database(settings.database_url, 5)
    redis = await open_redis(settings.redis_url, 4)
    mailer = open_mailer(settings, ScriptRunner(redis))
    pipeline = open_pipeline(
        settings,
        database=database,
        supervisor=Supervisor(),
        process=name,
        consumers=[email_consumer(settings, mailer)],
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await pipeline.start()
    print("started", flush=True)
    await stop.wait()
    await pipeline.stop()


if __name__ == "__main__":
    asyncio.run(main(Settings.load(**json.loads(sys.argv[1])), sys.argv[2]))
