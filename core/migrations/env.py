"""Alembic's environment: runs on a connection that `core.schema_postgres.migrate` hands over."""

from typing import Any

from alembic import context

from core.schema_postgres import later

connection = context.config.attributes["connection"]

_FLOOR = """
INSERT INTO schema_program (min_program) VALUES ($1) ON CONFLICT (one) DO UPDATE SET min_program = excluded.min_program
"""


def note_min_program(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """In the migration's own transaction: programs that are older learn whether they can go on."""
    read = ctx.connection.exec_driver_sql
    if read("SELECT to_regclass('schema_program') IS NULL").scalar():
        return  # before the migration that makes it
    stated = step.up_revision.module.min_program
    before = read("SELECT min_program FROM schema_program").scalar() or stated
    read(_FLOOR, (later(before, stated),))


context.configure(
    connection=connection, target_metadata=None, transaction_per_migration=True, on_version_apply=note_min_program
)
with context.begin_transaction():
    context.run_migrations()
