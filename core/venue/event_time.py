"""An event's own time: its IANA zone, wall times read in it, and what is refused because no clock there ever shows it.

Moments are kept in UTC. A wall time without an offset is meant in the event's zone, in the shell and in the console
alike. In the hour that is left out in spring there is no such time; in the one that comes twice in autumn it means two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from core.errors import InvalidRequest


@cache
def zones() -> frozenset[str]:
    """The names that are taken: IANA's areas and cities, and UTC."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")) | {"UTC"}


def check_zone(name: str) -> None:
    """Raises InvalidRequest."""
    if name not in zones():
        message = f"{name[:60]!r} is not a time zone such as Europe/Berlin or Asia/Seoul"
        raise InvalidRequest(message, errors=[{"at": "time_zone", "message": message}])


def read_time(text: str, zone: str) -> datetime:
    """ISO 8601 -> UTC; without an offset it is a wall time in `zone`.

    Raises ValueError with one sentence: no time at all, one that does not exist there, or one that exists twice.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        first, second = (moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
        there = first.astimezone(UTC).astimezone(first.tzinfo).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:60]!r} is not a time such as 2026-05-01T20:00 or 2026-05-01T20:00+09:00") from None
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if there != moment:
        raise ValueError(f"{text} does not exist in {zone}: the clocks are put forward over it")
    raise ValueError(
        f"{text} exists twice in {zone}: write {first.isoformat(timespec='minutes')} for the first or "
        f"{second.isoformat(timespec='minutes')} for the second"
    )


def local(moment: datetime, zone: str) -> datetime:
    """The moment as the event's clocks show it."""
    return moment.astimezone(ZoneInfo(zone))
