"""How an event reaches a consumer once.

The bus delivers at least once. `deliver` inserts (consumer, event uid) into `processed_events` and runs the consumer's
effect in one transaction: an effect in PostgreSQL happens exactly once, because both commit or neither does. An effect
outside (an e-mail) happens at least once, and twice only when this process dies between the effect and the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from uuid import UUID

import databases
import structlog

from core.database import raw
from core.errors import StoreUnavailable
from core.messaging import measures
from core.messaging.consumer import Consumer, DependencyAway, EffectFailed
from core.messaging.reservation_message import ReservationMessage

log = structlog.get_logger(__name__)

# The rows of a concurrent delivery of the same event are waited for (the unique index sees to it), not
# skipped: only after the other transaction has ended is it known whether the effect happened.
# Nearly always all are new: then NULL says so.
_CLAIM = """
WITH fresh AS (
    INSERT INTO processed_events (consumer, event_uid) SELECT $1, unnest($2::uuid[])
    ON CONFLICT DO NOTHING RETURNING event_uid)
SELECT CASE WHEN count(*) < cardinality($2::uuid[]) THEN coalesce(array_agg(event_uid), '{}') END FROM fresh
"""


@dataclass(slots=True)
class Delivery:
    """What became of a batch: `failed` blames the event, `away` does not; `held` wait behind an earlier
    one of their reservation; `left` were not begun because there was no more time. All others are done.
    """

    failed: dict[UUID, Exception] = field(default_factory=dict)
    away: dict[UUID, DependencyAway] = field(default_factory=dict)
    held: set[UUID] = field(default_factory=set)
    left: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """How long a batch may begin with further events: for so many `seconds`, and not once the process is `stopping`.

    An event that is cut off in the middle is delivered again: a mail server may have taken its e-mail.
    """

    seconds: float = float("inf")
    stopping: Callable[[], bool] = field(default=lambda: False)

    def begin(self) -> Callable[[], bool]:
        """Whether there is time for one more, for a batch that begins now."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        return lambda: loop.time() < end and not self.stopping()


def _always() -> bool:
    return True


async def deliver(
    database: databases.Database,
    consumer: Consumer,
    events: Sequence[ReservationMessage],
    budget: TimeBudget | None = None,
) -> Delivery:
    """Gives `events` (in order) to the consumer, once each; raises StoreUnavailable when PostgreSQL is
    away. What there is no `budget` for is `left`, where events are taken one by one.
    """
    result = Delivery()
    may_begin = budget.begin() if budget else _always
    wanted = [event for event in events if event.only_for in ("", consumer.name) and event.type in consumer.types]
    measures.CONSUMED.labels(consumer.name, "passed").inc(len(events) - len(wanted))
    if consumer.batch > 1:
        for start in range(0, len(wanted), consumer.batch):
            await _shared(database, consumer, wanted[start : start + consumer.batch], result)
        return result
    chains: dict[UUID, list[ReservationMessage]] = {}
    for event in wanted:
        chains.setdefault(event.reservation_id, []).append(event)
    gate = asyncio.Semaphore(consumer.concurrency)
    away: list[DependencyAway] = []

    async def chain(members: list[ReservationMessage]) -> None:
        async with gate:
            await _one_by_one(database, consumer, members, result, may_begin, away)

    try:
        async with asyncio.TaskGroup() as group:
            for members in chains.values():
                group.create_task(chain(members))
    except* StoreUnavailable as lost:
        raise StoreUnavailable(retry_after=2) from lost
    return result


async def _shared(
    database: databases.Database, consumer: Consumer, events: Sequence[ReservationMessage], result: Delivery
) -> None:
    try:
        await _once(database, consumer, events)
    except StoreUnavailable:
        raise
    except Exception as error:
        if len(events) > 1:
            # One of them spoils the transaction for all: one by one shows which.
            log.info("messages split", consumer=consumer.name, events=len(events), error=repr(error))
        await _one_by_one(database, consumer, events, result, _always, [])


async def _one_by_one(
    database: databases.Database,
    consumer: Consumer,
    events: Sequence[ReservationMessage],
    result: Delivery,
    may_begin: Callable[[], bool],
    away: list[DependencyAway],
) -> None:
    """`away`: what one of them has met stands for the others, which are not begun: to draw three hundred letters for a
    mail server that takes none keeps buyers waiting.
    """
    stuck: set[UUID] = set()
    for event in events:
        if event.reservation_id in stuck:
            result.held.add(event.uid)
            continue
        if away:
            _is_away(consumer, event, result, away[0])
            stuck.add(event.reservation_id)
            continue
        if not may_begin():
            result.left.add(event.uid)
            continue
        try:
            await _once(database, consumer, [event])
        except StoreUnavailable:
            raise
        except DependencyAway as error:
            away.append(error)
            _is_away(consumer, event, result, error)
            stuck.add(event.reservation_id)
        except Exception as error:
            result.failed[event.uid] = error
            stuck.add(event.reservation_id)
            measures.CONSUMED.labels(consumer.name, "failed").inc()
            log.warning(
                "message failed",
                consumer=consumer.name,
                event_uid=str(event.uid),
                type=event.type,
                reservation=str(event.reservation_id),
                error=repr(error),
            )


def _is_away(consumer: Consumer, event: ReservationMessage, result: Delivery, error: DependencyAway) -> None:
    result.away[event.uid] = error
    measures.CONSUMED.labels(consumer.name, "away").inc()


_number = attrgetter("int")


async def _once(database: databases.Database, consumer: Consumer, events: Sequence[ReservationMessage]) -> None:
    by_uid = {event.uid: event for event in events}
    async with raw(database) as connection, connection.transaction():
        # Sorted, so that two deliveries of overlapping batches wait for each other and do not deadlock.
        fresh = await connection.fetchval(_CLAIM, consumer.name, sorted(by_uid, key=_number))
        repeated = set() if fresh is None else by_uid.keys() - set(fresh)
        new = {uid: event for uid, event in by_uid.items() if uid not in repeated} if repeated else by_uid
        if new:
            try:
                await consumer.handle(connection, list(new.values()))
            except OSError as error:
                # `raw` reads an OSError as a lost PostgreSQL; this one is about a file or another server.
                if isinstance(error, TimeoutError) or connection.is_closed():
                    raise
                raise EffectFailed(f"{type(error).__name__}: {error}") from error
    now, lateness = datetime.now(UTC), measures.LATENESS.labels(consumer.name)
    for event in new.values():
        lateness.observe(max(0.0, (now - event.at).total_seconds()))
    measures.CONSUMED.labels(consumer.name, "done").inc(len(new))
    measures.CONSUMED.labels(consumer.name, "repeated").inc(len(by_uid) - len(new))
