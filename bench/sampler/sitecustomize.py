"""Looks at the web process from within, as often as it has had so much processor time, between two SIGUSR2.

Python loads this module in every process that has its folder in PYTHONPATH; only a web process of `onsale serve` does
anything. A timer of processor time is right on a busy machine too: a process that waits for its turn is not looked at.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from types import FrameType

_SECONDS = 0.002


def _watch(to: str) -> None:
    seen: Counter[str] = Counter()
    on = [False]

    def look(number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{getattr(code, 'co_qualname', code.co_name)} ({code.co_filename})")
            frame = frame.f_back
        seen[";".join(reversed(names))] += 1

    def turn(number: int, frame: FrameType | None) -> None:
        on[0] = not on[0]
        signal.setitimer(signal.ITIMER_PROF, _SECONDS if on[0] else 0.0, _SECONDS)
        if on[0]:
            seen.clear()
        else:
            with open(f"{to}.new", "w") as file:
                file.writelines(f"{stack} {count}\n" for stack, count in seen.items())
            os.replace(f"{to}.new", to)

    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR2, turn)


if os.environ.get("BENCH_LOOKS") and "cli.web_worker" in sys.orig_argv:
    _watch(os.environ["BENCH_LOOKS"])
