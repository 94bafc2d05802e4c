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
#: Assumed: bytes that a waiting browser is sent in a beat: an answer, and a place each 2 s where the process has time
#: (`realtime/place_pushes.py`), 110 bytes and as much again for the heads of WebSocket, TLS, TCP and IP.
_BYTES_A_BEAT: Final = 1_200
#: Assumed: seat changes a second at the height of the sale: 300 purchases a second, held, begun, and sold.
_CHANGES: Final = 900
#: Local ports of a balancer to one address (Linux' `ip_local_port_range`, 32768 to 60999: its ip-sysctl.rst).
_PORTS: Final = 28_232

#: A web machine: cores, GiB of memory, USD an hour. Linux, on demand, us-east-1, June 2026: m7g.large (2 cores, 8 GiB)
#: at 0.0816 (factualminds.com, "Amazon EC2 On-Demand Pricing", June 2026); sizes of a family cost by their cores.
MACHINE: Final = (8, 32, 4 * 0.0816)
#: The stores: PostgreSQL on a machine as above, and a Cluster of three masters with a replica each on m7g.large, of
#: which they use one core and some GiB.
_STORES: Final = MACHINE[2] + 6 * 0.0816
#: A balancer of connections (AWS' NLB): USD an hour, and USD an hour for each unit: 100,000 open connections, 800 new
#: ones a second, or a GB an hour, by what wants the most of them (awsnegotiations.com, "Elastic Load Balancer Cost",
#: May 2026; the unit: handbook.vantage.sh, ELB).
BALANCER: Final = (0.0225, 0.006)
#: USD for a GB that leaves the cloud, of the first 10 TB of a month; less beyond (leanopstech.com, "AWS Data Transfer
#: Pricing in 2026", April 2026).
_EGRESS: Final = 0.09
_HOURS: Final = 730
#: Assumed: the fleet stands so long for a sale.
_SALE_HOURS: Final = 3


#: Web processes that a change is told to, in `scale.py`.
FEWEST, MOST = 1, 128


def told_to(processes: int) -> str:
    """The figure's name."""
    return f"a change to {processes} web process{'es' if processes > 1 else ''}, in Valkey"


@dataclass(frozen=True, slots=True)
class Measured:
    """What `scale.py` found."""

    visitor_bytes: float
    join_us: float
    beat_us: float
    channel_kib: float
    open_ms: float
    web_beat_us: float
    #: Of a change that is published to one web process, and to each further one.
    change_us: float = 0.0
    process_us: float = 0.0

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
            change_us=value(told_to(FEWEST)),
            process_us=(value(told_to(MOST)) - value(told_to(FEWEST))) / (MOST - FEWEST),
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


def changes(measured: Measured, visitors: int) -> float:
    """Share of a core that the event's node needs to tell all web processes of the changes of a second."""
    return _CHANGES / 1e6 * (measured.change_us + measured.process_us * (processes(measured, visitors) - 1))


