"""`make lighthouse`: what Lighthouse says of the pages on a phone (V1): the median of five runs of each.

Lighthouse is an npm package of its own lock (tools/lighthouse); the browser is the one of `CHROMIUM`. The table goes
between the two marks of docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.page import make_halls
from tests.sale_server import OPERATOR_TOKEN, sale_server

RUNS: Final = int(os.environ.get("LIGHTHOUSE_RUNS", "5"))
PAGE: Final = Path("docs/benchmarks.md")
COMMAND: Final = Path("tools/lighthouse/node_modules/lighthouse/cli/index.js")
CATEGORIES: Final = ("performance", "accessibility", "best-practices")
#: What is shown beside them: audit -> unit that it is divided by.
AUDITS: Final = {
    "first-contentful-paint": 1000.0,
    "largest-contentful-paint": 1000.0,
    "total-blocking-time": 1.0,
    "cumulative-layout-shift": 1.0,
    "total-byte-weight": 1000.0,
}
_MARKS: Final = re.compile(r"(<!-- lighthouse -->\n).*(<!-- /lighthouse -->)", re.DOTALL)
_PAGES: Final = {
    "home": "/",
    "sale, 2,000 seats": "/events/hall-2000",
    "sale, 60,000 seats": "/events/hall-60000",
    "your tickets": "/tickets",
    "console": "/ops",
}


@dataclass(frozen=True)
class Run:
    scores: dict[str, float]  # 0-100
    audits: dict[str, float]
    faults: list[str]  # audits with less than the whole score
    machine: float  # Lighthouse's `benchmarkIndex`: its fourfold slowing is meant for 1,500 to 2,000


def run(url: str, headers: dict[str, str]) -> Run:
    chromium = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        subprocess.run(
            [
                os.environ.get("NODE", "node"),
                str(COMMAND),
                url,
                "--quiet",
                "--output=json",
                f"--output-path={out}",
                f"--only-categories={','.join(CATEGORIES)}",
                "--chrome-flags=--headless=new --no-sandbox --disable-quic",
                *([f"--extra-headers={json.dumps(headers)}"] if headers else []),
            ],
            env=os.environ | {"CHROME_PATH": chromium},
            check=True,
            timeout=300,
        )
        told: dict[str, Any] = json.loads(out.read_text())
    audits = told["audits"]
    return Run(
        {name: 100 * (told["categories"][name]["score"] or 0) for name in CATEGORIES},
        {name: audits[name]["numericValue"] / unit for name, unit in AUDITS.items()},
        [
            f"{name} {audit['score']}: {audit['title']} {audit.get('displayValue', '')}"
            for name, audit in audits.items()
            if audit.get("score") is not None and audit["score"] < 1
        ],
        told["environment"]["benchmarkIndex"],
    )


def row(name: str, runs: list[Run]) -> str:
    def score(category: str) -> str:
        return f"{statistics.median(one.scores[category] for one in runs):.0f}"

    def audit(wanted: str) -> float:
        return statistics.median(one.audits[wanted] for one in runs)

    return (
        f"| {name} | {' | '.join(map(score, CATEGORIES))} | {audit('first-contentful-paint'):.1f} s "
        f"| {audit('largest-contentful-paint'):.1f} s | {audit('total-blocking-time'):.0f} ms "
        f"| {audit('cumulative-layout-shift'):.3f} | {audit('total-byte-weight'):.0f} kB "
        f"| {statistics.median(one.machine for one in runs):,.0f} |"
    )


def main() -> None:
    lines = [
        "| page | performance | accessibility | best practices | first paint | largest | blocked | shift | weight "
        "| machine |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    with sale_server() as server:
        asyncio.run(make_halls(server.database_url))
        for name, path in _PAGES.items():
            headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"} if path.startswith("/ops") else {}
            runs = [run(server.url + path, headers) for _ in range(RUNS)]
            lines.append(row(name, runs))
            print(lines[-1], *sorted({fault for one in runs for fault in one.faults}), sep="\n  ", flush=True)
    table = "\n".join(lines)
    if "--write" in sys.argv:
        text = PAGE.read_text()
        PAGE.write_text(_MARKS.sub(lambda marks: f"{marks[1]}{table}\n{marks[2]}", text))


if __name__ == "__main__":
    main()
