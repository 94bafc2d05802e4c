"""Writes docs/images/{queue,map,ticket}.png: the pages as a buyer sees them, on a server of their own.

    .venv/bin/python scripts/screenshots.py

The crowd on the pictures is made through the public API, like any other visitor. Needs a Chromium (CHROMIUM).
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
TOKEN = "operator-of-screenshots"
SETTINGS = {
    "PORT": "0",
    "ONSALE_OPERATOR_TOKEN": TOKEN,
    "ONSALE_RATE_LIMITS": "off",
    "ONSALE_PAYMENT": "simulator",
    "ONSALE_WAITING_GRACE_SECONDS": "3600",
    "ONSALE_ACTIVE_GRACE_SECONDS": "3600",
}
WIDE: ViewportSize = {"width": 1280, "height": 800}
PATIENCE = 60.0

#: Always the same crowd, so that a new picture differs only where the pages do.
CHANCE = random.Random(7)


@contextlib.contextmanager
def serving(folder: str) -> Iterator[str]:
    """The address of `onsale serve --demo` on embedded stores in `folder`."""
    log = Path(folder) / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--demo"],
            cwd=ROOT,
            env=os.environ | SETTINGS | {"ONSALE_DATA": folder},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not (said := re.search(r"runs at (http://\S+)", log.read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            yield said[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


class Crowd:
    """Visitors without browsers."""

    def __init__(self, base: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=PATIENCE)

    def comes(self, slug: str) -> dict[str, str]:
        """One more visitor in the queue of `slug`; the headers that are theirs."""
        token = self._http.post("/api/visitors").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        self._http.post(f"/api/events/{slug}/queue", json={}, headers=headers).raise_for_status()
        return headers

    def leaves(self, slug: str, headers: dict[str, str]) -> None:
        self._http.delete(f"/api/events/{slug}/queue", headers=headers).raise_for_status()

    def picks(self, slug: str, seats: list[int], *, buys: bool) -> None:
        headers = self.comes(slug)
        if self._http.post(f"/api/events/{slug}/holds", json={"seats": seats}, headers=headers).is_success and buys:
            made = self._http.post(
                f"/api/events/{slug}/reservations",
                headers=headers | {"Idempotency-Key": f"k{seats[0]}"},
                json={"email": f"crowd-{seats[0]}@example.com"},
            )
            self._pays(made.raise_for_status().json()["payment"]["page"])

    def _pays(self, page: str) -> None:
        """Through the HTTP twin of the played window."""
        fields = self._http.get(page, headers={"Accept": "application/json"}).json()["fields"]
        window = self._http.post("/paysim/toss/windows", json=fields).json()["window"]
        approved = self._http.post(f"/paysim/toss/windows/{window}/approve", json={"card": "good"})
        self._http.get(approved.json()["return"])

    def behaviour(self, **values: float) -> None:
        self._http.put(
            "/paysim/behaviour", json=values, headers={"Authorization": f"Bearer {TOKEN}"}
        ).raise_for_status()

    def rows(self, slug: str) -> list[list[int]]:
        """Ordinals row by row."""
        rows: dict[tuple[str, str], list[int]] = {}
        for seat in self._http.get(f"/api/events/{slug}/plan").json()["seats"]:
            rows.setdefault((seat["zone"], seat["row"]), []).append(seat["ordinal"])
        return list(rows.values())


def fill(crowd: Crowd, slug: str, parties: int) -> None:
    """Parties of one to four side by side; most have bought, some are still picking."""
    rows = crowd.rows(slug)
    for party in range(parties):
        row = CHANCE.choice(rows)
        size = min(CHANCE.randint(1, 4), len(row))
        start = CHANCE.randint(0, len(row) - size)
        crowd.picks(slug, row[start : start + size], buys=party % 4 != 0)


def picture(page: Page, name: str) -> None:
    page.evaluate("() => document.fonts.ready")
    page.wait_for_timeout(1200)
    page.screenshot(path=IMAGES / f"{name}.png")


def hall(browser: Browser, base: str) -> None:
    """The map with three seats picked, and the ticket that comes of them."""
    page = browser.new_page(viewport=WIDE, device_scale_factor=1.5, locale="en-GB", color_scheme="light")
    page.goto(f"{base}/events/demo")
    page.wait_for_selector(".map-canvas")
    best = """() => {
        const { seatMap } = document.querySelector(".map");
        const { plan, board } = seatMap;
        const row = plan.rows.find(({ zone, seats }) => plan.zoneByIndex.get(zone).name === "Stalls centre"
            && seats.length > 12 && [5, 6, 7].every((i) => board.states[seats[i]] === 0));
        const seats = [5, 6, 7].map((i) => row.seats[i]);
        seatMap.showZone(plan.zoneByIndex.get(row.zone));
        seats.forEach((ordinal) => seatMap.onPick(ordinal));
    }"""
    page.evaluate(best)
    page.locator(".basket-seat").nth(2).wait_for()
    picture(page, "map")
    page.get_by_test_id("continue").click()
    page.fill("#email", "mina@example.com")
    page.get_by_test_id("pay").click()
    # The played bank's window, and back by the result page.
    page.locator("form[data-pay] select[name=card]").select_option("good")
    page.locator("form[data-pay] button.approve").click()
    page.wait_for_url("**/result?*")
    page.get_by_test_id("ticket").click()
    page.wait_for_selector(".ticket")
    page.set_viewport_size({"width": 1280, "height": 1060})
    picture(page, "ticket")
    page.close()


def queue(browser: Browser, base: str, crowd: Crowd, ahead: list[dict[str, str]]) -> None:
    """The waiting room, by night, after a good part of the way."""
    page = browser.new_page(viewport=WIDE, device_scale_factor=1.5, locale="en-GB", color_scheme="dark")
    page.goto(f"{base}/events/premiere")
    page.get_by_test_id("place").wait_for()
    for _ in range(23):
        crowd.comes("premiere")
    for headers in ahead[:57]:
        crowd.leaves("premiere", headers)
    page.get_by_text("127 people").wait_for()
    picture(page, "queue")
    page.close()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="onsale-shots-") as folder, serving(folder) as base:
        crowd = Crowd(base)
        crowd.behaviour(success_rate=1.0, latency_seconds=0.1)
        plan = str(ROOT / "core" / "venue" / "demo_plan.json")
        prices = [f"--price={category}=90000" for category in ("VIP", "Standard", "Balcony", "Wheelchair")]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "cli",
                "event",
                "create",
                "premiere",
                "--plan",
                plan,
                "--name",
                "Premiere week",
                *prices,
                "--active-limit",
                "60",
                "--open",
            ],
            cwd=ROOT,
            env=os.environ | SETTINGS | {"ONSALE_DATA": folder},
            check=True,
        )
        ahead = [crowd.comes("premiere") for _ in range(60 + 184)][60:]
        fill(crowd, "demo", 90)
        with sync_playwright() as playwright:
            path = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            queue(browser, base, crowd, ahead)
            hall(browser, base)
            browser.close()


if __name__ == "__main__":
    main()
