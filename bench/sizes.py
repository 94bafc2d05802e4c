"""What a browser that comes to a hall of 60,000 seats is sent: the plan, in the coding that each browser takes, and the
board.

In kilobytes of 1,000 bytes, as they are on the line without headers. The board's limit are two bits a seat.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import httpx
from websockets.sync.client import connect

from bench.halls import PRICES, hall_of
from bench.measure import Effort, Figure
from bench.served import Served
from core.runtime import Runtime
from core.venue.event import Event, SaleStatus
from core.venue.new_event import NewEvent

_SEATS: Final = 60_000
#: What browsers ask for; and what one asks for that takes no other coding.
_CODINGS: Final = {"browsers": "gzip, deflate, br, zstd", "gzip alone": "gzip", "brotli alone": "br"}
_PATIENCE: Final = 60.0


async def sizes(runtime: Runtime, serve: Callable[..., Served], effort: Effort) -> list[Figure]:
    """`serve` starts a sale on the stores of `runtime`. A size is no matter of rounds; with a small effort the hall is
    small.
    """
    event = await _hall(runtime, effort.of(2 * _SEATS, least=100, most=_SEATS))
    served = await asyncio.to_thread(serve)
    return await asyncio.to_thread(_measure, served, event)


async def _hall(runtime: Runtime, seats: int) -> Event:
    new = NewEvent(
        slug=f"bench-{secrets.token_hex(5)}", name="Stadium", prices=PRICES, status=SaleStatus.OPEN, active_limit=1
    )
    event = await runtime.events.create(new, hall_of(seats))
    await runtime.seats.ensure_board(event)
    return event


def _measure(served: Served, event: Event) -> list[Figure]:
    title = f"{_SEATS:,} seats"
    whole = _plan(served, event, "identity")
    plans = {of: _plan(served, event, coding) for of, coding in _CODINGS.items()}
    board, seats = _board(served, event)
    return [
        *(
            Figure(f"{title}: plan, {of}", size / 1000, "KB", whole / 1000, "not compressed", most=300.0)
            for of, size in plans.items()
        ),
        Figure(f"{title}: board", board / 1000, "KB", seats / 4 / 1000, "two bits a seat", most=16.0),
    ]


def _plan(served: Served, event: Event, coding: str) -> int:
    """Bytes of the plan that the page draws."""
    url = f"http://127.0.0.1:{served.port}/api/events/{event.slug}/plan/columns"
    with httpx.stream("GET", url, headers={"Accept-Encoding": coding}, timeout=_PATIENCE) as answer:
        answer.raise_for_status()
        return sum(len(piece) for piece in answer.iter_raw())


def _board(served: Served, event: Event) -> tuple[int, int]:
    """Bytes of the board that a page's channel gets with the admission, and the hall's seats."""
    (token,) = served.visitors(1)
    url = f"ws://127.0.0.1:{served.port}/ws/events/{event.slug}?board=packed&join=now"
    with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, compression=None) as channel:
        while isinstance(message := channel.recv(_PATIENCE), str):
            pass
    return len(message), int.from_bytes(message[13:17])
