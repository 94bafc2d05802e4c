"""R9: without the operator token health tells status, totals and kind of fault; R8: and is made once a second."""

from __future__ import annotations

import asyncio
import time

import pytest

from core.runtime import Runtime
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from web import health, metrics
from web.health import public_part
from web.schemas import ComponentHealth, Health


async def test_versions_and_slugs_only_with_the_token(nobody: Api, operator: Api, make_event: MakeEvent) -> None:
    event = await make_event()
    await (await nobody.as_visitor()).call("POST", f"/api/events/{event.slug}/queue", expect=200)
    told = await nobody.call("GET", "/actuator/health", expect=200)
    assert event.slug not in told.text
    assert "version" not in told.text
    assert set(told.json()["components"]["queue"]["detail"]) == {"waiting", "active"}
    full = (await operator.call("GET", "/actuator/health", expect=200)).json()
    assert full["components"]["database"]["detail"]["version"]
    assert event.slug in full["components"]["queue"]["detail"]["events"]
    await nobody.as_operator("a wrong token").refused("GET", "/actuator/health", 403, "forbidden")


def test_of_a_fault_the_component_and_its_kind() -> None:
    found = Health(
        status="DOWN",
        components={
            "database": ComponentHealth(status="DOWN", detail={"error": "ConnectionRefusedError", "version": "18"}),
            "feeds": ComponentHealth(status="DEGRADED", detail={"error": "seats gala: not in step for 9 s"}),
        },
    )
    told = public_part(found)
    assert {name: one.status for name, one in told.components.items()} == {"database": "DOWN", "feeds": "DEGRADED"}
    assert [one.detail for one in told.components.values()] == [{"error": "ConnectionRefusedError"}, {}]


@pytest.mark.parametrize("path", ["/actuator/health", "/metrics"])
async def test_it_is_made_once_a_second_however_many_ask(
    nobody: Api, runtime: Runtime, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    module, name = (health, "examine") if "health" in path else (metrics, "exposition")
    found = getattr(module, name)

    async def counted(*given: object) -> object:
        made.append(given)
        return await found(*given)

    monkeypatch.setattr(module, name, counted)
    began = time.monotonic()
    await asyncio.gather(*(nobody.call("GET", path, expect=200) for _ in range(50)))
    before = len(made)
    assert 1 <= before <= 1 + int(time.monotonic() - began)
    await asyncio.sleep(1.1)
    await nobody.call("GET", path, expect=200)
    assert len(made) == before + 1
