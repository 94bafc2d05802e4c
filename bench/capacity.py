"""From what one machine was measured to bear to a sale of so many visitors: arithmetic, each line with its sources.

Nothing here was run: what the figures of `scale.py` and the shape of the product say about many machines. What is taken
from elsewhere, or assumed, is named as such.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.measure import Figure, markdown, number

#: As the settings are unless somebody changes them.
BEAT_SECONDS: Final = 10
POSTGRESQL_CONNECTIONS: Final = 200
_POOL: Final = 10
_CHANNELS: Final = 20_000
_PREQUEUE_SECONDS: Final = 900

#: Assumed: of all who come before an opening, the busiest second has so many times the mean one's.
_PEAK: Final = 4.0
#: Assumed: of a core, so much is planned with.
_PLANNED: Final = 0.6
#: Assumed: bytes that a waiting browser is sent in a beat (an answer, a place, and TCP's and TLS's heads).
_BYTES_A_BEAT: Final = 400

#: A web machine: cores, GiB of memory, USD an hour. Linux, on demand, us-east-1, June 2026: m7g.large (2 cores, 8 GiB)
#: at 0.0816 (factualminds.com, "Amazon EC2 On-Demand Pricing", June 2026); sizes of a family cost by their cores.
MACHINE: Final = (8, 32, 4 * 0.0816)
#: A balancer of connections (AWS' NLB): USD an hour, USD an hour for each 100,000 open connections
#: (awsnegotiations.com, "Elastic Load Balancer Cost", May 2026; 100,000: handbook.vantage.sh, ELB).
BALANCER: Final = (0.0225, 0.006)
#: Assumed: USD for a GB that leaves the cloud (AWS' list price for the first 10 TB).
_EGRESS: Final = 0.09
_HOURS: Final = 730
#: Assumed: the fleet stands so long for a sale.
_SALE_HOURS: Final = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What `scale.py` found."""

    visitor_bytes: float
    join_us: float
    beat_us: float
    channel_kib: float
    open_ms: float
    web_beat_us: float

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Measured:
        """Raises StopIteration when a figure is missing."""

        def value(end: str) -> float:
            return next(figure.value for figure in figures if figure.name.endswith(end))

        return cls(
            visitor_bytes=value("memory of a visitor"),
            join_us=value("a join in Valkey"),
            beat_us=value("a beat in Valkey"),
            channel_kib=value("memory of one that waits"),
            open_ms=value("opened and joined"),
            web_beat_us=value("a beat in the web process"),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """`bears`: visitors that this part bears as it is; `needed`: what the sale needs of it. `wall`: one event has no
    second one of it.
    """

    part: str
    bears: float
    needed: str
    why: str
    wall: bool = False


def processes(measured: Measured, visitors: int) -> int:
    """Web processes: by channels, by beats, or by arrivals, whichever wants the most."""
    arrivals = visitors / _PREQUEUE_SECONDS * _PEAK * measured.open_ms / 1e3
    beats = visitors / BEAT_SECONDS * measured.web_beat_us / 1e6
    return max(math.ceil(visitors / _CHANNELS), math.ceil((arrivals + beats) / _PLANNED))


def machines(measured: Measured, visitors: int) -> int:
    """Web machines: by cores, or by memory, of which a quarter is for the rest."""
    cores, memory, _ = MACHINE
    by_memory = visitors * measured.channel_kib / 1024**2 / (0.75 * memory)
    return max(math.ceil(processes(measured, visitors) / cores), math.ceil(by_memory))


def steps(measured: Measured, visitors: int) -> list[Step]:
    """What breaks first stands first, within those that another one mends and within those that it does not."""
    web = processes(measured, visitors)
    a_process = visitors / web
    valkey = measured.join_us / 1e6 * _PEAK / _PREQUEUE_SECONDS + measured.beat_us / 1e6 / BEAT_SECONDS
    memory = visitors * measured.visitor_bytes / 1024**2
    fleet = machines(measured, visitors)
    # Each process keeps at least two connections.
    least = 2 * web
    found = [
        Step(
            "PostgreSQL's connections",
            POSTGRESQL_CONNECTIONS / _POOL * a_process,
            f"`ONSALE_DATABASE_POOL` of 2 for {web:,} processes: {least:,} connections; "
            f"`max_connections` of {least + 100:,}",
            f"{_POOL} for each process, {POSTGRESQL_CONNECTIONS} in docker-compose.yml",
        ),
        Step(
            "Valkey's core, of the node that has the event",
            _PLANNED / valkey,
            f"{100 * visitors * valkey:.0f}% of a core"
            + ("" if visitors * valkey < _PLANNED else ": a longer beat, or the sale in several events"),
            f"{number(measured.join_us)} us a join, {number(measured.beat_us)} us a beat; "
            "a Cluster spreads events, not one event",
            wall=True,
        ),
        Step(
            "a web process's channels",
            _CHANNELS,
            f"{web:,} processes",
            f"`ONSALE_CHANNELS_PER_PROCESS`; {number(measured.open_ms)} ms to open one, "
            f"{number(measured.web_beat_us)} us a beat",
        ),
        Step(
            "a web machine's memory",
            0.75 * MACHINE[1] * 1024**2 / measured.channel_kib,
            f"{fleet:,} machines of {MACHINE[0]} cores and {MACHINE[1]} GiB",
            f"{number(measured.channel_kib)} KiB a channel, a quarter of the memory left for the rest",
        ),
        Step(
            "Valkey's memory, of that node",
            8 * 1024**3 / measured.visitor_bytes,
            f"{memory:,.0f} MiB",
            f"{number(measured.visitor_bytes)} bytes a visitor, 8 GiB assumed",
            wall=True,
        ),
        Step(
            "Valkey's connections",
            10_000 / 64 * a_process,
            f"{64 * web:,} at most",
            "64 for each process at most (`ONSALE_REDIS_POOL`), 10,000 unless `maxclients` is raised",
        ),
    ]
    return sorted(found, key=lambda step: (step.wall, step.bears))


def cost(measured: Measured, visitors: int) -> Mapping[str, float]:
    """USD for a month in which the fleet stands all the time, and for one sale of `_SALE_HOURS`."""
    fleet = machines(measured, visitors) + 2  # PostgreSQL, and Valkey with its replica, on machines alike
    an_hour = fleet * MACHINE[2] + BALANCER[0] + BALANCER[1] * visitors / 100_000
    sent = visitors / BEAT_SECONDS * _BYTES_A_BEAT * 3600 * _SALE_HOURS / 1e9 * _EGRESS
    return {"month": an_hour * _HOURS, "sale": an_hour * _SALE_HOURS + sent, "sent": sent}


def _beyond(measured: Measured, visitors: int, wall: Step) -> str:
    """What moves the wall: the longest beat that leaves room for the arrivals, where there is one."""
    if wall.bears >= visitors:
        return ", more than this sale has"
    room = _PLANNED / visitors - measured.join_us / 1e6 * _PEAK / _PREQUEUE_SECONDS
    if room <= 0:
        return "; the arrivals alone fill it: let people gather for longer, or sell the hall in several events"
    beat = math.ceil(measured.beat_us / 1e6 / room)
    return (
        f"; for {visitors:,} a beat of {beat} s (`ONSALE_BEAT_SECONDS`, and the graces with it), or the hall sold in "
        "several events"
    )


def page(figures: Sequence[Figure], visitors: int) -> str:
    """As Markdown."""
    measured = Measured.of(figures)
    rows = [("part", "breaks at", "another one", f"{visitors:,} need", "by")]
    rows += [
        (one.part, f"{one.bears:,.0f} visitors", "none" if one.wall else "yes", one.needed, one.why)
        for one in steps(measured, visitors)
    ]
    first = min((one for one in steps(measured, visitors) if one.wall), key=lambda step: step.bears)
    spent, fleet = cost(measured, visitors), machines(measured, visitors)
    a_second = visitors / BEAT_SECONDS * _BYTES_A_BEAT * 8 / 1e6
    return "\n\n".join(
        [
            f"{visitors:,} visitors, all of them waiting with an open channel; they come within {_PREQUEUE_SECONDS} s "
            f"before the opening, {_PEAK:g} times as many in the busiest second as in the mean one. Calculated from "
            "the figures above; no fleet of this size was run.",
            markdown(rows),
            f"The wall is {first.part}: one event bears {first.bears:,.0f} visitors with the settings as they are"
            f"{_beyond(measured, visitors, first)}.",
            f"Cost: {fleet} web machines and two for the stores, at {MACHINE[2]:.4f} USD an hour each, a balancer of "
            f"connections, and {a_second:,.0f} Mb/s to the browsers. **{spent['sale']:,.0f} USD for a sale** of "
            f"{_SALE_HOURS} hours, of which {spent['sent']:,.0f} for what is sent; {spent['month']:,.0f} USD where the "
            "machines stand for a month (without what is sent). Prices: AWS m7g, Linux, on demand, us-east-1, June "
            '2026, by the cores of m7g.large, 0.0816 USD an hour (factualminds.com, "Amazon EC2 On-Demand Pricing", '
            "read 2026-11-26); NLB at 0.0225 USD an hour and 0.006 for each 100,000 connections (awsnegotiations.com, "
            "May 2026; handbook.vantage.sh; read 2026-11-26). Assumed, not looked up: "
            f"{_EGRESS} USD a GB sent, {_BYTES_A_BEAT} bytes a browser and beat, {100 * _PLANNED:.0f}% of a core "
            "planned with, the peak, the hours of a sale.",
        ]
    )
