"""What consumers on Kafka have in hand, written down before they begin: so a message that kills its process is found.

A process that raises counts its tries itself. One that is killed by a message (out of memory, a crash in C) counts
nothing, and so does its successor, which dies of the same message. The row that it leaves behind tells the successor.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import databases
from aiokafka import ConsumerRecord, TopicPartition

from core.database import raw


@dataclass(frozen=True, slots=True)
class Past:
    """Of the first message: `suspect` when a process is gone that had it in hand, `deaths` of those that had it alone.
    `last`: up to this offset they are in hand now."""

    suspect: bool
    deaths: int
    last: int


# Another owner's row about the same message: that process did not come to an end with it. The same owner's: it tries
# again, and is alive. No owner: it was put down.
_TAKE = """
INSERT INTO in_hand AS h (consumer_group, topic, partition, first_offset, last_offset, owner, alone)
SELECT $1, topic, partition, first_offset, last_offset, $6, $7
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) AS taken (topic, partition, first_offset, last_offset)
ORDER BY topic, partition
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
    first_offset = EXCLUDED.first_offset, last_offset = EXCLUDED.last_offset, owner = EXCLUDED.owner,
    alone = EXCLUDED.alone, taken_at = now(),
    suspect = h.first_offset = EXCLUDED.first_offset AND (h.suspect OR coalesce(h.owner <> EXCLUDED.owner, false)),
    deaths = CASE WHEN h.first_offset <> EXCLUDED.first_offset THEN 0
                  WHEN h.owner <> EXCLUDED.owner AND h.alone THEN h.deaths + 1
                  ELSE h.deaths END
RETURNING topic, partition, suspect, deaths, last_offset
"""

_PUT_DOWN = """
UPDATE in_hand SET owner = NULL
WHERE consumer_group = $1 AND owner = $4 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::int[]))
"""


class InHand:
    """Of one consumer in this process. Every method raises StoreUnavailable when PostgreSQL is away."""

    def __init__(self, database: databases.Database, *, group: str) -> None:
        self._database = database
        self._group = group
        # Not the process's name, which its successor may have as well.
        self._owner = uuid.uuid4().hex

    async def take(self, batches: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> dict[TopicPartition, Past]:
        """Writes down that these are in hand from now on; returns what became of those who had them before."""
        rows = [(tp.topic, tp.partition, records[0].offset, records[-1].offset) for tp, records in batches.items()]
        alone = sum(map(len, batches.values())) == 1
        async with raw(self._database) as connection:
            found = await connection.fetch(_TAKE, self._group, *map(list, zip(*rows, strict=True)), self._owner, alone)
        return {TopicPartition(topic, partition): Past(*past) for topic, partition, *past in found}

    async def put_down(self, partitions: Sequence[TopicPartition]) -> None:
        """They are not done, and this process has come to no harm: nothing counts against them."""
        async with raw(self._database) as connection:
            await connection.execute(
                _PUT_DOWN,
                self._group,
                [each.topic for each in partitions],
                [each.partition for each in partitions],
                self._owner,
            )
