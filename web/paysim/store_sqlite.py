"""The simulator's books: one SQLite file in the data folder, shared by every server process.

Each process has one thread and one connection for it, so that the event loop never waits for the disk. A piece of work
is one `BEGIN IMMEDIATE` transaction: whoever gets it decides alone, whichever process it is in. Write-ahead logging
survives a killed process.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from web.paysim.behaviour import Behaviour, Rules
from web.paysim.payment import GivenBack, Payment

T = TypeVar("T")

#: Toss Payments keeps an idempotency key's answer for 15 days; payments are kept as long as a demonstration may last.
_ANSWER_SECONDS: Final = 15 * 24 * 3600
_PAYMENT_SECONDS: Final = 90 * 24 * 3600
_BUSY_SECONDS: Final = 30
_VERSION: Final = 2

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS behaviour (provider TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rules (provider TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS payments (
    id            INTEGER PRIMARY KEY,
    provider      TEXT NOT NULL,
    window        TEXT NOT NULL UNIQUE,
    provider_key  TEXT NOT NULL,
    order_id      TEXT NOT NULL,
    amount        INTEGER NOT NULL,
    currency      TEXT NOT NULL,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL,
    method        TEXT NOT NULL DEFAULT 'CARD',
    card          TEXT NOT NULL DEFAULT '',
    code          TEXT,
    returned      TEXT NOT NULL DEFAULT '',
    closed        TEXT NOT NULL DEFAULT '',
    page          TEXT NOT NULL DEFAULT '',
    details       TEXT NOT NULL DEFAULT '',
    opened_at     REAL NOT NULL,
    authorised_at REAL,
    left_at       REAL,
    decided_at    REAL,
    approved_at   REAL,
    given_back    INTEGER NOT NULL DEFAULT 0,
    tries         INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, provider_key)
) STRICT;
CREATE INDEX IF NOT EXISTS payments_by_order ON payments (provider, order_id);
CREATE INDEX IF NOT EXISTS payments_by_decision ON payments (provider, decided_at) WHERE decided_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS given_back (
    payment_id INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL, remaining INTEGER NOT NULL,
    reason TEXT NOT NULL, asked_by TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS given_back_of ON given_back (payment_id);
CREATE TABLE IF NOT EXISTS remembered (
    provider TEXT NOT NULL, idempotency_key TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, ready_at REAL NOT NULL,
    PRIMARY KEY (provider, idempotency_key, method, path)
) STRICT;
"""

#: The books of the simulator before there were windows: its charges can still be given back.
_FROM_1: Final = """
INSERT INTO payments (provider, window, provider_key, order_id, amount, currency, name, status, code, opened_at,
                      decided_at, approved_at, given_back)
SELECT provider, 'old-' || id, provider_key, order_id, amount, 'KRW', 'Onsale', status, code, created_at, created_at,
       CASE WHEN status <> 'ABORTED' THEN created_at END, CASE WHEN status = 'CANCELED' THEN amount ELSE 0 END
FROM orders;
DROP TABLE orders; DROP TABLE tries; DROP TABLE answers;
"""

