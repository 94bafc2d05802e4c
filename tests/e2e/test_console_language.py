"""What is wrong is said in the operator's language and by the operator's clock."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from core.diagnosis.finding import Cause
from core.languages import text
from tests.e2e.conftest import OpenConsole, Server
from tests.e2e.test_console_stands_still import alert, changed


async def test_an_alert_is_told_in_korean_and_by_the_operators_clock(server: Server, open_console: OpenConsole) -> None:
    page = await open_console(locale="ko-KR", timezone_id="Asia/Seoul")

    def wrong(body: Any) -> None:
        told = {"name": Cause.SILENCE_FORGIVEN, "detail": "nobody is put out until 2026-03-01T12:30:00Z"}
        body["alerts"] = [alert(1) | told, alert(2) | {"name": "of_a_newer_server"}]

    await changed(page, "**/api/operator/overview", wrong)
    await page.goto(f"{server.url}/ops")
    line = page.locator("summary.alert-line")
    advice = text("ko", f"ops.advice.{Cause.SILENCE_FORGIVEN}")
    await expect(line).to_contain_text(text("ko", f"ops.alert.{Cause.SILENCE_FORGIVEN}"))
    await expect(line).to_contain_text(advice)
    await line.click()
    first, second = page.locator(".alerts li").nth(0), page.locator(".alerts li").nth(1)
    await expect(first.locator(".advice")).to_have_text(advice)
    await expect(first.locator("[lang=en]")).to_contain_text("21:30")
    await expect(first).not_to_contain_text("2026-03-01T12:30")
    # What this page has no words for is told as it came.
    await expect(second.locator(".advice")).to_have_text("Look at the provider.")
