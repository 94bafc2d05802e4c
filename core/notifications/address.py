"""E-mail addresses: which ones a mail server takes, as they are shown and as they are mailed (R10).

A domain may be of any script: it goes out in its ASCII form (RFC 5891), which every mail server knows. Letters beyond
ASCII before the @ need SMTPUTF8 (RFC 6531) of every server on the way, which many do not have: such an e-mail would
come back days after the money went.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

#: RFC 5321 section 4.5.3.1.3: a path has 256 octets, two of which are its angle brackets.
MOST_OCTETS: Final = 254
#: Addresses looked at last: one purchase asks three times, when it comes, before the money and for its e-mail.
_REMEMBERED: Final = 4096


class NotMailable(ValueError):
    """The text is one sentence for whoever typed the address."""


@dataclass(frozen=True, slots=True)
class MailAddress:
    """`shown` is as it was typed, but for the case and form of the domain; `mailed` is ASCII."""

    shown: str
    mailed: str


@functools.lru_cache(_REMEMBERED)
def mail_address(typed: str) -> MailAddress:
    """Raises NotMailable."""
    try:
        # Reserved domains (`.test`, `.local`: RFC 6761) are for rehearsals and houses of their own: as good as any.
        checked = validate_email(
            typed,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            allow_smtputf8=False,
            strict=True,
        )
    except EmailNotValidError as error:
        raise NotMailable(str(error)) from None
    mailed = checked.ascii_email
    assert mailed is not None  # noqa: S101 - without SMTPUTF8 there always is one
    if fault := _fault(checked, mailed):
        raise NotMailable(fault)
    return MailAddress(checked.normalized, mailed)


def _fault(checked: ValidatedEmail, mailed: str) -> str | None:
    labels = checked.ascii_domain.split(".")
    if len(labels) < 2:
        return f"the part after the @-sign is not complete: {checked.domain} has no period"
    if _is_number(labels[-1]):
        return f"the part after the @-sign has to be a name such as example.org: {checked.domain} is an IP address"
    if len(mailed) > MOST_OCTETS:
        return f"the address is too long: {len(mailed)} characters as it is mailed, at most {MOST_OCTETS}"
    return None


def _is_number(label: str) -> bool:
    """No top-level domain is one (RFC 3696 section 2), and a host that ends in one is read as an IPv4 address."""
    if label.startswith("0x"):
        return all(char in "0123456789abcdef" for char in label[2:])
    return label.isdigit()
