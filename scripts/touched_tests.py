"""Prints the test files that `make quick` runs: all quick unit tests, and what the change since `main` touches.

A unit test file that is quick, or has never run here, always runs, and so does a test file that was changed itself.
What else is touched runs as far as a minute goes, and the slow unit tests after it. Whatever is left out is named on
standard error and left to `make test`.

A test file is touched when it changed itself, imports a module that did or one that imports such a module, or is called
after one (`test_figures.py`, which calls `web/ops/figures.py` over HTTP). A file that is no Python (a template, a
document) counts as the modules that name it; a script in Lua or a statement in SQL as the modules of its room that run
such files, and of the rooms whose files include it. How long each test file takes is kept by `tests/conftest.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "realtime", "web", "cli", "bench", "tests")

#: What a module's name says besides what it is about.
IO_SUFFIX = r"_(redis|postgres|kafka|http|smtp)$"

#: Both processes of the run together; starting them and their stores comes to it.
BUDGET_SECONDS = 60.0
#: Of a test file that has never run here, and of one in `tests/unit`.
UNKNOWN_SECONDS, UNKNOWN_UNIT_SECONDS = 8.0, 1.0
#: A unit test file that takes longer is not quick: it waits until what is touched has found its place.
LONG_SECONDS = 5.0


def changed_files() -> set[str]:
    """What differs from the commit where this branch left `main`, committed or not; paths from the root."""

    def git(*arguments: str) -> list[str]:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.splitlines() if done.returncode == 0 else []

    base = (git("merge-base", "HEAD", "main") or git("merge-base", "HEAD", "origin/main") or ["HEAD"])[0]
    return {*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")}


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def changed_modules(changed: Iterable[str]) -> set[str]:
    """Those of changed Python files, and those that name a changed file of another kind."""
    modules = {module(path) for path in changed if path.endswith(".py")}
    for folder in rooms_of_sources({path for path in changed if path.endswith((".lua", ".sql"))}):
        readers = (source for source in folder.glob("*.py") if "SourceFiles(" in source.read_text())
        modules |= {module(str(source.relative_to(ROOT))) for source in readers}
    names = {Path(path).name for path in changed if not path.endswith(".py")}
    for room in ROOMS if names else ():
        for source in (ROOT / room).rglob("*.py"):
            text = source.read_text()
            if any(f'"{name}"' in text or f"/{name}" in text for name in names):
                modules.add(module(str(source.relative_to(ROOT))))
    return modules


def rooms_of_sources(changed: set[str]) -> set[Path]:
    """The folders of the modules that run these Lua and SQL files, or files that include them."""
    sources = [path for kind in ("lua", "sql") for path in (ROOT / "core").rglob(f"*.{kind}")]
    touched = {ROOT / path for path in changed}
    while True:
        names = "|".join(re.escape(path.name) for path in touched)
        includes = re.compile(rf"--#include (\S*/)?({names})$", re.MULTILINE)
        further = {path for path in sources if path not in touched and names and includes.search(path.read_text())}
        if not further:
            return {path.parent.parent for path in touched}
        touched |= further


def touched_tests(changed: Iterable[str]) -> dict[str, int]:
    """Test files that changed (0), import what did or are called after it (1), or import an importer of it (2).

    Paths from the root. Further away everything hangs together by the composition roots.
    """
    graph = grimp.build_graph(*ROOMS, include_external_packages=False, cache_dir=None)
    ring = changed_modules(changed)
    names = "|".join({re.escape(re.sub(IO_SUFFIX, "", name.rpartition(".")[2])) for name in ring})
    called = re.compile(rf"test_(.*_)?({names})(_.*)?\.py")
    found = {path: 1 for path in all_tests() if names and called.fullmatch(Path(path).name) and path not in changed}
    for distance in range(3):
        for name in ring:
            path = f"{name.replace('.', '/')}.py"
            if name.startswith("tests.") and Path(path).name.startswith("test_") and (ROOT / path).exists():
                found[path] = min(distance, found.get(path, distance))
        known = ring & graph.modules if distance == 0 else {name for name in ring if not is_root(name)} & graph.modules
        ring = {importer for each in known for importer in graph.find_modules_that_directly_import(each)}
    return found


def all_tests() -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("*/test_*.py")}


def is_root(name: str) -> bool:
    """It imports everything, and what imports it says nothing about what it tests."""
    return name.startswith(("core.runtime", "web.app")) or name.endswith(".composition")


def chosen(unit: Set[str], touched: Mapping[str, int], seconds: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """(to run, left out), both in the same order each time.

    unit: the files of `tests/unit`; touched: what `touched_tests` says; seconds: how long a file took, where known.
    """

    def cost(path: str) -> float:
        return seconds.get(path, UNKNOWN_UNIT_SECONDS if path in unit else UNKNOWN_SECONDS)

    always = {path for path in unit if cost(path) <= LONG_SECONDS}
    always |= {path for path, distance in touched.items() if distance == 0}

    def rank(path: str) -> tuple[bool, int, float, str]:
        return path not in always, touched.get(path, 3), cost(path), path

    run: list[str] = []
    left: list[str] = []
    spent = 0.0
    for path in sorted(unit | touched.keys(), key=rank):
        if path in always or spent + cost(path) <= BUDGET_SECONDS:
            run.append(path)
            spent += cost(path)
        else:
            left.append(path)
    return run, left


def main() -> None:
    kept = ROOT / ".cache" / "test_seconds.json"
    unit = {path for path in all_tests() if path.startswith("tests/unit/")}
    run, left = chosen(unit, touched_tests(changed_files()), json.loads(kept.read_text()) if kept.exists() else {})
    if left:
        print(f"quick: left to `make test` for want of time: {' '.join(left)}", file=sys.stderr)
    print("\n".join(run))


if __name__ == "__main__":
    main()
