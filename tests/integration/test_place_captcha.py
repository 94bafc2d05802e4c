"""A captcha besides the proof of work (F4), by a strict double of `siteverify`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core import keys
from core.embedded import Engines
from core.errors import ProofRequired, StartupError
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from core.venue.event import Event
from core.waiting_room import captcha_http
from core.waiting_room.composition import open_captcha
from core.waiting_room.price import Bidder
from tests.conftest import MakeEvent
from tests.integration.test_place_price import CAMPUS, solved
from tests.siteverify import SECRET, SITE_KEY, Siteverify, siteverify
from tests.waits import PATIENCE

pytestmark = pytest.mark.usefixtures("patient")

ADDRESS = "198.51.100.17"
SCRIPT = "https://challenges.cloudflare.com/turnstile/v0/api.js"


def with_captcha(settings: Settings, url: str, **changes: Any) -> Settings:
    captcha = {
        "captcha_verify_url": url,
        "captcha_secret": SECRET,
        "captcha_site_key": SITE_KEY,
        "captcha_script": SCRIPT,
        "proof_tries": 1,
    }
    return Settings(**{**settings.model_dump(), **captcha, **changes})


@pytest.fixture(autouse=True)
def patient_captcha(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still is no service that is away."""
    monkeypatch.setattr(captcha_http, "_TIMEOUT", httpx.Timeout(PATIENCE))


@pytest.fixture
async def service() -> AsyncIterator[Siteverify]:
    async with siteverify() as double:
        yield double


@pytest.fixture
async def guarded(settings: Settings, stores: Engines, service: Siteverify) -> AsyncIterator[Runtime]:
    async with open_runtime(with_captcha(settings, service.url), stores) as opened:
        yield opened


@pytest.fixture
async def event(guarded: Runtime, make_event: MakeEvent) -> Event:
    return await make_event(active_limit=1)


async def join(runtime: Runtime, event: Event, visitor: str, proof: str | None = None) -> None:
    await runtime.waiting_room.join(event, visitor, None, None, Bidder(CAMPUS, proof, ADDRESS))


async def refused(runtime: Runtime, event: Event, visitor: str, proof: str | None = None) -> dict[str, Any]:
    with pytest.raises(ProofRequired) as error:
        await join(runtime, event, visitor, proof)
    return error.value.data


async def crowded(runtime: Runtime, event: Event, places: int) -> None:
    await runtime.redis.zadd(keys.networks(event.slug), {CAMPUS: places})


async def test_the_proof_of_work_is_enough_and_a_captcha_will_do(
    guarded: Runtime, event: Event, service: Siteverify
) -> None:
    await crowded(guarded, event, 8)
    wanted = await refused(guarded, event, "a")
    assert wanted["captcha"] == {"site_key": SITE_KEY, "script": SCRIPT}
    await join(guarded, event, "a", solved(wanted["challenge"]))
    assert service.asked == [], "nobody is told of who needs no captcha"
    await join(guarded, event, "b", service.token(ADDRESS))
    assert service.asked[0]["remoteip"] == ADDRESS


async def test_above_the_dearest_work_only_the_captcha_will_do(
    guarded: Runtime, event: Event, service: Siteverify
) -> None:
    await crowded(guarded, event, 223)
    assert "challenge" in await refused(guarded, event, "a")
    await crowded(guarded, event, 224)
    wanted = await refused(guarded, event, "a")
    assert set(wanted) == {"captcha"}
    await join(guarded, event, "a", service.token())


async def test_a_token_is_good_once_and_a_wrong_one_never(guarded: Runtime, event: Event, service: Siteverify) -> None:
    await crowded(guarded, event, 300)
    token = service.token()
    await join(guarded, event, "a", token)
    await refused(guarded, event, "b", token)
    await refused(guarded, event, "b", "made-up")
    # Also where the service would take it again.
    service.solved[token] = ""
    await refused(guarded, event, "b", token)
    assert await guarded.redis.zscore(keys.networks(event.slug), CAMPUS) == 301


async def test_a_place_that_is_free_asks_nobody(guarded: Runtime, event: Event, service: Siteverify) -> None:
    await join(guarded, event, "a", service.token())
    await join(guarded, event, "a", service.token())
    assert service.asked == []


@pytest.mark.parametrize("ill", ["broken", "wrong secret", "away"])
async def test_a_service_that_is_away_leaves_the_dearest_work(
    settings: Settings, stores: Engines, service: Siteverify, make_event: MakeEvent, ill: str
) -> None:
    """Nobody is locked out by what is somebody else's fault."""
    event = await make_event(active_limit=1)
    changes: dict[str, Any] = {"captcha_secret": "another"} if ill == "wrong secret" else {}
    url = "http://127.0.0.1:9/turnstile/v0/siteverify" if ill == "away" else service.url
    service.ill = ill if ill == "broken" else ""
    async with open_runtime(with_captcha(settings, url, **changes), stores) as runtime:
        await crowded(runtime, event, 300)
        wanted = await refused(runtime, event, "a", service.token())
        assert wanted["challenge"]["parameters"]["data"]["step"] == 9
        await join(runtime, event, "a", solved(wanted["challenge"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"captcha_secret": ""},
        {"captcha_site_key": ""},
        {"captcha_script": "", "captcha_verify_url": "https://captcha.example/siteverify"},
        {"captcha_verify_url": "http://captcha.example/siteverify"},
    ],
)
def test_a_half_set_captcha_does_not_start(settings: Settings, changes: dict[str, str]) -> None:
    with pytest.raises(StartupError, match="ONSALE_CAPTCHA"):
        open_captcha(with_captcha(settings, "https://challenges.cloudflare.com/turnstile/v0/siteverify", **changes))


async def test_the_known_services_bring_their_script(settings: Settings) -> None:
    for host, script in (
        ("challenges.cloudflare.com", SCRIPT),
        ("api.hcaptcha.com", "https://js.hcaptcha.com/1/api.js"),
        ("www.google.com", "https://www.google.com/recaptcha/api.js"),
    ):
        captcha = open_captcha(with_captcha(settings, f"https://{host}/siteverify", captcha_script=""))
        assert captcha is not None
        assert captcha.script == script
        await captcha.aclose()
