"""Kafka as far as buyers feel it: are the brokers there, does somebody consume, and how far behind?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from core.diagnosis.finding import Cause, Finding, fail, passed, warn
from core.messaging.bus import BusUnavailable
from core.messaging.group_lag import GroupLag
from core.sentences import said

#: Messages that a group may be behind: at the peak of a rush a few hundred are under way.
_LAG_MESSAGES = 1_000

#: Consumer's name -> how its group stands; None without Kafka. Raises BusUnavailable.
Groups = Callable[[], Awaitable[Mapping[str, GroupLag] | None]]


async def consumers(groups: Groups) -> AsyncIterator[Finding]:
    """Nothing at all without Kafka: then the relay itself runs the consumers."""
    try:
        groups_now = await groups()
    except BusUnavailable as error:
        yield fail("kafka", Cause.KAFKA_AWAY, said("store.away", why=str(error)))
        return
    if groups_now is None:
        return
    yield passed("kafka", said("kafka.answers"))
    for name, group in groups_now.items():
        behind = said("kafka.behind", name=name, lag=group.lag, members=group.members)
        if group.lag and not group.members:
            yield fail("consumers", Cause.CONSUMER_LAG, said("kafka.no_worker", behind=behind))
        elif group.lag > _LAG_MESSAGES:
            yield warn("consumers", Cause.CONSUMER_LAG, behind)
        else:
            yield passed("consumers", behind)
