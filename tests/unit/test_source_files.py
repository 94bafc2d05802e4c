"""Lua and SQL are files with one way to include another (`core/process/source_files.py`), and each is run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from core.process.source_files import SourceFiles
from tests.source_trees import tree_of

ROOT = Path(__file__).parents[2]
FILES = sorted(path for kind in ("lua", "sql") for path in (ROOT / "core").glob(f"**/*.{kind}"))
MODULES = sorted(path for room in ("core", "realtime", "web", "cli") for path in (ROOT / room).rglob("*.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "room" / "sql").mkdir(parents=True)
    (tmp_path / "sister" / "sql").mkdir(parents=True)
    return tmp_path


def files_of(folder: Path) -> SourceFiles:
    return SourceFiles(str(folder / "room" / "module.py"), "sql")


def test_an_include_stands_for_the_file(folder: Path) -> None:
    """Within an include, indented, and from another room by a path that begins where the file stands that says it."""
    (folder / "room/sql/whole.sql").write_text("SELECT (\n    --#include part.sql\n);\n")
    (folder / "room/sql/part.sql").write_text("--#include ../../sister/sql/theirs.sql\n, 2")
    (folder / "sister/sql/theirs.sql").write_text("--#include one.sql")
    (folder / "sister/sql/one.sql").write_text("1")
    files = files_of(folder)
    assert list(files) == ["part", "whole"]
    assert len(files) == 2
    assert files["whole"] == "SELECT (\n1\n, 2\n);\n"


def test_a_comment_that_only_speaks_of_it_stays(folder: Path) -> None:
    text = "-- by #include one gets more\nSELECT 1 --#include part.sql\n"
    (folder / "room/sql/whole.sql").write_text(text)
    assert files_of(folder)["whole"] == text


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "room/sql/whole.sql").write_text("--#include part.sql\n")
    files = files_of(folder)
    with pytest.raises(KeyError, match=r"room/sql/nothing\.sql"):
        files["nothing"]
    with pytest.raises(ValueError, match=r"whole\.sql includes .*part\.sql, which is not there"):
        files["whole"]


def test_a_circle_is_named(folder: Path) -> None:
    (folder / "room/sql/whole.sql").write_text("--#include part.sql\n")
    (folder / "room/sql/part.sql").write_text("--#include whole.sql\n")
    with pytest.raises(ValueError, match=r"whole\.sql includes itself"):
        files_of(folder)["whole"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_file_of_the_product_is_whole_and_used(path: Path) -> None:
    """By a module of its room that names it, or by a file that includes it."""
    room = path.parent.parent
    files = SourceFiles(str(room / "module.py"), "lua" if path.suffix == ".lua" else "sql")
    assert "\n--#include " not in "\n" + files[path.stem]
    included = any(re.search(rf"--#include \S*\b{re.escape(path.name)}$", other.read_text(), re.M) for other in FILES)
    named = any(f'"{path.stem}"' in module.read_text() for module in room.glob("*.py"))
    assert included or named


def test_lua_is_a_file() -> None:
    """Only there it is read with its keys, arguments and answer, and only there it can share what others know."""
    inline = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"redis\.call\(.*\)", node.value, re.DOTALL)
    ]
    assert not inline
