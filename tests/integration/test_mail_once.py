"""S22: each confirmation once, at the agreed pace, whatever becomes of the processes that write them."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import databases
import pytest
from aiosmtpd.smtp import Envelope, Session

from core.embedded import Engines
from core.notifications.mailer import MailAway
from core.notifications.pace_redis import PacedMailer
from core.process.lua_redis import ScriptRunner
from core.process.store_redis import open_redis, redis_client
from core.settings import Settings
from tests.integration.test_email import Inbox, mail_server, message
from tests.integration.test_failure_mails import Box
from tests.outbox_rows import fetch, payload
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

_CONFIRMED = """
INSERT INTO outbox (reservation_id, type, payload)
SELECT id, 'reservation.confirmed', $2::jsonb || jsonb_build_object('reservation_id', id)
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) made
RETURNING event_uid
"""


class Counting(Inbox):
    """Only who was written to how often, and when the last one came."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: Counter[str] = Counter()

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content
        assert content is not None
        # The answer is late at times: a process that is killed meanwhile cannot know that the e-mail was taken.
        self.taken[content.partition(b"Message-ID: <")[2].partition(b"@")[0].decode()] += 1
        await asyncio.sleep(random.choice([0, 0, 0.005]))
        return "250 OK"


@asynccontextmanager
async def writers(settings: Settings, count: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    names = ("database_url", "redis_url", "outbox_seconds", "outbox_lease_seconds", "mail_per_second", "outbox_batch")
    given = {name: getattr(settings, name) for name in names}
    given |= {"data": str(settings.data), "smtp_url": settings.smtp_url.get_secret_value()}
    made = []
    try:
        for number in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.mail_process",
                json.dumps(given),
                f"writer-{number}",
                stdout=asyncio.subprocess.PIPE,
            )
            made.append(process)
        for process in made:
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                assert await process.stdout.readline() == b"started\n"
        yield made
    finally:
        for process in made:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def until_all(box: Counting, uids: set[str]) -> None:
    async with asyncio.timeout(PATIENCE + len(uids) / 10):
        while len(box.taken) < len(uids):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.chaos)])
@pytest.mark.parametrize("end", ["none", "kill", "terminate"])
async def test_each_confirmation_is_written_once(
    database: databases.Database, settings: Settings, events_url: str, tmp_path: Path, count: int, end: str
) -> None:
    """None twice without a kill; one more at most after one. A process that is asked to stop repeats nothing."""
    box = Counting()
    uids = {str(row["event_uid"]) for row in await fetch(database, _CONFIRMED, count, payload(uuid4()))}
    async with mail_server(box) as port:
        mine = settings.model_copy(
            update={
                "database_url": events_url,
                "data": tmp_path,
                "smtp_url": type(settings.smtp_url)(f"smtp://127.0.0.1:{port}"),
                "outbox_seconds": 0.05,
                # What a killed process had in hand is waited for; nobody loses a lease for being busy.
                "outbox_lease_seconds": 10 if end == "kill" else 60,
            }
        )
        async with writers(mine, 2) as processes:
            await until_all(box, set(list(uids)[: count // 3]))
            if end == "kill":
                processes[0].kill()
            if end == "terminate":
                processes[0].terminate()
                async with asyncio.timeout(PATIENCE):
                    await processes[0].wait()
            await until_all(box, uids)
            async with asyncio.timeout(PATIENCE):
                while await fetch(database, "SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT 1"):
                    await asyncio.sleep(0.05)
    assert set(box.taken) == uids
    assert box.taken.total() - count <= (1 if end == "kill" else 0)


async def test_the_pace_is_kept_over_all_processes(stores: Engines) -> None:
    """`ONSALE_MAIL_PER_SECOND`; e-mails of four processes leave evenly, one after the other."""
    box = Box()
    redis = await open_redis(stores.redis_url, 8)
    try:
        await redis.delete("ticket:mail:turn")
        mailers = [PacedMailer(box, ScriptRunner(redis), 50) for _ in range(4)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(mailers[n % 4].send(message()) for n in range(51)))
        assert loop.time() - began >= 1.0
        assert len(box.sent) == 51
        assert 0 < await redis.pttl("ticket:mail:turn") < 10_000
        # One whose turn is too far away is left for later, and takes nobody's turn.
        slow = PacedMailer(box, ScriptRunner(redis), 0.01)
        await slow.send(message())
        with pytest.raises(MailAway, match="ONSALE_MAIL_PER_SECOND"):
            await slow.send(message())
        assert len(box.sent) == 52
    finally:
        await redis.delete("ticket:mail:turn")
        await redis.aclose()


@pytest.mark.parametrize(
    ("away", "milliseconds"),
    [
        # Written under a clock that has been set back since, or by another's hand.
        (3_600_000, 60_000),
        # Without an end nobody ever takes it away: the pace of nobody.
        (50_000, None),
        ("inf", 60_000),
        ("nan", 60_000),
        ("soon", 60_000),
    ],
)
async def test_a_turn_that_nobody_can_have_been_given_heals(
    stores: Engines, away: int | str, milliseconds: int | None
) -> None:
    """R3: else no e-mail leaves until somebody deletes a key. A turn that is only late is waited for."""
    box, redis = Box(), await open_redis(stores.redis_url, 4)
    mailer = PacedMailer(box, ScriptRunner(redis), 20)
    try:
        seconds, micros = await redis.time()
        turn = away if isinstance(away, str) else seconds * 1000 + micros // 1000 + away
        await redis.set("ticket:mail:turn", turn, px=milliseconds)
        assert await mailer._turn() == 0
        assert 0 < await redis.pttl("ticket:mail:turn") < 10_000
        await redis.set("ticket:mail:turn", seconds * 1000 + 50_000, px=60_000)
        assert 0 < await mailer._turn() <= 50
    finally:
        await redis.delete("ticket:mail:turn")
        await redis.aclose()


async def test_without_redis_each_process_keeps_the_pace(unused_tcp_port: int) -> None:
    box = Box()
    redis = redis_client(f"redis://127.0.0.1:{unused_tcp_port}", 2)
    try:
        mailer = PacedMailer(box, ScriptRunner(redis), 20)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await mailer.send(message())
        await mailer.send(message())
        assert loop.time() - began >= 0.04
    finally:
        await redis.aclose()
