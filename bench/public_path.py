"""What a visitor's call costs the web process, over HTTP and over the live channel, beside one that does nothing.

Each from `CONNECTIONS` connections which ask again when they have an answer; the processor time is the web process's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from bench.bare import Bare
from bench.load import Call, Channel, Job, request, text_frame
from bench.measure import Effort, Figure
from bench.served import CONNECTIONS, Served
from bench.served_row import Kind, ServedRow, Taken, cost, of_bare, of_served

ANSWER: Final = "bare Starlette answer"
_ECHO: Final = "bare echo channel"
#: Seats of one visitor: the channel's visitors hold so many, one after the other.
_EACH: Final = 80
_SEATS: Final = 2000
_RIVALS: Final = 1000


def bare_calls(a_second: int, body: bytes = b"") -> Callable[[Bare, Effort], Kind]:
    def limit(bare: Bare, effort: Effort) -> Kind:
        job = Job(bare.port, [Call(bare.call(body))] * effort.of(a_second), CONNECTIONS)
        return lambda: of_bare(bare, job)

    return limit


def holding(served: Served, effort: Effort) -> Kind:
    """Each by a visitor of its own, of a seat of its own; all are let go before the next round."""
    count = effort.of(4000)
    slug = served.event(count)
    tokens = served.inside(slug, count)
    path = f"/api/events/{slug}/holds"
    job = Job(served.port, [served.call("POST", path, t, {"seats": [n]}) for n, t in enumerate(tokens)], CONNECTIONS)
    release = [served.call("DELETE", path, token) for token in tokens]

    def once() -> Taken:
        taken = of_served(served, job, 201)
        served.send(release)
        return taken

    return once


def _refused(served: Served, effort: Effort) -> Kind:
    """Of a seat that somebody has, by a few visitors who are in, hold nothing and try again and again: the process
    knows what they would be told. Of each of them it asks Redis once in `KNOWN_SECONDS`.
    """
    return _refusals(served, effort, CONNECTIONS)


def _refused_anew(served: Served, effort: Effort) -> Kind:
    """The same, each by a visitor of its own, of whom the process knows nothing: Redis is asked. (In a round that
    follows within `KNOWN_SECONDS` it knows some.)
    """
    return _refusals(served, effort, effort.of(4000))


def _refusals(served: Served, effort: Effort, visitors: int) -> Kind:
    slug = served.event(_SEATS)
    owner, *tokens = served.inside(slug, visitors + 1)
    path = f"/api/events/{slug}/holds"
    served.send([served.call("POST", path, owner, {"seats": list(range(100))})])
    calls = [served.call("POST", path, token, {"seats": [n % 100]}) for n, token in enumerate(tokens)]
    count = effort.of(4000)
    job = Job(served.port, [calls[n % visitors] for n in range(count)], CONNECTIONS)
    return lambda: of_served(served, job, 409)


def _join(served: Served, effort: Effort) -> Kind:
    """New visitors, behind one who is in."""
    slug = served.event(_SEATS, active_limit=1)
    served.inside(slug, 1)
    count, path = effort.of(4000), f"/api/events/{slug}/queue"

    def once() -> Taken:
        works = [served.call("POST", path, token, {}) for token in served.visitors(count)]
        return of_served(served, Job(served.port, works, CONNECTIONS), 200)

    return once


def _board(served: Served, effort: Effort) -> Kind:
    slug = served.event(_SEATS)
    (token,) = served.inside(slug, 1)
    call = served.call("GET", f"/api/events/{slug}/board", token)
    job = Job(served.port, [call] * effort.of(4000), CONNECTIONS)
    return lambda: of_served(served, job, 200)


def _page(served: Served, effort: Effort) -> Kind:
    """As a browser asks, with its cookie."""
    slug = served.event(_SEATS)
    (token,) = served.visitors(1)
    browser = {
        "Cookie": f"onsale_visitor={token}",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept_Encoding": "gzip, deflate, br, zstd",
        "Accept_Language": "ko-KR,ko;q=0.9",
    }
    call = Call(request("GET", f"/events/{slug}", **browser))
    job = Job(served.port, [call] * effort.of(2000), CONNECTIONS)
    return lambda: of_served(served, job, 200)


def _channel_hold(served: Served, effort: Effort) -> Kind:
    """Each of the channels holds one seat after the other; all are let go, and the channels new, in the next round."""
    each = min(_EACH, effort.of(_EACH, least=2))
    slug = served.event(CONNECTIONS * _EACH)
    tokens = served.inside(slug, CONNECTIONS)
    release = [served.call("DELETE", f"/api/events/{slug}/holds", token) for token in tokens]

    def frames(first: int) -> Sequence[bytes]:
        held = ({"type": "hold", "id": str(n), "seats": [first + n]} for n in range(each))
        return [text_frame(orjson.dumps(one)) for one in held]

    channels = [
        Channel(served.channel(slug, token), text_frame(b'{"type":"join"}'), b'"board"', frames(n * _EACH), b'"held"')
        for n, token in enumerate(tokens)
    ]

    def once() -> Taken:
        taken = of_served(served, Job(served.port, channels=channels), 200)
        served.send(release)
        return taken

    return once


def _echo(bare: Bare, effort: Effort) -> Kind:
    each = min(_EACH, effort.of(_EACH, least=2))
    frames = [text_frame(b'{"type":"hold","id":"7","seats":[1207]}')] * each
    channel = Channel(bare.handshake(), text_frame(b'{"type":"join"}'), b'"join"', frames, b'"hold"')
    return lambda: of_bare(bare, Job(bare.port, channels=[channel] * CONNECTIONS))


def _rush(served: Served, effort: Effort) -> Kind:
    """All at once on one seat, each over a connection of its own; another seat in each round."""
    count = effort.of(2 * _RIVALS, most=_RIVALS)
    slug = served.event(effort.rounds + 1)
    tokens = served.inside(slug, count)
    seats = iter(range(effort.rounds + 1))

    def once() -> Taken:
        seat = next(seats)
        works = [served.call("POST", f"/api/events/{slug}/holds", token, {"seats": [seat]}) for token in tokens]
        return of_served(served, Job(served.port, works, count), {201: 1, 409: count - 1})

    return once


def _bare_rush(bare: Bare, effort: Effort) -> Kind:
    count = effort.of(2 * _RIVALS, most=_RIVALS)
    works = [Call(bare.call(b'{"seats":[7]}'))] * count
    return lambda: of_bare(bare, Job(bare.port, works, count))


def _waits(limit: Sequence[Taken], ours: Sequence[Taken]) -> list[Figure]:
    """The median and the longest of a hundred waits, each of its best round."""
    figures = []
    for name, part, most in (("p50", 0.5, None), ("p99", 0.99, 150.0)):
        value = min(1000 * one.result.percentile(part) for one in ours)
        bare = min(1000 * one.result.percentile(part) for one in limit)
        detail = {"generator_busy": max(one.result.busy for one in (*ours, *limit)), "rivals": ours[0].count}
        title = f"{_RIVALS:,} on one seat at once, {name}"
        figures.append(Figure(title, value, "ms", bare, "as many bare Starlette answers", detail=detail, most=most))
    return figures


ROWS: Final = (
    ServedRow("hold", holding, bare_calls(8000, b'{"seats":[1207]}'), cost("hold over HTTP", ANSWER, 90.0)),
    ServedRow("refused-hold", _refused, bare_calls(8000, b'{"seats":[1207]}'), cost("refused hold", ANSWER, 60.0)),
    ServedRow(
        "refused-anew",
        _refused_anew,
        bare_calls(8000, b'{"seats":[1207]}'),
        cost("refused hold, of a visitor's first try", ANSWER, 90.0),
    ),
    ServedRow("join", _join, bare_calls(8000, b"{}"), cost("join", ANSWER, None)),
    ServedRow("board", _board, bare_calls(8000), cost("GET board, 2,000 seats", ANSWER, 60.0)),
    ServedRow("page", _page, bare_calls(8000), cost("sale page", ANSWER, 60.0)),
    ServedRow("channel-hold", _channel_hold, _echo, cost("hold over the channel", _ECHO, None)),
    ServedRow("one-seat", _rush, _bare_rush, _waits),
)
