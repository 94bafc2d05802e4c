"""Pages and static files as served: D3 (what browsers make of them is tested in `tests/e2e`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Hashable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette

from core.runtime import Runtime
from core.venue.event import SaleStatus
from core.venue.phase import Phase
from tests.booking import Bank, until, way_back
from tests.conftest import MakeEvent
from tests.contract.api_client import OWN_PAGE, open_client
from web.assets import Assets
from web.caching import Body
from web.drawn_pages import DrawnPages, Shown
from web.pages import TEMPLATES

pytestmark = pytest.mark.usefixtures("bank")

HTML = {"accept": "text/html"}


class Browser:
    """Keeps cookies and says what browsers say."""

    def __init__(self, client: httpx.AsyncClient, bank: Bank) -> None:
        self.client = client
        self.bank = bank

    async def open(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={**HTML, **headers})

    async def post(self, path: str, json: object = None, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=json, headers={**OWN_PAGE, **headers})

    async def buy(self, slug: str, *seats: int) -> str:
        await self.open(f"/events/{slug}")
        assert (await self.post(f"/api/events/{slug}/queue", {})).status_code == 200
        assert (await self.post(f"/api/events/{slug}/holds", {"seats": list(seats)})).status_code == 201
        body = {"email": "kim@example.org"}
        bought = await self.post(f"/api/events/{slug}/reservations", body, **{"idempotency-key": "k"})
        assert bought.status_code == 202, bought.text
        back = await self.open(way_back(self.bank, bought.json()["payment"]["order"]))
        assert back.status_code == 303, back.text
        path = f"/api/reservations/{bought.json()['id']}"

        async def over() -> bool:
            return bool((await self.client.get(path)).json()["status"] != "PAYING")

        await until(over)
        return str(bought.json()["id"])


@pytest.fixture
async def browser(client: httpx.AsyncClient, bank: Bank) -> Browser:
    return Browser(client, bank)


class Tags(HTMLParser):
    """Every tag of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts_with_text = 0
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script" and dict(attrs).get("type") != "application/json"

    def handle_data(self, data: str) -> None:
        self.scripts_with_text += bool(self._in_script and data.strip())
        self._in_script = False


async def pages(browser: Browser, make_event: MakeEvent) -> AsyncIterator[tuple[str, httpx.Response]]:
    event = await make_event(starts_at=datetime.now(UTC) + timedelta(days=9))
    bought = await browser.buy(event.slug, 1, 2)
    for path in ("/", f"/events/{event.slug}", f"/reservations/{bought}", f"/reservations/{bought}/ticket", "/nowhere"):
        yield path, await browser.open(path)


async def test_pages_are_compressed_and_repeat_nothing_that_a_link_chose(
    browser: Browser, make_event: MakeEvent
) -> None:
    """V5 and docs/security.md: a secret's length is told to nobody who can choose what stands beside it (BREACH)."""
    async for path, page in pages(browser, make_event):
        assert "Accept-Encoding" in page.headers["vary"], path
        for coding in ("br", "zstd", "gzip"):
            chosen = "guess=ONSALE1&s=ONSALE1&phase=ONSALE1&code="
            coded = await browser.open(f"{path}?{chosen}", **{"accept-encoding": coding})
            assert coded.headers["content-encoding"] == coding, path
            assert "</html>" in coded.text, path
            assert "ONSALE1" not in coded.text, path
    login = await browser.open("/ops?guess=ONSALE1&s=ONSALE1&phase=ONSALE1&code=ONSALE1", **{"accept-encoding": "br"})
    assert login.headers["content-encoding"] == "br"
    assert "ONSALE1" not in login.text


async def test_links_to_other_languages_keep_what_the_page_is_asked_by(browser: Browser, make_event: MakeEvent) -> None:
    """T2: whoever came by an e-mail's link sees the same ticket, or the same draw, in the other language."""
    event = await make_event()
    bought = await browser.buy(event.slug, 1)
    code = (await browser.client.get(f"/api/reservations/{bought}")).json()["ticket_code"]
    for path, kept in ((f"/reservations/{bought}/ticket", f"code={code}"), (f"/events/{event.slug}/draw", "phase=one")):
        links = [
            attributes["href"]
            for tag, attributes in Tags((await browser.open(f"{path}?{kept}&s=x&guess=x")).text).tags
            if tag == "a" and "hreflang" in attributes
        ]
        assert links == [f"{path}?{kept}&lang={language}" for language in ("en", "ko")]


