"""R3: what opens, closes, ends and expires goes by Redis' clock: no module reads the machine's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.source_trees import tree_of

ROOT = Path(__file__).parents[2]

#: Modules that read it all the same, and why that decides nothing.
MAY = {
    "core/clock.py": "defines it",
    "core/process/clock_redis.py": "compares it with Redis', and has no other before the first reading",
    "core/booking/attempt_ends.py": "a figure for metrics",
    "core/messaging/delivery_postgres.py": "a figure for metrics",
    "core/runtime/traces_http.py": "the times of spans, which others draw",
    "core/notifications/trial.py": "the date of an e-mail that is never sent",
    "core/payments/toss/adapter_http.py": "the provider's time zone and list of charges",
    "core/payments/stripe/adapter_http.py": "the provider's own limit of a payment window",
    "web/paysim/store_sqlite.py": "the simulator is somebody else's system",
    "web/paysim/page.py": "the simulator is somebody else's system",
    "web/paysim/stripe.py": "the simulator is somebody else's system",
    "cli/event.py": "says how a sale stands, in words",
    "cli/load/rush_command.py": "a rush is over when this machine says so",
    "cli/preparation.py": "checks accounts, and makes the demonstration's event, which has no times",
}
_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "SystemClock"}


def _reads(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS:
            yield node.lineno


def _modules() -> Iterator[Path]:
    for room in ("core", "realtime", "web", "cli"):
        yield from sorted((ROOT / room).rglob("*.py"))


def test_nobody_reads_a_clock_of_their_own() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in _modules()
        if str(path.relative_to(ROOT)) not in MAY
        for line in _reads(tree_of(path))
    }
    assert not found, "take a core.clock.Clock, which follows Redis'"


def test_every_exception_is_still_one() -> None:
    unused = [name for name in MAY if not any(_reads(tree_of(ROOT / name))) and name != _OWN]
    assert not unused


_OWN = "core/process/clock_redis.py"


def test_the_lint_sees_what_it_is_for() -> None:
    bad = "def f():\n    return datetime.now(UTC) < x or time.time() > 3 or SystemClock().now()"
    assert len(list(_reads(ast.parse(bad)))) == 3
