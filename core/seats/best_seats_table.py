"""A hall as one string that `lua/best.lua` reads where it needs it: runs by distance, in blocks that are skipped whole.

All numbers are big-endian. Positions number the seats of all runs one after the other.
header   16 digest, 4 offset of the runs, 4 of the distances, 4 of the ordinals, 4 of the categories, 4 of the borders,
         2 blocks
block    3 first ordinal, 3 last ordinal, 2 nearest distance, 2 runs, 4 offset of its first run, 1 flags
         (1: every run's ordinals are in one sequence, so that seats together are bytes together)
run      3 first position, 2 seats, 3 lowest ordinal, 2 nearest distance, 1 flags (1: in sequence, 2: backwards,
         4: wheelchair places, 8: of several categories), 2 category, 2 zone
then for each position: 2 distance; 3 ordinal, its highest bit: a companion's seat; 2 category
then for each ordinal: 1 border (1: it does not sit beside the ordinal before it)
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from core.seats.best_seats import Hall
from core.venue.seat_runs import Run

DIGEST_BYTES = 16
HEADER = struct.Struct(">16sIIIIIH")
BLOCK = struct.Struct(">3s3sHHIB")
RUN = struct.Struct(">3sH3sHBHH")

#: Seats of a block, about: enough that a sold-out hall is skipped in few steps, few enough to be read at once.
_BLOCK_SEATS = 256

_COMPANION = 1 << 23
_SEQUENCE, _BACKWARDS, _ACCESSIBLE, _MIXED = 1, 2, 4, 8


def packed(hall: Hall) -> bytes:
    """The table; its first 16 bytes name its content."""
    ends = accumulate(len(run.seats) for run in hall.runs)
    positions = {run.seats[0]: end - len(run.seats) for run, end in zip(hall.runs, ends, strict=True)}
    blocks: list[bytes] = []
    runs: list[bytes] = []
    for near, block in sorted(((_nearest(hall, block), block) for block in _blocks(hall.runs)), key=lambda b: b[0]):
        ordinals = [seat for run in block for seat in run.seats]
        blocks.append(
            BLOCK.pack(
                _three(min(ordinals)),
                _three(max(ordinals)),
                near,
                len(block),
                len(runs) * RUN.size,
                all(_flags(hall, run) & _SEQUENCE for run in block),
            )
        )
        runs += [
            _run(hall, run, positions[run.seats[0]]) for run in sorted(block, key=lambda run: _nearest(hall, [run]))
        ]
    line = [seat for run in hall.runs for seat in run.seats]
    kinds = {name: number for number, name in enumerate(hall.categories)}
    sections = [
        b"".join(blocks),
        b"".join(runs),
        struct.pack(f">{len(line)}H", *(hall.distance[seat] for seat in line)),
        b"".join(_three(seat | _COMPANION * (seat in hall.beside)) for seat in line),
        struct.pack(f">{len(line)}H", *(kinds[hall.category[seat]] for seat in line)),
        _borders(hall),
    ]
    offsets = [HEADER.size + sum(map(len, sections[: n + 1])) for n in range(5)]
    content = b"".join(sections)
    return HEADER.pack(hashlib.sha256(content).digest()[:DIGEST_BYTES], *offsets, len(blocks)) + content


def _blocks(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that follow each other in the file."""
    block: list[Run] = []
    seats = 0
    for run in sorted(runs, key=lambda run: min(run.seats)):
        block.append(run)
        seats += len(run.seats)
        if seats >= _BLOCK_SEATS:
            yield block
            block, seats = [], 0
    if block:
        yield block


def _nearest(hall: Hall, runs: Sequence[Run]) -> int:
    return min(hall.distance[seat] for run in runs for seat in run.seats)


def _flags(hall: Hall, run: Run) -> int:
    first, count = min(run.seats), len(run.seats)
    forwards = run.seats == tuple(range(first, first + count))
    backwards = not forwards and run.seats == tuple(reversed(range(first, first + count)))
    return (
        _SEQUENCE * (forwards or backwards)
        + _BACKWARDS * backwards
        + _ACCESSIBLE * run.accessible
        + _MIXED * (len({hall.category[seat] for seat in run.seats}) > 1)
    )


def _run(hall: Hall, run: Run, position: int) -> bytes:
    return RUN.pack(
        _three(position),
        len(run.seats),
        _three(min(run.seats)),
        _nearest(hall, [run]),
        _flags(hall, run),
        hall.categories.index(hall.category[run.seats[0]]),
        hall.zones.index(run.zone),
    )


def _borders(hall: Hall) -> bytes:
    beside = {max(pair) for run in hall.runs for pair in pairwise(run.seats) if abs(pair[0] - pair[1]) == 1}
    return bytes(ordinal not in beside for ordinal in range(len(hall.category)))


def _three(number: int) -> bytes:
    return number.to_bytes(3, "big")
