"""Where a web process spends its time while one row of the table runs: `python -m bench profile [ROWS] [--write]`.

py-spy looks at the served process from outside, some hundred times a second, and counts which function is at work; what
C code does (a parser, a serializer, the loop) counts for the Python function that called it. It is no part of the
lock: `uv pip install py-spy` into the environment that this is run in.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.bought import LATER, prepared
from bench.measure import Effort, markdown
from bench.report import PROFILES, put, run_of
from bench.run import SERVED, World, world
from bench.stores import stores
from core.logs import configure_logs

PURCHASES: Final = "purchases"
#: Rows whose aim is missed somewhere, in the order of the table.
ROWS: Final = ("hold", "refused-hold", "board", "page", "channel-hold", "one-seat", "storm", PURCHASES)
NAMES: Final = (*SERVED, PURCHASES)
_TOP: Final = 10
_RATE: Final = 400  # looks a second
#: py-spy has begun to look by then.
_ATTACH_SECONDS: Final = 1.0
_LINE: Final = re.compile(r"(.*) (\d+)")
_FRAME: Final = re.compile(r"(.*) \((.*?)\)")


@dataclass(frozen=True, slots=True)
class Profile:
    """How often each function was seen at work, in `looks` looks; and all that it had called."""

    looks: int
    own: Counter[str]
    whole: Counter[str]


def parse(collapsed: str) -> Profile:
    """Of py-spy's `--format raw`: `outermost;...;innermost count` a line, each frame a `function (file)`."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    looks = 0
    for found in _LINE.finditer(collapsed):
        frames, count = [_name(frame) for frame in found[1].split(";")], int(found[2])
        looks += count
        own[frames[-1]] += count
        whole.update(dict.fromkeys(frames, count))
    return Profile(looks, own, whole)


def _name(frame: str) -> str:
    """`run (/x/site-packages/uvicorn/server.py)` -> `uvicorn/server.py run`."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        return frame
    path = re.split(r"/(?:site-packages|python3\.\d+)/|/(?=(?:core|realtime|web|cli)/)", found[2])[-1]
    return f"{path.partition(':')[0]} {found[1]}"


def top(profile: Profile) -> str:
    """The ten functions that were at work most often, as Markdown."""
    rows = [("of the looks", "with what it calls", "function")]
    for name, count in profile.own.most_common(_TOP):
        whole = profile.whole[name]
        rows.append((_share(count, profile.looks), _share(whole, profile.looks), f"`{name}`"))
    return markdown(rows)


def _share(part: int, of: int) -> str:
    return f"{100 * part / max(of, 1):.1f}%"


@contextlib.contextmanager
def looking(pid: int, to: Path) -> Iterator[None]:
    """While the block runs. Raises RuntimeError where there is no py-spy, or it may not look."""
    beside = Path(sys.executable).with_name("py-spy")
    spy = str(beside) if beside.exists() else shutil.which("py-spy")
    if spy is None:
        raise RuntimeError("there is no py-spy: `uv pip install py-spy`, and again")
    asked = [spy, "record", "--pid", str(pid), "--rate", str(_RATE), "--duration", "600", "--format", "raw"]
    # Never stopped for a look: a stopped process would not take what is sent to it meanwhile.
    asked += ["--function", "--nonblocking", "--output", str(to)]
    process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(_ATTACH_SECONDS)
        if process.poll() is not None:
            raise RuntimeError(f"py-spy could not look: {process.stderr.read() if process.stderr else ''}")
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it writes what it has seen
        process.communicate(timeout=60)


def run_profile(names: Sequence[str], *, effort: Effort, write: bool) -> None:
    """Prints each row's top ten. `names` of `NAMES`; none: `ROWS`."""

    async def measured() -> list[tuple[str, Profile]]:
        async with world(settings, started) as opened:
            return [(name, await _profile(opened, name, effort)) for name in names or ROWS]

    configure_logs(level="warning", form="text")
    with stores() as (settings, started):
        found = uvloop.run(measured())
    sections = [f"### {name}\n\n{profile.looks:,} looks.\n\n{top(profile)}" for name, profile in found]
    text = "\n\n".join([f"{run_of(f'{_RATE} looks a second')}.", *sections])
    print(text)
    if write:
        put(PROFILES, "profiles", text)


async def _profile(opened: World, name: str, effort: Effort) -> Profile:
    print(f"{name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="onsale-profile-") as folder:
        seen = Path(folder) / "seen"
        if name == PURCHASES:
            served = await asyncio.to_thread(opened.serve, mail_per_second=LATER)
            for number in range(2):  # the first one warms it
                buy = await prepared(opened.runtime, served, effort, mails=False)
                with looking(served.web.pid, seen) if number else contextlib.nullcontext():
                    await buy()
        else:
            served = await asyncio.to_thread(opened.serve)
            kind = await asyncio.to_thread(SERVED[name].prepare, served, effort)
            for number in range(2):
                with looking(served.web.pid, seen) if number else contextlib.nullcontext():
                    await asyncio.to_thread(kind)
        return parse(seen.read_text())
