"""The product twice, each served on stores of its own, measured in turns beside the same limit: another commit beside
this tree, or another CPython beside this one.

The other commit is checked out into a worktree that goes away again. Both run with the packages of this environment:
where the lock has changed meanwhile, the other tree runs with other packages than it had. The other CPython is that of
an environment which has the same packages: `make bench-python` makes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench.bare import Bare, bare
from bench.bought import NO_MAILS, figures, prepared
from bench.measure import Effort, Figure, markdown, number
from bench.report import PAGE, put, run_of
from bench.run import SERVED
from bench.served import HERE, Served, served
from bench.served_row import Taken
from bench.stores import engines_of_run
from core.database import close_database, open_database

PURCHASES: Final = "purchases"
#: The five calls of a rush.
HOT: Final = ("hold", "refused-hold", "join", "board", "page")


def compare(ref: str, names: Sequence[str], effort: Effort) -> None:
    """Prints the table. Raises subprocess.CalledProcessError for a commit that there is not."""
    rows = []
    with bare() as limit, tree_of(ref) as other:
        calls = [name for name in names if name != PURCHASES]
        if calls:
            with _serving(other, limit) as before, _serving(HERE, limit) as now:
                rows += uvloop.run(_rows(calls, effort, before, now, limit))
        if PURCHASES in names:
            rows += uvloop.run(_bought(effort, other, limit))
    print(markdown([("figure", ref, "this tree", "of it", "limit"), *rows]))


def interpreters(python: Path, names: Sequence[str], effort: Effort, *, write: bool) -> None:
    """Prints the table. `python`: the other interpreter. Raises CalledProcessError for one that does not run."""
    version = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"], check=True, capture_output=True, text=True
    ).stdout.strip()
    with bare() as limit, _serving(HERE, limit, python) as other, _serving(HERE, limit) as ours:
        rows = uvloop.run(_rows(names, effort, other, ours, limit))
    head = ("figure", f"CPython {version}", f"CPython {platform.python_version()}", "of it", "limit")
    found = f"{run_of(f'{effort.rounds} rounds of {effort.seconds:g} s for each side, in turns')}.\n\n"
    found += markdown([head, *rows])
    print(found)
    if write:
        put(PAGE, "interpreters", found)


@contextlib.contextmanager
def tree_of(ref: str) -> Iterator[Path]:
    """A worktree of this commit."""
    with tempfile.TemporaryDirectory(prefix="onsale-compare-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", tree, ref], cwd=HERE, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=HERE, check=True)


@contextlib.contextmanager
def _serving(
    tree: Path, limit: Bare, python: Path = Path(sys.executable), changes: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """`onsale serve` makes the tables itself: those of its own commit."""
    given = {**limit.provider(), **(changes or {})}
    with engines_of_run() as (settings, _), served(settings, tree, python, changes=given) as started:
        yield started


async def _bought(effort: Effort, other: Path, limit: Bare) -> list[tuple[str, str, str, str, str]]:
    """Purchases on both sides in turns, with e-mails and with e-mails that wait for later."""
    print(f"{PURCHASES} ...", file=sys.stderr, flush=True)
    taken: list[list[list[Taken]]] = []
    for mails in (True, False):
        taken.append([[], []])
        async with contextlib.AsyncExitStack() as stack:
            sides = []
            for tree in (other, HERE):
                serving = _serving(tree, limit, changes=None if mails else NO_MAILS)
                side = await asyncio.to_thread(stack.enter_context, serving)
                database = await open_database(side.database_url, 2)
                stack.push_async_callback(close_database, database)
                sides.append((side, database))
            for number in range(effort.rounds + 1):
                for rounds, (side, database) in zip(taken[-1], sides, strict=True):
                    one = await (await prepared(database, side, effort, mails=mails))()
                    if number:  # the first one warms it
                        rounds.append(one)
    mailed, later = taken
    both = (figures(mailed[side], later[side]) for side in range(2))
    return [_line(was, is_) for was, is_ in zip(*both, strict=True)]


async def _rows(
    names: Sequence[str], effort: Effort, before: Served, now: Served, limit: Bare
) -> list[tuple[str, str, str, str, str]]:
    found = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        row = SERVED[name]
        bare_rounds, *both = await row.rounds(effort, limit, before, now)
        for was, is_ in zip(*(row.figures(bare_rounds, rounds) for rounds in both), strict=True):
            found.append(_line(was, is_))
    return found


def _line(was: Figure, is_: Figure) -> tuple[str, str, str, str, str]:
    return (
        is_.name,
        f"{number(was.value)} {was.unit}",
        f"{number(is_.value)} {is_.unit}",
        f"{is_.value / was.value:.2f}",
        f"{number(is_.limit)} ({is_.limit_is})" if is_.limit is not None else "",
    )
