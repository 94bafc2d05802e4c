"""The rooms' import rules: `core <- realtime <- web <- cli`; in core, I/O only where the module's name says so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.source_trees import tree_of

ROOT = Path(__file__).parents[2]

LAYERS = ("core", "realtime", "web", "cli")

#: They stay in the repository: the wheel and the image have none of them.
NOT_SHIPPED = ("bench", "tests", "scripts")

#: Libraries that talk to a server, and what the name of a core module that imports one at run time must end in.
IO_LIBRARIES = {
    "redis",
    "asyncpg",
    "databases",
    "sqlalchemy",
    "alembic",
    "aiokafka",
    "aiohttp",
    "httpx",
    "aiosmtplib",
    "stripe",
}
IO_MODULES = {"core.database", "core.process.lua_redis"}
IO_SUFFIXES = ("_redis", "_postgres", "_kafka", "_http", "_smtp")

#: Those that open connections and hand them on.
OPENERS = {"core.database", "core.messaging.pipeline"}
IO_PACKAGES = ("core.migrations.", "core.runtime.")

#: What a part may not be given as a whole: it takes the values and the parts that it uses.
WHOLES = {"Settings": "core.settings", "Runtime": "core.runtime"}
#: Where the settings are made, told of, completed, and where they name the stores.
SETTINGS_MODULES = {"core.settings", "core.settings_docs", "core.secrets", "core.embedded.installation"}
#: Where one application and one server process are put together. `cli` is not looked at: a command is a root.
WEB_ROOTS = {"web.app", "web.server"}

#: Libraries that belong to one room: nothing in `core` knows that it is served over HTTP.
SERVER_LIBRARIES = {"starlette", "uvicorn", "websockets", "jinja2", "typer"}


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, tree_of(path)


def imported(tree: ast.Module, *, for_types_too: bool = True) -> Iterator[tuple[str, int]]:
    """Full names of imported modules with their lines; imports inside functions count as well."""
    skipped: set[ast.AST] = set()
    if not for_types_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped.update(child for statement in node.body for child in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or "", node.lineno


def contracts(config: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's word on the contracts in that file."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", "--config", config],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def is_composition(name: str) -> bool:
    """A room's own `composition` module, or one of the runtime's."""
    return name.endswith(".composition") or name == "core.runtime" or name.startswith("core.runtime.")


def whole_breaches(name: str, tree: ast.Module) -> list[str]:
    """Where a module that is no composition root names all settings, or the runtime; for types as well."""
    if is_composition(name) or name in SETTINGS_MODULES | WEB_ROOTS:
        return []
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named = [
        f"{name}:{node.lineno} names {alias.name}: take what is used of it, from a `composition`"
        for node in imports
        for alias in node.names
        if alias.name in WHOLES and (node.module or "").startswith(WHOLES[alias.name])
    ]
    whole_modules = [f"{name}:{line} imports {other} as a whole" for other, line in whole_imports(tree)]
    return named + whole_modules


def whole_imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """`import core.settings`, `from core import runtime`: the same in other words."""
    modules_ = set(WHOLES.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name in modules_)
        elif isinstance(node, ast.ImportFrom) and node.module == "core":
            yield from ((alias.name, node.lineno) for alias in node.names if f"core.{alias.name}" in modules_)


def unshipped(name: str, tree: ast.Module) -> list[str]:
    return [f"{name}:{line} imports {other}" for other, line in imported(tree) if other.split(".")[0] in NOT_SHIPPED]


def io_breaches(name: str, tree: ast.Module) -> list[str]:
    if name in OPENERS or is_composition(name) or name.startswith(IO_PACKAGES) or name.endswith(IO_SUFFIXES):
        return []
    return [
        f"{name}:{line} imports {other}: end its name in one of {IO_SUFFIXES}, or import it `if TYPE_CHECKING`"
        for other, line in imported(tree, for_types_too=False)
        if other.split(".")[0] in IO_LIBRARIES or other in IO_MODULES
    ]


def test_imports_go_one_way() -> None:
    """`core <- realtime <- web <- cli`, and an order of the rooms within core: pyproject.toml has both."""
    done = contracts(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


def test_the_order_of_the_rooms_is_looked_at(tmp_path: Path) -> None:
    """The contracts can be broken: notifications read messages, and messaging may not know of notifications."""
    text = (ROOT / "pyproject.toml").read_text()
    wrong = text.replace("upkeep | notifications |", "upkeep |").replace('"messaging |', '"messaging | notifications |')
    assert wrong != text
    (tmp_path / "wrong.toml").write_text(wrong)
    done = contracts(tmp_path / "wrong.toml")
    assert done.returncode == 1
    assert "core.notifications is not allowed to import core.messaging" in done.stdout


@pytest.mark.parametrize("package", LAYERS)
def test_the_product_leans_on_nothing_that_stays_in_the_repository(package: str) -> None:
    breaches = [breach for name, tree in modules(package) for breach in unshipped(name, tree)]
    assert not breaches, "\n".join(breaches)


def test_core_does_io_only_in_modules_named_for_it() -> None:
    breaches = [breach for name, tree in modules("core") for breach in io_breaches(name, tree)]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("package", ["core", "realtime", "web"])
def test_only_composition_roots_know_all_settings_or_the_runtime(package: str) -> None:
    """Parts take values, endpoints take what they use: what a part depends on stands in its signature."""
    breaches = [breach for name, tree in modules(package) for breach in whole_breaches(name, tree)]
    assert not breaches, "\n".join(breaches)


def test_core_and_realtime_know_no_web_framework() -> None:
    breaches = [
        f"{name}:{line} imports {other}"
        for package in ("core", "realtime")
        for name, tree in modules(package)
        for other, line in imported(tree)
        if other.split(".")[0] in SERVER_LIBRARIES - ({"jinja2"} if name.startswith("core.notifications") else set())
    ]
    assert not breaches, "\n".join(breaches)


def test_only_settings_reads_the_environment_in_core() -> None:
    """`os.environ` and `os.getenv` elsewhere would be settings that no document knows. `core.process.apart` passes what
    is no setting on to its child, and reads nothing of it.
    """
    breaches = [
        f"{name}:{node.lineno}"
        for name, tree in modules("core")
        if name not in ("core.settings", "core.process.apart")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    ]
    assert not breaches, "\n".join(breaches)


def test_the_rules_see_a_breach() -> None:
    """The checks above can fail."""
    tree = ast.parse("def f():\n    from web.app import create_app\nimport redis.asyncio\n")
    assert unshipped("cli.main", ast.parse("def f():\n    import bench.run")) == ["cli.main:2 imports bench.run"]
    assert len(io_breaches("core.seats.board", tree)) == 1
    assert not io_breaches("core.seats.board_redis", tree)
    typed = ast.parse("if TYPE_CHECKING:\n    import redis\n")
    assert not io_breaches("core.seats.board", typed)
    only_typed = "if TYPE_CHECKING:\n    from core.settings import Settings\n"
    part = ast.parse(f"{only_typed}from core.runtime.parts import Runtime\n")
    assert len(whole_breaches("web.health", part)) == 2
    assert not whole_breaches("core.seats.composition", part)
    for spelling in ("import core.settings", "from core import runtime", "from core.runtime import Runtime as Whole"):
        assert whole_breaches("realtime.live", ast.parse(spelling)), spelling
    assert not whole_breaches("core.payments.provider", ast.parse("from core.settings import variable_name"))


INDEXED = [
    path
    for room in LAYERS
    for path in sorted((ROOT / room).rglob("__init__.py"))
    if re.search(r"^ *[\w*]+\.py\b", ast.get_docstring(tree_of(path)) or "", re.MULTILINE)
]


@pytest.mark.parametrize("path", INDEXED, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_the_index_of_a_room_names_all_of_it(path: Path) -> None:
    """Whoever looks for a thing reads it there; `composition` is what docs/architecture.md says of all of them."""
    named = set(re.findall(r"(?<![\w/*])[\w*]+\.py\b", ast.get_docstring(tree_of(path)) or ""))
    there = {one.name for one in path.parent.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert [one for one in sorted(there - {"composition.py"}) if not any(fnmatch(one, name) for name in named)] == []
    anywhere = {one.name for layer in LAYERS for one in (ROOT / layer).rglob("*.py")}
    assert [name for name in sorted(named) if not any(fnmatch(one, name) for one in anywhere)] == []
