"""The words that people read, in their language: English and Korean.

One source: `core/locale/<language>.po`. The files are read into memory when they are first needed, so there is no
compile step. Keys are stable dotted names (`queue.title`), and each language has its own text for each of them, so
that a missing translation is a failing test and not an English sentence in a Korean page. Placeholders are
`%(name)s` everywhere: in `text`, in the Jinja pages and in the browser, which gets the same catalogue as JSON
(`static/i18n/<language>.json`, written by `python -m core.languages`; a test keeps it in step).
"""

from __future__ import annotations

import functools
import gettext
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import orjson
from babel import Locale, negotiate_locale
from babel.core import get_global
from babel.dates import format_datetime, get_timezone_gmt, get_timezone_location
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from core.currency import written
from core.seat_words import BETWEEN, is_in_words

#: The languages that there are, for types; `LANGUAGES` has their names.
Language = Literal["en", "ko"]

#: Code -> the language's name in itself. The first one is spoken when nothing better is known.
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "ko": "한국어"}
DEFAULT: Final = "en"

_LOCALE = Path(__file__).parent / "locale"
_BROWSER = Path(__file__).parent.parent / "static" / "i18n"


def choose(chosen: str | None, accept_language: str | None) -> str:
    """The language of a page: what the visitor chose (a cookie, `?lang=`), else what the browser prefers.

    `accept_language` is the header as sent (RFC 9110 section 12.5.4); nonsense in either is ignored.
    """
    return str(chosen) if chosen in LANGUAGES else _preferred((accept_language or "")[:500])


@functools.lru_cache(256)
def _preferred(accept_language: str) -> str:
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(accept_language.split(",")):
        tag, _, parameter = part.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            quality = 0.0
        if tag and quality > 0:
            ranked.append((-quality, position, tag.strip()))
    preferred = [tag for _, _, tag in sorted(ranked)]
    return negotiate_locale(preferred, list(LANGUAGES), sep="-") or DEFAULT


@functools.cache
def catalog(language: str) -> Catalog:
    """The parsed .po file of a language; raises KeyError when there is no such language."""
    if language not in LANGUAGES:
        raise KeyError(language)
    with (_LOCALE / f"{language}.po").open("rb") as file:
        book = read_po(file, locale=language, abort_invalid=True)
    # E-mails have a file of their own (`mail.<language>.po`): the browser is not sent what it never shows.
    # So have the replies of the support desk, the operators' console, what it is told (`core/sentences.py`), and the
    # payment page, which the server draws.
    for other in ("mail", "support", "ops", "said", "pay", "paysim"):
        with (_LOCALE / f"{other}.{language}.po").open("rb") as file:
            for message in read_po(file, locale=language, abort_invalid=True):
                if message.id:
                    book[message.id] = message
    return book


