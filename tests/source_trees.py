"""The product's modules as syntax trees, for tests that read code: each is parsed once in a process."""

from __future__ import annotations

import ast
import contextlib
import functools
from pathlib import Path


@functools.cache
def tree_of(path: Path) -> ast.Module:
    # CPython 3.11 counts the depth of all threads together: beside another one that compiles it says SystemError.
    for _ in range(20):
        with contextlib.suppress(SystemError):
            return ast.parse(path.read_text(), filename=str(path))
    return ast.parse(path.read_text(), filename=str(path))
