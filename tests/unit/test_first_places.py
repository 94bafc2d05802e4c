"""F1: drawn places are told to everybody within two seconds, and not all at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from realtime.attendance import Attendances
from realtime.place_pushes import SPREAD_SECONDS, PlacePushes
from realtime.places import Places
from tests.unit.test_queue_feed import Tab

TICK = 0.25


@pytest.mark.parametrize("crowd", [1, 5, 10_000])
async def test_everybody_is_told_within_two_seconds_and_not_at_once(crowd: int) -> None:
    attendances = Attendances()
    event = cast(Any, SimpleNamespace(slug="night", active_limit=1))
    pushes = PlacePushes(lambda: event, cast(Any, None), attendances, Places(0), session_seconds=600, tick_seconds=TICK)
    tabs = [Tab() for _ in range(crowd)]
    for number, tab in enumerate(tabs):
        attendances.attend(f"v{number}", tab)
        pushes.spread(f"v{number}")
    told, steps = [], 0
    while sum(len(tab.news) for tab in tabs) < crowd:
        await pushes._send_first()
        told.append(sum(len(tab.news) for tab in tabs))
        steps += 1
    # The first step comes a tick after the draw.
    assert (steps + 1) * TICK <= SPREAD_SECONDS
    assert all(tab.news == ["waiting"] for tab in tabs), "each once"
    if crowd > steps:
        shares = [after - before for before, after in zip([0, *told], told, strict=False)]
        assert max(shares) <= crowd / 6, "spread, with no crowd of messages at the end"


async def test_who_is_gone_meanwhile_keeps_nobody_waiting() -> None:
    attendances = Attendances()
    event = cast(Any, SimpleNamespace(slug="night", active_limit=1))
    pushes = PlacePushes(lambda: event, cast(Any, None), attendances, Places(0), session_seconds=600)
    tab = Tab()
    for visitor in ("gone", "left", "stays"):
        pushes.spread(visitor)
    attendances.attend("stays", tab)
    pushes.forget("left")
    for _ in range(7):
        await pushes._send_first()
    assert tab.news == ["waiting"]
