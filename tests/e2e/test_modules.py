"""The front-end's pure modules, tested in the browser that they are written for: `tests/e2e/modules/*.js`.

Each exported function is a test; it throws when it fails. Pages and tests are on one origin, so that a test imports
the very modules that the page does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from babel.numbers import get_currency_precision, list_currencies
from playwright.async_api import Browser, Page, Route

from tests.e2e.conftest import Server

FOLDER = Path(__file__).parent / "modules"
CASES = [
    pytest.param(file.name, name, id=f"{file.stem}-{name}")
    for file in sorted(FOLDER.glob("*.js"))
    for name in re.findall(r"^export (?:(?:async )?function|const) (\w+)", file.read_text(), re.MULTILINE)
    if file.stem != "same"
]


@pytest.fixture(scope="module")
async def page(server: Server, chromium: Browser) -> AsyncIterator[Page]:
    page = await chromium.new_page()

    async def serve(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        await route.fulfill(body=(FOLDER / name).read_text(), content_type="text/javascript")

    await page.route("**/test-modules/*.js", serve)
    await page.goto(server.url)
    yield page
    await page.close()


@pytest.mark.parametrize(("file", "name"), CASES)
async def test_module(page: Page, file: str, name: str) -> None:
    await page.evaluate(
        """async ([file, name]) => {
            const tests = await import(`/test-modules/${file}`);
            await tests[name]();
        }""",
        [file, name],
    )


async def test_money_has_the_servers_decimals_in_every_currency(page: Page) -> None:
    """What a buyer reads in the browser is what the e-mail says: both count the same minor unit."""
    ours = await page.evaluate(
        """async () => {
            const { decimals } = await import("/static/js/i18n.js");
            return Object.fromEntries(Intl.supportedValuesOf("currency").map((code) => [code, decimals(code)]));
        }"""
    )
    known = list_currencies()
    assert {code: digits for code, digits in ours.items() if code in known} == {
        code: get_currency_precision(code) for code in ours if code in known
    }
