"""Currencies as ISO 4217 has them. Amounts are integers in the minor unit; how many digits that has is said here alone.

Babel's and the browsers' tables follow what people write (no digits for the Serbian dinar, the Iraqi dinar, the
Hungarian forint); banks and payment providers follow ISO 4217, and so does every amount in this program.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from babel import Locale
from iso4217 import Currency

#: Code -> digits of its minor unit: KRW 0, EUR 2, IQD 3, CLF 4. Metals and test codes have none: left out.
MINOR_DIGITS: Final[Mapping[str, int]] = MappingProxyType(
    {one.code: one.exponent for one in sorted(Currency, key=lambda one: one.code) if one.exponent is not None}
)

#: Of a currency that was withdrawn while its sale is kept.
USUAL_DIGITS: Final = 2

_TOUCHING: Final = re.compile(r"(?<=[A-Za-z])(?=\d)")


def minor_digits(currency: str) -> int:
    """Decimal places of the currency's minor unit."""
    return MINOR_DIGITS.get(currency, USUAL_DIGITS)


@functools.lru_cache(1024)
def written(amount: int, currency: str, language: str) -> str:
    """`amount` in the minor unit as people write it: 1500, EUR -> €15.00; 150000, RSD -> RSD 1,500.00."""
    digits = minor_digits(currency)
    locale = Locale.parse(language)
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    text = pattern.apply(Decimal(amount).scaleb(-digits), locale, currency=currency, currency_digits=False)
    # CLDR parts letters from figures, as browsers do; Babel does not.
    return _TOUCHING.sub("\u00a0", text)
