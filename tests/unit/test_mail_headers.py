"""V4: a name of any script comes back from a mail's headers as it was, whoever reads them."""

from __future__ import annotations

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.notifications.mail_headers import Subject, encoded, header_line
from core.venue.event_name import what_is_wrong

NAMES = [
    "Soirée\u00a0: l'été",
    "콘서트\u30002026",
    "Family 👨\u200d👩\u200d👧 day",
    "می\u200cخواهم",
    "Schiff\u00adfahrt",
    "=?utf-8?q?Not_encoded?=",
    "a =?utf-8?b?8J+YgA==?= b",
    "  spaces   between  and\u00a0",
    "x" * 200,
    "가 " * 100,
    "👩\u200d🚀" * 66,
    "é" + "x" * 44 + "é",
]

# Every name that an event may have.
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200).filter(lambda name: what_is_wrong(name) is None)


def read(line: str, name: str) -> tuple[str, str]:
    """A header as the two readers of the standard library have it."""
    raw = f"{line}X-Next: 1\r\n\r\n".encode("ascii")
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    (value,) = re.findall(rb"^%s: ((?:[^\r\n]|\r\n )*)" % name.encode(), head, re.MULTILINE)
    old = str(make_header(decode_header(value.decode("ascii"))))
    return email.message_from_bytes(raw, policy=email.policy.default)[name], old


@given(names)
@pytest.mark.parametrize("words", ["%s", "Your tickets for %s", "%s 예매가 완료되었습니다"])
@example(name=NAMES[0])
@example(name=NAMES[1])
@example(name=NAMES[2])
@example(name=NAMES[3])
@example(name=NAMES[4])
@example(name=NAMES[5])
@example(name=NAMES[6])
@example(name=NAMES[8])
@example(name=NAMES[9])
@example(name=NAMES[10])
@example(name=NAMES[11])
def test_a_subject_comes_back_equal(words: str, name: str) -> None:
    text = words % name.strip()
    line = header_line("Subject", Subject.of(text))
    assert read(line, "Subject") == (text.strip(" "), text.strip(" "))


@given(names)
def test_each_encoded_word_is_short_and_whole(name: str) -> None:
    for word in encoded("é" + name).split("\r\n "):
        assert len(word) <= 75
        ((octets, charset),) = decode_header(word)
        assert charset == "utf-8"
        assert isinstance(octets, bytes)
        octets.decode()


@pytest.mark.parametrize(
    "name", ["온세일", "Onsale", "Hall, the", 'He said "no"', "Theater am Gärtnerplatz, München" * 3]
)
def test_a_senders_name_comes_back_equal(name: str) -> None:
    line = header_line("From", Address(display_name=name, addr_spec="tickets@hall.test"))
    # The newer reader of Python 3.11 puts a space between the encoded words of a name, against RFC 2047 section 6.2.
    raw = email.message_from_bytes(line.encode("ascii"), policy=email.policy.compat32)["From"]
    if "=?" in raw:
        raw = str(make_header(decode_header(raw)))
        assert raw == f"{name} <tickets@hall.test>"
    else:
        assert parseaddr(raw) == (name, "tickets@hall.test")


def test_controls_and_halves_of_characters_end_no_header() -> None:
    """Names of an earlier version may have them."""
    line = header_line("Subject", Subject.of("one\r\nBcc: x@y.test\x00\u2028two\ud800"))
    assert line == f"Subject: {encoded('one Bcc: x@y.test two' + chr(0xFFFD))}\r\n"
    assert line.count("\r\n") == 1
