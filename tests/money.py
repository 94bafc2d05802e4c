"""Money in a browser against money in the server's texts."""

from __future__ import annotations

import re

#: JavaScript: the server's table of digits -> each currency's 1,234,567 minor units as the page writes them in English.
WRITTEN = """async (table) => {
    const { learnCurrencies, money, use } = await import("/static/js/i18n.js");
    await use("en", {});
    learnCurrencies(table);
    return Object.fromEntries(Object.keys(table).map((code) => [code, money(1234567, code)]));
}"""


def figures(text: str) -> str:
    """Without the currency's sign, which engines and Babel choose for themselves: `RSD 1,500.00` -> `1,500.00`."""
    found = re.search(r"\d[\d.,]*", text)
    assert found, text
    return found[0]
