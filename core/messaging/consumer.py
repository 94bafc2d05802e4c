"""Consumers: who they are, and what they promise. `delivery_postgres` brings them each event once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from core.messaging.reservation_message import ReservationMessage

if TYPE_CHECKING:
    import asyncpg


class DependencyAway(Exception):
    """Something that every event of this consumer needs is away (a mail server): no event is to blame, so the event
    is tried again without limit and never becomes a dead letter for it."""


class EffectFailed(Exception):
    """A consumer's own files or servers failed it."""


class Consumer(Protocol):
    """`name` is the consumer group and the key in `processed_events`: changing it delivers everything again.

    `batch`: events that may share one transaction (1 when the effect cannot be rolled back).
    `concurrency`: transactions of this consumer under way at once; events of one reservation never are.
    """

    @property
    def name(self) -> str: ...

    @property
    def batch(self) -> int: ...

    @property
    def concurrency(self) -> int: ...

    @property
    def types(self) -> Collection[str]:
        """The values of `ReservationMessage.type` that it wants; the others are passed over, unmarked and, on Kafka,
        unread."""
        ...

    async def handle(self, connection: asyncpg.Connection, events: Sequence[ReservationMessage]) -> None:
        """The effect, on a connection inside the transaction that also marks the events. Each event is new
        to this consumer. Raises DependencyAway; any other exception blames the event and rolls back.
        """
        ...
