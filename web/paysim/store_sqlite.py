"""The simulator's books: one SQLite file in the data folder, shared by every server process.

Each process has one thread and one connection for it, so that the event loop never waits for the disk. A piece of work
is one `BEGIN IMMEDIATE` transaction: whoever gets it decides alone, whichever process it is in. Write-ahead logging
survives a killed process.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from web.paysim.behaviour import Behaviour

T = TypeVar("T")

#: Toss Payments keeps an idempotency key's answer for 15 days; orders are kept as long as a demonstration may last.
_ANSWER_SECONDS: Final = 15 * 24 * 3600
_ORDER_SECONDS: Final = 90 * 24 * 3600
_BUSY_SECONDS: Final = 30

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS behaviour (provider TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    id           INTEGER PRIMARY KEY,
    provider     TEXT NOT NULL,
    order_id     TEXT NOT NULL,
    provider_key TEXT NOT NULL,
    amount       INTEGER NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('DONE', 'ABORTED', 'CANCELED')),
    code         TEXT,
    reason       TEXT,
    created_at   REAL NOT NULL,
    cancelled_at REAL,
    UNIQUE (provider, provider_key)
) STRICT;
CREATE INDEX IF NOT EXISTS orders_by_number ON orders (provider, order_id);
CREATE TABLE IF NOT EXISTS tries (
    provider TEXT NOT NULL, order_id TEXT NOT NULL, tries INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (provider, order_id)
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    provider TEXT NOT NULL, idempotency_key TEXT NOT NULL, request TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, ready_at REAL NOT NULL,
    PRIMARY KEY (provider, idempotency_key)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Order:
    """One line of the books. DONE and CANCELED were charged, CANCELED was given back, ABORTED was declined.

    Times are seconds since 1970.
    """

    id: int
    order_id: str
    provider_key: str
    amount: int
    status: str
    code: str | None
    reason: str | None
    created_at: float
    cancelled_at: float | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer that belongs to an idempotency key; `ready_at` is when the first caller gets, or got, it."""

    request: str
    status: int
    body: str
    ready_at: float


class Books:
    """One provider's books within one transaction. For the store's thread only."""

    def __init__(self, connection: sqlite3.Connection, provider: str) -> None:
        self._db = connection
        self._provider = provider

    def behaviour(self) -> Behaviour:
        row = self._db.execute("SELECT body FROM behaviour WHERE provider = ?", (self._provider,)).fetchone()
        return Behaviour.model_validate_json(row[0]) if row else Behaviour()

    def set_behaviour(self, behaviour: Behaviour) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO behaviour (provider, body) VALUES (?, ?)",
            (self._provider, behaviour.model_dump_json()),
        )

    def orders(self, order_id: str) -> list[Order]:
        return self._orders("order_id = ?", order_id)

    def by_key(self, provider_key: str) -> Order | None:
        return next(iter(self._orders("provider_key = ?", provider_key)), None)

    def all_orders(self) -> list[Order]:
        return self._orders("1 = ?", 1)

    def add(self, order_id: str, provider_key: str, amount: int, status: str, code: str | None = None) -> Order:
        row = self._db.execute(
            f"INSERT INTO orders (provider, order_id, provider_key, amount, status, code, created_at)"  # noqa: S608
            f" VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING {_COLUMNS}",
            (self._provider, order_id, provider_key, amount, status, code, time.time()),
        ).fetchone()
        return Order(*row)

    def give_back(self, order: Order, reason: str) -> Order:
        row = self._db.execute(
            "UPDATE orders SET status = 'CANCELED', reason = ?, cancelled_at = ?"  # noqa: S608
            f" WHERE id = ? RETURNING {_COLUMNS}",
            (reason, time.time(), order.id),
        ).fetchone()
        return Order(*row)

    def count_try(self, order_id: str) -> int:
        """How often this order was tried, this time included."""
        row = self._db.execute(
            "INSERT INTO tries (provider, order_id, tries, at) VALUES (?, ?, 1, ?)"
            " ON CONFLICT (provider, order_id) DO UPDATE SET tries = tries + 1 RETURNING tries",
            (self._provider, order_id, time.time()),
        ).fetchone()
        return int(row[0])

    def remembered(self, idempotency_key: str) -> Remembered | None:
        row = self._db.execute(
            "SELECT request, status, body, ready_at FROM answers WHERE provider = ? AND idempotency_key = ?",
            (self._provider, idempotency_key),
        ).fetchone()
        return Remembered(*row) if row else None

    def remember(self, idempotency_key: str, answer: Remembered) -> None:
        self._db.execute(
            "INSERT INTO answers (provider, idempotency_key, request, status, body, ready_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (self._provider, idempotency_key, answer.request, answer.status, answer.body, answer.ready_at),
        )

    def _orders(self, where: str, value: Any) -> list[Order]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM orders WHERE provider = ? AND {where} ORDER BY id",  # noqa: S608
            (self._provider, value),
        )
        return [Order(*row) for row in rows]


_COLUMNS: Final = "id, order_id, provider_key, amount, status, code, reason, created_at, cancelled_at"


class SimulatorStore:
    """Opened by the first piece of work; `close` when the server stops. `path` is `<data>/paysim.sqlite3`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paysim")
        self._connection: sqlite3.Connection | None = None

    async def work(self, provider: str, piece: Callable[[Books], T]) -> T:
        """Runs `piece` as one transaction; what it raises rolls everything back."""
        # Shielded: a client that goes away must not leave half of the bookkeeping undone or unseen.
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._work, provider, piece)
        return await asyncio.shield(running)

    def close(self) -> None:
        """Waits for the work under way."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _work(self, provider: str, piece: Callable[[Books], T]) -> T:
        connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = piece(Books(connection, provider))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return result

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        _wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        now = time.time()
        connection.execute("DELETE FROM answers WHERE ready_at < ?", (now - _ANSWER_SECONDS,))
        connection.execute("DELETE FROM orders WHERE created_at < ?", (now - _ORDER_SECONDS,))
        connection.execute("DELETE FROM tries WHERE at < ?", (now - _ORDER_SECONDS,))
        self._connection = connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _wal(connection: sqlite3.Connection) -> None:
    """The change to write-ahead logging needs the file for itself for a moment and does not wait for it."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
