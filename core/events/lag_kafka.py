"""How far consumer groups are behind the topic, as the brokers see it: also when no member runs."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from core.events.topics_kafka import Topics, client_options, partitions_of
from core.settings import Settings


async def consumer_lag(settings: Settings, consumers: Sequence[str], *, topics: Topics | None = None) -> dict[str, int]:
    """Consumer's name -> messages that its group has not committed; all of them for a group that never ran.

    Raises KafkaError.
    """
    topics = topics or Topics()
    partitions = await partitions_of(settings, topics.reservations)
    reader = AIOKafkaConsumer(**client_options(settings, "lag"))
    await reader.start()
    try:
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    finally:
        await reader.stop()
    admin = AIOKafkaAdminClient(**client_options(settings, "lag"))
    await admin.start()
    try:
        lag: dict[str, int] = {}
        for name in consumers:
            committed = await admin.list_consumer_group_offsets(topics.group(name), partitions=partitions)
            # -1: nothing was ever committed for the partition.
            done = {each: offset.offset for each, offset in committed.items() if offset.offset >= 0}
            lag[name] = sum(ends[each] - done.get(each, begins[each]) for each in partitions)
        return lag
    finally:
        await admin.close()
