"""All browsers come back at once: opened with `?join=now`, as a page does, until the first word about the place.

The limit: as many echo channels of a bare Starlette, opened at once, each until its first echo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.bare import Bare
from bench.load import Channel, Job, LoadGenerator, text_frame
from bench.measure import Effort, Figure
from bench.served import WEB, Served, seconds_of
from bench.served_row import Kind, ServedRow, Taken, cheapest

_CHANNELS: Final = 5000
_JOIN: Final = text_frame(b'{"type":"join"}')


def _count(effort: Effort) -> int:
    return effort.of(2 * _CHANNELS, most=_CHANNELS)


def _opened(job: Job, spent: Callable[[], float]) -> Taken:
    before = spent()
    with LoadGenerator(job) as load:
        cpu = spent() - before
        load.opened.outcomes[200] = len(job.channels)
        return Taken(len(job.channels), load.opened.opened, {WEB: cpu}, load.opened)


def _back(served: Served, effort: Effort) -> Kind:
    """The same visitors in each round, behind one who is in: from the second on all of them come back."""
    slug = served.event(2000, active_limit=1)
    served.inside(slug, 1)
    channels = [
        Channel(served.channel(slug, token, "?join=now"), b"", b'"type":"queue"')
        for token in served.visitors(_count(effort))
    ]
    return lambda: _opened(Job(served.port, channels=channels), lambda: seconds_of(served.web))


def _echoes(bare: Bare, effort: Effort) -> Kind:
    channels = [Channel(bare.handshake(), _JOIN, b'"join"')] * _count(effort)
    return lambda: _opened(Job(bare.port, channels=channels), lambda: seconds_of(bare.process))


def _figures(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
    best, bare = cheapest(ours), cheapest(limit)
    detail = {
        "again": max(one.result.again for one in ours),
        "channels": best.count,
        "a_second": max(one.count / one.wall for one in ours),
    }
    cost = best.each / 1000, "ms CPU", bare.each / 1000, "bare echo channel"
    seconds = min(one.wall for one in ours), "s", min(one.wall for one in limit), "as many bare echo channels"
    return [
        Figure("channel opened and joined", *cost, detail=detail, most=0.3),
        Figure(f"{_CHANNELS:,} come back at once, until all are in", *seconds, detail=detail),
    ]


ROWS: Final = (ServedRow("storm", _back, _echoes, _figures),)
