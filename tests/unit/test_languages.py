"""Every text exists in every language, is used, and has the same placeholders (S22, S25: plain words)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import orjson
import pytest

import web.api_draw
import web.problems  # noqa: F401 - has errors of its own
from core import errors, languages
from core.booking.reservation import Reason, ReservationStatus
from core.diagnosis.finding import Cause, advice
from core.diagnosis.health_check import WATCHED
from core.settings import Settings
from core.venue.event import SaleState
from realtime.wire import ExpiredReason

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("templates/*.html"), *ROOT.glob("static/js/**/*.js"), *ROOT.glob("web/paysim/pages/*.html")]

#: Keys that are put together from a prefix and something that the program knows.
COMPOSED = (
    "code.",
    "state.",
    "refused.",
    "banner.",
    "outage.",
    "out.",
    "price.",
    "events.state.",
    "reservation.status.",
    "reservation.text.",
    "queue.wait.",
    "hall.",
    "ops.returns.",
    "instead.",
    "time.unit.",
    "draw.wrong.",
    "ops.findings.kind.",
    "ops.findings.act.",
    "ops.findings.state.",
    "stopped.",
    "mail.",
    "support.",
    "ops.state.",
    "ops.said.",
    "ops.alert.",
    "ops.advice.",
    "ops.health.",
    "ops.circuit.",
    "ops.force.",
    "ops.draw.",
    "ops.away.",
    "ops.level.",
    "ops.step.",
    "ops.seat.",
    "ops.range.",
    "ops.reason.",
    "ops.field.",
    "ops.refund.wrong.",
    "ops.refund.way.",
    "ops.refund.state.",
    "ops.refund.nothing.",
    "ops.cancelled.state.",
    "ops.attempt.",
    "paysim.card.",
)


def keys(language: str) -> set[str]:
    return {
        message.id[0] if isinstance(message.id, (tuple, list)) else str(message.id)
        for message in languages.catalog(language)
        if message.id
    }


def used() -> Iterator[tuple[str, str]]:
    """(file, key) of every text that a page or a script asks for by its whole name."""
    call = re.compile(r"""(?:\b_|\bt|\bcounted|\bngettext)\(\s*["']([a-z_0-9.A-Z]+[a-z_0-9A-Z])["']""")
    for file in PAGES:
        for key in call.findall(file.read_text()):
            yield file.name, key


def error_codes() -> set[str]:
    codes = set()
    waiting: list[type[errors.OnsaleError]] = [errors.OnsaleError]
    while waiting:
        kind = waiting.pop()
        codes.add(kind.code)
        waiting += kind.__subclasses__()
    return codes


def test_languages_have_the_same_keys() -> None:
    english = keys("en")
    for language in languages.LANGUAGES:
        assert keys(language) == english


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_no_text_is_empty_and_placeholders_agree(language: str) -> None:
    placeholder = re.compile(r"%\((\w+)\)s")
    english = languages.catalog("en")
    for message in languages.catalog(language):
        if not message.id:
            continue
        texts = message.string if isinstance(message.string, (tuple, list)) else [message.string or ""]
        assert all(text.strip() for text in texts), message.id
        theirs = english.get(message.id if isinstance(message.id, str) else message.id[0])
        assert theirs is not None
        originals = theirs.string if isinstance(theirs.string, (tuple, list)) else [theirs.string or ""]
        wanted = set().union(*(placeholder.findall(text) for text in originals))
        for text in texts:
            found = set(placeholder.findall(text))
            # "one person" may leave its number out; nothing may ask for what is not given.
            assert found <= wanted, message.id
            if len(texts) == 1 and len(originals) == 1:
                assert found == wanted, message.id


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_code_and_reason_has_plain_words(language: str) -> None:
    known = keys(language)
    codes = error_codes() | {reason.value for reason in Reason}
    assert {f"code.{code}" for code in codes} <= known, "add the missing ones to core/locale/*.po"
    assert {f"reservation.{part}.{status}" for status in ReservationStatus for part in ("status", "text")} <= known
    assert {f"events.state.{state}" for state in SaleState} <= known
    told = {ExpiredReason.CLOSED: "closed.title", ExpiredReason.HOLD: "basket.expired"}
    assert {told.get(reason, f"out.{reason}.title") for reason in ExpiredReason} <= known


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_alert_and_every_advice_has_its_words(language: str) -> None:
    """The console says them in the operator's language; API and shell say the English ones."""
    known = keys(language)
    assert {key for key in known if key.startswith("ops.alert.")} == {f"ops.alert.{cause}" for cause in WATCHED}
    assert {key for key in known if key.startswith("ops.advice.")} == {f"ops.advice.{cause}" for cause in Cause}
    for cause in Cause:
        assert (languages.text(language, f"ops.advice.{cause}") == advice(cause)) is (language == "en"), cause


def test_codes_that_nobody_can_meet_any_more_are_taken_out() -> None:
    made_here = {"no_answer", "seats_changed"}  # the browser's own: static/js/buying.js
    known = {key.removeprefix("code.") for key in keys("en") if key.startswith("code.")}
    assert known - error_codes() - {reason.value for reason in Reason} == made_here


def test_pages_ask_for_texts_that_exist() -> None:
    known = keys("en")
    assert [(file, key) for file, key in used() if key not in known] == []


def test_texts_that_pages_put_together_exist() -> None:
    """`_("reservation.status." ~ status)`: at least one begins so."""
    asked = {
        begin
        for page in ROOT.glob("templates/*.html")
        for begin in re.findall(r'_\("([a-z_.]+\.)" ~', page.read_text())
    }
    assert asked
    assert {begin for begin in asked if not any(key.startswith(begin) for key in keys("en"))} == set()


def test_every_text_is_used() -> None:
    asked = {key for _, key in used()}
    assert [key for key in sorted(keys("en")) if key not in asked and not key.startswith(COMPOSED)] == []


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_the_browsers_catalogue_is_in_step(language: str) -> None:
    """`python -m core.languages` writes them anew."""
    written = orjson.loads((ROOT / "static" / "i18n" / f"{language}.json").read_bytes())
    assert written == languages.browser_messages(language)
    console = orjson.loads((ROOT / "static" / "i18n" / f"ops.{language}.json").read_bytes())
    assert console == languages.browser_messages(language, console=True)
    assert all(key.startswith("ops.") for key in console)
    assert not any(key.startswith("ops.") for key in written), "buyers are not sent the console's texts"


@pytest.mark.parametrize(
    ("language", "rule", "forms"),
    [
        ("en", "(n != 1)", {"one": 0, "other": 1}),
        ("ko", "0", {"other": 0}),
        ("fr", "(n > 1)", {"one": 0, "other": 1, "many": 1}),
        (
            "pl",
            "(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2)",
            {"one": 0, "few": 1, "many": 2, "other": 2},
        ),
    ],
)
def test_the_browsers_plural_forms_are_those_of_the_catalogue(language: str, rule: str, forms: dict[str, int]) -> None:
    assert languages.plural_forms(language, rule) == forms


def test_the_languages_have_one_list() -> None:
    assert get_args(languages.Language) == tuple(languages.LANGUAGES)
    assert set(languages._PATTERNS) == set(languages.LANGUAGES), "how a date is written"


def test_what_buyers_use_while_payment_is_away_is_said_in_each_language() -> None:
    """S25: where the shop has not set it; of a language that is missing buyers would read the English words."""
    default = str(Settings.model_fields["payment_alternative"].default)
    assert [part.split("=")[0] for part in default.split(";")] == list(languages.LANGUAGES)


@pytest.mark.parametrize(
    ("chosen", "header", "language"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "ko", "ko"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "en-GB,ko;q=0.5", "en"),
        (None, "tlh;q=0.9,ko;q=0.8,en;q=0.1", "ko"),
        (None, "qaa", "en"),
        (None, "ko;q=0,en", "en"),
        (None, ";;;q=x,,ko;q=banana", "en"),
        ("ko", "en", "ko"),
        ("xx", "ko", "ko"),
        ("", "ko", "ko"),
        (None, "ko;q=0.2," * 400, "ko"),
    ],
)
def test_the_language_is_chosen_by_the_visitor_then_by_the_browser(
    chosen: str | None, header: str | None, language: str
) -> None:
    assert languages.choose(chosen, header) == language


def test_texts_are_filled() -> None:
    assert languages.text("en", "seat.full", zone="A", row="3", number="12") == "A, row 3, seat 12"
    assert languages.reason("en", "seat_taken") == languages.text("en", "code.seat_taken")
    assert languages.reason("ko", "never heard of") == languages.text("ko", "code.internal_error")
    assert languages.reason("ko", None) == languages.text("ko", "code.internal_error")


def test_money_knows_its_minor_unit() -> None:
    assert languages.money("ko", 15000, "KRW") == "₩15,000"
    assert languages.money("en", 1500, "EUR") == "€15.00"
