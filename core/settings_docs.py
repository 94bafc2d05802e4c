"""`python -m core.settings_docs docs/settings.md`: the page of settings, generated from `core/settings`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core.settings import Settings, variable_name
from core.settings.providers import GROUPS, AllProviderSettings

_INTRODUCTION = """# Settings

All settings are environment variables; an empty one counts as not set. A value that is not valid stops the start with
one line that names the variable. Generated from `core/settings` and `core/payments/*/settings.py` by `make docs`:
change it there. The last column names the row of the requirements that a setting comes from.
"""


def document() -> str:
    """The whole page: a table for each comment that begins one, in the order of the groups."""
    parts = [_INTRODUCTION]
    for title, names in _groups():
        parts.append(f"## {title}\n\n| variable | default | unit | what | row |\n|---|---|---|---|---|")
        parts[-1] += "".join("\n" + _line(name, Settings.model_fields[name]) for name in names)
    return "\n".join(part + ("\n" if part.startswith("##") else "") for part in parts)


def _line(name: str, field: FieldInfo) -> str:
    extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    cells = (
        f"`{variable_name(name)}`",
        _default(field.default),
        str(extra.get("unit", "")),
        (field.description or "").replace("|", "\\|"),
        str(extra.get("row", "")),
    )
    return f"| {' | '.join(cells)} |"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text}`" if text else ""


def _groups() -> list[tuple[str, list[str]]]:
    """Titles are the comments that stand on a line of their own inside the classes."""
    groups: list[tuple[str, list[str]]] = []
    for group in _classes():
        lines = inspect.getsource(group).splitlines()
        (found,) = ast.parse("\n".join(lines)).body
        assert isinstance(found, ast.ClassDef)  # noqa: S101 - it is the source of one
        for node in found.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                above = lines[node.lineno - 2].strip()
                if above.startswith("# "):
                    groups.append((above.removeprefix("# "), []))
                groups[-1][1].append(node.target.id)
    return groups


def _classes() -> Iterator[type]:
    for group in reversed(Settings.__bases__):
        yield from GROUPS if group is AllProviderSettings else (group,)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
