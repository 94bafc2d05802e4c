"""From bytes to a JSON document that is safe to walk: bounded size, bounded depth, no key twice.

A plan comes from outside. orjson goes first, because it refuses deep nesting by itself at 1,024 levels; only a
document known to be shallow reaches the standard library's recursive parser, which can see keys that occur twice.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from core.sentences import Sentence, said
from core.venue.plan_problems import Line, Path, Problems

#: 100,000 seats, written out with indentation, take about 40 MB.
MAX_BYTES = 64_000_000

#: Objects and lists in one plan; a seat is two. Parsed, each takes 50 to 250 bytes.
MAX_CONTAINERS = 1_000_000

#: A plan needs 7 (zones, zone, areas, area, ellipse, radius).
MAX_DEPTH = 32

_BOM = b"\xef\xbb\xbf"


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys it was given twice."""

    twice: tuple[str, ...] = ()


def parse_document(data: bytes) -> dict[str, Any]:
    """Raises PlanInvalid; never RecursionError, and never works long on what is not a plan."""
    problems = Problems()
    if len(data) > MAX_BYTES:
        problems.add((), said("plan.file_too_large", most=MAX_BYTES // 1_000_000))
        problems.stop_if_any()
    text = data.removeprefix(_BOM)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line, column = text.count(b"\n", 0, error.start) + 1, error.start - text.rfind(b"\n", 0, error.start)
        problems.add(
            Line(line, column),
            said("plan.not_utf8", byte=f"{text[error.start]:#04x}"),
        )
        problems.stop_if_any()
    containers = text.count(b"{") + text.count(b"[")
    if containers > MAX_CONTAINERS:
        problems.add((), said("plan.too_many_brackets", found=containers, most=MAX_CONTAINERS))
        problems.stop_if_any()
    try:
        shallow = _is_shallow(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg or "ecursion" in error.msg:
            shallow = False
        else:
            problems.add(Line(error.lineno, error.colno), said("plan.not_json", why=_parsers_words(error.msg)))
            problems.stop_if_any()
    if not shallow:
        problems.add((), said("plan.too_deep", most=MAX_DEPTH))
        problems.stop_if_any()
    given_twice: list[_Object] = []
    document: Any = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, given_twice))
    if not isinstance(document, dict):
        problems.add((), said("plan.no_object", kind=_kind(document)))
        problems.stop_if_any()
    if given_twice or b"\\u0000" in text:
        _check_keys_and_text(document, problems)
    problems.stop_if_any()
    checked: dict[str, Any] = document
    return checked


def _object(pairs: list[tuple[str, Any]], given_twice: list[_Object]) -> _Object:
    made = _Object(pairs)
    if len(made) != len(pairs):
        made.twice = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        given_twice.append(made)
    return made


def _is_shallow(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(child for child in value.values() if isinstance(child, (dict, list)))
            elif isinstance(value, list):
                below.extend(child for child in value if isinstance(child, (dict, list)))
        if not below:
            return True
        level = below
    return False


def _check_keys_and_text(document: Any, problems: Problems) -> None:
    """Keys given twice, and NUL characters, which PostgreSQL cannot keep."""
    pending: list[tuple[Path, Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            for key in getattr(value, "twice", ()):
                problems.add((*path, key), said("plan.key_twice"))
            if any("\0" in key for key in value):
                problems.add(path, said("plan.nul_in_key"))
            pending.extend(
                ((*path, key), child) for key, child in reversed(value.items()) if isinstance(child, (str, dict, list))
            )
        elif isinstance(value, list):
            pending.extend(
                ((*path, index), child)
                for index, child in reversed(list(enumerate(value)))
                if isinstance(child, (str, dict, list))
            )
        elif "\0" in value:
            problems.add(path, said("plan.nul"))


def _kind(value: Any) -> Sentence:
    kinds = {
        type(None): said("plan.kind_null"),
        bool: said("plan.kind_boolean"),
        str: said("plan.kind_text"),
        list: said("plan.kind_list"),
    }
    return kinds.get(type(value), said("plan.kind_number"))


def _parsers_words(message: str) -> Sentence | str:
    """What orjson says of a file; as it says it where that is rare."""
    known = {
        "input data is empty": said("json.no_data"),
        "Input is a zero-length, empty document": said("json.empty"),
        "unexpected end of data": said("json.ends"),
        "unexpected content after document": said("json.goes_on"),
        "trailing comma is not allowed": said("json.comma"),
        "unexpected character, expected a JSON value": said("json.value"),
        "unexpected character, expected a string key": said("json.key"),
        "unexpected character, expected ':' after key": said("json.colon"),
        "unexpected character, expected ',' or '}'": said("json.comma_or_brace"),
        "unexpected character, expected ',' or ']'": said("json.comma_or_bracket"),
        "unexpected control character in string": said("json.control"),
        "invalid escaped sequence in string": said("json.escape"),
        "number with leading zero is not allowed": said("json.zero"),
        "number is infinity when parsed as double": said("json.infinite"),
    }
    return known.get(message, message)
