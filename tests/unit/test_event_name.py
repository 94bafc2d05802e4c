"""Names of an event: every script's characters, and nothing that cannot be seen and changes how the rest is read."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from core.errors import InvalidRequest
from core.venue.event_name import kept_text, what_is_wrong, what_is_wrong_about
from core.venue.phase import Phase, check_phases

TAKEN = [
    "Soirée\u00a0: l'été",
    "콘서트\u30002026",
    "Family 👨\u200d👩\u200d👧 day",
    "می\u200cخواهم",
    "Donau\u00addampf",
    "공연",
    "a" * 200,
]
PARTS = [
    "Fan club",
    "팬클럽",
    "a" * 60,
    "a" * 61,
    "😀" * 60,
    "a;b",
    "",
    " ",
    "\u200d",
    "a\u202eb",
    "a\u2066",
    "a\u0007",
    "a\nb",
]
REFUSED = ["ab\u0007c", "abc\u202edef", "\u2066abc", "abc\ud800", "two\r\nlines", "a\u2028b"]


@pytest.mark.parametrize("name", TAKEN)
def test_names_of_every_script_are_taken(name: str) -> None:
    assert what_is_wrong(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ab\u0007c", "U+0007 (a control character) at character 3"),
        ("abc\u202edef", "U+202E (RIGHT-TO-LEFT OVERRIDE) at character 4"),
        ("\u2066abc", "U+2066 (LEFT-TO-RIGHT ISOLATE) at character 1"),
        ("abc\ud800", "U+D800 (half a character) at character 4"),
        ("two\r\nlines", "U+000D (a control character) at character 4"),
    ],
)
def test_what_cannot_be_seen_and_changes_the_rest_is_named_with_its_place(name: str, told: str) -> None:
    assert told in (what_is_wrong(name) or "")


@pytest.mark.parametrize("name", ["", "   ", "\u200d", "\u00a0\u3000", "a" * 201])
def test_a_name_can_be_seen_and_has_an_end(name: str) -> None:
    assert what_is_wrong(name)


@pytest.mark.parametrize("name", TAKEN)
def test_as_a_subject_each_name_comes_back_equal(name: str) -> None:
    message = EmailMessage()
    message["Subject"] = name
    message.set_content("x")
    assert message_from_bytes(message.as_bytes(), policy=policy.default)["Subject"] == name


@pytest.mark.parametrize("what", ["venue", "address", "description"])
def test_what_else_buyers_read_has_the_same_rule(what: str) -> None:
    """T9, V4."""
    for text in ("", *TAKEN):
        assert what_is_wrong_about(what, text) is None
    assert f"the {what} has U+202E" in (what_is_wrong_about(what, "abc\u202edef") or "")
    assert what_is_wrong_about(what, "a" * 5001)


def test_only_a_description_has_lines() -> None:
    lines = "first\r\nsecond\tthird\rfourth"
    assert what_is_wrong_about("description", lines) is None
    assert kept_text(f" {lines}\n") == "first\nsecond\tthird\nfourth"
    assert "at character 3 of line 2" in (what_is_wrong_about("description", "ab\r\ncd\u0007") or "")
    for what in ("venue", "address"):
        assert "U+000A" in (what_is_wrong_about(what, "two\nlines") or "")


@pytest.mark.parametrize("name", [name for name in TAKEN if len(name) <= 60])
def test_a_part_of_a_sale_may_be_called_the_same(name: str) -> None:
    """V4: so may a group of codes."""
    check_phases([Phase(name, datetime(2030, 1, 1, tzinfo=UTC), code_group=name)])


@pytest.mark.parametrize("name", [*REFUSED, "", "\u200d", "a;b", "a" * 61])
def test_a_part_of_a_sale_may_not(name: str) -> None:
    with pytest.raises(InvalidRequest, match="phases\\[0\\]"):
        check_phases([Phase(name, datetime(2030, 1, 1, tzinfo=UTC))])
