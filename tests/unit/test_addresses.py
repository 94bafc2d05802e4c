"""F3: which addresses are one buyer's."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.booking.addresses import Addresses
from core.settings import Settings

SETTINGS = Settings(_env_file=None)
DEFAULT = Addresses.named(SETTINGS.email_tags_at, SETTINGS.email_dots_at)
locals_ = st.text(string.ascii_letters + string.digits + "._+-", min_size=1, max_size=20)
domains = st.sampled_from(["gmail.com", "Googlemail.com", "outlook.com", "example.org", "예.한국", "proton.me"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kim@gmail.com", "K.i.m+1@googlemail.com"),
        ("kim@gmail.com", " KIM@GMAIL.COM "),
        ("kim@outlook.com", "kim+concert@Outlook.com"),
        ("kim@icloud.com", "kim+a@me.com"),
        ("kim@proton.me", "k.im@pm.me"),
        ("kim@예.한국", "kim@xn--2j5b.xn--3e0b707e"),
    ],
)
def test_one_mailbox_is_one_buyer(one: str, other: str) -> None:
    assert DEFAULT.key(one) == DEFAULT.key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kim@gmail.com", "kim@example.org"),
        ("k.im@example.org", "kim@example.org"),
        ("kim+1@example.org", "kim@example.org"),
        ("k.im@outlook.com", "kim@outlook.com"),
        ("kim@gmail.com", "lee@gmail.com"),
    ],
)
def test_nothing_else_is_guessed(one: str, other: str) -> None:
    assert DEFAULT.key(one) != DEFAULT.key(other)


@given(locals_, domains)
def test_a_key_is_its_own_key_and_ignores_case(local: str, domain: str) -> None:
    key = DEFAULT.key(f"{local}@{domain}")
    assert DEFAULT.key(key) == key
    assert DEFAULT.key(f"{local.upper()}@{domain.upper()}") == key


@given(st.text(string.ascii_lowercase, min_size=1), st.text(string.ascii_lowercase + "+.", max_size=10))
def test_no_tag_makes_another_buyer(local: str, tag: str) -> None:
    assert DEFAULT.key(f"{local}+{tag}@gmail.com") == DEFAULT.key(f"{local}@gmail.com")
    assert Addresses().key(f"{local}+{tag}@gmail.com") != Addresses().key(f"{local}@gmail.com")
