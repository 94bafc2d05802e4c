"""The calendar file (T9): place, words and moment of the event as another program reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar

from core.notifications.calendar_file import Performance, calendar_file

STARTS = datetime(2026, 10, 10, 17, 30, tzinfo=UTC)


def entry(performance: Performance, **more: str) -> dict[str, str]:
    file = calendar_file(performance, uid="r-1", stamp=STARTS, seats=["Stalls, row 3, seat 12"], **more)
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))  # RFC 5545 section 3.1
    (found,) = Calendar.from_ical(file).walk("VEVENT")
    return {name: str(found[name]) for name in found if name not in ("DTSTART", "DTSTAMP")} | {
        "at": found.decoded("DTSTART").isoformat()
    }


def test_a_performance_has_its_place_and_its_words() -> None:
    about = Performance(
        "Nacht; der, Bücher", STARTS, "Haus der Kulturen", "Straße 1; Berlin", "Doors **19:00**\n\n- one"
    )
    assert entry(about, link="https://sale.example/x") == {
        "UID": "r-1",
        "SUMMARY": "Nacht; der, Bücher",
        "LOCATION": "Haus der Kulturen, Straße 1; Berlin",
        "DESCRIPTION": "Stalls, row 3, seat 12\n\nDoors 19:00\n\n- one\n\nhttps://sale.example/x",
        "URL": "https://sale.example/x",
        "at": "2026-10-10T17:30:00+00:00",
    }


def test_what_is_not_said_is_left_out() -> None:
    assert "LOCATION" not in entry(Performance("Gala", STARTS))
    assert entry(Performance("Gala", STARTS, address="Main Street 1"))["LOCATION"] == "Main Street 1"
