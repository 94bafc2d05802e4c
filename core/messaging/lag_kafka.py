"""How far consumer groups are behind the topic, as the brokers see it: also when no member runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupIdNotFound, for_code

from core.messaging.group_lag import GroupLag
from core.messaging.topics_kafka import KafkaServer, Topics, client_options, partitions_of


async def consumer_lag(
    server: KafkaServer, consumers: Sequence[str], *, topics: Topics | None = None
) -> dict[str, int]:
    """Consumer's name -> messages that its group has not committed; all of them for a group that never ran.

    Raises KafkaError.
    """
    topics = topics or Topics()
    partitions = await partitions_of(server, topics.reservations)
    if not partitions:
        return dict.fromkeys(consumers, 0)  # nothing was ever sent
    async with _reader(server) as reader:
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    async with _admin(server) as admin:
        lag: dict[str, int] = {}
        for name in consumers:
            committed = await admin.list_consumer_group_offsets(topics.group(name), partitions=partitions)
            # -1: nothing was ever committed for the partition.
            done = {each: offset.offset for each, offset in committed.items() if offset.offset >= 0}
            lag[name] = sum(ends[each] - done.get(each, begins[each]) for each in partitions)
        return lag


async def group_standings(
    server: KafkaServer, consumers: Sequence[str], *, topics: Topics | None = None
) -> dict[str, GroupLag]:
    """Consumer's name -> how its group stands; no members for a group that never ran. Raises KafkaError."""
    topics = topics or Topics()
    lag = await consumer_lag(server, consumers, topics=topics)
    members = dict.fromkeys(consumers, 0)
    async with _admin(server) as admin:
        for name in consumers:
            # One at a time: aiokafka 0.14 misreads what follows the first group of an answer.
            (response,) = await admin.describe_consumer_groups([topics.group(name)])
            ((code, _, _, _, _, present, *_),) = response.groups
            if code and for_code(code) is not GroupIdNotFound:
                raise for_code(code)(name)
            members[name] = len(present)
    return {name: GroupLag(lag[name], members[name]) for name in consumers}


# Closed also when they could not start: a broker that is away is asked again and again, and must not pile up clients.


@contextlib.asynccontextmanager
async def _reader(server: KafkaServer) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(**client_options(server, "lag"))
    try:
        await reader.start()
        yield reader
    finally:
        await reader.stop()


@contextlib.asynccontextmanager
async def _admin(server: KafkaServer) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(server, "lag"))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
