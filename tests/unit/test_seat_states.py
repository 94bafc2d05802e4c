"""The four states of a seat have one list, `core.seats.board.SeatState`; Lua, the page and PostgreSQL say the same."""

from __future__ import annotations

import re
from pathlib import Path

from core.booking.reservation import SeatStatus
from core.languages import LANGUAGES, catalog
from core.seats.board import STATE_OF_STATUS, SeatState

ROOT = Path(__file__).parents[2]
LUA = sorted((ROOT / "core").glob("**/*.lua"))
JAVASCRIPT = sorted((ROOT / "static/js").glob("**/*.js"))
VALUES = {state.name: int(state) for state in SeatState}
ANY = "|".join(VALUES)


def test_lua_says_the_same() -> None:
    prelude = (ROOT / "core/seats/lua/seats.lua").read_text()
    [(names, values)] = re.findall(r"^local (AVAILABLE[\w, ]+) = ([\d, ]+)$", prelude, re.M)
    assert dict(zip(names.split(", "), map(int, values.split(", ")), strict=True)) == VALUES


def test_the_page_says_the_same() -> None:
    board = (ROOT / "static/js/board.js").read_text()
    assert {name: int(value) for name, value in re.findall(r"^export const ([A-Z]+) = (\d);$", board, re.M)} == VALUES


def test_they_are_written_once_in_each_language() -> None:
    """Everybody else takes the names: a state that is written as a number somewhere would be missed by a new one."""
    told = re.compile(rf"\b(?:{ANY})\s*=\s*\d")
    assert [path.name for path in JAVASCRIPT if told.search(path.read_text())] == ["board.js"]
    assert [path.name for path in LUA if re.search(rf"local (?:{ANY})\b", path.read_text())] == ["seats.lua"]
    numbers = re.compile(r"(?:seat_byte\([^)]*\)|\bstates\[[^\]]*\])\s*[=~!]==?\s*\d")
    for path in (*LUA, *JAVASCRIPT):
        assert not numbers.search(path.read_text()), path.name


def test_every_status_of_a_row_has_its_state() -> None:
    assert set(STATE_OF_STATUS) == set(SeatStatus)
    latest = (ROOT / "core/migrations/versions/0024_waiting_list.py").read_text()
    allowed = re.search(r"ADD CONSTRAINT seats_status_check\s+CHECK \(status IN \(([^)]*)\)\)", latest)
    assert allowed
    assert set(re.findall(r"'([A-Z]+)'", allowed[1])) == set(SeatStatus)


def test_the_console_has_words_for_every_status() -> None:
    """Of seats that a block leaves as they are."""
    for language in LANGUAGES:
        assert [one for one in SeatStatus if not catalog(language).get(f"ops.seat.left_{one}")] == []


def test_the_wire_names_them_all() -> None:
    described = (ROOT / "docs/asyncapi.yaml").read_text()
    for name, value in VALUES.items():
        assert re.search(rf"\b{value}[ =:]+{name.lower()}\b", described), name