@functools.cache
def translations(language: str) -> gettext.GNUTranslations:
    """`gettext` and `ngettext` of a language, as `jinja2.ext.i18n` takes them."""
    compiled = io.BytesIO()
    write_mo(compiled, catalog(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def text(language: str, key: str, /, **values: object) -> str:
    """The text of `key` with its placeholders filled; the key itself when there is none."""
    message = translations(language).gettext(key)
    return message % values if values else message.replace("%%", "%")


def reason(language: str, code: str | None) -> str:
    """Plain words for an error code or a reservation's reason; a general sentence for one that has none."""
    key = f"code.{code}"
    return text(language, key if code and catalog(language).get(key) else "code.internal_error")


def seat_name(language: str, zone: str, row: str, number: str) -> str:
    """A seat in one line: "Stalls, row 3, seat 12"; "Main - Tisch 5 - Stuhl 1" where the plan says it in words."""
    if row and number and not is_in_words(row) and not is_in_words(number):
        return text(language, "seat.full", zone=zone, row=row, number=number)
    parts = (
        zone,
        row if not row or is_in_words(row) else text(language, "seat.row", row=row),
        number if not number or is_in_words(number) else text(language, "seat.number", number=number),
    )
    return BETWEEN.join(part for part in parts if part)


def money(language: str, amount: int, currency: str) -> str:
    """`amount` in the currency's minor unit as people write it: 1500, EUR -> €15.00; 15000, KRW -> ₩15,000."""
    return written(amount, currency, language)


def moment(language: str, when: datetime, zone: str, *, short: bool = False) -> str:
    """A date and time as the clocks of `zone` (IANA's name) show it, to the minute, with the place.

    "Saturday, 10 October 2026, 19:30 (Berlin)". Where that wall time comes twice, its offset tells which one it is.
    """
    # Of a sale all e-mails and pages tell the same few: to write one anew takes 25 us.
    return _moment(language, when.astimezone(UTC).replace(second=0, microsecond=0), zone, short)


@functools.lru_cache(1024)
def _moment(language: str, minute: datetime, zone: str, short: bool) -> str:
    locale, there = Locale.parse(language), minute.astimezone(ZoneInfo(zone))
    text = format_datetime(there, _PATTERNS[language][short], locale=locale)
    place = place_of(language, zone)
    if there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset():
        place += f", {get_timezone_gmt(there, locale=locale)}"
    return f"{text} ({place})"


@functools.cache
def place_of(language: str, zone: str) -> str:
    """What a zone's clocks are called by: "Berlin", in Korean "베를린"."""
    if "/" not in zone:
        return zone
    locale, aliases = Locale.parse(language), get_global("zone_aliases")
    # CLDR has the city under one of the zone's names, and not always under the one that is canonical by now.
    canonical = aliases.get(zone, zone)
    for name in (zone, canonical, *(alias for alias, of in aliases.items() if of == canonical)):
        if city := locale.time_zones.get(name, {}).get("city"):
            return str(city)
    # Where it has none, the region comes as well: "Argentina/Buenos Aires".
    return str(get_timezone_location(zone, locale=locale, return_city=True)).rpartition("/")[2]


def zone_names(language: str) -> dict[str, str]:
    """For the console, whose sales are anywhere: `ops.zone.Asia/Seoul` -> 서울, where the zone ends in another word."""
    names = {}
    for zone in sorted({*get_global("zone_aliases"), *get_global("zone_territories")}):
        try:
            place = place_of(language, zone)
        except LookupError:
            continue  # a name that CLDR keeps, and the time zone database does not
        if place != zone.rpartition("/")[2].replace("_", " "):
            names[f"ops.zone.{zone}"] = place
    return names


def date_part(language: str, when: datetime, zone: str, part: str) -> str:
    """One part of the date in `zone`: `part` is CLDR's pattern, such as MMM or d."""
    return str(format_datetime(when.astimezone(ZoneInfo(zone)), part, locale=Locale.parse(language)))


#: CLDR patterns of a date and time: in full, and short.
_PATTERNS: Final[Mapping[str, tuple[str, str]]] = {
    "en": ("EEEE, d MMMM yyyy, HH:mm", "d MMM, HH:mm"),
    "ko": ("yyyy년 M월 d일 EEEE HH:mm", "M월 d일 HH:mm"),
}


def browser_messages(language: str, *, console: bool = False) -> dict[str, str]:
    """The catalogue in i18next's JSON form: plural forms are `key_one`, `key_other` after CLDR's names.

    `console`: what the operators' console has beyond the buyers' catalogue.
    """
    forms = plural_forms(language, catalog(language).plural_expr)
    messages: dict[str, str] = zone_names(language) if console else {}
    for message in catalog(language):
        key = str(message.id[0] if isinstance(message.id, (tuple, list)) else message.id)
        if not key or key.startswith(("mail.", "support.", "pay.", "paysim.")) or key.startswith("ops.") is not console:
            continue
        if isinstance(message.id, (tuple, list)):
            written = tuple(message.string or ())
            for form, index in forms.items():
                messages[f"{message.id[0]}_{form}"] = written[index]
        else:
            messages[message.id] = str(message.string).replace("%%", "%")
    return dict(sorted(messages.items()))


def plural_forms(language: str, plural_expr: str) -> dict[str, int]:
    """CLDR's name of a plural form -> which form of the .po file it is: French has two here and three there."""
    category, form = Locale.parse(language).plural_form, gettext.c2py(plural_expr)
    found: dict[str, int] = {}
    for number in (*range(200), 1_000_000):
        found.setdefault(category(number), form(number))
    return {"other": max(found.values()), **found}


def write_browser_catalogues(folder: Path = _BROWSER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        for name, console in ((language, False), (f"ops.{language}", True)):
            body = orjson.dumps(browser_messages(language, console=console), option=orjson.OPT_INDENT_2)
            (folder / f"{name}.json").write_bytes(body + b"\n")


if __name__ == "__main__":
    write_browser_catalogues()
