"""`GET /metrics`: what this installation's processes counted, and what the stores say, in Prometheus' text format.

Open to whoever can reach the server, as Prometheus expects it; it names no visitor. Put it behind the load balancer's
rules where the address is public (`docs/decisions/metrics-open.md`).

With several server processes each writes its figures to files in `PROMETHEUS_MULTIPROC_DIR`, and whichever process is
asked adds them up. `prometheus_client` looks at that variable when it is imported: `onsale serve` sets it before it
starts its processes. Figures that are in the stores (waiting, active, seats) are read when asked, and are the same
whichever process answers.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import databases
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from starlette.responses import Response

from core.clock import Clock
from core.database import raw
from core.errors import OnsaleError, StoreUnavailable
from core.process.once import Once
from core.seats.board import BoardSnapshot, SeatState
from core.seats.seats import Seats
from core.upkeep.memory_redis import NodeMemory, memory
from core.venue.event import Event, SaleState
from core.venue.event_store_postgres import EventStore
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.sizes_redis import sizes

REQUESTS = Counter("onsale_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "onsale_http_request_duration_seconds",
    "Time from a request's headers to the end of its answer",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

#: A store that does not answer must not stop the figures that need none, in seconds.
_PATIENCE: Final = 1.0

# What a person has to look at when it grows: payments whose end is not known or not told, messages given up.
_UNFINISHED = """
SELECT (SELECT count(*) FROM dead_letters WHERE retried_at IS NULL AND discarded_at IS NULL) AS dead_letters,
       (SELECT count(*) FROM refunds WHERE needs_person_at IS NOT NULL AND state = 'PENDING') AS refunds,
       (SELECT count(*) FROM payment_attempts
        WHERE next_attempt_at < 'infinity' AND (state IN ('AUTHORISED', 'CALLED') OR untold))
         + (SELECT count(*) FROM refunds WHERE state = 'PENDING') AS payments,
       greatest(
           (SELECT extract(epoch FROM now() - min(coalesce(authorised_at, updated_at))) FROM payment_attempts
            WHERE next_attempt_at < 'infinity' AND (state IN ('AUTHORISED', 'CALLED') OR untold)),
           (SELECT extract(epoch FROM now() - min(created_at)) FROM refunds
            WHERE state = 'PENDING' AND needs_person_at IS NULL), 0)::float8 AS oldest
"""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_seen(method: str, route: str, status: int, seconds: float) -> None:
    """`route` is the declared path, never the one asked for: a label's values must be few."""
    _answered(method if method in _METHODS else "other", route, status).inc()
    _took(route).observe(seconds)


# To find the figure by its labels costs more than to count.


@functools.cache
def _answered(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, str(status))


@functools.cache
def _took(route: str) -> Histogram:
    return SECONDS.labels(route)


async def exposition(stores: StoreFigures) -> bytes:
    """All figures of the installation, in Prometheus' text format."""
    figures = await stores.read()
    registry = CollectorRegistry()
    registry.register(figures)
    return generate_latest(_of_processes()) + generate_latest(registry)


