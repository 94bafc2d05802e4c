"""S19: what comes before a message that may end its process is committed before that message is tried again."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from core.messaging.composition import named_server
from core.messaging.group_kafka import Batches, KafkaGroup, Progress
from core.messaging.retry import RetryPlan
from core.settings import Settings

PARTITION = TopicPartition("topic", 0)


class SlowCoordinator:
    """A consumer whose commit is answered when `answer` is set."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.committed: list[dict[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        await self.answer.wait()
        self.committed.append(offsets)

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    def pause(self, partition: TopicPartition) -> None: ...


def record(offset: int) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord("topic", 0, offset, 0, 0, b"key", b"value", 0, 3, 5, [])


async def handled(stuck: dict[TopicPartition, Progress]) -> tuple[SlowCoordinator, asyncio.Task[None]]:
    async def handler(batches: Batches) -> dict[TopicPartition, Progress]:
        return stuck

    group = KafkaGroup(
        server=named_server(Settings.load()),
        topic="topic",
        group="group",
        process="test",
        handler=handler,
        retries=RetryPlan(3),
    )
    consumer = SlowCoordinator()
    task = asyncio.create_task(group._handle(consumer, {PARTITION: [record(7), record(8)]}))
    for _ in range(20):
        await asyncio.sleep(0)
    return consumer, task


async def test_a_message_is_tried_again_when_those_before_it_are_committed() -> None:
    consumer, task = await handled({PARTITION: Progress(8)})
    assert not task.done()
    consumer.answer.set()
    await task
    assert consumer.committed == [{PARTITION: 8}]


async def test_the_next_messages_do_not_wait_for_the_commit_of_those_that_are_done() -> None:
    consumer, task = await handled({})
    assert task.done()
    consumer.answer.set()
