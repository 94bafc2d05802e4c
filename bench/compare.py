"""Two trees of the product, each served on stores of its own, measured in turns beside the same limit.

The other commit is checked out into a worktree that goes away again. Both run with the packages of this environment:
where the lock has changed meanwhile, the other tree runs with other packages than it had.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from bench.bare import Bare, bare
from bench.measure import Effort, Figure, markdown, number
from bench.run import SERVED
from bench.served import HERE, Served, served
from bench.stores import engines_of_run


def compare(ref: str, names: Sequence[str], effort: Effort) -> None:
    """Prints the table. Raises subprocess.CalledProcessError for a commit that there is not."""
    with bare() as limit, tree_of(ref) as other, _serving(other, limit) as before, _serving(HERE, limit) as now:
        rows = uvloop.run(_rows(names, effort, before, now, limit))
    print(markdown([("figure", ref, "this tree", "of it", "limit"), *rows]))


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
def _serving(tree: Path, limit: Bare) -> Iterator[Served]:
    """`onsale serve` makes the tables itself: those of its own commit."""
    with engines_of_run() as (settings, _), served(settings, tree, changes=limit.provider()) as started:
        yield started


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