async def test_of_draws_only_the_events_own_phases_are_kept_drawn(
    browser: Browser, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stranger makes up drives nobody's page out (E1)."""
    kept: list[str] = []
    body = DrawnPages.body

    def noted(self: DrawnPages, name: Hashable, shows: Shown, draw: Callable[[], str]) -> Body:
        kept.append(shows[0]["here"])
        return body(self, name, shows, draw)

    monkeypatch.setattr(DrawnPages, "body", noted)
    fans = Phase("fans", datetime.now(UTC) + timedelta(days=1), max_seats=2)
    event = await make_event(status=SaleStatus.SCHEDULED, phases=(fans,))
    path = f"/events/{event.slug}/draw"
    for asked in ("", "?phase=fans", "?phase=made-up", "?phase="):
        page = await browser.open(path + asked)
        assert (page.status_code, event.name in page.text) == (200, True)
    assert kept == [f"{path}?lang=", f"{path}?phase=fans&lang="]


async def test_the_sale_page_tells_name_day_and_prices_by_itself(browser: Browser, make_event: MakeEvent) -> None:
    """V1: on the slowest line they are there with the first bytes, before any script."""
    event = await make_event(starts_at=datetime(2027, 7, 1, 18, tzinfo=UTC), venue="Halle <1>")
    page = (await browser.open(f"/events/{event.slug}")).text
    opening = page[page.index('id="opening"') : page.index("</section>", page.index('id="opening"'))]
    for words in (event.name, "1 July 2027", "Halle &lt;1&gt;", "Standard", "15,000"):
        assert words in opening


async def test_pages_work_under_the_content_security_policy(
    browser: Browser, client: httpx.AsyncClient, make_event: MakeEvent
) -> None:
    """No inline script or style, no foreign address; every file that a page names is there and cached for ever."""
    async for path, page in pages(browser, make_event):
        assert page.headers["content-type"] == "text/html; charset=utf-8", path
        found = Tags(page.text)
        assert found.scripts_with_text == 0, path
        for tag, attributes in found.tags:
            assert tag != "style", path
            assert not [name for name in attributes if name == "style" or name.startswith("on")], (path, tag)
            address = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
            if address and not address.startswith("data:"):
                plan = rf"/api{re.escape(path)}/plan/columns\?v=[0-9a-f]+"
                assert address.startswith("/static/~") or re.fullmatch(plan, address), (path, tag, address)
                file = await client.get(address)
                assert file.status_code == 200, address
                assert "immutable" in file.headers["cache-control"]


async def test_every_page_speaks_both_languages(browser: Browser, make_event: MakeEvent) -> None:
    event = await make_event()
    for language in ("en", "ko"):
        for path in ("/", f"/events/{event.slug}", "/nowhere"):
            page = await browser.open(path, **{"accept-language": language})
            assert f'<html lang="{language}"' in page.text
            assert page.headers["content-language"] == language
            assert "Accept-Language" in page.headers["vary"]
    assert (await browser.open("/", **{"accept-language": "qaa"})).headers["content-language"] == "en"


async def test_a_chosen_language_is_kept(browser: Browser) -> None:
    chosen = await browser.open("/?lang=ko", **{"accept-language": "en"})
    assert chosen.headers["content-language"] == "ko"
    assert (await browser.open("/", **{"accept-language": "en"})).headers["content-language"] == "ko"
    assert (await browser.open("/?lang=xx", **{"accept-language": "en"})).headers["content-language"] == "ko"
    assert "onsale_language=xx" not in str((await browser.open("/?lang=xx")).headers)


async def test_the_event_page_knows_its_event(browser: Browser, make_event: MakeEvent) -> None:
    event = await make_event(name='<script>alert("x")</script> & Söhne')
    page = await browser.open(f"/events/{event.slug}")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "&amp; Söhne" in page.text
    assert event.slug in page.text
    assert event.slug in (await browser.open("/")).text


async def test_a_reservation_page_is_its_owners(browser: Browser, app: Starlette, make_event: MakeEvent) -> None:
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    async with open_client(app) as others:
        stranger = Browser(others, browser.bank)
        await stranger.open("/")
        for path in (f"/reservations/{bought}", f"/reservations/{bought}/ticket"):
            mine = await browser.open(path)
            assert mine.status_code == 200
            assert mine.headers["cache-control"] == "private, no-store"
            assert (await stranger.open(path)).status_code == 404
    assert (await browser.open(f"/reservations/{uuid4()}")).status_code == 404


async def test_all_that_a_browser_bought_is_found_from_every_page(
    browser: Browser, app: Starlette, make_event: MakeEvent
) -> None:
    """T2: whichever page it was bought on; nobody else's, and no order that came to nothing."""
    event = await make_event(name="Soirée")
    assert "has not bought anything" in (await browser.open("/tickets")).text
    bought = await browser.buy(event.slug, 3)
    for path in ("/", f"/events/{event.slug}", f"/reservations/{bought}", f"/reservations/{bought}/ticket"):
        assert 'href="/tickets"' in (await browser.open(path)).text
    mine = await browser.open("/tickets")
    assert mine.headers["cache-control"] == "private, no-store"
    assert f'href="/reservations/{bought}/ticket"' in mine.text
    assert "Soirée" in mine.text
    async with open_client(app) as others:
        assert bought not in (await Browser(others, browser.bank).open("/tickets")).text


async def test_an_event_that_does_not_take_place_is_told_on_every_page(
    browser: Browser, runtime: Runtime, make_event: MakeEvent
) -> None:
    """V3, T2, P7: before its money is back as well: no ticket to be shown, nothing to be given back for a fee."""
    event = await make_event(starts_at=datetime.now(UTC) + timedelta(days=30))
    bought = await browser.buy(event.slug, 3)
    says, shows = "This event does not take place", "Whatever you have paid goes back"
    api, ticket = f"/api/events/{event.slug}", f"/reservations/{bought}/ticket"
    assert (await browser.client.get(api)).json()["cancelled"] is False
    assert 'role="img"' in (await browser.open(ticket)).text
    assert says not in (await browser.open(f"/reservations/{bought}")).text
    home = (await browser.open("/")).text
    assert re.search(rf'href="/events/{event.slug}".*?from .*?</a>', home, re.DOTALL)
    await runtime.database.execute(
        "UPDATE events SET status = 'CLOSED', cancelled_at = now() WHERE id = :id", {"id": event.id}
    )
    runtime.events.forget(event.slug)
    assert (await browser.client.get(api)).json()["cancelled"] is True
    for path in ("/", "/tickets"):
        assert "Does not take place" in (await browser.open(path)).text
    own = re.search(rf'href="/events/{event.slug}"(.*?)</a>', (await browser.open("/")).text, re.DOTALL)
    assert own
    assert "from " not in own[1], "what nobody can have any more has no price"
    assert f'href="/reservations/{bought}"' in (await browser.open("/tickets")).text
    for path in (f"/reservations/{bought}", ticket):
        page = (await browser.open(path)).text
        assert says in page
        assert shows in page
        assert "/calendar" not in page
        assert 'role="img"' not in page
    state = (await browser.client.get(f"/api/reservations/{bought}")).json()
    assert state["status"] == "CONFIRMED"
    assert state["cancel"]["possible"] is False
    refused = await browser.post(f"/api/reservations/{bought}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_cancellable")


async def test_who_looks_for_money_finds_what_came_to_nothing(
    browser: Browser, runtime: Runtime, make_event: MakeEvent
) -> None:
    """T2: an order whose outcome was never learnt may have been charged, and stays among what was bought."""
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    for reason, is_there in (("payment_unknown_cancelled", True), ("payment_cancelled", True), ("declined", False)):
        await runtime.database.execute(
            "UPDATE reservations SET status = 'FAILED', reason = :reason WHERE id = :id",
            {"id": bought, "reason": reason},
        )
        assert (bought in (await browser.open("/tickets")).text) is is_there, reason


async def test_the_ticket_link_of_the_e_mail_works_on_another_device(
    browser: Browser, app: Starlette, make_event: MakeEvent
) -> None:
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    code = (await browser.client.get(f"/api/reservations/{bought}")).json()["ticket_code"]
    async with open_client(app) as others:
        stranger = Browser(others, browser.bank)
        assert code in (await stranger.open(f"/reservations/{bought}/ticket?code={code}")).text
        for wrong in ("", "x", f"{code}x", code.swapcase(), "%00", "%ff"):
            assert (await stranger.open(f"/reservations/{bought}/ticket?code={wrong}")).status_code == 404
        # Seeing the ticket is not owning the reservation.
        assert (await stranger.open(f"/reservations/{bought}?code={code}")).status_code == 404
        assert (await stranger.post(f"/api/reservations/{bought}/cancel")).status_code == 404


async def test_the_ticket_has_its_code_as_a_qr_image(
    browser: Browser, runtime: Runtime, make_event: MakeEvent, bank: Bank
) -> None:
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    state = (await browser.client.get(f"/api/reservations/{bought}")).json()
    ticket = await browser.open(f"/reservations/{bought}/ticket")
    assert state["ticket_code"] in ticket.text, "readable for a person when the scanner is broken"
    drawn = re.search(r'<svg[^>]*class="segno".*?</svg>', ticket.text, re.S)
    assert drawn is not None
    from web.pages import qr_svg

    assert str(qr_svg(state["ticket_code"])) == drawn[0]
    assert str(qr_svg(state["ticket_code"] + "x")) != drawn[0]


async def test_there_is_no_ticket_before_it_is_paid(browser: Browser, bank: Bank, make_event: MakeEvent) -> None:
    bank.says = "decline"
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    ticket = await browser.open(f"/reservations/{bought}/ticket")
    assert ticket.status_code == 303
    assert ticket.headers["location"] == f"/reservations/{bought}"


async def test_static_files_are_compressed_and_known_again(client: httpx.AsyncClient) -> None:
    names = Assets().names()
    script = next(name for name in names if name.endswith(".js"))
    plain = await client.get(f"/static/{script}", headers={"accept-encoding": "identity"})
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/javascript")
    assert "no-cache" in plain.headers["cache-control"], "without its digest it may change"
    known = await client.get(f"/static/{script}", headers={"if-none-match": plain.headers["etag"]})
    assert known.status_code == 304
    older = await client.get(f"/static/~0123456789ab/{script}")
    assert older.content == plain.content
    assert "immutable" not in older.headers["cache-control"]
    assert (await client.head(f"/static/{script}")).status_code == 200


async def test_a_changed_file_has_a_new_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import web.assets

    monkeypatch.setattr(web.assets, "_LOOK_PAUSE", 0.0)
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.js").write_text("1")
    (tmp_path / ".secret").write_text("hidden")
    assets = Assets(tmp_path)
    first = assets.base
    assert assets.base == first
    assert assets.names() == ["js/a.js"], "hidden files are not served"
    (tmp_path / "js" / "a.js").write_text("22")
    assert assets.base != first


def test_templates_name_no_file_that_is_not_there() -> None:
    names = set(Assets().names())
    for template in TEMPLATES.rglob("*.html"):
        for file in re.findall(r"{{ static }}/([\w./-]+)[\"']", template.read_text()):
            assert file in names, f"{template.name}: {file}"


async def test_the_link_of_the_e_mail_opens_the_ticket_anywhere(
    browser: Browser, app: Starlette, make_event: MakeEvent
) -> None:
    """Its code is the key: nothing but that ticket opens, and nothing without the right code."""
    event = await make_event()
    bought = await browser.buy(event.slug, 3)
    code = (await browser.client.get(f"/api/reservations/{bought}")).json()["ticket_code"]
    async with open_client(app) as others:
        phone = Browser(others, browser.bank)
        opened = await phone.open(f"/reservations/{bought}/ticket?code={code}")
        assert opened.status_code == 200
        assert code in opened.text
        assert opened.headers["cache-control"] == "private, no-store"
        for wrong in ("x", code[:-1], code + "x", code.swapcase(), "%00", ""):
            assert (await phone.open(f"/reservations/{bought}/ticket?code={wrong}")).status_code == 404
        assert (await phone.open(f"/reservations/{bought}?code={code}")).status_code == 404, "the ticket, no more"
        assert (await phone.open(f"/reservations/{uuid4()}/ticket?code={code}")).status_code == 404


async def test_home_says_what_is_sold_out_and_what_may_come_back(
    browser: Browser, runtime: Runtime, make_event: MakeEvent
) -> None:
    """V3."""
    gone, held, free = await make_event(seats=2), await make_event(seats=2), await make_event(seats=2)
    await browser.buy(gone.slug, 0, 1)
    await browser.open(f"/events/{held.slug}")
    assert (await browser.post(f"/api/events/{held.slug}/queue", {})).status_code == 200
    assert (await browser.post(f"/api/events/{held.slug}/holds", {"seats": [0, 1]})).status_code == 201

    async def said() -> bool:
        # What is left is looked at once in two seconds, and so is the list of sales.
        page = (await browser.open("/", **{"accept-language": "en"})).text
        cards = dict(re.findall(r'href="/events/([^"]+)"(.*?)</a>', page, re.DOTALL))
        if free.slug not in cards:
            return False
        assert "Sold out" not in cards[free.slug]
        return "Sold out" in cards[gone.slug] and "All in baskets" in cards[held.slug]

    await until(said)
