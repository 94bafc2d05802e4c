"""`make bench-page`: how soon a phone shows a hall that can be tapped, and what moving it costs (V1, T9).

A browser of its own on a line of 1.6 Mb/s with a round trip of 150 ms, its processor slowed to a quarter, nothing in
its cache: the median of five visits for each size of hall. The table goes between the two marks of docs/benchmarks.md.

A slow or a busy machine makes all of it slower: what a fixed script takes in the same page, the processor slowed and
not, stands beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from bench.halls import PRICES, hall_of
from core.clock import SystemClock
from core.database import open_database
from core.venue.event import SaleStatus
from core.venue.event_store_postgres import EventStore
from core.venue.new_event import NewEvent
from tests.sale_server import sale_server

SIZES: Final = tuple(int(size) for size in os.environ.get("PAGE_SIZES", "2000 20000 60000").split())
VISITS: Final = int(os.environ.get("PAGE_VISITS", "5"))
PAGE: Final = Path("docs/benchmarks.md")
_MARKS: Final = re.compile(r"(<!-- page -->\n).*(<!-- /page -->)", re.DOTALL)

_BITS: Final = 1_600_000  # a second
_ROUND_TRIP: Final = 150  # milliseconds
_SLOWER: Final = 4
_PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "locale": "en-GB",
}
#: What the browser's trace calls script that runs.
_SCRIPT: Final = {"FunctionCall", "EvaluateScript", "RunMicrotasks"}
#: Seconds for one step of a visit: long enough for a machine that does other things as well, and an end all the same.
_PATIENCE: Final = 60.0

# In the page from its first moment: when the sections have been drawn with a board, and when all is there with names.
_WATCH: Final = """
(() => {
    const bench = (window.__bench = { drawn: 0, whole: 0 });
    const look = () => {
        const map = document.querySelector(".map")?.seatMap;
        const ready = map && map.theme && map.board.ready && map.tiles.overview;
        if (ready) bench.drawn ||= performance.now();
        if (ready && !map.frame) bench.whole = performance.now();
        else setTimeout(look, 8);
    };
    look();
})();
"""

# A fixed script, the best of five: milliseconds.
_FIXED: Final = """() => {
    const once = () => {
        const began = performance.now();
        const counts = new Map();
        for (let i = 0, x = 1; i < 8000000; i += 1) {
            x = (Math.imul(x, 1103515245) + 12345) >>> 0;
            if (!(i & 15)) counts.set(x & 1023, (counts.get(x & 1023) ?? 0) + 1);
        }
        return performance.now() - began + (counts.size ? 0 : 1);
    };
    return Math.min(...Array.from({ length: 5 }, once));
}"""

# A pan and a pinch of 60 frames each, by the events that fingers make, with a mark where each frame begins.
_MOVE: Final = """async () => {
    const { canvas } = document.querySelector(".map").seatMap;
    const box = canvas.getBoundingClientRect();
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    canvas.setPointerCapture = () => {};
    const fire = (type, id, x, y) =>
        canvas.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: "touch", isPrimary: id === 1,
            clientX: box.left + x, clientY: box.top + y, bubbles: true, cancelable: true }));
    const [cx, cy] = [box.width / 2, box.height / 2];
    const frame = async (moves) => {
        performance.mark("bench-frame");
        for (const move of moves) fire("pointermove", ...move);
        await next();
    };
    fire("pointerdown", 1, cx - 20, cy);
    fire("pointerdown", 2, cx + 20, cy);
    for (let i = 0; i < 60; i += 1) {
        const gap = 20 + 2.4 * (i < 40 ? i : 80 - i);
        await frame([[1, cx - gap, cy], [2, cx + gap, cy]]);
    }
    fire("pointerup", 2, cx, cy);
    for (let i = 0; i < 60; i += 1) await frame([[1, cx + 60 * Math.sin(i / 8), cy + 2 * i]]);
    performance.mark("bench-frame");
    fire("pointerup", 1, cx, cy);
}"""

# From a finger on a free seat to the picture in which it is asked for.
_TAP: Final = """async () => {
    const map = document.querySelector(".map").seatMap;
    const { canvas } = map;
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    let seat = map.plan.size >> 1; // an earlier visit's may be held still
    while (map.painter.look(seat) !== 0) seat += 1;
    // A map that was thrown glides on, and lets nothing be shown.
    const rest = async () => {
        for (let still = 0; still < 5; still += 1) {
            if (map.viewport.motion || map.frame) still = 0;
            await next();
        }
    };
    await rest();
    map.showSeat(seat);
    await rest();
    const at = map.viewport.toScreen(map.plan.x[seat], map.plan.y[seat]);
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    const fire = (type) => canvas.dispatchEvent(new PointerEvent(type, { pointerId: 9, pointerType: "touch",
        isPrimary: true, clientX: box.left + at.x, clientY: box.top + at.y, bubbles: true, cancelable: true }));
    const began = performance.now();
    fire("pointerdown");
    fire("pointerup");
    while (map.painter.look(seat) === 0 || map.waiting.has(seat)) {
        if (performance.now() - began > 10000) throw new Error(`seat ${seat} was tapped and not asked for`);
        await next();
    }
    return performance.now() - began;
}"""


@dataclass(frozen=True)
class Frame:
    """Milliseconds of script in the frame of a pinch and a pan that has most of its processor time."""

    took: float
    processor: float  # of `took`: the rest is other programs'


@dataclass(frozen=True)
class Visit:
    drawn: float  # milliseconds from the address to sections that can be tapped
    whole: float  # milliseconds to the sharp picture with all names
    bytes: int  # that had come by then, headers included
    requests: int
    frame: float  # milliseconds of script in the worst frame of a pinch and a pan
    processor: float  # milliseconds of the processor for it
    tap: float  # milliseconds until a tapped seat looks asked for
    fixed: float  # milliseconds that a fixed script takes as the machine is
    slowed: float  # the same when the processor is slowed


async def visit(browser: Browser, url: str) -> Visit:
    context = await browser.new_context(**_PHONE)
    try:
        page = await context.new_page()
        page.set_default_timeout(_PATIENCE * 1000)
        await page.add_init_script(_WATCH)
        session = await context.new_cdp_session(page)
        wire = await _slow(session)
        await page.goto(url, wait_until="commit")
        await page.wait_for_function("() => window.__bench.drawn > 0", polling=20)
        come = wire.copy()
        drawn = await page.evaluate("() => window.__bench.drawn")
        await page.wait_for_function("() => window.__bench.whole > 0", polling=20)
        whole = await page.evaluate("() => window.__bench.whole")
        async with asyncio.timeout(_PATIENCE):
            frame = await _moved(browser, page)
        async with asyncio.timeout(_PATIENCE):
            tap = await page.evaluate(_TAP)
        slowed = await page.evaluate(_FIXED)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        fixed = await page.evaluate(_FIXED)
        return Visit(drawn, whole, come["bytes"], come["requests"], frame.took, frame.processor, tap, fixed, slowed)
    finally:
        await context.close()


async def _slow(session: CDPSession) -> dict[str, int]:
    """A slow line and a slow processor; what comes over the line is counted in the answer."""
    come = {"bytes": 0, "requests": 0}

    def data(event: dict[str, Any]) -> None:
        come["bytes"] += int(event["encodedDataLength"])

    def headers(event: dict[str, Any]) -> None:
        come["bytes"] += int(event["response"]["encodedDataLength"])

    def asked(event: dict[str, Any]) -> None:
        come["requests"] += 1

    def frame(event: dict[str, Any]) -> None:
        sent = event["response"]
        # What is binary is told in base64.
        come["bytes"] += len(sent["payloadData"]) * 3 // 4 if sent["opcode"] == 2 else len(sent["payloadData"])

    session.on("Network.responseReceived", headers)
    session.on("Network.dataReceived", data)
    session.on("Network.requestWillBeSent", asked)
    session.on("Network.webSocketFrameReceived", frame)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": _ROUND_TRIP,
            "downloadThroughput": _BITS / 8,
            "uploadThroughput": _BITS / 8,
        },
    )
    await session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    return come


async def _moved(browser: Browser, page: Page) -> Frame:
    # What is still drawn of the beginning is not what moving costs.
    await page.wait_for_function("() => !document.querySelector('.map').seatMap.frame")
    await browser.start_tracing(page=page, categories=["devtools.timeline", "blink.user_timing"])
    await page.evaluate(_MOVE)
    return worst_frame(json.loads(await browser.stop_tracing())["traceEvents"])


def worst_frame(trace: list[dict[str, Any]]) -> Frame:
    """The script between two of the marks: callbacks of frames, events, timers and promises, as the browser itself has
    written them down.
    """
    marks = [one for one in trace if one["name"] == "bench-frame" and one["ph"] in "IRn"]
    thread = (marks[0]["pid"], marks[0]["tid"])
    slices = sorted(
        (one["ts"], -one["dur"], one.get("tdur", one["dur"]))
        for one in trace
        if one["ph"] == "X" and one["name"] in _SCRIPT and (one["pid"], one["tid"]) == thread
    )
    # One calls the other: each moment counts once, with the outermost.
    apart: list[tuple[float, float, float]] = []
    for began, length, processor in slices:
        if -length and (not apart or began >= apart[-1][1]):
            apart.append((began, began - length, processor / -length))
    frames = []
    for before, after in pairwise(sorted(marks, key=itemgetter("ts"))):
        parts = [(max(0, min(end, after["ts"]) - max(start, before["ts"])), part) for start, end, part in apart]
        took = sum(length for length, _ in parts) / 1000
        frames.append(Frame(took, sum(length * part for length, part in parts) / 1000))
    return max(frames, key=lambda frame: frame.processor)


def row(seats: int, visits: list[Visit]) -> str:
    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in visits))

    return (
        f"| {seats:,} | {median('drawn') / 1000:.1f} s | {median('whole') / 1000:.1f} s "
        f"| {median('bytes') / 1000:.0f} kB | {median('requests'):.0f} "
        f"| {median('frame'):.0f} ms | {median('processor'):.0f} ms | {median('processor') / median('slowed'):.2f} "
        f"| {median('tap'):.0f} ms | {median('fixed'):.1f} / {median('slowed'):.1f} ms |"
    )


async def make_halls(database_url: str) -> None:
    database = await open_database(database_url, 2)
    store = EventStore(database, SystemClock())
    for seats in SIZES:
        plan = hall_of(seats)
        sold = {name: price for name, price in PRICES.items() if name.encode() + b'", "position"' in plan}
        await store.create(
            NewEvent(
                slug=f"hall-{seats}",
                name=f"Hall of {seats:,}",
                currency="KRW",
                prices=sold,
                active_limit=1000,
                hold_seconds=300,
                max_seats=6,
                status=SaleStatus.OPEN,
                starts_at=datetime.now(UTC) + timedelta(days=30),
            ),
            plan,
        )
    await database.disconnect()


async def measured(url: str) -> list[str]:
    lines = [
        "| seats | sections drawn and tappable | with all names | came until drawn | requests | worst frame "
        "| its processor time | of the fixed script | tap to answer | fixed script, not slowed / slowed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        for seats in SIZES:
            visits = []
            for _ in range(VISITS):
                visits.append(await visit(browser, f"{url}/events/hall-{seats}"))
                print(f"visit {len(visits)} of {VISITS}: {row(seats, visits[-1:])}", flush=True)
            lines.append(row(seats, visits))
        await browser.close()
    return lines


def main() -> None:
    # A browser that a busy machine holds up is not taken for one that has gone.
    with sale_server(ONSALE_ACTIVE_GRACE_SECONDS="120") as server:
        asyncio.run(make_halls(server.database_url))
        table = "\n".join(asyncio.run(measured(server.url)))
    print(f"\n{table}")
    if "--write" in sys.argv:
        text = PAGE.read_text()
        PAGE.write_text(_MARKS.sub(lambda marks: f"{marks[1]}{table}\n{marks[2]}", text))


if __name__ == "__main__":
    main()