def steps(measured: Measured, visitors: int) -> list[Step]:
    """What breaks first stands first, within those that another one mends and within those that it does not."""
    web = processes(measured, visitors)
    a_process = visitors / web
    joining = measured.join_us / 1e6 * _PEAK / _PREQUEUE_SECONDS
    beating = measured.beat_us / 1e6 / BEAT_SECONDS
    # First all come, then the sale begins: joins and changes are not at their heights together.
    telling = changes(measured, visitors)
    core = max(visitors * (joining + beating), visitors * beating + telling)
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
            min(_PLANNED / (joining + beating), max(0.0, _PLANNED - telling) / beating),
            f"{100 * core:.0f}% of a core"
            + ("" if core < _PLANNED else ": a longer beat, or the sale in several events"),
            f"{number(measured.join_us)} us a join, {number(measured.beat_us)} us a beat, then {100 * telling:.0f}% of "
            "the core for changes; a Cluster spreads events, not one event",
            wall=True,
        ),
        Step(
            "ports of a balancer that is one address",
            _PORTS * fleet,
            f"one that keeps the browsers' addresses, or {math.ceil(visitors / _PORTS / fleet):,} addresses",
            f"{_PORTS:,} local ports to one web address",
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
    """USD for a month in which the fleet stands all the time, and a sale of `_SALE_HOURS`; `balancer`: an hour."""
    gigabytes = visitors / BEAT_SECONDS * _BYTES_A_BEAT * 3600 / 1e9
    units = max(visitors / 100_000, visitors / _PREQUEUE_SECONDS * _PEAK / 800, gigabytes)
    balancer = BALANCER[0] + BALANCER[1] * units
    an_hour = machines(measured, visitors) * MACHINE[2] + _STORES
    sent = gigabytes * _SALE_HOURS * _EGRESS
    return {
        # A fleet that waits for nobody sends nothing, and its balancer has no connections.
        "month": (an_hour + BALANCER[0]) * _HOURS,
        "sale": (an_hour + balancer) * _SALE_HOURS + sent,
        "sent": sent,
        "balancer": balancer,
    }


def _beyond(measured: Measured, visitors: int, wall: Step) -> str:
    """What moves the wall: the longest beat that leaves room for the arrivals, where there is one."""
    if wall.bears >= visitors:
        return ", more than this sale has"
    room = _PLANNED / visitors - measured.join_us / 1e6 * _PEAK / _PREQUEUE_SECONDS
    left = (_PLANNED - changes(measured, visitors)) / visitors
    if left <= 0:
        return "; the changes alone fill it: give each process more channels, so that fewer hear them"
    if room <= 0:
        return "; the arrivals alone fill it: let people gather for longer, or sell the hall in several events"
    beat = math.ceil(measured.beat_us / 1e6 / min(room, left))
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
            f"Each of the {processes(measured, visitors):,} web processes hears each change of the sale, whichever of "
            f"its browsers look: {number(measured.change_us)} us of that node's core for the first process and "
            f"{number(measured.process_us)} for each further one, {100 * changes(measured, visitors):.0f}% of the core "
            f"at {_CHANGES} changes a second. It grows with the processes and not with the visitors: more channels to "
            "a process (`ONSALE_CHANNELS_PER_PROCESS`) save it, and nothing that is added does.",
            f"Cost: {fleet} web machines at {MACHINE[2]:.4f} USD an hour each; {_STORES:.4f} for PostgreSQL on one "
            "more and a Redis Cluster of three masters with a replica each; a balancer of connections, "
            f"{spent['balancer']:.2f} an hour of the sale; and {a_second:,.0f} Mb/s to the browsers. "
            f"**{spent['sale']:,.0f} USD for a sale** of {_SALE_HOURS} hours, of which {spent['sent']:,.0f} for what "
            f"is sent; **{spent['month']:,.0f} USD a month** where the machines stand all the time, and for each sale "
            "what is sent and its balancer besides. Prices: AWS m7g, Linux, on demand, us-east-1, June 2026, by the "
            'cores of m7g.large, 0.0816 USD an hour (factualminds.com, "Amazon EC2 On-Demand Pricing", read '
            f"2026-11-26); NLB at {BALANCER[0]} USD an hour and {BALANCER[1]} for each unit of 100,000 connections, "
            "800 new ones a second, or a GB an hour, by what wants the most (awsnegotiations.com, May 2026; "
            f"handbook.vantage.sh; read 2026-11-26); {_EGRESS} USD a GB sent, less beyond 10 TB of a month "
            f"(leanopstech.com, April 2026, read 2026-11-26). Assumed, not looked up: {_BYTES_A_BEAT:,} bytes a "
            f"browser and beat, {100 * _PLANNED:.0f}% of a core planned with, the peak, the changes a second, the "
            "hours of a sale.",
        ]
    )
