"""Where the relay hands outbox rows to: a local bus (`bus_local`) or Kafka (`bus_kafka`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.messaging.outbox_postgres import OutboxRow


@dataclass(frozen=True, slots=True)
class Deferral:
    """A row that was not taken: try again in `seconds`.

    `counted` is False when the row is not to blame (a mail server is away), so that it costs the row none
    of its tries.
    """

    seconds: float
    error: str
    counted: bool = True


class BusUnavailable(Exception):
    """Nothing can be handed over at the moment; no row is to blame."""


class Bus(Protocol):
    """Guarantees: a row that `publish` reports as taken survives this process.

    A row may be taken twice (the relay died between taking and marking); consumers make that once. The
    relay never gives two rows of one reservation at the same time, and gives the next one only after the
    last was taken.
    """

    name: str
    #: How many calls of `publish` may be under way at the same time, never about the same reservation.
    at_once: int

    async def start(self) -> None: ...

    async def publish(self, rows: Sequence[OutboxRow]) -> Mapping[int, Deferral]:
        """Hands rows over; returns the ids of those that were not taken, all others were.

        Raises BusUnavailable when it can take none; rows may then have been taken all the same.
        """
        ...

    async def stop(self) -> None: ...
