"""What `onsale serve` has decided, for the program that takes its place for as long as the sale is (`cli.serving`).

Settings, the command line and what judges them take three times the memory of watching. So the process loads a small
program over itself (exec) once they have said all that they have to say: its number, its parent and its terminal stay.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

#: Nobody answers them in between: they wait until the new program does.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Handover:
    """All of it can be told in JSON, `data` as a string."""

    #: An empty URL means an embedded store.
    database_url: str
    redis_url: str
    data: Path
    workers: int
    hang_seconds: float
    goodbye_seconds: float
    #: Whether one more web process waits (R4).
    standby: bool
    #: What web processes get on top of this process's environment; secrets are among it.
    environment: dict[str, str]
    #: Whether the demonstration's event is made where there is none.
    demo: bool
    #: Simulated visitors, and where they find the server.
    crowd: int
    crowd_url: str
    #: Lines for the operator: before anything is started, and once it serves.
    warnings: Sequence[str]
    announcement: str


def hand_over(handover: Handover, listening: socket.socket) -> NoReturn:
    """Goes on as `python -m cli.serving`. Raises OSError when there is no such program any more."""
    # Not as arguments, nor in the environment: other users, and the engines, could read secrets there.
    told, write = os.pipe()
    with os.fdopen(write, "w", encoding="ascii") as pipe:
        json.dump(asdict(handover), pipe, default=str)  # a few hundred bytes: a pipe takes 4,096 at least unread
    os.set_inheritable(told, True)
    listening.set_inheritable(True)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        os.execv(sys.executable, [sys.executable, "-m", "cli.serving", str(told), str(listening.fileno())])  # noqa: S606
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def taken_over(told: int, listening: int) -> tuple[Handover, socket.socket]:
    """The other side. The arguments are descriptors, which nothing that is started from here inherits."""
    with os.fdopen(told, encoding="ascii") as pipe:
        given: dict[str, Any] = json.load(pipe)
    taken = socket.socket(fileno=listening)
    taken.set_inheritable(False)
    return Handover(**{**given, "data": Path(given["data"])}), taken
