"""The four states of a seat have one list, `core.seats.board.SeatState`; Lua, the page and PostgreSQL say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from core.booking.reservation import SeatStatus
from core.diagnosis.seats_redis import NOT_FOR_SALE
from core.languages import LANGUAGES, catalog
from core.messaging.replay import SeatLog, SeatRow
from core.seats.board import STATE_OF_STATUS, SeatState
from core.upkeep.mismatch import Kind, Mend, Row, Seen, mismatch_of

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
    constraint = re.compile(r"ADD CONSTRAINT seats_status_check\s+CHECK \(status IN \(([^)]*)\)\)")
    versions = sorted((ROOT / "core/migrations/versions").glob("*.py"))
    latest = [allowed for path in versions for allowed in constraint.findall(path.read_text())][-1]
    assert set(re.findall(r"'([A-Z_]+)'", latest)) == set(SeatStatus)


def test_a_seat_that_is_shown_as_its_status_looks_is_right_and_else_is_not() -> None:
    """R11: above all none that nobody may have is mended into one that is on sale."""
    for status in set(SeatStatus) - {SeatStatus.PAYING}:
        row = Row(ordinal=1, status=status, fence=7, payer="", updated_at=datetime(2026, 5, 1, tzinfo=UTC))
        looks = STATE_OF_STATUS[status]
        for state in set(SeatState) - {SeatState.HELD}:
            found = mismatch_of(row, Seen(byte=state, state="", ttl_ms=-2), 1_000)
            assert (found and found.mend) == (None if state == looks else Mend(looks)), (status, state)


def test_a_status_of_a_later_release_is_for_nobody_and_ends_no_run() -> None:
    row = Row(ordinal=1, status="LENT", fence=7, payer="", updated_at=datetime(2026, 5, 1, tzinfo=UTC))
    found = mismatch_of(row, Seen(byte=SeatState.AVAILABLE, state="", ttl_ms=-2), 1_000)
    assert found is not None
    assert (found.mend, found.kind) == (Mend(SeatState.BLOCKED), Kind.BLOCKED_NOT_SHOWN)
    assert mismatch_of(row, Seen(byte=SeatState.BLOCKED, state="", ttl_ms=-2), 1_000) is None


def test_every_status_is_told_of_by_messages_or_is_nobodys() -> None:
    """S17: the log knows of sales alone; an unknown seat of it is available."""
    for status in SeatStatus:
        row = SeatRow(event="gala", event_id=1, ordinal=0, status=status, version=0)
        agrees = not SeatLog().compare([row]).differences
        assert agrees == (status not in (SeatStatus.PAYING, SeatStatus.SOLD)), status


def test_diagnosis_has_a_cause_for_every_status_that_keeps_a_seat_back() -> None:
    """R7: which of the others it is says who pays, or holds."""
    assert set(NOT_FOR_SALE) == set(SeatStatus) - {SeatStatus.AVAILABLE, SeatStatus.PAYING}


def test_the_console_has_words_for_every_status() -> None:
    """Of seats that a block leaves as they are."""
    for language in LANGUAGES:
        assert [one for one in SeatStatus if not catalog(language).get(f"ops.seat.left_{one}")] == []


def test_the_wire_names_them_all() -> None:
    assert max(SeatState) < 4, "a packed board has two bits a seat: a fifth state needs a format of its own"
    described = (ROOT / "docs/asyncapi.yaml").read_text()
    for name, value in VALUES.items():
        assert re.search(rf"\b{value}[ =:]+{name.lower()}\b", described), name
