"""The bus of an installation without Kafka: the relay's own process runs the consumers, each event once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from core.errors import StoreUnavailable
from core.messaging.bus import BusUnavailable, Deferral
from core.messaging.consumer import Consumer
from core.messaging.dead_letters_postgres import DeadLetters
from core.messaging.delivery_postgres import Delivery, TimeBudget, deliver
from core.messaging.outbox_postgres import OutboxRow
from core.messaging.reservation_message import EventInvalid, ReservationMessage, parse
from core.messaging.retry import RetryPlan

if TYPE_CHECKING:
    import databases


class LocalBus:
    """Takes a row when each consumer has either had its effect or given the event up as a dead letter.

    A consumer that fails does not keep the others from theirs: on the next try they pass the event over. A consumer
    that a later release adds gets the events from then on.
    """

    name = "local"
    # More would be more transactions of a consumer than it asks for.
    at_once = 1

    def __init__(
        self,
        *,
        database: databases.Database,
        consumers: Sequence[Consumer],
        retries: RetryPlan,
        budget: TimeBudget | None = None,
    ) -> None:
        self._database = database
        self._budget = budget
        self._consumers = tuple(consumers)
        self._retries = retries
        self._dead = DeadLetters(database)

    async def start(self) -> None:
        """Nothing to open: consumers open what they need when they need it."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        deferred: dict[int, Deferral] = {}
        events: list[ReservationMessage] = []
        by_uid: dict[UUID, OutboxRow] = {}
        for row in rows:
            try:
                events.append(parse(row.event_uid, row.type, row.payload, only_for=row.only_for or ""))
                by_uid[row.event_uid] = row
            except EventInvalid as error:
                deferred[row.id] = Deferral(self._retries.pause(row.attempts), f"unreadable: {error}")
        try:
            deliveries = await asyncio.gather(
                *(deliver(self._database, consumer, events, self._budget) for consumer in self._consumers)
            )
            for consumer, delivery in zip(self._consumers, deliveries, strict=True):
                await self._hand_over(consumer, delivery, by_uid, deferred)
        except StoreUnavailable as error:
            raise BusUnavailable("PostgreSQL is away") from error
        return deferred

    async def _hand_over(
        self, consumer: Consumer, delivery: Delivery, rows: Mapping[UUID, OutboxRow], deferred: dict[int, Deferral]
    ) -> None:
        for uid, error in delivery.failed.items():
            row = rows[uid]
            reason = f"{consumer.name}: {type(error).__name__}: {error}"
            if self._retries.exhausted(row.attempts):
                await self._dead.bury(
                    consumer=consumer.name,
                    source=f"outbox/{row.id}",
                    error=reason,
                    attempts=row.attempts,
                    event_uid=uid,
                    reservation_id=row.reservation_id,
                    type_=row.type,
                    payload=row.payload,
                )
            else:
                deferred[row.id] = Deferral(self._retries.pause(row.attempts), reason)
        for uid in delivery.left:
            deferred.setdefault(rows[uid].id, Deferral(0.0, f"{consumer.name}: not begun with", counted=False))
        for uid, away in delivery.away.items():
            # Unless another consumer blames the row: then its count decides.
            deferred.setdefault(
                rows[uid].id, Deferral(self._retries.away_seconds, f"{consumer.name}: {away}", counted=False)
            )
