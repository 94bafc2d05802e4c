"""What is wrong with a seat plan, gathered until all of it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import PlanInvalid

#: More than this many are counted, not listed.
MAX_LISTED = 100

Path = Sequence[str | int]


def json_path(path: Path) -> str:
    """`("zones", 0, "rows", 3)` -> `zones[0].rows[3]`; the whole document is `$`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "$"


def in_plain_words(kind: str, text: str) -> str:
    """Pydantic's finding in an organiser's words."""
    plain = {"missing": "is missing", "model_type": "must be an object", "string_type": "must be text"}
    return plain.get(kind) or text.removeprefix("Value error, ").replace("Input should be", "must be", 1)


class Problems:
    """Gathers errors by place; `stop_if_any` raises them all as one PlanInvalid."""

    def __init__(self) -> None:
        self._errors: list[dict[str, Any]] = []
        self._more = 0

    def add(self, path: Path | str, message: str) -> None:
        """`path` is a JSON path, or text such as `line 3, column 7` for a file that is not JSON."""
        if len(self._errors) < MAX_LISTED:
            at = path if isinstance(path, str) else json_path(path)
            self._errors.append({"at": at, "message": message})
        else:
            self._more += 1

    def stop_if_any(self) -> None:
        """Raises PlanInvalid with `errors` (at most `MAX_LISTED`) and `more`, the number of those not listed."""
        if not self._errors:
            return
        first = self._errors[0]
        others = len(self._errors) + self._more - 1
        and_others = f" (and {others} more {'error' if others == 1 else 'errors'})" if others else ""
        raise PlanInvalid(
            f"the seat plan is not valid: {first['at']}: {first['message']}{and_others}",
            errors=self._errors,
            more=self._more,
        )
