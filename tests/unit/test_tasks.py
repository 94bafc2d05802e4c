"""R1: nothing runs in the background unseen, and each mechanism of the ground floor is written once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source_trees import tree_of
from tests.unit.test_imports import LAYERS, ROOT

#: Where tasks are made.
GROUND_FLOOR = ROOT / "core" / "process"
_MAKERS = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})
#: A `TaskGroup` waits for its tasks and raises what they raise; by this name everywhere.
_GROUP = "group"


def bare_tasks(tree: ast.AST) -> Iterator[int]:
    """Lines on which a task is made that no supervisor, group or waiting caller knows of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            yield from (node.lineno for alias in node.names if alias.name in _MAKERS)
        if not isinstance(node, ast.Attribute) or node.attr not in _MAKERS:
            continue
        if node.attr == "create_task" and isinstance(node.value, ast.Name) and node.value.id == _GROUP:
            continue
        yield node.lineno


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


def sources() -> Iterator[Path]:
    for package in LAYERS:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if GROUND_FLOOR not in path.parents)


@pytest.mark.parametrize("rule", [bare_tasks, swallowing_waits, own_store_errors])
def test_the_ground_floor_is_used(rule: object) -> None:
    assert callable(rule)
    breaches = [
        f"{path}:{line}"
        for path in (each.relative_to(ROOT) for each in sources())
        for line in rule(tree_of(ROOT / path))
    ]
    assert not breaches, "use core.process (Supervisor, tasks, calls): " + ", ".join(breaches)


def test_the_rules_see_a_breach() -> None:
    seen = "import asyncio\nasyncio.create_task(f())\nloop.create_task(f())\nasyncio.ensure_future(f())\n"
    assert list(bare_tasks(ast.parse(seen))) == [2, 3, 4]
    assert list(bare_tasks(ast.parse("from asyncio import create_task\n"))) == [1]
    assert not list(bare_tasks(ast.parse("async with asyncio.TaskGroup() as group:\n    group.create_task(f())")))
    assert list(swallowing_waits(ast.parse("asyncio.wait_for(f(), 1)"))) == [1]
    by_hand = "try:\n    f()\nexcept REDIS_LOST as error:\n    raise StoreUnavailable() from error\n"
    assert list(own_store_errors(ast.parse(by_hand))) == [4]
