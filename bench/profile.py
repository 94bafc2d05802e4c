"""Where a web process spends its time while one row of the table runs: `python -m bench profile [ROWS] [--write]`.

The served process looks at itself each time that it has had two milliseconds of processor time (`sampler/`), and counts
which function is at work; what C code does (a parser, a serializer, the loop, a system call) counts for the Python
function that called it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.bought import NO_MAILS, prepared
from bench.measure import Effort, markdown
from bench.report import PROFILES, put, run_of
from bench.run import SERVED, World, world
from bench.stores import stores
from core.logs import configure_logs

PURCHASES, MAILED = "purchases", "purchases-mailed"
#: Rows whose aim is missed somewhere, in the order of the table.
ROWS: Final = ("hold", "refused-hold", "board", "page", "channel-hold", "storm", PURCHASES, MAILED)
NAMES: Final = (*SERVED, PURCHASES, MAILED)
_TOP: Final = 10
_SAMPLER: Final = Path(__file__).parent / "sampler"
_PATIENCE: Final = 60.0
_LINE: Final = re.compile(r"(.*) (\d+)")
_FRAME: Final = re.compile(r"(.*) \((.*?)\)")


@dataclass(frozen=True, slots=True)
class Profile:
    """How often each function was seen at work, in `looks` looks; and how often it, or what it had called."""

    looks: int
    own: Counter[str]
    whole: Counter[str]


def parse(collapsed: str) -> Profile:
    """`outermost;...;innermost count` a line, each frame a `function (file)`."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    looks = 0
    for found in _LINE.finditer(collapsed):
        frames, count = [_name(frame) for frame in found[1].split(";")], int(found[2])
        looks += count
        own[frames[-1]] += count
        for frame in set(frames):
            whole[frame] += count
    return Profile(looks, own, whole)


def _name(frame: str) -> str:
    """`run (/x/site-packages/uvicorn/server.py)` -> `uvicorn/server.py run`."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        return frame
    path = re.sub(r".*/site-packages/|.*/python3\.\d+/|.*/(?=(?:core|realtime|web|cli|bench)/)", "", found[2])
    return f"{path} {found[1]}"


def top(profile: Profile) -> str:
    """The ten functions that were at work most often, as Markdown."""
    rows = [("at work", "with what it calls", "function")]
    for name, count in profile.own.most_common(_TOP):
        rows.append((_share(count, profile.looks), _share(profile.whole[name], profile.looks), f"`{name}`"))
    return markdown(rows)


def by_package(profile: Profile) -> str:
    """Of all looks, those at each package's functions: `asyncpg 14%, web 12%, ...`."""
    packages: Counter[str] = Counter()
    for name, count in profile.own.items():
        packages[re.split(r"[/.> ]", name)[0]] += count
    return ", ".join(f"{name} {_share(count, profile.looks)}" for name, count in packages.most_common(_TOP))


def _share(part: int, of: int) -> str:
    return f"{100 * part / max(of, 1):.1f}%"


@contextlib.contextmanager
def looking(pid: int, to: Path) -> Iterator[None]:
    """While the block runs. Raises TimeoutError when the process does not tell what it saw."""
    to.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGUSR2)
    until = time.monotonic() + _PATIENCE
    while not to.exists():
        if time.monotonic() > until:
            raise TimeoutError("the web process has not told what it saw")
        time.sleep(0.05)


def run_profile(names: Sequence[str], *, effort: Effort, write: bool) -> None:
    """Prints each row's top ten. `names` of `NAMES`; none: `ROWS`."""

    async def measured() -> list[tuple[str, Profile]]:
        async with world(settings, started) as opened:
            return [(name, await _profile(opened, name, effort, seen)) for name in names or ROWS]

    configure_logs(level="warning", form="text")
    with tempfile.TemporaryDirectory(prefix="onsale-profile-") as folder, stores() as (settings, started):
        seen = Path(folder) / "seen"
        os.environ |= {"PYTHONPATH": str(_SAMPLER), "BENCH_LOOKS": str(seen)}  # for the processes that this one starts
        found = uvloop.run(measured())
    sections = [
        f"### {name}\n\n{profile.looks:,} looks: {by_package(profile)}.\n\n{top(profile)}" for name, profile in found
    ]
    text = "\n\n".join([f"{run_of('a look each 2 ms of processor time')}.", *sections])
    print(text)
    if write:
        put(PROFILES, "profiles", text)


async def _profile(opened: World, name: str, effort: Effort, seen: Path) -> Profile:
    print(f"{name} ...", file=sys.stderr, flush=True)
    if name in (PURCHASES, MAILED):
        mails = name == MAILED
        served = await asyncio.to_thread(opened.serve, **({} if mails else NO_MAILS))
        for number in range(2):  # the first one warms it
            buy = await prepared(opened.runtime.database, served, effort, mails=mails)
            with looking(served.web.pid, seen) if number else contextlib.nullcontext():
                await buy()
        return parse(seen.read_text())
    served = await asyncio.to_thread(opened.serve)
    kind = await asyncio.to_thread(SERVED[name].prepare, served, effort)
    for number in range(2):
        with looking(served.web.pid, seen) if number else contextlib.nullcontext():
            try:
                await asyncio.to_thread(kind)
            except RuntimeError as error:
                # On a machine without time some calls are sent away: what was seen was seen.
                print(error, file=sys.stderr)
    return parse(seen.read_text())
