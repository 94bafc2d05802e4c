"""Money between our minor units and the units that a provider counts in: 1500 is 15.00 EUR, and 1,500 KRW."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from core.currency import minor_digits

#: Digits of an amount, at most: what is longer is no price.
_LONGEST: Final = 16
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


def to_major(amount: int, currency: str) -> int | float:
    """As a JSON number: 15000 KRW -> 15000, 1550 EUR -> 15.5."""
    digits = minor_digits(currency)
    return amount if digits == 0 else float(Decimal(amount).scaleb(-digits))


def to_minor(value: object, currency: str) -> int | None:
    """From a JSON number or a text of digits; None for what is no whole number of minor units, or is negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    minor = Decimal(text).scaleb(minor_digits(currency))
    return int(minor) if minor == minor.to_integral_value() else None
