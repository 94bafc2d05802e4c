"""What is wrong is said in the operator's language and by the operator's clock."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import FilePayload, Route, expect

from core.diagnosis.finding import Cause
from core.languages import text
from tests.conftest import small_plan
from tests.e2e.conftest import HALL, OpenConsole, Server
from tests.e2e.test_console_stands_still import alert, changed
from tests.sale_server import PATIENCE


async def test_an_alert_is_told_in_korean_and_by_the_operators_clock(server: Server, open_console: OpenConsole) -> None:
    page = await open_console(locale="ko-KR", timezone_id="Asia/Seoul")

    def wrong(body: Any) -> None:
        until = {"until": "2026-03-01T12:30:00Z"}
        told = {"name": Cause.SILENCE_FORGIVEN, "key": "queue.silence_forgiven", "arguments": until}
        newer = {"name": "of_a_newer_server", "key": "of_a_newer_server", "arguments": {}}
        body["alerts"] = [alert(1) | told, alert(2) | newer]

    await changed(page, "**/api/operator/overview", wrong)
    await page.goto(f"{server.url}/ops")
    line = page.locator("summary.alert-line")
    advice = text("ko", f"ops.advice.{Cause.SILENCE_FORGIVEN}")
    await expect(line).to_contain_text(text("ko", f"ops.alert.{Cause.SILENCE_FORGIVEN}"))
    await expect(line).to_contain_text("신호가 없는 방문자를")
    await line.click()
    first, second = page.locator(".alerts li").nth(0), page.locator(".alerts li").nth(1)
    await expect(first.locator(".advice")).to_have_text(advice)
    await expect(first.locator("p").first).to_contain_text("21:30")
    await expect(first).not_to_contain_text("2026-03-01T12:30")
    await expect(first.locator("[lang=en]")).to_have_count(0)
    # What this page has no words for is told as it came.
    await expect(second.locator("[lang=en]")).to_contain_text("half of the calls to this provider fail")
    await expect(second.locator(".advice")).to_have_text("Look at the provider.")


async def test_what_a_check_says_of_a_plan_is_told_in_korean(server: Server, open_console: OpenConsole) -> None:
    """V4, V5: errors and warnings, with what stands in them; a newer server's is told as it came."""
    page = await open_console("/ops/new", locale="ko-KR")
    broken = json.loads(small_plan())
    broken["zones"][0]["rows"][0]["seats"][2]["category"] = "Balcony"

    async def choose(content: bytes) -> None:
        file: FilePayload = {"name": "hall.json", "mimeType": "application/json", "buffer": content}
        await page.set_input_files("#plan-file", file)

    told = page.locator(".plan-errors li")
    await choose(json.dumps(broken).encode())
    await expect(told).to_have_text(
        "zones[0].rows[0].seats[2].category 'Balcony' 등급이 없습니다(있는 등급: 'Standard')."
    )
    await choose(b'{"name": 1,}')
    await expect(told).to_have_text(
        "1번째 줄 11번째 글자 JSON 형식이 아닙니다: 마지막 항목 뒤에는 쉼표를 쓸 수 없습니다"
    )
    await page.set_input_files("#plan-file", HALL.parent / "plans" / "dup_labels.json")
    await expect(told).to_contain_text("zones[0].rows[0].seats[0]의 이름과 같습니다.")
    await expect(told.locator("[lang=en]")).to_have_count(0)

    newer = {"at": "name", "message": "is odd", "key": "plan.of_a_newer_server", "arguments": {}}

    async def answer(route: Route) -> None:
        body = await (await route.fetch(timeout=PATIENCE * 1000)).json()
        await route.fulfill(json=body | {"warnings": [newer]})

    await page.route("**/api/operator/plans/check", answer)
    await choose(small_plan())
    await expect(told.locator("[lang=en]")).to_have_text("is odd")
