"""R7: what the stores, the mail server, the provider and the disk do is named, within seconds, and never raised."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.exceptions import ResponseError

from core import keys
from core.diagnosis import disk as disk_module
from core.diagnosis import mail_smtp
from core.diagnosis.dependencies_redis import redis as look_at_redis
from core.diagnosis.disk import disk
from core.diagnosis.finding import Cause, Finding, Level, fail, likeliest
from core.diagnosis.mail_smtp import mail
from core.diagnosis.providers_http import providers
from core.diagnosis.question import Diagnosis, Question
from core.diagnosis.steps_redis import step
from core.embedded import Engines
from core.payments.gateway import CallHealth, ChargeOutcome, ChargeResult
from core.runtime import Runtime, open_runtime
from core.sentences import said
from core.settings import Settings
from tests import topologies
from tests.booking import Bank, payments_of
from tests.conftest import MakeEvent
from tests.own_database import own_database
from tests.waits import PATIENCE


@pytest.fixture
async def url(stores: Engines) -> AsyncIterator[str]:
    async with own_database(stores.database_url) as mine:
        yield mine


@contextlib.asynccontextmanager
async def looking(settings: Settings, engines: Engines) -> AsyncIterator[Runtime]:
    """As `onsale diagnose` opens it: no store need answer."""
    async with open_runtime(settings, engines, must_answer=False) as runtime:
        yield runtime


async def asked(settings: Settings, engines: Engines, **question: Any) -> Diagnosis:
    async with looking(settings, engines) as runtime:
        return await runtime.diagnose.run(Question(**question))


def of(found: Diagnosis, cause: Cause) -> Finding:
    return next(one for one in found.findings if one.cause is cause)


@pytest.mark.usefixtures("patient_diagnosis")
async def test_a_postgresql_that_takes_no_writes(settings: Settings, stores: Engines, url: str) -> None:
    admin = await asyncpg.connect(url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await admin.close()
    found = await asked(settings, replace(stores, database_url=url))
    assert found.cause is Cause.POSTGRES_READ_ONLY
    # It can be read, and is.
    assert {"schema", "outbox"} <= {one.step for one in found.findings if one.level is Level.PASS}


@pytest.mark.usefixtures("patient_diagnosis")
async def test_a_postgresql_without_a_connection_left(settings: Settings, stores: Engines, url: str) -> None:
    admin = await asyncpg.connect(url)
    await admin.execute("DROP ROLE IF EXISTS crowd")
    await admin.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    try:
        found = await asked(settings, replace(stores, database_url=url.replace("postgres@", "crowd@")), event="gala")
        assert found.cause is Cause.POSTGRES_EXHAUSTED
        assert "too many connections" in of(found, Cause.POSTGRES_EXHAUSTED).detail
        # Redis is asked all the same.
        assert "keys" in {one.step for one in found.findings}
    finally:
        await admin.execute("DROP ROLE crowd")
        await admin.close()


@pytest.mark.usefixtures("patient_diagnosis")
async def test_a_postgresql_with_nearly_no_connection_left(settings: Settings, stores: Engines, url: str) -> None:
    """Said before calls are refused for it."""
    admin = await asyncpg.connect(url)
    most = int(await admin.fetchval("SHOW max_connections"))
    crowd = [admin]
    try:
        while (
            await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            <= 0.8 * most + 10  # kept ones of other tests may end meanwhile
        ):
            crowd += await asyncio.gather(*(asyncpg.connect(url) for _ in range(4)))
        found = await asked(settings, replace(stores, database_url=url))
        assert of(found, Cause.POSTGRES_FULL).level is Level.WARN
    finally:
        await asyncio.gather(*(one.close() for one in crowd))


@pytest.mark.usefixtures("patient_diagnosis")
async def test_a_redis_that_is_a_replica(settings: Settings, stores: Engines) -> None:
    """What a failover leaves behind at an address that nobody changed."""
    with topologies.single() as server:
        server.client().replicaof("127.0.0.1", 1)
        found = await asked(settings, replace(stores, redis_url=f"redis://127.0.0.1:{server.port}/0"))
    assert found.cause is Cause.REDIS_READ_ONLY


@pytest.mark.usefixtures("patient_diagnosis")
async def test_a_redis_that_is_nearly_full_and_one_that_is(settings: Settings, stores: Engines) -> None:
    with topologies.single() as server:
        client, here = server.client(), replace(stores, redis_url=f"redis://127.0.0.1:{server.port}/0")
        # In small pieces: the buffer that one large value came in counts until Redis gives it back, seconds later.
        for piece in range(320):
            client.set(f"ballast:{piece}", b"x" * 2**16)
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used / 0.9))
        nearly = await asked(settings, here)
        assert of(nearly, Cause.REDIS_MEMORY).level is Level.WARN
        client.config_set("maxmemory", used // 2)
        full = await asked(settings, here)
    assert full.cause is Cause.REDIS_FULL


async def test_a_session_that_keeps_a_lock(settings: Settings, stores: Engines, url: str) -> None:
    holder, waiter = await asyncpg.connect(url), await asyncpg.connect(url)
    waiting = None
    try:
        await holder.execute("BEGIN; LOCK TABLE seats, payment_attempts IN ACCESS EXCLUSIVE MODE")
        pid = await holder.fetchval("SELECT pg_backend_pid()")
        waiting = asyncio.create_task(waiter.execute("SELECT count(*) FROM seats"))
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await asked(settings, replace(stores, database_url=url))
                said = [one.detail for one in found.findings if one.cause is Cause.POSTGRES_BLOCKED]
                # A step that waits for the lock met no lost PostgreSQL, unless that was late to give up.
                if found.cause is Cause.POSTGRES_BLOCKED and any(f"process {pid} " in one for one in said):
                    break
                await asyncio.sleep(0.5)
    finally:
        await holder.close()
        if waiting is not None:
            with contextlib.suppress(asyncpg.PostgresError):
                await waiting
        await waiter.close()


@pytest.mark.usefixtures("patient_diagnosis")
@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("UPDATE alembic_version SET version_num = '0014'", Cause.SCHEMA_OLDER),
        ("DROP TABLE events, alembic_version CASCADE", Cause.SCHEMA_OLDER),
        (
            "UPDATE alembic_version SET version_num = '9999'; UPDATE schema_program SET min_program = '9998'",
            Cause.SCHEMA_TOO_NEW,
        ),
    ],
)
async def test_a_schema_of_another_release(
    settings: Settings, stores: Engines, url: str, statement: str, cause: Cause
) -> None:
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(statement)
        found = await asked(settings, replace(stores, database_url=url), event="gala")
        assert found.cause is cause
        # Nothing was made, migrated or read beyond it.
        assert not {"outbox", "reservation", "draw"} & {one.step for one in found.findings}
    finally:
        await admin.close()


async def test_a_redis_that_hangs_is_told_within_seconds(settings: Settings, stores: Engines, runtime: Runtime) -> None:
    with topologies.single() as server:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            found = await asked(settings, replace(stores, redis_url=f"redis://127.0.0.1:{server.port}/0"), event="gala")
            assert found.cause is Cause.REDIS_AWAY
            assert time.monotonic() - began < PATIENCE
            assert "schema" in {one.step for one in found.findings}
        finally:
            server.process.send_signal(signal.SIGCONT)


async def test_both_stores_away(settings: Settings, tmp_path: Path) -> None:
    nowhere = Engines(f"postgresql://postgres@/postgres?host={tmp_path}", f"unix://{tmp_path}/none.sock")
    found = await asked(settings, nowhere, event="gala", visitor="v_a", seat=3)
    assert found.cause is Cause.POSTGRES_AWAY
    assert {Cause.POSTGRES_AWAY, Cause.REDIS_AWAY} <= {one.cause for one in found.findings}
    assert found.reply["ko"]


@pytest.mark.usefixtures("patient_diagnosis")
async def test_with_postgresql_away_redis_is_walked(
    settings: Settings, stores: Engines, runtime: Runtime, make_event: MakeEvent, tmp_path: Path
) -> None:
    event = await make_event(active_limit=1)
    for visitor in ("in", "first", "second"):
        await runtime.waiting_room.join(event, visitor)
    await runtime.redis.zrem(keys.waiting_beats(event.slug), "first")
    away = replace(stores, database_url=f"postgresql://postgres@/postgres?host={tmp_path}")
    found = await asked(settings, away, event=event.slug, visitor="second")
    assert found.cause is Cause.POSTGRES_AWAY, found.findings
    assert "second waits" in of(found, Cause.VISITOR_WAITING).detail
    assert Cause.QUEUE_GHOSTS in {one.cause for one in found.findings}


async def test_a_redis_that_cannot_write_to_its_disk() -> None:
    """As Valkey 9 answered on a full disk: even PING is refused, and INFO says why."""

    class Answers:
        async def ping(self) -> bool:
            raise ResponseError("MISCONF Errors writing to the AOF file: No space left on device")

        async def info(self) -> dict[str, Any]:
            return {"used_memory": 1, "role": "master", "aof_last_write_status": "err"}

    client: Any = Answers()
    (found,) = [one async for one in look_at_redis(client)]
    assert (found.cause, found.level) == (Cause.DISK_FULL, Level.FAIL)


async def test_a_full_disk_explains_stores_that_cannot_work() -> None:
    """R7: "bring PostgreSQL back" helps nobody who has no room."""

    async def reads() -> AsyncIterator[Finding]:
        raise asyncpg.DiskFullError("could not write init file: No space left on device")
        yield

    found = await step("reservation", reads(), away=Cause.POSTGRES_AWAY)
    seen = said("store.silent")
    away = [fail("postgresql", Cause.POSTGRES_AWAY, seen), fail("redis", Cause.REDIS_AWAY, seen)]
    assert likeliest([*away, *found]) is Cause.DISK_FULL


async def test_a_full_disk(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system of 8 MiB, where this user may mount one; the limits moved up where not."""
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=False, capture_output=True
        ).returncode
    )
    try:
        if not mounted:
            monkeypatch.setattr(disk_module, "_NOTHING", 2**62)
        (found,) = disk(tmp_path)
        assert (found.cause, found.level) == (Cause.DISK_FULL, Level.FAIL)
    finally:
        if mounted:
            subprocess.run(["umount", str(tmp_path)], check=True)
    assert list(disk(tmp_path / "none")) == []


