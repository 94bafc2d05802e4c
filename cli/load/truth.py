"""What PostgreSQL, the boards and the payment simulator say once a rush is over."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import databases

from cli.load.channel import LiveChannel
from cli.load.client import Client, Failed, Refused
from cli.load.verdict import Charge, Row, Truth, board_differences
from core.database import BACKGROUND_SECONDS, raw
from core.payments.registry import PLAYED
from core.venue.event import Event

#: Boards converge within this long after the last change: 100 ms are promised, the machine may be busy.
_CONVERGE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.25

_SEATS = "SELECT status FROM seats WHERE event_id = $1 ORDER BY ordinal"
_RESERVATIONS = """
SELECT r.id, r.visitor, r.status, r.amount,
       EXISTS (SELECT 1 FROM payment_attempts a WHERE a.reservation_id = r.id AND a.state = ANY ($2::text[])) AS open,
       array_agg(s.ordinal ORDER BY s.ordinal) AS seats, array_agg(s.ordinal) FILTER (WHERE s.live) AS live
FROM reservations r
LEFT JOIN reservation_seats s ON s.reservation_id = r.id
WHERE r.event_id = $1 GROUP BY r.id
"""
_UNDER_WAY = """
SELECT count(*) FROM reservations r
WHERE r.event_id = $1 AND r.visitor = ANY ($2::text[])
  AND (r.status = 'PAYING'
       OR EXISTS (SELECT 1 FROM payment_attempts a
                  WHERE a.reservation_id = r.id AND (a.state = ANY ($3::text[]) OR a.untold))
       OR EXISTS (SELECT 1 FROM refunds f WHERE f.reservation_id = r.id AND f.state = 'PENDING'))
"""
#: An attempt here has not been decided. A refund that is owed has: whether the money is back is the ledger's to say.
_OPEN: Final = ["OPEN", "AUTHORISED", "CALLED"]


@dataclass(frozen=True, slots=True)
class Simulator:
    """The payment simulator of the server, with the operator token that opens its ledger."""

    client: Client
    token: str

    async def behaviour(self) -> dict[str, Any] | None:
        """How the first provider behaves; None when there is no simulator, or the token is not its operator's."""
        try:
            answer: dict[str, Any] = await self._call("GET", "behaviour")
        except (Refused, Failed):
            return None
        return answer

    async def behave(self, **changes: float) -> None:
        await self._call("PUT", "behaviour", changes)

    async def ledger(self) -> list[Charge] | None:
        """All charges of all providers; None when it cannot be read."""
        charges = []
        for provider in PLAYED:
            try:
                orders = await self._call("GET", f"{provider}/ledger")
            except (Refused, Failed):
                return None
            charges += [
                Charge(provider, one["order_id"], one["amount"], one["charged"], one["cancelled"]) for one in orders
            ]
        return charges

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        return await self.client.call(method, f"/paysim/{path}", f"/paysim/{path}", token=self.token, body=body)


async def left_under_way(database: databases.Database, event: Event, visitors: Collection[str], patience: float) -> int:
    """Waits until no reservation of these visitors is under way; returns how many are after `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        async with raw(database) as connection:
            left = int(await connection.fetchval(_UNDER_WAY, event.id, list(visitors), _OPEN))
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(_PAUSE_SECONDS)


async def read_truth(
    database: databases.Database,
    event: Event,
    client: Client,
    watcher: LiveChannel | None,
    simulator: Simulator | None,
    *,
    own_event: bool,
) -> Truth:
    """All of it, as soon as the boards agree with PostgreSQL, or after the time in which they must."""
    until = time.monotonic() + _CONVERGE_SECONDS
    while True:
        seats, rows = await _of_database(database, event)
        boards = await _boards(client, event, watcher)
        compared = (board_differences(name, states, seats, others=not own_event) for name, states in boards.items())
        if not any(list(found) for found in compared) or time.monotonic() > until:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    ledger = await simulator.ledger() if simulator is not None else None
    return Truth(seats=seats, reservations=rows, boards=boards, ledger=ledger, own_event=own_event)


async def _of_database(database: databases.Database, event: Event) -> tuple[list[str], list[Row]]:
    async with raw(database) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        seats = [row["status"] for row in await connection.fetch(_SEATS, event.id, timeout=BACKGROUND_SECONDS)]
        rows = await connection.fetch(_RESERVATIONS, event.id, _OPEN, timeout=BACKGROUND_SECONDS)
    return seats, [
        Row(
            id=str(row["id"]),
            visitor=row["visitor"],
            status=row["status"],
            amount=row["amount"],
            seats=tuple(seat for seat in row["seats"] if seat is not None),
            live=tuple(row["live"] or ()),
            settled=not row["open"],
        )
        for row in rows
    ]


async def _boards(client: Client, event: Event, watcher: LiveChannel | None) -> Mapping[str, bytes]:
    answer = await client.call("GET", "/api/events/{slug}/board", f"/api/events/{event.slug}/board")
    boards = {"the board of the API": base64.b64decode(answer["states"])}
    if watcher is not None and watcher.board is not None:
        boards["the board of a browser that watched"] = bytes(watcher.board.states)
    return boards
