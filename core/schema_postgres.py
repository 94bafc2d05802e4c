"""The database's schema: what state it is in, who may use it, and bringing it up to date (R10).

Each migration states `min_program`: the newest migration that a program must know in order to work with the schema
after it. A migration that only adds (a table, a column with a default) states an older one than itself, so that
processes of the release before go on while a new one is rolled out. The database keeps the latest that was stated.

Only `onsale serve` and `onsale migrate` change a schema that has data (`migrate`); commands refuse an older one
(`require_schema`), and a worker waits (`until_migrated`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from core.database import ANSWER_SECONDS, LOST, first_line
from core.errors import StartupError
from core.sentences import Sentence, said

if TYPE_CHECKING:
    from sqlalchemy import Connection

# One number for the whole product: processes that start at the same time migrate one after the other.
_MIGRATION_LOCK: Final = 7_310_001
_CONNECT_SECONDS: Final = 10
_LOOK_SECONDS: Final = 2.0
_MIGRATIONS: Final = Path(__file__).parent / "migrations"

# `down_revision = None` is the first one's.
_NAMES: Final = re.compile(r'^(revision|down_revision) = (?:"(\w+)"|None)$', re.MULTILINE)

_KNOWN: Final = """
SELECT to_regclass('alembic_version') IS NOT NULL AS versioned, to_regclass('events') IS NOT NULL AS made,
       to_regclass('schema_program') IS NOT NULL AS floored
"""


class SchemaState(StrEnum):
    """A schema as this program sees it."""

    EMPTY = "empty"
    """Nothing is there yet."""
    OLDER = "older"
    """Migrations of this program have not been made."""
    CURRENT = "current"
    NEWER = "newer"
    """A newer program's, which this one can work with."""
    TOO_NEW = "too_new"
    """A newer program's, which says that this one is too old for it."""


@dataclass(frozen=True, slots=True)
class Schema:
    """`revision`: the newest migration that was made (''; none); `needs`: what a program must know for it."""

    state: SchemaState
    revision: str = ""
    needs: str = ""

    @property
    def usable(self) -> bool:
        return self.state in (SchemaState.CURRENT, SchemaState.NEWER)

    @property
    def problem(self) -> str:
        """In English; '' for a usable one."""
        return "" if self.usable else self.told().in_words()

    def told(self) -> Sentence:
        """One line: how it stands, and what to do about one that is not usable."""
        match self.state:
            case SchemaState.EMPTY:
                return said("schema.empty")
            case SchemaState.OLDER:
                return said("schema.older", revision=self.revision, program=head())
            case SchemaState.CURRENT:
                return said("schema.current", revision=self.revision)
            case SchemaState.NEWER:
                return said("schema.newer", revision=self.revision, program=head())
            case SchemaState.TOO_NEW:
                return said("schema.too_new", revision=self.revision, needs=self.needs, program=head())


@cache
def revisions() -> tuple[str, ...]:
    """The migrations of this program in the order in which they are made; the last one is its head.

    Read from the files: their numbers say when they were begun, not in which order they were finished. To load all of
    them takes a quarter of a second.
    """
    after: dict[str, str] = {}
    for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"):
        named = dict(_NAMES.findall(path.read_text()))
        after[named["down_revision"]] = named["revision"]
    chain: list[str] = []
    latest = ""
    while (latest := after.get(latest, "")) and latest not in chain:
        chain.append(latest)
    return tuple(chain)


def later(one: str, other: str) -> str:
    """Which of two migrations is made later; one that this program does not know is later than all that it does."""
    known = revisions()
    return max(one, other, key=lambda name: known.index(name) if name in known else len(known))


def head() -> str:
    return revisions()[-1]


async def read_schema(connection: Any) -> Schema:
    """What an asyncpg connection's database has. Raises what asyncpg raises. Changes nothing."""
    there = await connection.fetchrow(_KNOWN)
    revision = await connection.fetchval("SELECT version_num FROM alembic_version") if there["versioned"] else None
    if revision is None:
        return Schema(SchemaState.OLDER if there["made"] else SchemaState.EMPTY)
    needs = await connection.fetchval("SELECT min_program FROM schema_program") if there["floored"] else None
    return judged(revision, needs or revision)


def judged(revision: str, needs: str) -> Schema:
    """`revision` is what the database has; `needs`: what it says that a program must know."""
    known = revisions()
    if revision == known[-1]:
        return Schema(SchemaState.CURRENT, revision, needs)
    if revision in known:
        return Schema(SchemaState.OLDER, revision, needs)
    return Schema(SchemaState.NEWER if needs in known else SchemaState.TOO_NEW, revision, needs)


async def schema_of(database_url: str) -> Schema:
    """Raises StartupError when PostgreSQL cannot be asked."""
    # As SQLAlchemy writes it, the driver's name may stand in the scheme.
    plain = _parsed(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = await asyncpg.connect(plain, timeout=_CONNECT_SECONDS, command_timeout=ANSWER_SECONDS)
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise _unusable(database_url, error) from None
    try:
        return await read_schema(connection)
    except (*LOST, asyncpg.PostgresError) as error:
        raise _unusable(database_url, error) from None
    finally:
        connection.terminate()


async def require_schema(database_url: str, *, writes: bool = True) -> None:
    """For commands: an empty database is set up by one that `writes`, nothing else is changed. Raises StartupError."""
    schema = await schema_of(database_url)
    if schema.state is SchemaState.EMPTY and writes:
        await migrate(database_url)
    elif not schema.usable:
        raise StartupError(schema.problem)


async def until_migrated(database_url: str, say: Callable[[str], None]) -> None:
    """For workers: waits while the schema is older than this program, or empty. `say` is called once, with why.

    Raises StartupError for one that is too new, and when PostgreSQL cannot be asked.
    """
    told = False
    while not (schema := await schema_of(database_url)).usable:
        if schema.state is SchemaState.TOO_NEW:
            raise StartupError(schema.problem)
        if not told:
            say(f"waiting: {schema.problem}")
            told = True
        await asyncio.sleep(_LOOK_SECONDS)


async def migrate(database_url: str, *, payments_were: str | None = None, revision: str = "head") -> None:
    """Brings the schema up to date. Safe to call from several processes at once.

    `payments_were`: `simulator` or `live`, for payments from before migration 0007. A newer schema that this program
    can work with is left as it is. Raises StartupError, also when that is not said and there are some.
    """
    schema = await schema_of(database_url)
    if schema.state is SchemaState.NEWER or (schema.state is SchemaState.CURRENT and revision == "head"):
        return
    if schema.state is SchemaState.TOO_NEW:
        raise StartupError(schema.problem)
    # Here: who only asks how the schema stands, as nearly every start does, waits a second less.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    url = _parsed(database_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _CONNECT_SECONDS})

    def upgrade(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        config.attributes["payments_were"] = payments_were
        try:
            command.upgrade(config, revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.commit()

    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    except (*LOST, asyncpg.PostgresError, DBAPIError) as error:
        raise _unusable(database_url, getattr(error, "orig", None) or error) from None
    finally:
        await engine.dispose()


def _unusable(database_url: str, error: BaseException) -> StartupError:
    shown = _parsed(database_url).render_as_string(hide_password=True).replace("+asyncpg", "")
    return StartupError(f"PostgreSQL at {shown} cannot be used: {first_line(error)}: check DATABASE_URL")


def _parsed(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may well hold a password.
        raise StartupError("DATABASE_URL is not an address such as postgresql://user:password@host:5432/name") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StartupError(f"DATABASE_URL names {url.drivername}: only postgresql:// is served")
    return url