@contextlib.asynccontextmanager
async def mail_server(greeting: bytes, *, to_mail: bytes = b"250 ok") -> AsyncIterator[str]:
    """Speaks as much SMTP as is asked of it; no greeting: it hangs."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if not greeting:
                await ended.wait()
            writer.write(greeting + b"\r\n")
            while line := await reader.readline():
                said = to_mail if line.upper().startswith(b"MAIL") else b"250 ok"
                writer.write(said + b"\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()


@pytest.mark.parametrize(
    ("greeting", "to_mail", "said"),
    [
        (b"421 too busy", b"", "421"),
        (b"", b"", "does not answer within 3 s"),
        (b"220 here", b"421 4.3.2 closing", "421"),
        (b"220 here", b"550 not this sender", "550"),
    ],
)
async def test_a_mail_server_that_takes_no_mail(
    greeting: bytes, to_mail: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if greeting:  # a machine that stands still is no server that says nothing
        monkeypatch.setattr(mail_smtp, "_PATIENCE_SECONDS", PATIENCE)
    async with mail_server(greeting, to_mail=to_mail) as address:
        (found,) = [one async for one in mail(address, "Onsale <tickets@onsale.example>", tmp_path)]
    assert found.cause is Cause.MAIL_AWAY
    assert said in found.detail


async def test_a_mail_server_that_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_smtp, "_PATIENCE_SECONDS", PATIENCE)
    async with mail_server(b"220 here") as address:
        (found,) = [one async for one in mail(address, "Onsale <tickets@onsale.example>", tmp_path)]
    assert found.level is Level.PASS
    (none,) = [one async for one in mail("smtp://127.0.0.1:1", "a@b.example", tmp_path)]
    assert none.cause is Cause.MAIL_AWAY
    (files,) = [one async for one in mail("", "a@b.example", tmp_path / "mail")]
    assert files.level is Level.PASS
    assert not (tmp_path / "mail").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (
            ChargeResult(ChargeOutcome.UNKNOWN, code="UNAUTHORIZED_KEY", health=CallHealth.FAILURE, shops_fault=True),
            Cause.PAYMENTS_MISCONFIGURED,
        ),
        (ChargeResult(ChargeOutcome.UNKNOWN, code="read_timeout", health=CallHealth.TIMEOUT), Cause.PROVIDER_AWAY),
        (ChargeResult(ChargeOutcome.NOT_CHARGED, code="NOT_FOUND_PAYMENT"), None),
    ],
)
async def test_a_provider_is_asked_whether_it_takes_our_key(
    runtime: Runtime, answer: ChargeResult, cause: Cause | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, never = Bank(), Bank(name="kcp", idempotent=False)

    async def look_up(*_: Any) -> ChargeResult:
        return answer

    async def settles(*_: Any) -> ChargeResult:
        raise AssertionError("a provider that cannot be asked by order number would settle it")

    monkeypatch.setattr(bank, "look_up", look_up)
    monkeypatch.setattr(never, "look_up", settles)
    (found,) = [one async for one in providers(payments_of(runtime, bank, never), played=False)]
    assert found.cause is cause
