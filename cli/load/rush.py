"""A rush: all visitors at once, until the last one has left and the last payment is at its end; then the truth."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import databases
from prometheus_client.parser import text_string_to_metric_families

from cli.load.channel import ChannelVisitor, LiveChannel
from cli.load.client import Client, Failed, Refused, together
from cli.load.funnel import End, Funnel, Outcome, funnel, paid_outcome
from cli.load.journey import Timeouts, journey
from cli.load.measures import Calls, Durations
from cli.load.observer import observer
from cli.load.truth import Simulator, left_under_way, read_truth
from cli.load.verdict import Difference, Truth, differences
from cli.load.visitor import HttpVisitor, Sale
from core.process.tasks import cancelled
from core.process.watched_tasks import beside
from core.venue.event import Event

#: What the server counts about its guard; each is told when the rush moved it.
_GUARD_FIGURES = {
    ("onsale_seat_lock_acquisitions_total", "taken"): "seat locks taken",
    ("onsale_seat_lock_acquisitions_total", "busy"): "seat locks not had in time",
    ("onsale_seat_lock_wait_seconds_sum", ""): "seconds waited for seat locks",
    ("onsale_optimistic_conflicts_total", ""): "version conflicts",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """All visitors come within `arrive_seconds`; payments have `settle_seconds` to their end when the last has left."""

    visitors: int
    channel: Literal["http", "ws"]
    patience: Timeouts
    arrive_seconds: float
    settle_seconds: float
    own_event: bool


@dataclass(slots=True)
class Result:
    """`seconds`: from the first visitor's arrival to the last one's leaving. `left`: reservations still under way.
    `behaviour`: the payment simulator's, None where it cannot be asked.
    """

    event: Event
    plan: Plan
    calls: Calls
    steps: Durations
    waits: Durations
    funnel: Funnel
    seconds: float
    truth: Truth
    differences: list[Difference]
    guard: dict[str, float]
    gaps: int | None
    left: int
    behaviour: dict[str, Any] | None
    ends: Sequence[End] = field(repr=False)

    @property
    def ok(self) -> bool:
        return not self.differences


class Progress:
    """How far the visitors are, for whoever looks while it runs."""

    def __init__(self, visitors: int) -> None:
        self.visitors = visitors
        self.ended: list[End] = []

    def __str__(self) -> str:
        tickets = sum(end.outcome is Outcome.TICKET for end in self.ended)
        return f"{len(self.ended):,} of {self.visitors:,} visitors through, {tickets:,} with a ticket"


async def rush(
    client: Client,
    database: databases.Database,
    event: Event,
    plan: Plan,
    simulator: Simulator | None,
    progress: Callable[[Progress], None],
) -> Result:
    """Raises RateLimited when the server limits the rate, Refused or Failed when it does not even tell of the event."""
    sale = await sale_of(client, event.slug)
    before = await _guard_figures(client)
    behaviour = await simulator.behaviour() if simulator is not None else None
    steps = Durations()
    async with observer(client, sale) as watcher:
        # What is measured is the visitors' calls: the preparations are not, nor what is asked afterwards.
        client.calls, client.waits = Calls(), Durations()
        seen = Progress(plan.visitors)
        began = time.monotonic()
        await _all(client, sale, plan, steps, seen, progress)
        seconds = time.monotonic() - began
        calls, waits = client.calls, client.waits
        client.calls, client.waits = Calls(), Durations()
        left = await left_under_way(database, event, [end.visitor for end in seen.ended], plan.settle_seconds)
        await _ask_again(client, sale, seen.ended)
        truth = await read_truth(database, event, client, watcher, simulator, own_event=plan.own_event)
        after = await _guard_figures(client)
        return Result(
            event=event,
            plan=plan,
            calls=calls,
            steps=steps,
            waits=waits,
            funnel=funnel(seen.ended),
            seconds=seconds,
            truth=truth,
            differences=differences(seen.ended, truth),
            guard=_moved(before, after),
            gaps=_gaps(watcher),
            left=left,
            behaviour=behaviour,
            ends=seen.ended,
        )


async def sale_of(client: Client, slug: str) -> Sale:
    """Raises Refused (`event_not_found`), Failed."""
    return Sale.of(await client.call("GET", "/api/events/{slug}", f"/api/events/{slug}"))


async def _all(
    client: Client, sale: Sale, plan: Plan, steps: Durations, seen: Progress, progress: Callable[[Progress], None]
) -> None:
    kind = ChannelVisitor if plan.channel == "ws" else HttpVisitor

    async def one() -> None:
        await asyncio.sleep(random.uniform(0, plan.arrive_seconds))
        seen.ended.append(await journey(kind(client, sale, steps), plan.patience))

    async def tell() -> None:
        while not cancelled():
            await asyncio.sleep(0.5)
            progress(seen)

    async with beside("teller", tell()), together() as group:
        for _ in range(plan.visitors):
            group.create_task(one())


async def _ask_again(client: Client, sale: Sale, ends: Sequence[End]) -> None:
    """The last word of the API on payments that were under way when their buyers went."""

    async def ask(end: End) -> None:
        visitor = HttpVisitor(client, sale, Durations())
        visitor.id, visitor.token = end.visitor, end.token
        with contextlib.suppress(Refused, Failed):
            now = await visitor.reservation(end.reservation or "")
            end.status, end.reason = now["status"], now.get("reason")
            if end.outcome is Outcome.UNKNOWN:
                end.outcome = paid_outcome(now["status"], end.reason)
                end.detail = "told after the buyer had gone"

    await asyncio.gather(*(ask(end) for end in ends if end.reservation and end.status == "PAYING"))


async def _guard_figures(client: Client) -> dict[str, float]:
    """What the server has counted so far; nothing where it does not show its figures."""
    try:
        async with client.session.get("metrics") as response:
            text = await response.text()
            if response.status != 200:
                return {}
    except (OSError, TimeoutError, ValueError):
        return {}
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = _GUARD_FIGURES.get((sample.name, sample.labels.get("result", "")))
            if label is not None:
                figures[label] = figures.get(label, 0.0) + sample.value
    return figures


def _moved(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {label: moved for label, value in after.items() if (moved := value - before.get(label, 0.0)) > 0}


def _gaps(watcher: LiveChannel | None) -> int | None:
    return watcher.gaps if watcher is not None else None
