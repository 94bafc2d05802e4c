"""Signed addresses of a payment: one purpose, one order, no cookie (P3)."""

from __future__ import annotations

import pytest

from core.booking.addresses import masked
from core.payments.gateway import ContentSources
from core.payments.links import PaymentLinks, Purpose
from core.payments.provider_package import sources_with
from web.pay.policy import content_security_policy

ORDER = "0123456789abcdef0123456789abcdefa1"
OTHER = "0123456789abcdef0123456789abcdefa2"


def test_a_signature_is_good_for_its_purpose_and_order_only() -> None:
    links = PaymentLinks("a secret of the installation")
    for purpose in Purpose:
        s = links.sign(purpose, ORDER)
        assert links.check(purpose, ORDER, s)
        assert not links.check(purpose, OTHER, s)
        assert not any(links.check(other, ORDER, s) for other in Purpose if other is not purpose)
    assert not PaymentLinks("another secret").check(Purpose.PAGE, ORDER, links.sign(Purpose.PAGE, ORDER))


@pytest.mark.parametrize("s", ["", "x", "é", "A" * 10_000, "\0"])
def test_nonsense_is_no_signature(s: str) -> None:
    assert not PaymentLinks("secret").check(Purpose.RETURN, ORDER, s)


@pytest.mark.parametrize("order", ["", "a1", ORDER + "0000", "../" + ORDER, ORDER.upper(), ORDER[:-1] + "0"])
def test_what_is_no_order_number_was_never_signed(order: str) -> None:
    links = PaymentLinks("secret")
    assert not links.check(Purpose.PAGE, order, links.sign(Purpose.PAGE, order))


def test_the_paths_carry_their_own_signature() -> None:
    links = PaymentLinks("secret")
    paths = {links.page(ORDER), links.result(ORDER), links.returned("toss", ORDER), links.closed("toss", ORDER)}
    assert len({path.partition("?s=")[2] for path in paths}) == 4
    assert links.returned("toss", ORDER).startswith(f"/pay/toss/return/{ORDER}?s=")


def test_only_one_providers_sources_are_allowed() -> None:
    policy = content_security_policy(ContentSources(script=("https://js.example",), frame=("https://pay.example",)))
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["script-src"] == "'self' https://js.example"
    assert directives["frame-src"] == "https://pay.example"
    assert directives["form-action"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_a_script_from_elsewhere_brings_its_origin_along() -> None:
    """P2: `ONSALE_TOSS_SCRIPT` says whence the window's script comes; the page would not load it else."""
    theirs = ContentSources(script=("https://*.pay.example",), form=("https://*.pay.example",))
    assert sources_with("https://js.pay.example/v2/standard", theirs) == theirs
    elsewhere = sources_with("http://localhost:9000/v2/standard", theirs)
    assert elsewhere.script == elsewhere.form == ("https://*.pay.example", "http://localhost:9000")
    assert elsewhere.connect == elsewhere.frame == ("http://localhost:9000",)
    # Whose name only ends like the provider's is not the provider.
    assert "https://evil-pay.example" in sources_with("https://evil-pay.example/x.js", theirs).script


@pytest.mark.parametrize(
    ("email", "shown"),
    [("kim@example.com", "k***@e***.com"), ("a@b.c", "a***@b***.c"), ("x@localhost", "x***@***localhost")],
)
def test_an_address_is_masked(email: str, shown: str) -> None:
    """A domain without a dot is a machine of the own network: nothing of anybody's."""
    assert masked(email) == shown
