"""What is wrong with a seat plan, gathered until all of it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from core.errors import PlanInvalid
from core.sentences import Sentence, said

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


@dataclass(frozen=True, slots=True)
class Line:
    """A place in a file that is not JSON; both begin with 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def wrong(what: Sentence) -> PydanticCustomError:
    """To be raised by a rule of ours for a part of a plan."""
    return PydanticCustomError("said", "a sentence", {"said": what})


def in_plain_words(found: Mapping[str, Any]) -> Sentence:
    """Pydantic's finding (an entry of `errors()`, with its context) in an organiser's words."""
    context = found.get("ctx", {})
    match found["type"]:
        case "said":
            sentence: Sentence = context["said"]
            return sentence
        case "missing":
            return said("plan.missing")
        case "model_type":
            return said("plan.not_object")
        case "string_type":
            return said("plan.not_text")
        case "list_type":
            return said("plan.not_list")
        case "float_type":
            return said("plan.not_number")
        case "greater_than":
            return said("plan.not_above", least=_whole(context["gt"]))
        case "greater_than_equal":
            return said("plan.too_small", least=_whole(context["ge"]))
        case "less_than_equal":
            return said("plan.too_large", most=_whole(context["le"]))
        case "too_long":
            return said("plan.too_many", most=context["max_length"], found=context["actual_length"])
        case "literal_error":
            choices, _, last = context["expected"].rpartition(" or ")
            return said("plan.not_one_of", choices=choices, last=last)
        case _:
            return said("plan.not_valid", why=found["msg"].replace("Input should be", "must be", 1))


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def problem(place: Path | Line, what: Sentence) -> dict[str, Any]:
    """`{at, message, key, arguments}`; of a file that is not JSON also `line` and `column`."""
    at = str(place) if isinstance(place, Line) else json_path(place)
    told = {"at": at, "message": what.in_words(), **what.told()}
    return told | {"line": place.line, "column": place.column} if isinstance(place, Line) else told


class Problems:
    """Gathers errors by place; `stop_if_any` raises them all as one PlanInvalid."""

    def __init__(self) -> None:
        self._errors: list[dict[str, Any]] = []
        self._more = 0

    def add(self, place: Path | Line, what: Sentence) -> None:
        if len(self._errors) < MAX_LISTED:
            self._errors.append(problem(place, what))
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
