"""A performance as an iCalendar file (RFC 5545), for the calendars of phones and mail programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from core.venue.description import as_text
from core.venue.event import Event

_PRODUCT: Final = "-//Onsale//Tickets//EN"


@dataclass(frozen=True, slots=True)
class Performance:
    """What a calendar tells of an event. `description` is Markdown."""

    name: str
    starts_at: datetime
    venue: str = ""
    address: str = ""
    description: str = ""

    @classmethod
    def of(cls, event: Event, starts_at: datetime) -> Performance:
        return cls(event.name, starts_at, event.venue, event.address, event.description)


def calendar_file(
    performance: Performance, *, uid: str, stamp: datetime, seats: Sequence[str] = (), link: str = ""
) -> bytes:
    """One entry. `uid` is the reservation: a file that is read twice stays one entry; `stamp`: when it changed last.

    It has no end: how long a performance takes is nowhere said.
    """
    # Here: it takes a while to load, and few ask for it.
    from icalendar import Calendar
    from icalendar import Event as Entry

    entry = Entry()
    entry.add("uid", uid)
    entry.add("dtstamp", stamp.astimezone(UTC).replace(microsecond=0))
    entry.add("dtstart", performance.starts_at.astimezone(UTC).replace(microsecond=0))
    entry.add("summary", performance.name)
    if place := where(performance.venue, performance.address):
        entry.add("location", place)
    told = ["\n".join(seats), as_text(performance.description), link]
    if text := "\n\n".join(part for part in told if part):
        entry.add("description", text)
    if link:
        entry.add("url", link)
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(entry)
    file: bytes = calendar.to_ical()
    return file


def where(venue: str, address: str) -> str:
    """In one line; '' when neither is said."""
    return ", ".join(part for part in (venue, address) if part)
