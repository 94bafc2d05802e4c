"""Runs the SQL of a migration as PostgreSQL reads it, which ends statements itself, within a function body too."""

from __future__ import annotations

from alembic import op


def run(sql: str) -> None:
    """Everything in `sql`, in the migration's transaction. No parameters."""
    connection = op.get_bind()
    # The adapter begins its transaction with its own first statement.
    connection.exec_driver_sql("SELECT 1")
    adapted = connection.connection.dbapi_connection
    assert adapted is not None  # noqa: S101
    # asyncpg's `execute` without arguments takes a whole script; the adapter prepares, which takes one statement only.
    adapted.run_async(lambda raw: raw.execute(sql))
