"""CPU that tests cost, by file and by test, with all that they start: servers, engines, browsers, Kafka.

    python -m scripts.test_costs [--top 40] [--write costs.json] tests/e2e [options of pytest]

A run on a machine that has other work takes as long as that work lets it; CPU seconds stay what they are. The tests run
in one process, so that what a file costs is not mixed with its neighbours. Stores, browsers and servers that several
files share are in the first file that asks for them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_TICK = os.sysconf("SC_CLK_TCK")
#: A test that took less is counted with its file only: each look reads /proc.
_LOOKED_AT_SECONDS = 0.2


@dataclass(frozen=True)
class _Process:
    parent: int
    name: str
    own: float
    ended_children: float


def _processes() -> dict[int, _Process]:
    """All processes of this machine; CPU in seconds (proc_pid_stat(5))."""
    found = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                text = Path("/proc", folder, "stat").read_text()
            except OSError:  # it ended just now
                continue
            name, _, rest = text.partition("(")[2].rpartition(") ")
            fields = rest.split()
            user, system, children_user, children_system = (int(field) / _TICK for field in fields[11:15])
            found[int(folder)] = _Process(int(fields[1]), name, user + system, children_user + children_system)
    return found


def spent(root: int) -> Counter[str]:
    """CPU seconds of the process `root` and of all below it, by the name of the program.

    Of a process that ended only its parent knows; it stands under that one's name with "children of" before it.
    """
    processes = _processes()
    children: dict[int, list[int]] = defaultdict(list)
    for pid, process in processes.items():
        children[process.parent].append(pid)
    total: Counter[str] = Counter()
    pending = [root]
    while pending:
        pid = pending.pop()
        pending += children[pid]
        if (process := processes.get(pid)) is not None:
            name = "tests" if pid == os.getpid() else process.name
            total[name] += process.own
            total[f"children of {name}"] += process.ended_children
    return total


class _Costs:
    """A plugin of pytest that looks at the clocks of all processes below `root` between tests."""

    def __init__(self, root: int, write: Path | None) -> None:
        self._root = root
        self._write = write
        self._before = spent(root)
        self._seconds = 0.0
        self.files: dict[str, Counter[str]] = defaultdict(Counter)
        self.tests: Counter[str] = Counter()
        self.tests_of: Counter[str] = Counter()
        self._file = "collection"

    def _look(self) -> Counter[str]:
        now = spent(self._root)
        gone = Counter({name: now[name] - self._before[name] for name in now | self._before})
        self._before = now
        return gone

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.split("::")[0]
        self._seconds += report.duration
        if report.when != "teardown":
            return
        self.tests_of[file] += 1
        if self._seconds >= _LOOKED_AT_SECONDS:
            cost = self._look()
            self.files[file].update(cost)
            self.tests[report.nodeid] += sum(cost.values())
            self._seconds = 0.0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        file = nodeid.split("::")[0]
        if self._file != file:
            self._file_ended()
            self._file = file

    def pytest_unconfigure(self) -> None:
        self._file_ended()

    def _file_ended(self) -> None:
        self.files[self._file].update(self._look())
        self._seconds = 0.0
        if self._write is not None:
            self._write.write_text(
                json.dumps({"files": self.files, "tests": self.tests, "number": self.tests_of}, indent=1)
            )


def _shown(costs: _Costs, top: int) -> str:
    lines = []
    total: Counter[str] = Counter()
    for file, cost in sorted(costs.files.items(), key=lambda item: -sum(item[1].values())):
        total.update(cost)
        kinds = ", ".join(f"{name} {seconds:.1f}" for name, seconds in cost.most_common(6) if seconds >= 0.3)
        lines.append(f"{sum(cost.values()):8.1f}  {file} ({costs.tests_of[file]} tests): {kinds}")
    lines = [f"{sum(total.values()):8.1f}  all: {', '.join(f'{n} {s:.1f}' for n, s in total.most_common(12))}", *lines]
    lines += [""] + [f"{seconds:8.1f}  {test}" for test, seconds in costs.tests.most_common(top)]
    return "\n".join(lines)


def _reaped(pytest_process: int) -> int:
    """Waits for it, and for what others leave behind: a process that nobody waits for takes its figures with it."""
    while True:
        pid, status = os.wait()
        if pid == pytest_process:
            return os.waitstatus_to_exitcode(status)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=int, default=40, help="so many of the dearest tests are shown")
    parser.add_argument("--write", type=Path, help="write all figures here as JSON, after each file")
    mine, arguments = parser.parse_known_args()
    # What the tests start and leave to itself (pg_ctl does) stays below this process.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    root = os.getpid()
    if (child := os.fork()) > 0:
        return _reaped(child)
    costs = _Costs(root, mine.write)
    code = pytest.main(["-n", "0", *arguments], plugins=[costs])
    print(_shown(costs, mine.top))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
