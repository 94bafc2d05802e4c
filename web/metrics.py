"""`GET /metrics`: what this installation's processes counted, and what the stores say, in Prometheus' text format.

Open to whoever can reach the server, as Prometheus expects it; it names no visitor. Put it behind the load balancer's
rules where the address is public (`docs/decisions/metrics-open.md`).

With several server processes each writes its figures to files in `PROMETHEUS_MULTIPROC_DIR`, and whichever process is
asked adds them up. `prometheus_client` looks at that variable when it is imported: `onsale serve` sets it before it
starts its processes. Figures that are in the stores (waiting, active, seats) are read when asked, and are the same
whichever process answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response

from core.errors import OnsaleError
from core.runtime import Runtime
from core.seats.board import BoardSnapshot, SeatState
from core.venue.event import Event
from core.waiting_room.sizes_redis import sizes
from web.probes import Probes

REQUESTS = Counter("onsale_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "onsale_http_request_duration_seconds", "Time from a request's headers to the end of its answer", ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip

#: A store that does not answer must not stop the figures that need none, in seconds.
_PATIENCE: Final = 1.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_seen(method: str, route: str, status: int, seconds: float) -> None:
    """`route` is the declared path, never the one asked for: a label's values must be few."""
    REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


async def exposition(runtime: Runtime, probes: Probes) -> Response:
    """All figures of the installation."""
    figures = await _of_stores(runtime, probes)
    registry = CollectorRegistry()
    registry.register(figures)
    text = generate_latest(_of_processes()) + generate_latest(registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


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
        self.limit = GaugeMetricFamily("onsale_active_limit", "Visitors that may be in at once", labels=["event"])
        self.seats = GaugeMetricFamily("onsale_seats", "Seats by state", labels=["event", "state"])

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return (self.up, self.waiting, self.active, self.limit, self.seats)


async def _events(runtime: Runtime) -> Sequence[Event]:
    return await runtime.events.list()


async def _counts(runtime: Runtime, events: Sequence[Event]) -> tuple[list[tuple[int, int]], list[BoardSnapshot]]:
    counts = await sizes(runtime.redis, [event.slug for event in events])
    return counts, [await runtime.seats.board(event) for event in events]


async def _of_stores(runtime: Runtime, probes: Probes) -> _Figures:
    figures = _Figures()
    try:
        events = await probes.ask("metrics events", partial(_events, runtime), _PATIENCE)
        figures.up.add_metric(["database"], 1)
    except (OnsaleError, TimeoutError):
        figures.up.add_metric(["database"], 0)
        return figures
    try:
        counts, boards = await probes.ask("metrics seats", partial(_counts, runtime, events), _PATIENCE)
        figures.up.add_metric(["redis"], 1)
    except (OnsaleError, TimeoutError):
        figures.up.add_metric(["redis"], 0)
        return figures
    for event, (waiting, active), board in zip(events, counts, boards, strict=True):
        figures.waiting.add_metric([event.slug], waiting)
        figures.active.add_metric([event.slug], active)
        figures.limit.add_metric([event.slug], event.active_limit)
        for state in SeatState:
            figures.seats.add_metric([event.slug, state.name.lower()], board.states.count(state))
    return figures
