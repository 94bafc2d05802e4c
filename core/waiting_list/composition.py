"""The waiting list, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import databases
from redis.asyncio import Redis

from core.booking.composition import addresses_of
from core.booking.taking import Taking
from core.clock import Clock
from core.notifications.mailer import Mailer
from core.seats.best_seats import Hall
from core.seats.board_redis import BoardStore
from core.seats.halls import Halls
from core.settings import Settings
from core.venue.event import Event
from core.venue.event_store_postgres import EventStore
from core.waiting_list import news_redis
from core.waiting_list.offer_mails_postgres import OfferMails
from core.waiting_list.rounds_postgres import Rounds
from core.waiting_list.waiting_list import WaitingList
from core.waiting_list.wish import OfferKey
from core.waiting_list.wishes_postgres import Wishes


@dataclass(frozen=True, slots=True)
class WaitingListParts:
    waiting_list: WaitingList
    rounds: Rounds
    mails: OfferMails


def open_waiting_list(
    settings: Settings,
    *,
    database: databases.Database,
    redis: Redis,
    boards: BoardStore,
    halls: Halls,
    events: EventStore,
    checkout: Taking,
    mailer: Mailer,
    clock: Clock,
    site: str,
    try_mail: Callable[[Event, str, str], None],
) -> WaitingListParts:
    """`site`: where buyers reach the shop, for links in e-mails."""
    key = OfferKey(settings.secret_key.get_secret_value())

    async def hall(event: Event) -> Hall:
        return (await halls.table(event)).hall

    async def tell(event: Event, visitors: Sequence[str]) -> None:
        await news_redis.tell(redis, event, visitors)

    limited = settings.rate_limits == "on" and settings.waiting_list_places > 0
    wishes = Wishes(database, places_of_network=settings.waiting_list_places if limited else None)
    return WaitingListParts(
        WaitingList(
            wishes=wishes,
            checkout=checkout,
            key=key,
            addresses=addresses_of(settings),
            clock=clock,
            try_mail=try_mail,
        ),
        Rounds(
            database=database,
            boards=boards,
            events=events,
            hall=hall,
            tell=tell,
            clock=clock,
            offer_seconds=settings.offer_seconds,
            return_seconds=settings.return_seconds,
        ),
        OfferMails(
            database,
            mailer,
            key,
            base_url=site,
            sender=settings.mail_from,
            reply_to=settings.mail_reply_to,
        ),
    )
