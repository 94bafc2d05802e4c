"""Lua scripts and SQL statements as files beside the modules that run them, joined with what they include."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

_INCLUDE: Final = re.compile(r"^[ \t]*--#include (\S+)$", re.MULTILINE)


class SourceFiles(Mapping[str, str]):
    """`SourceFiles(__file__, "sql")["begin"]`: the text of `sql/begin.sql` in the folder of the module that asks.

    A line `--#include NAME` stands for that file of the same folder, or of another room's by a relative path. Raises
    KeyError where there is no such file, and ValueError where a file that is included is missing or includes itself:
    both when the module is imported.
    """

    def __init__(self, module: str, kind: Literal["lua", "sql"]) -> None:
        self._folder = Path(module).resolve().parent / kind
        self._kind = kind

    def __getitem__(self, name: str) -> str:
        path = self._folder / f"{name}.{self._kind}"
        if not path.is_file():
            raise KeyError(f"there is no {path}")
        return _joined(path, ())

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob(f"*.{self._kind}")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _joined(path: Path, within: tuple[Path, ...]) -> str:
    if path in within:
        raise ValueError(f"{path} includes itself")
    if not path.is_file():
        raise ValueError(f"{within[-1]} includes {path}, which is not there")

    def included(line: re.Match[str]) -> str:
        return _joined((path.parent / line[1]).resolve(), (*within, path))

    return _INCLUDE.sub(included, path.read_text("utf-8"))
