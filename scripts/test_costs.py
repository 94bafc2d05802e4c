"""CPU that tests cost, by file and by test, with all that they start: servers, engines, browsers, Kafka.

    python -m scripts.test_costs [--top 40] [--page costs.txt] tests/e2e [options of pytest]

A run on a machine that has other work takes as long as that work lets it; CPU seconds stay what they are. The tests run
in one process, so that what a file costs is not mixed with its neighbours. Stores, browsers and servers that several
files share are in the first file that asks for them.
"""

from __future__ import annotations

import argparse
import ctypes
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
    own: int
    ended_children: int


def _processes() -> dict[int, _Process]:
    """All processes of this machine; CPU in clock ticks (proc_pid_stat(5))."""
    found = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                text = Path("/proc", folder, "stat").read_text()
            except OSError:  # it ended just now
                continue
            name, _, rest = text.partition("(")[2].rpartition(") ")
            fields = rest.split()
            user, system, children_user, children_system = (int(field) for field in fields[11:15])
            found[int(folder)] = _Process(int(fields[1]), name, user + system, children_user + children_system)
    return found


def spent(root: int) -> Counter[str]:
    """CPU, in clock ticks, of the process `root` and of all below it, by the name of the program.

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
        if pid in processes:
            process = processes[pid]
            name = "tests" if pid == os.getpid() else process.name
            total[name] += process.own
            total[f"children of {name}"] += process.ended_children
    return total


class _Costs:
    """A plugin of pytest that looks at the clocks of all processes below `root` between tests."""

    def __init__(self, root: int, top: int, page: Path) -> None:
        self._root = root
        self._top = top
        self._page = page
        self._before = spent(root)
        self._seconds = 0.0
        self.files: dict[str, Counter[str]] = defaultdict(Counter)
        self.tests: Counter[str] = Counter()
        self.tests_of: Counter[str] = Counter()
        self._file = "collection"

    def _look(self) -> Counter[str]:
        now = spent(self._root)
        cost = Counter({name: now[name] - self._before[name] for name in now | self._before})
        self._before = now
        return cost

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.split("::")[0]
        self._seconds += report.duration
        if report.when != "teardown":
            return
        self.tests_of[file] += 1
        if self._seconds >= _LOOKED_AT_SECONDS:
            cost = self._look()
            self.files[file].update(cost)
            self.tests[report.nodeid] += cost.total()
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
        self._page.parent.mkdir(exist_ok=True)
        self._page.write_text(self.table())

    def table(self) -> str:
        """CPU seconds, the dearest first."""
        total: Counter[str] = Counter()
        for cost in self.files.values():
            total.update(cost)
        lines = [_line(total, "all")]
        for file, cost in sorted(self.files.items(), key=lambda item: -item[1].total()):
            lines.append(_line(cost, f"{file} ({self.tests_of[file]} tests)"))
        lines += ["", *(f"{ticks / _TICK:8.1f}  {test}" for test, ticks in self.tests.most_common(self._top))]
        return "\n".join(lines) + "\n"


def _line(cost: Counter[str], name: str) -> str:
    kinds = ", ".join(f"{kind} {ticks / _TICK:.1f}" for kind, ticks in cost.most_common(8) if ticks >= 0.3 * _TICK)
    return f"{cost.total() / _TICK:8.1f}  {name}: {kinds}"


def _reaped(pytest_process: int) -> int:
    """Waits for it, and for what others leave behind: a process that nobody waits for takes its figures with it."""
    while True:
        pid, status = os.wait()
        if pid == pytest_process:
            return os.waitstatus_to_exitcode(status)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=int, default=40, help="so many of the dearest tests are shown")
    parser.add_argument("--page", type=Path, default=Path(".cache/test_costs.txt"), help="written after each file")
    mine, arguments = parser.parse_known_args()
    # What the tests start and leave to itself (pg_ctl does) stays below this process.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    root = os.getpid()
    if (child := os.fork()) > 0:
        return _reaped(child)
    costs = _Costs(root, mine.top, mine.page)
    code = pytest.main(["-n", "0", *arguments], plugins=[costs])
    print(costs.table())
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
