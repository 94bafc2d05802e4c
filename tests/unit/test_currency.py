"""Money with the digits of ISO 4217, not with those that people leave out."""

from __future__ import annotations

import pytest

from core.currency import MINOR_DIGITS, written


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (150000, "RSD", "RSD\u00a01,500.00"),
        (25000, "IQD", "IQD\u00a025.000"),
        (150000, "KRW", "₩150,000"),
        (1500, "JPY", "¥1,500"),
        (1500, "KWD", "KWD\u00a01.500"),
        (12345, "CLF", "CLF\u00a01.2345"),
        (1500, "EUR", "€15.00"),
        (500000, "HUF", "HUF\u00a05,000.00"),
        (10**12, "EUR", "€10,000,000,000.00"),
    ],
)
def test_money_is_written_with_the_digits_of_iso_4217(amount: int, currency: str, text: str) -> None:
    assert written(amount, currency, "en") == text


def test_what_is_no_money_is_no_currency() -> None:
    assert {"XAU", "XTS", "XXX"}.isdisjoint(MINOR_DIGITS)
    assert len(MINOR_DIGITS) > 150
