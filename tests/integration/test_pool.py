"""What a statement leaves behind on a connection that goes back to the pool (R6)."""

import databases
import pytest

from core.database import raw
from core.errors import InvalidRequest


async def _next_user(database: databases.Database) -> int:
    """Looks as a board is read; returns the server process that did it."""
    async with raw(database) as connection, connection.transaction(isolation="repeatable_read"):
        assert await connection.fetchval("SHOW transaction_isolation") == "repeatable read"
        return int(connection.get_server_pid())


async def test_a_value_that_is_not_sent_leaves_no_transaction(database: databases.Database) -> None:
    """The driver had prepared the statement by then, in a transaction that only the run would have ended."""
    process = 0

    async def refused() -> None:
        nonlocal process
        async with raw(database) as connection:
            process = connection.get_server_pid()
            await connection.fetchval("SELECT $1::int + 20261126", 2**40)

    with pytest.raises(InvalidRequest):
        await refused()
    assert await _next_user(database) == process
