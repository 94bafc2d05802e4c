"""The front-end's pure modules, tested in the browser that they are written for: `tests/e2e/modules/*.js`.

Each exported function is a test; it throws when it fails. Pages and tests are on one origin, so that a test imports
the very modules that the page does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from core import languages
from core.currency import MINOR_DIGITS
from core.venue.event_name import what_is_wrong, what_is_wrong_with_part
from core.venue.event_time import zones
from tests.e2e.conftest import Server
from tests.money import WRITTEN, figures
from tests.sale_server import PATIENCE
from tests.unit.test_event_name import PARTS, REFUSED, TAKEN
from tests.unit.test_seat_words import BARE, IN_WORDS

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
    page.set_default_timeout(PATIENCE * 1000)

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


async def test_money_is_written_with_the_servers_digits_in_every_currency(page: Page) -> None:
    """What a buyer reads in the browser is what the e-mail says: both count ISO 4217's minor unit."""
    ours = await page.evaluate(WRITTEN, dict(MINOR_DIGITS))
    assert {code: figures(text) for code, text in ours.items()} == {
        code: figures(languages.money("en", 1234567, code)) for code in MINOR_DIGITS
    }


async def test_rows_and_seats_are_called_the_same_in_the_browser_as_in_an_email(page: Page) -> None:
    told = await page.evaluate(
        """async (names) => {
            const { inWords } = await import("/static/js/seat_words.js");
            return names.map(inWords);
        }""",
        [*IN_WORDS, *BARE],
    )
    assert told == [True] * len(IN_WORDS) + [False] * len(BARE)


@pytest.mark.parametrize("name", PARTS)
async def test_the_form_and_the_server_have_one_rule_for_groups_of_codes(page: Page, name: str) -> None:
    taken = await page.evaluate(
        """async (name) => (await import("/static/js/ops/event_texts.js")).isPartName(name)""", name
    )
    assert taken is (what_is_wrong_with_part(name) is None)


@pytest.mark.parametrize(
    "zone",
    [
        *("UTC", "Europe/Berlin", "Asia/Seoul", "America/Argentina/Buenos_Aires", "US/Pacific"),
        *("Etc/GMT+3", "Etc/UTC", "europe/berlin", "EUROPE/BERLIN", "GMT", "utc", "+03:00", "Mars/Base", ""),
    ],
)
async def test_the_form_and_the_server_have_one_rule_for_zones(page: Page, zone: str) -> None:
    taken = await page.evaluate(
        """async (zone) => (await import("/static/js/ops/sale_fields.js")).isZone(zone)""", zone
    )
    assert taken is (zone in zones())


@pytest.mark.parametrize("name", [*TAKEN, *REFUSED, " ", "\u200d", "a" * 200, "a" * 201, "😀" * 200])
async def test_the_form_and_the_server_have_one_rule_for_names(page: Page, name: str) -> None:
    wrong = await page.evaluate(
        """async (units) => {
            const { faults } = await import("/static/js/ops/sale_fields.js");
            return faults({ name: String.fromCharCode(...units) }).get("name") ?? null;
        }""",
        # As UTF-16: half a character would not come through as text.
        list(memoryview(name.encode("utf-16-le", "surrogatepass")).cast("H")),
    )
    server = what_is_wrong(name)
    assert (wrong is None) == (server is None), server
    if server and (named := re.search(r"has (U\+\w+) .* at character (\d+)", server)):
        assert wrong == f"character:{named[1]}:{named[2]}"


@pytest.mark.parametrize(("hangul", "loaded"), [(6, 1), (10, 0)], ids=["boxes", "drawn"])
async def test_a_device_without_hangul_loads_ours_also_where_boxes_differ(
    server: Server, chromium: Browser, hangul: int, loaded: int
) -> None:
    """V1: Gecko's box for a character beyond the BMP has six digits in it; that of a missing Hangul is narrower."""
    page = await chromium.new_page(locale="ko-KR")
    page.set_default_timeout(PATIENCE * 1000)
    await page.add_init_script(
        f"""sessionStorage.setItem("onsale.type", "own");
        CanvasRenderingContext2D.prototype.measureText = (text) => (
            {{ width: text === "\ud55c" ? {hangul} : text.length > 1 ? 9 : 6 }});"""
    )
    await page.goto(server.url)
    assert await page.locator("html").get_attribute("lang") == "ko"
    assert await page.locator("link[rel=stylesheet][href*=pretendard]").count() == loaded
    await page.close()
