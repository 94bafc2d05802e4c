"""R10: addresses that cannot be mailed are refused with one sentence; a domain of any script goes out as ASCII."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.notifications.address import NotMailable, mail_address
from web.schemas import Reserve


@pytest.mark.parametrize(
    ("typed", "shown", "mailed"),
    [
        ("kim@example.org", "kim@example.org", "kim@example.org"),
        ("Kim.Lee+hall@Example.ORG", "Kim.Lee+hall@example.org", "Kim.Lee+hall@example.org"),
        ("kim@bücher.example", "kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("kim@BÜCHER.example", "kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("kim@xn--bcher-kva.example", "kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("kim@faß.example", "kim@faß.example", "kim@xn--fa-hia.example"),
        ("kim@예매.한국", "kim@예매.한국", "kim@xn--9z2b15t.xn--3e0b707e"),
        ("kim@1.example", "kim@1.example", "kim@1.example"),
        ("kim@hall.test", "kim@hall.test", "kim@hall.test"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_what_can_be_mailed_is_taken(typed: str, shown: str, mailed: str) -> None:
    address = mail_address(typed)
    assert (address.shown, address.mailed) == (shown, mailed)
    assert Reserve(email=typed).email == shown


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("jürgen@example.org", "before the @"),
        ("김@example.org", "before the @"),
        ("kım@bücher.example", "before the @"),
        ("k@127.0.0.1", "IP address"),
        ("k@1.1", "IP address"),
        ("k@1.2.3.4.5", "IP address"),
        ("k@example.123", "IP address"),
        ("k@0x7f.0x1", "IP address"),
        ("k@１２７.0.0.1", "IP address"),
        ("k@[127.0.0.1]", "IP address"),
        ("k@[IPv6:::1]", "IP address"),
        ("k@localhost", "reserved"),
        ("k@example", "period"),
        ("k@example.org.", "period"),
        ("k@example..org", "period"),
        (".k@example.org", "period"),
        ("k@-a.example", "hyphen"),
        ("k@a_b.example", "invalid characters"),
        ("k@ex ample.org", "invalid characters"),
        ("k@example.org,l@example.org", "invalid characters"),
        ("Kim <k@example.org>", "display name"),
        ('"kim lee"@example.org', "Quoting"),
        ("k@xn--a.example", "IDNA"),
        ("k@" + "ü" * 60 + ".example", "too long"),
        ("a" * 65 + "@example.org", "too long"),
        ("k@" + ".".join(["ü" * 20] * 8) + ".example", "too long"),
        ("kim@exa\u00admple.org", "unsafe"),
        ("k@foo.invalid", "reserved"),
        ("", "@-sign"),
    ],
)
def test_what_cannot_is_refused_with_one_sentence(typed: str, why: str) -> None:
    with pytest.raises(NotMailable, match=why) as refused:
        mail_address(typed)
    assert "\n" not in str(refused.value)
    with pytest.raises(ValidationError, match=why):
        Reserve(email=typed)
