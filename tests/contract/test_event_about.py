"""What an event tells of itself (T9): set over HTTP, shown on every page that names it, its picture made anew."""

from __future__ import annotations

import io
import secrets

import httpx
from icalendar import Calendar
from PIL import Image

from core.runtime import Runtime
from tests.booking import Bank, desk, until, way_back
from tests.conftest import MakeEvent, small_plan
from tests.contract.api_client import OWN_PAGE, Api, open_client
from web.app import create_app

EVENTS = "/api/operator/events"
ABOUT = {
    "venue": "Haus der Kulturen",
    "address": "John-Foster-Dulles-Allee 10, Berlin",
    "description": "Doors **19:00**\n\n<script>alert(1)</script>",
}


def picture(width: int = 1700, height: int = 850) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(file, "PNG" if width < 500 else "JPEG")
    return file.getvalue()


async def bring(operator: Api, slug: str, content: bytes) -> httpx.Response:
    sent = {"content-type": "image/jpeg"}
    return await operator.call("PUT", f"{EVENTS}/{slug}/picture", content=content, headers=sent)


async def test_words_are_set_with_the_sale_and_changed(operator: Api, runtime: Runtime) -> None:
    slug = f"t-{secrets.token_hex(5)}"
    asked = {"slug": slug, "name": "Gala", "plan": small_plan().decode(), "prices": {"Standard": 15000}, **ABOUT}
    made = (await operator.call("POST", EVENTS, json=asked, expect=201)).json()
    assert {name: made[name] for name in ABOUT} == ABOUT
    shown = (await operator.call("GET", f"/api/events/{slug}", expect=200)).json()
    assert {name: shown[name] for name in ABOUT} == ABOUT
    (listed,) = [one for one in (await operator.call("GET", "/api/events")).json()["events"] if one["slug"] == slug]
    assert listed["venue"] == ABOUT["venue"]
    changed = await operator.call(
        "PATCH", f"{EVENTS}/{slug}", json={"venue": " Volksbühne ", "address": ""}, expect=200
    )
    assert (changed.json()["venue"], changed.json()["address"]) == ("Volksbühne", "")
    assert changed.json()["description"] == ABOUT["description"]
    for wrong in ({"venue": "two\nlines"}, {"address": "a" * 301}, {"description": "x\u202ey"}):
        body = await operator.refused("PATCH", f"{EVENTS}/{slug}", 422, "invalid_request", json=wrong)
        assert [one["at"] for one in body["errors"]] == list(wrong)
    assert (await runtime.events.fresh(slug)).venue == "Volksbühne"


async def test_a_picture_is_made_anew_and_kept_for_ever(operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    made = await bring(operator, event.slug, picture() + b"<script>hung on</script>")
    assert made.status_code == 200, made.text
    small, large = made.json()["pictures"]
    assert [(one["width"], one["height"]) for one in (small, large)] == [(640, 320), (1600, 800)]
    served = await operator.client.get(small["url"])
    assert served.headers["content-type"] == "image/jpeg"
    assert served.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert b"script" not in served.content
    assert Image.open(io.BytesIO(served.content)).size == (640, 320)
    assert (await operator.call("GET", f"/api/events/{event.slug}")).json()["pictures"] == [small, large]

    another = (await bring(operator, event.slug, picture(400, 300))).json()["pictures"]
    assert [one["width"] for one in another] == [400]
    gone = await operator.call("DELETE", f"{EVENTS}/{event.slug}/picture", expect=200)
    assert gone.json()["pictures"] == []
    fresh = await open_elsewhere(operator, another[0]["url"])
    assert (fresh.status_code, fresh.json()["code"]) == (404, "picture_not_found")


async def open_elsewhere(operator: Api, url: str) -> httpx.Response:
    """From a process that has not shown it yet."""
    parts = operator.client._transport.app.state.parts  # type: ignore[attr-defined]
    parts.pictures._kept.clear()
    return await operator.client.get(url)


async def test_what_is_no_picture_changes_nothing(operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    known = (await bring(operator, event.slug, picture(400, 300))).json()["pictures"]
    for content in (b"", b"<svg/>", b"GIF89a", picture()[:900]):
        refused = await bring(operator, event.slug, content)
        assert (refused.status_code, refused.json()["code"]) == (422, "picture_unusable"), refused.text
    refused = await bring(operator, event.slug, b"\xff" * (2 * 1024 * 1024 + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    assert (await operator.call("GET", f"{EVENTS}/{event.slug}")).json()["pictures"] == known


async def test_every_page_that_names_the_event_tells_of_it(
    operator: Api, make_event: MakeEvent, runtime: Runtime
) -> None:
    """Home, sale, reservation and ticket; and the calendar file, for whom the ticket is."""
    bank = Bank()
    runtime.checkout = desk(runtime, bank).checkout
    event = await make_event(**ABOUT)
    url = (await bring(operator, event.slug, picture())).json()["pictures"][0]["url"]
    async with open_client(create_app(runtime, None)) as client:
        home = (await client.get("/", headers={"accept": "text/html"})).text
        sale = (await client.get(f"/events/{event.slug}", headers={"accept": "text/html"})).text
        for page in (home, sale):
            assert ABOUT["venue"] in page
            assert url in page
        assert "Doors <strong>19:00</strong>" in sale
        assert "<script>alert" not in sale
        for path, body in (("queue", {}), ("holds", {"seats": [1]})):
            await client.post(f"/api/events/{event.slug}/{path}", json=body, headers=OWN_PAGE)
        bought = await client.post(
            f"/api/events/{event.slug}/reservations",
            json={"email": "kim@example.org"},
            headers={**OWN_PAGE, "idempotency-key": "k"},
        )
        await client.get(way_back(bank, bought.json()["payment"]["order"]), headers={"accept": "text/html"})
        own = f"/api/reservations/{bought.json()['id']}"

        async def confirmed() -> bool:
            return bool((await client.get(own)).json()["status"] == "CONFIRMED")

        await until(confirmed)
        for path in ("", "/ticket"):
            page = (await client.get(f"/reservations/{bought.json()['id']}{path}")).text
            assert ABOUT["venue"] in page
            assert ABOUT["address"] in page
            assert url in page
            assert "Doors <strong>19:00</strong>" in page
            # The page says it where it is looked for, and not a second time.
            assert page.count(ABOUT["address"]) == 1
        file = await client.get(f"/reservations/{bought.json()['id']}/calendar")
        assert file.headers["content-type"].startswith("text/calendar")
        (entry,) = Calendar.from_ical(file.content).walk("VEVENT")
        assert str(entry["location"]) == f"{ABOUT['venue']}, {ABOUT['address']}"
        assert "Doors 19:00" in str(entry["description"])
        code = (await client.get(own)).json()["ticket_code"]
    async with open_client(create_app(runtime, None)) as stranger:
        path = f"/reservations/{bought.json()['id']}/calendar"
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.get(f"{path}?code={code}")).status_code == 200
