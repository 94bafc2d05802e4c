"""A helper or a fixture of the tests is written once: two with one body drift apart, and one of them is mended."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.source_trees import tree_of

ROOT = Path(__file__).parents[2]
#: Characters of a body below which two are alike by chance: `await asyncio.Event().wait()`.
SHORT = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def written_twice(trees: dict[str, ast.AST]) -> list[list[str]]:
    """Functions with the same statements, and the same life where they are fixtures: `path:line name` of each."""
    alike: dict[tuple[str, ...], list[tuple[str, Function]]] = defaultdict(list)
    for path, tree in trees.items():
        for function in _functions(tree):
            # To write all of them out takes ten times as long as to see that most are like no other.
            kinds = (type(node).__name__ for statement in _body(function) for node in ast.walk(statement))
            alike[tuple(kinds)].append((path, function))
    found: dict[str, list[str]] = defaultdict(list)
    for path, function in itertools.chain.from_iterable(some for some in alike.values() if len(some) > 1):
        body = _body(function)
        if len("\n".join(map(ast.unparse, body))) >= SHORT:
            life = [ast.unparse(decorator) for decorator in function.decorator_list]
            same = ast.dump(ast.Module(body, [])) + repr(life)
            found[same].append(f"{path}:{function.lineno} {function.name}")
    return [places for places in found.values() if len(places) > 1]


def _functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _body(function: Function) -> list[ast.stmt]:
    """Without its docstring."""
    first = function.body[0]
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return function.body[1:] if told else function.body


def test_no_helper_is_written_twice() -> None:
    files = sorted(path for room in ("tests", "bench") for path in (ROOT / room).rglob("*.py"))
    twice = written_twice({str(path.relative_to(ROOT)): tree_of(path) for path in files})
    assert not twice, "one of them is enough (conftest.py, or a module beside it):\n" + "\n".join(map(", ".join, twice))


def test_the_rule_sees_a_breach() -> None:
    one = '@fixture\ndef one(settings):\n    "Said so."\n    return {"DATABASE_URL": settings.database_url, "x": 1}'
    other = one.replace("def one", "def other").replace("Said so", "Said otherwise")
    assert written_twice({"a": ast.parse(one), "b": ast.parse(other)}) == [["a:2 one", "b:2 other"]]
    # One for each test and one for each file are two.
    assert not written_twice(
        {"a": ast.parse(one), "b": ast.parse(other.replace("@fixture", "@fixture(scope='module')"))}
    )
    assert not written_twice({"a": ast.parse("def one():\n    return 1"), "b": ast.parse("def other():\n    return 1")})
