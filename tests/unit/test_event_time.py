"""An event's own time: read, refused and told in its zone (cases: open-event-server#8248, Summit-Events-App#521)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core import languages
from core.errors import InvalidRequest
from core.venue.event_time import check_zone, read_time, zones

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_time_without_an_offset_is_the_events_own() -> None:
    assert read_time("2026-10-10T19:30", BERLIN) == at("2026-10-10T19:30:00+02:00")
    assert read_time("2026-10-10T19:30:00+09:00", BERLIN) == at("2026-10-10T10:30:00+00:00")


def test_a_time_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="2027-03-28T02:30:00 does not exist in Europe/Berlin"):
        read_time("2027-03-28T02:30:00", BERLIN)
    assert read_time("2027-03-28T03:00", BERLIN) == at("2027-03-28T01:00:00+00:00")


def test_a_time_that_comes_twice_is_asked_about() -> None:
    with pytest.raises(ValueError, match=r"exists twice .* 2027-10-31T02:30\+02:00 .* 2027-10-31T02:30\+01:00"):
        read_time("2027-10-31T02:30", BERLIN)
    assert read_time("2027-10-31T02:30+02:00", BERLIN) < read_time("2027-10-31T02:30+01:00", BERLIN)


@pytest.mark.parametrize("text", ["soon", "2026-13-01T20:00", "0001-01-01T00:00"])
def test_what_is_no_time_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as"):
        read_time(text, "Asia/Seoul")


def test_a_zone_is_an_area_and_a_city() -> None:
    check_zone("UTC")
    assert {"Europe/Berlin", "Asia/Seoul", "America/Argentina/Buenos_Aires"} <= zones()
    for wrong in ("CET", "Berlin", "Etc/GMT+3", "../etc/passwd", ""):
        with pytest.raises(InvalidRequest) as refused:
            check_zone(wrong)
        assert refused.value.data["errors"][0]["at"] == "time_zone"


def test_a_moment_is_told_as_the_events_clocks_show_it() -> None:
    start = at("2026-10-10T19:30:00+02:00")
    assert languages.moment("en", start, BERLIN) == "Saturday, 10 October 2026, 19:30 (Berlin)"
    assert languages.moment("ko", start, BERLIN) == "2026년 10월 10일 토요일 19:30 (베를린)"
    assert languages.moment("en", start, "UTC") == "Saturday, 10 October 2026, 17:30 (UTC)"
    assert languages.moment("en", start, BERLIN, short=True) == "10 Oct, 19:30 (Berlin)"
    assert languages.place_of("en", "America/Argentina/Buenos_Aires") == "Buenos Aires"
    console = languages.browser_messages("ko", console=True)
    assert console["ops.zone.Asia/Seoul"] == languages.place_of("ko", "Asia/Seoul") == "서울"
    assert console["ops.zone.Asia/Calcutta"] == languages.place_of("ko", "Asia/Kolkata")


def test_two_moments_of_the_same_wall_time_are_told_apart() -> None:
    first, second = at("2026-10-25T01:30:00+01:00"), at("2026-10-25T02:30:00+01:00")
    assert languages.moment("en", first, BERLIN) == "Sunday, 25 October 2026, 02:30 (Berlin, GMT+02:00)"
    assert languages.moment("en", second, BERLIN) == "Sunday, 25 October 2026, 02:30 (Berlin, GMT+01:00)"
