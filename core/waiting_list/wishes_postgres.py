"""Places in the waiting list, in PostgreSQL: each step is one statement (F10)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import asyncpg
import databases

from core.booking.statements_postgres import Together, fetch_row
from core.database import raw
from core.process.source_files import SourceFiles
from core.waiting_list.wish import NewWish, Offer, OfferState, Wish, WishState

_SQL = SourceFiles(__file__, "sql")
_JOIN = _SQL["join"]
_WISH = _SQL["wish"]
_END_OFFER = _SQL["end_offer"]
_OF_ID = _WISH + "WHERE w.id = $1"
_OF_VISITOR = _WISH + "WHERE w.event_id = $1 AND w.visitor = $2 ORDER BY w.number DESC LIMIT 1"
_FENCE = "SELECT coalesce(max(fence), 0) FROM seats WHERE event_id = $1 AND ordinal = ANY ($2::int[])"
_FIGURES = """
SELECT count(*) FILTER (WHERE state = 'WAITING') AS waiting, count(*) FILTER (WHERE state = 'OFFERED') AS offered,
       coalesce(sum(seats) FILTER (WHERE state IN ('WAITING', 'OFFERED')), 0)::bigint AS seats,
       count(*) FILTER (WHERE state = 'TAKEN') AS taken, count(*) FILTER (WHERE state = 'LAPSED') AS lapsed,
       (SELECT count(*) FROM returned_seats WHERE event_id = $1 AND NOT freed) AS kept
FROM wishes WHERE event_id = $1
"""

#: Rows of the console's list, at most.
MOST_SHOWN: Final = 200
_OF_EVENT = _WISH + "WHERE w.event_id = $1 AND w.state IN ('WAITING', 'OFFERED') ORDER BY w.number LIMIT $2"


class Wishes:
    """All calls raise StoreUnavailable when PostgreSQL is away; a write may then have happened or not."""

    def __init__(self, database: databases.Database, *, places_of_network: int | None) -> None:
        """`places_of_network`: of one event, at most; None: any number."""
        self._database = database
        # When a sale is sold out the list is joined by as many as its opening was.
        self._join = Together(database, _JOIN, key=2, column="visitor")
        self.places_of_network = places_of_network

    async def join(self, new: NewWish, most: int) -> tuple[int, Wish | None]:
        """Seats that the visitor has, or is paying for; and the new place. None: those and the wish's are more than
        `most`, the visitor has a place, or the network has all of its own.
        """
        row = await self._join(
            new.id,
            new.event_id,
            new.visitor,
            new.email,
            new.address,
            new.language,
            new.network,
            new.seats,
            new.category,
            self.places_of_network,
            most,
        )
        if row["id"] is None:
            return int(row["bought"]), None
        return int(row["bought"]), Wish(
            id=row["id"],
            event_id=new.event_id,
            visitor=new.visitor,
            email=new.email,
            language=new.language,
            seats=new.seats,
            category=new.category,
            state=WishState.WAITING,
            ahead=row["ahead"],
            joined_at=row["joined_at"],
        )

    async def get(self, id: UUID) -> Wish | None:
        return _wish_of(await fetch_row(self._database, _OF_ID, id))

    async def of_visitor(self, event_id: int, visitor: str) -> Wish | None:
        """The last one, over or not."""
        return _wish_of(await fetch_row(self._database, _OF_VISITOR, event_id, visitor))

    async def of_event(self, event_id: int) -> list[Wish]:
        """Those that wait or have an offer, in their order, at most `MOST_SHOWN`."""
        async with raw(self._database) as connection:
            rows = await connection.fetch(_OF_EVENT, event_id, MOST_SHOWN)
        return [wish for row in rows if (wish := _wish_of(row)) is not None]

    async def leave(self, id: UUID) -> bool:
        """What it was offered goes to the next. False: it was over."""
        return await fetch_row(self._database, _END_OFFER, id, None, WishState.LEFT) is not None

    async def pass_on(self, id: UUID, offer: UUID) -> bool:
        """The wish waits again, for other seats. False: that offer is over."""
        return await fetch_row(self._database, _END_OFFER, id, offer, WishState.WAITING) is not None

    async def highest_fence(self, event_id: int, ordinals: tuple[int, ...]) -> int:
        return int((await fetch_row(self._database, _FENCE, event_id, list(ordinals)))[0])

    async def figures(self, event_id: int) -> dict[str, int]:
        """waiting, offered, taken, lapsed: wishes; seats: that the live ones wish for; kept: seats for them."""
        return dict(await fetch_row(self._database, _FIGURES, event_id))


def _wish_of(row: asyncpg.Record | Any) -> Wish | None:
    if row is None:
        return None
    offer = None
    if row["offer_id"] is not None:
        offer = Offer(
            id=row["offer_id"],
            seats=tuple(row["ordinals"]),
            amount=row["amount"],
            state=OfferState(row["offer_state"]),
            until=row["until"],
            over=row["over"],
            phase=row["offer_phase"],
            reservation=row["reservation_id"],
            taker=row["taker"],
        )
    return Wish(
        id=row["id"],
        event_id=row["event_id"],
        visitor=row["visitor"],
        email=row["email"],
        language=row["language"],
        seats=row["seats"],
        category=row["category"],
        state=WishState(row["state"]),
        ahead=row["ahead"],
        joined_at=row["joined_at"],
        offer=offer,
    )
