"""From a hold call to its change on another browser's channel, at so many changes a second.

The limit: a Starlette that passes on what it is told to every open channel, at once. Both are called at the same rate,
whatever the answers take; only who has answered is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from bench.bare import Bare
from bench.load import Channel, LoadGenerator, Result, text_frame
from bench.load_arrivals import Arrivals, Change
from bench.measure import Effort, Figure
from bench.served import WEB, Served, seconds_of
from bench.served_row import Kind, ServedRow, Taken

RATES: Final = (1, 50, 200, 1000)
#: Changes of one round, at least: percentiles of fewer say nothing.
_LEAST: Final = 5
_VISITORS: Final = 100


def _taken(job: Arrivals, wanted: int, spent: Callable[[], float]) -> Taken:
    with LoadGenerator(job) as load:
        before = spent()
        result = load.run()
        cpu = spent() - before
    if set(result.outcomes) != {wanted}:
        raise RuntimeError(f"a benchmark of something else: {dict(result.outcomes)}")
    return Taken(result.count, result.wall, {WEB: cpu}, result)


def _count(rate: int, effort: Effort) -> int:
    return effort.of(3 * rate, least=_LEAST, most=3 * rate)


def _ours(rate: int) -> Callable[[Served, Effort], Kind]:
    def prepare(served: Served, effort: Effort) -> Kind:
        count = _count(rate, effort)
        visitors = min(_VISITORS, count)
        slug = served.event(count)
        watcher, *tokens = served.inside(slug, visitors + 1)
        path = f"/api/events/{slug}/holds"
        changes = [
            Change(served.call("POST", path, tokens[n % visitors], {"seats": [n]}).request, n) for n in range(count)
        ]
        channel = Channel(served.channel(slug, watcher), text_frame(b'{"type":"join"}'), b'"board"')
        job = Arrivals(served.port, channel, changes, rate, visitors)
        release = [served.call("DELETE", path, token) for token in tokens]

        def once() -> Taken:
            taken = _taken(job, 201, lambda: seconds_of(served.web))
            served.send(release)
            return taken

        return once

    return prepare


def _bare(rate: int) -> Callable[[Bare, Effort], Kind]:
    def limit(bare: Bare, effort: Effort) -> Kind:
        count = _count(rate, effort)

        def message(ordinal: int) -> bytes:
            told: dict[str, Any] = {"type": "seats", "epoch": 1, "version": ordinal, "changes": [[ordinal, 1]]}
            return orjson.dumps(told)

        changes = [Change(bare.say(message(n)), n) for n in range(count)]
        channel = Channel(bare.handshake(), text_frame(b'{"type":"join"}'), b'"join"')
        job = Arrivals(bare.port, channel, changes, rate, min(_VISITORS, count))
        return lambda: _taken(job, 200, lambda: seconds_of(bare.process))

    return limit


def _figures(rate: int) -> Callable[[Sequence[Taken], Sequence[Taken]], list[Figure]]:
    """Of all rounds together: what is seldom is what p99 is about."""
    aims = (3.0, 20.0) if rate <= 200 else (27.0, 53.0)

    def figures(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
        made = []
        for name, part, most in (("p50", 0.5, aims[0]), ("p99", 0.99, aims[1])):
            value, bare = (1000 * _all(rounds).percentile(part) for rounds in (ours, limit))
            detail = {"changes": _all(ours).count, "web_us_each": min(one.each for one in ours)}
            title = f"hold call to another browser at {rate:,}/s, {name}"
            made.append(Figure(title, value, "ms", bare, "passed on at once", detail=detail, most=most))
        return made

    return figures


def _all(rounds: Sequence[Taken]) -> Result:
    together = Result()
    for one in rounds:
        together.took.extend(one.result.took)
        together.outcomes.update(one.result.outcomes)
    return together


ROWS: Final = tuple(ServedRow(f"arrival-{rate}", _ours(rate), _bare(rate), _figures(rate)) for rate in RATES)
