"""`python -m core.settings_docs docs/settings.md`: the page of settings, generated from `settings.py`."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core import settings
from core.settings import Settings, variable_name

_INTRODUCTION = """# Settings

All settings are environment variables; an empty one counts as not set. A value that is not valid stops the start with
one line that names the variable. Generated from `core/settings.py` by `make docs`: change it there. The last column
names the row of the requirements that a setting comes from.
"""


def document() -> str:
    """The whole page: a table for each group of settings, in the order of `settings.py`."""
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
    """Titles are the comments that stand on a line of their own inside the class."""
    source = inspect.getsource(settings)
    lines = source.splitlines()
    body = next(node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    fields = [node for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    groups: list[tuple[str, list[str]]] = []
    for node in fields:
        above = lines[node.lineno - 2].strip()
        if above.startswith("# ") or not groups:
            groups.append((above.removeprefix("# "), []))
        assert isinstance(node.target, ast.Name)  # noqa: S101 - filtered above
        if node.target.id in Settings.model_fields:
            groups[-1][1].append(node.target.id)
    return groups


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
