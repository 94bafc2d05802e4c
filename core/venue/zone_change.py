"""What becomes of a sale's times when its zone is corrected: the clocks go on showing what they showed (T9).

Who corrects a wrong zone has announced 20:00, and means 20:00 there. Who means the moments names them with the zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from core.errors import InvalidRequest
from core.venue.event import Event, SaleState
from core.venue.event_time import check_zone, local, read_time

TIMES: Final = ("opens_at", "closes_at", "starts_at")


def moved_times(event: Event, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The times that `changes`, as of `EventStore.update`, does not name, as they are in its zone; {} without another.

    Raises InvalidRequest for one that does not exist in the new zone, or exists twice, and where the sale would open,
    stop or begin anew by it: then it has to be named.
    """
    zone = changes.get("time_zone", event.time_zone)
    if zone == event.time_zone:
        return {}
    check_zone(zone)

    def moved(moment: datetime, at: str) -> datetime:
        try:
            return read_time(local(moment, event.time_zone).replace(tzinfo=None).isoformat(), zone)
        except ValueError as error:
            raise InvalidRequest(f"{at}: {error}", errors=[{"at": at, "message": str(error)}]) from None

    named = {name: getattr(event, name) for name in TIMES if name not in changes}
    times: dict[str, Any] = {name: moved(moment, name) for name, moment in named.items() if moment is not None}
    if "phases" not in changes and event.phases:
        times["phases"] = tuple(
            replace(
                one, opens_at=moved(one.opens_at, "phases"), closes_at=one.closes_at and moved(one.closes_at, "phases")
            )
            for one in event.phases
        )
    asked = replace(event, **{name: value for name, value in changes.items() if name in (*TIMES, "phases", "status")})
    if _on_sale(asked, now) != _on_sale(replace(asked, **times), now):
        message = "the sale would open, stop or begin anew at once by its clocks there: name its times with the zone"
        raise InvalidRequest(f"time_zone: {message}", errors=[{"at": "time_zone", "message": message}])
    return times


def _on_sale(event: Event, now: datetime) -> tuple[SaleState, list[str]]:
    """What a buyer meets, and the parts that are open."""
    return event.sale_state(now), [one.name for one in event.openings if one.is_open(now)]