_COLUMNS: Final = ", ".join(field.name for field in fields(Payment))


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer that belongs to an idempotency key; `ready_at` is when the first caller gets, or got, it."""

    status: int
    body: str
    ready_at: float


class Books:
    """One provider's books within one transaction. For the store's thread only. `now` is the transaction's time."""

    def __init__(self, connection: sqlite3.Connection, provider: str) -> None:
        self.now = time.time()
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

    def rules(self) -> Rules:
        row = self._db.execute("SELECT body FROM rules WHERE provider = ?", (self._provider,)).fetchone()
        return Rules.model_validate_json(row[0]) if row else Rules()

    def set_rules(self, rules: Rules) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO rules (provider, body) VALUES (?, ?)", (self._provider, rules.model_dump_json())
        )

    def add(self, **columns: Any) -> Payment:
        """A payment with these columns; a window's name is made here."""
        columns = {"provider": self._provider, "window": secrets.token_urlsafe(18), "opened_at": self.now, **columns}
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        row = self._db.execute(
            f"INSERT INTO payments ({names}) VALUES ({marks}) RETURNING {_COLUMNS}",  # noqa: S608 - our own names
            tuple(columns.values()),
        ).fetchone()
        return Payment(*row)

    def change(self, payment: Payment, **columns: Any) -> Payment:
        changes = ", ".join(f"{name} = ?" for name in columns)
        row = self._db.execute(
            f"UPDATE payments SET {changes} WHERE id = ? RETURNING {_COLUMNS}",  # noqa: S608 - our own names
            (*columns.values(), payment.id),
        ).fetchone()
        return Payment(*row)

    def of_order(self, order_id: str) -> list[Payment]:
        """In the order in which their windows were opened."""
        return self._payments("order_id = ? ORDER BY id", order_id)

    def by_key(self, provider_key: str) -> Payment | None:
        return next(iter(self._payments("provider_key = ?", provider_key)), None)

    def by_window(self, window: str) -> Payment | None:
        return next(iter(self._payments("window = ?", window)), None)

    def decided(self) -> list[Payment]:
        """Charged or declined, in the order of that."""
        return self._payments("decided_at IS NOT NULL ORDER BY decided_at, id")

    def all(self) -> list[Payment]:
        return self._payments("1 = 1 ORDER BY id")

    def approved_between(self, since: float, until: float) -> list[Payment]:
        return self._payments("approved_at >= ? AND approved_at < ? ORDER BY approved_at, id", since, until)

    def give_back(self, payment: Payment, amount: int, reason: str, asked_by: str = "shop") -> Payment:
        """`amount` is at most the balance. Of a virtual account that nobody paid to, nothing: it is only given up."""
        given_back = payment.given_back + amount
        status = "PARTIAL_CANCELED" if given_back < payment.amount and payment.approved_at else "CANCELED"
        changed = self.change(payment, status=status, given_back=given_back)
        self._db.execute(
            "INSERT INTO given_back (payment_id, key, amount, remaining, reason, asked_by, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (payment.id, secrets.token_hex(16), amount, changed.balance, reason, asked_by, self.now),
        )
        return changed

    def refunds(self, payment: Payment) -> list[GivenBack]:
        rows = self._db.execute(
            "SELECT payment_id, key, amount, remaining, reason, asked_by, at"
            " FROM given_back WHERE payment_id = ? ORDER BY rowid",
            (payment.id,),
        )
        return [GivenBack(*row) for row in rows]

    def remembered(self, idempotency_key: str, method: str, path: str) -> Remembered | None:
        row = self._db.execute(
            "SELECT status, body, ready_at FROM remembered"
            " WHERE provider = ? AND idempotency_key = ? AND method = ? AND path = ?",
            (self._provider, idempotency_key, method, path),
        ).fetchone()
        return Remembered(*row) if row else None

    def remembered_by_key(self, idempotency_key: str) -> tuple[Remembered, str] | None:
        """For a provider whose keys stand for one request: the answer, and the path that it was to."""
        row = self._db.execute(
            "SELECT status, body, ready_at, path FROM remembered WHERE provider = ? AND idempotency_key = ?",
            (self._provider, idempotency_key),
        ).fetchone()
        return (Remembered(*row[:3]), row[3]) if row else None

    def remember(self, idempotency_key: str, method: str, path: str, answer: Remembered) -> None:
        self._db.execute(
            "INSERT INTO remembered (provider, idempotency_key, method, path, status, body, ready_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._provider, idempotency_key, method, path, answer.status, answer.body, answer.ready_at),
        )

    def _payments(self, where: str, *values: Any) -> list[Payment]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM payments WHERE provider = ? AND {where}",  # noqa: S608 - our own text
            (self._provider, *values),
        )
        return [Payment(*row) for row in rows]


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
        connection.execute("BEGIN IMMEDIATE")
        _bring_up_to_date(connection)
        now = time.time()
        connection.execute("DELETE FROM remembered WHERE ready_at < ?", (now - _ANSWER_SECONDS,))
        connection.execute("DELETE FROM payments WHERE opened_at < ?", (now - _PAYMENT_SECONDS,))
        connection.execute("COMMIT")
        self._connection = connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Within the caller's transaction; a statement at a time, because `executescript` would end it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    old = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchone() is not None
    script = "" if version == _VERSION else _SCHEMA + (_FROM_1 if old else "") + f"PRAGMA user_version = {_VERSION};"
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


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
