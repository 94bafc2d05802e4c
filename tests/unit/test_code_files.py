"""F7: a file of access codes: what is read of it, as it is asked for, and what is refused, by line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import InvalidRequest
from core.venue.codes import MOST_TOLD, new_code, normalised, read_codes


def test_headings_columns_quotes_and_empty_lines() -> None:
    lines = ["\ufeffcode,name\n", '"MINA-0001",Mina\r\n', "\n", "JUNO-0002;x\n", "  ROSE 0003 \n"]
    assert list(read_codes(lines)) == ["MINA-0001", "JUNO-0002", "ROSE 0003"]


@pytest.mark.parametrize("heading", ["code", "Codes", "Voucher code", "ACCESS_CODE", "Coupon", "쿠폰 코드"])
def test_a_heading_is_no_code_that_anybody_guesses(heading: str) -> None:
    """In the first line only: further down it is what it says."""
    assert list(read_codes([f"{heading},name\n", "MINA-0001\n"])) == ["MINA-0001"]
    assert list(read_codes(["MINA-0001\n", "VOUCHER\n"])) == ["MINA-0001", "VOUCHER"]


def test_every_line_that_cannot_be_a_code_is_told() -> None:
    with pytest.raises(InvalidRequest) as refused:
        list(read_codes(["GOOD-CODE-1\n", "no\n", "GOOD-CODE-2\n", f"{'X' * 65}\n", "\x07BELL-1\n"]))
    assert refused.value.detail == "lines 2, 4 and 5: a code has 6 to 64 letters and digits; nothing was imported"
    assert [one["at"] for one in refused.value.data["errors"]] == ["line 2", "line 4", "line 5"]
    with pytest.raises(InvalidRequest, match=r"^line 1: a code has"):
        list(read_codes(["no\n"]))


def test_of_a_file_of_something_else_so_many_lines_are_told() -> None:
    with pytest.raises(InvalidRequest) as refused:
        list(read_codes("no\n" for _ in range(100_000)))
    assert "9, 10 and 99990 more: a code has" in str(refused.value.detail)
    assert len(refused.value.data["errors"]) == MOST_TOLD


def test_it_is_read_as_it_is_asked_for() -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for _ in range(1_000_000):
            read += 1
            yield f"{new_code()}\n"

    codes = read_codes(lines())
    for _ in range(10):
        next(codes)
    assert read == 10


@pytest.mark.parametrize(
    "typed", ["7kq2 m9xd-0trw", "７ＫＱ２-Ｍ９ＸＤ-０ＴＲＷ", "7KQ2.M9XD_0TRW\t", "\x1f7KQ2M9XD0TRW"]
)
def test_codes_are_compared_however_they_are_typed(typed: str) -> None:
    assert normalised(typed) == "7KQ2M9XD0TRW"


def test_new_codes_are_of_sixty_bits_without_letters_that_are_misread() -> None:
    made = [new_code() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert {len(code) for code in made} == {14}
    assert set("".join(made)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")