def response(figures: bytes) -> Response:
    return Response(figures, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def _of_processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class _Figures(Collector):
    """Figures that were read from the stores for one answer."""

    def __init__(self) -> None:
        self.up = GaugeMetricFamily("onsale_store_up", "1 when the store answered this scrape", labels=["store"])
        self.waiting = GaugeMetricFamily("onsale_queue_waiting", "Visitors waiting", labels=["event"])
        self.active = GaugeMetricFamily("onsale_active_visitors", "Visitors let in", labels=["event"])
        self.limit = GaugeMetricFamily(
            "onsale_active_limit",
            "Visitors that may be in at once; 0 while the sale is paused or not open",
            labels=["event"],
        )
        self.seats = GaugeMetricFamily("onsale_seats", "Seats by state", labels=["event", "state"])
        self.unfinished = GaugeMetricFamily(
            "onsale_payments_unfinished", "Payments whose end is not known, or not told"
        )
        self.oldest = GaugeMetricFamily(
            "onsale_payments_oldest_seconds", "Age of the oldest of them, without refunds that need a person"
        )
        self.refunds = GaugeMetricFamily(
            "onsale_refunds_need_person", "Refunds that the provider refuses and that a person has to look at"
        )
        self.dead = GaugeMetricFamily("onsale_dead_letters_open", "Messages given up and not sent again yet")
        self.used = GaugeMetricFamily("onsale_redis_memory_used_bytes", "Memory that Redis uses", labels=["node"])
        self.most = GaugeMetricFamily("onsale_redis_memory_max_bytes", "Redis' maxmemory; 0: none", labels=["node"])
        self.keeps = GaugeMetricFamily("onsale_redis_noeviction", "1 when Redis throws no keys away", labels=["node"])
        self.evicted = CounterMetricFamily("onsale_redis_evicted_keys", "Keys that Redis threw away", labels=["node"])

    def collect(self) -> Iterable[Metric]:
        return (
            self.up,
            self.waiting,
            self.active,
            self.limit,
            self.seats,
            self.unfinished,
            self.oldest,
            self.refunds,
            self.dead,
            self.used,
            self.most,
            self.keeps,
            self.evicted,
        )


class StoreFigures:
    """Reads what the stores say of the installation. Figures of a store that is away are left out."""

    def __init__(
        self,
        *,
        database: databases.Database,
        redis: Redis,
        events: EventStore,
        seats: Seats,
        waiting_room: WaitingRoom,
        clock: Clock,
        probes: Once[Any],
    ) -> None:
        self._database = database
        self._redis = redis
        self._events = events
        self._seats = seats
        self._waiting_room = waiting_room
        self._clock = clock
        self._probes = probes

    async def read(self) -> _Figures:
        figures = _Figures()
        try:
            events, unfinished = await self._probes("metrics events", self._of_database, limit=_PATIENCE)
            figures.up.add_metric(["database"], 1)
        except (OnsaleError, TimeoutError):
            figures.up.add_metric(["database"], 0)
            return figures
        figures.unfinished.add_metric([], unfinished["payments"])
        figures.oldest.add_metric([], unfinished["oldest"])
        figures.refunds.add_metric([], unfinished["refunds"])
        figures.dead.add_metric([], unfinished["dead_letters"])
        try:
            counts, boards, nodes = await self._probes(
                "metrics seats", partial(self._of_redis, events), limit=_PATIENCE
            )
            figures.up.add_metric(["redis"], 1)
        except (OnsaleError, TimeoutError):
            figures.up.add_metric(["redis"], 0)
            return figures
        for node in nodes:
            figures.used.add_metric([node.node], node.used)
            figures.most.add_metric([node.node], node.most)
            figures.keeps.add_metric([node.node], node.keeps_keys)
            figures.evicted.add_metric([node.node], node.evicted)
        for event, (waiting, active), board in zip(events, counts, boards, strict=True):
            figures.waiting.add_metric([event.slug], waiting)
            figures.active.add_metric([event.slug], active)
            figures.limit.add_metric([event.slug], self._waiting_room.limit(event))
            for state in SeatState:
                figures.seats.add_metric([event.slug, state.name.lower()], board.states.count(state))
        return figures

    async def _of_database(self) -> tuple[Sequence[Event], Mapping[str, Any]]:
        async with raw(self._database) as connection:
            unfinished = await connection.fetchrow(_UNFINISHED)
        assert unfinished is not None  # noqa: S101 - an aggregate always has a row
        now = self._clock.now()
        # Not of closed sales: to look at a board that Redis has forgotten brings it back, and scraping never ends.
        going_on = [event for event in await self._events.list() if event.sale_state(now) is not SaleState.CLOSED]
        return going_on, dict(unfinished)

    async def _of_redis(
        self, events: Sequence[Event]
    ) -> tuple[list[tuple[int, int]], list[BoardSnapshot], Sequence[NodeMemory]]:
        counts = await sizes(self._redis, [event.slug for event in events])
        boards = [await self._seats.board(event) for event in events]
        try:
            nodes = await memory(self._redis)
        except StoreUnavailable:  # a Redis that answers but may not be asked about itself
            nodes = ()
        return counts, boards, nodes
