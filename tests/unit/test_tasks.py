"""R1: nothing runs in the background unseen, and each mechanism of the ground floor is written once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.source_trees import tree_of
from tests.unit.test_imports import LAYERS, ROOT

#: The module that makes tasks for all others.
MAKES_TASKS = "core/process/tasks.py"
#: The modules that know a lost Redis when they meet it, and call it so.
KNOWS_LOST_STORES = "core/process/"
_MAKERS = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})
#: A group waits for its tasks and raises what they raise; `together` is the load's, which raises the first as itself.
_GROUPS = frozenset({"asyncio.TaskGroup", "together"})


def bare_tasks(tree: ast.AST, groups: frozenset[str] = frozenset()) -> Iterator[int]:
    """Lines on which a task is made that no supervisor, group or waiting caller knows of."""
    for node in ast.iter_child_nodes(tree):
        known = groups
        if isinstance(node, ast.AsyncWith):
            known |= {
                ast.unparse(item.optional_vars)
                for item in node.items
                if isinstance(item.context_expr, ast.Call)
                and ast.unparse(item.context_expr.func) in _GROUPS
                and item.optional_vars is not None
            }
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            yield from (node.lineno for alias in node.names if alias.name in _MAKERS | {"Task"})
        if isinstance(node, ast.Constant) and node.value in _MAKERS:
            yield node.lineno  # getattr(loop, "create_task")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.Task":
            yield node.lineno
        of_group = isinstance(node, ast.Attribute) and ast.unparse(node.value) in known
        if isinstance(node, ast.Attribute) and node.attr in _MAKERS and not (of_group and node.attr == "create_task"):
            yield node.lineno
        yield from bare_tasks(node, known)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node that runs with it: not what a function in it does when it is called."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _own(child)


#: Loops that need not ask whether they were cancelled, by module and function: why each comes to an end by itself.
_IN_PAGES, _IN_TIME = "the last page ends it", "its time ends it"
ENDS_BY_ITSELF = {
    "core/booking/books_postgres.py movements": _IN_PAGES,
    "core/booking/leases.py persist": _IN_TIME,
    "core/messaging/purge_postgres.py purge": _IN_PAGES,
    "core/payments/confirming.py _permit": _IN_TIME,
    "core/seats/hold_scripts_redis.py _read_back": _IN_TIME,
    "core/upkeep/seat_rows_postgres.py pages": _IN_PAGES,
    "core/waiting_room/entries_redis.py forget": _IN_PAGES,
    "core/waiting_room/entries_redis.py read": _IN_PAGES,
    "core/waiting_room/entries_redis.py _silent": _IN_PAGES,
    "cli/load/journey.py _reserve": _IN_TIME,
    "cli/load/truth.py left_under_way": _IN_TIME,
    "cli/load/truth.py read_truth": _IN_TIME,
    "cli/load/visitor.py _join": "the place ends it, and so does any refusal but its price",
}


def deaf_loops(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Functions, and lines in them, with a `while True` that awaits and never asks whether its task was cancelled.

    A library may swallow the cancel that meets its answer; such a loop would go round for ever.
    """
    for function in ast.walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for loop in _own(function):
            if not (isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and loop.test.value):
                continue
            inside = list(_own(loop))
            asks = any(
                isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("cancelled", "cancelling")
                for node in inside
            )
            if not asks and any(isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for node in inside):
                yield function.name, loop.lineno


def swallowing_waits(tree: ast.AST) -> Iterator[int]:
    """Lines with `asyncio.wait_for`, which in Python 3.11 swallows a cancel that meets the answer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "wait_for" and ast.unparse(node.value) == "asyncio":
            yield node.lineno


def own_store_errors(tree: ast.AST) -> Iterator[int]:
    """Lines on which a lost Redis is made a `StoreUnavailable` by hand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is not None and "REDIS_LOST" in ast.unparse(node.type):
            yield from (
                each.lineno
                for each in node.body
                if isinstance(each, ast.Raise) and each.exc is not None and "StoreUnavailable" in ast.unparse(each.exc)
            )


def sources() -> Iterator[str]:
    for package in LAYERS:
        yield from (str(path.relative_to(ROOT)) for path in sorted((ROOT / package).rglob("*.py")))


@pytest.mark.parametrize(
    ("rule", "exempt"),
    [(bare_tasks, MAKES_TASKS), (swallowing_waits, None), (own_store_errors, KNOWS_LOST_STORES)],
)
def test_the_ground_floor_is_used(rule: Callable[[ast.AST], Iterator[int]], exempt: str | None) -> None:
    breaches = [
        f"{path}:{line}"
        for path in sources()
        if exempt is None or not path.startswith(exempt)
        for line in rule(tree_of(ROOT / path))
    ]
    assert not breaches, "use core.process (Supervisor, tasks, calls): " + ", ".join(breaches)


def test_an_endless_loop_hears_that_it_was_cancelled() -> None:
    deaf = {f"{path} {name}": line for path in sources() for name, line in deaf_loops(tree_of(ROOT / path))}
    assert [f"{name}:{line}" for name, line in deaf.items() if name not in ENDS_BY_ITSELF] == []
    assert sorted(ENDS_BY_ITSELF) == sorted(deaf), "what is listed is there, or goes from the list"


def test_the_rules_see_a_breach() -> None:
    seen = "import asyncio\nasyncio.create_task(f())\nloop.create_task(f())\nasyncio.ensure_future(f())\n"
    assert list(bare_tasks(ast.parse(seen))) == [2, 3, 4]
    assert list(bare_tasks(ast.parse("from asyncio import create_task\n"))) == [1]
    assert list(bare_tasks(ast.parse("asyncio.Task(f())\ngetattr(loop, 'create_task')(f())"))) == [1, 2]
    assert list(bare_tasks(ast.parse("async def f(group):\n    group.create_task(g())"))) == [2]
    grouped = "async with asyncio.TaskGroup() as group:\n    group.create_task(f())\n    loop.create_task(f())\n"
    assert list(bare_tasks(ast.parse(f"{grouped}group.create_task(f())"))) == [3, 4]
    assert list(deaf_loops(ast.parse("async def f():\n    while True:\n        await g()"))) == [("f", 2)]
    hears = "async def f():\n    while True:\n        if cancelled():\n            raise Over\n        await g()"
    assert not list(deaf_loops(ast.parse(hears)))
    later = "async def f():\n    while True:\n        await g(lambda: cancelled())"
    assert list(deaf_loops(ast.parse(later))) == [("f", 2)]
    assert list(swallowing_waits(ast.parse("asyncio.wait_for(f(), 1)"))) == [1]
    by_hand = "try:\n    f()\nexcept REDIS_LOST as error:\n    raise StoreUnavailable() from error\n"
    assert list(own_store_errors(ast.parse(by_hand))) == [4]
