"""The draw as somebody outside checks it, written from its description alone: HTTP, SHA-256 and HMAC, nothing of ours
(F1, F2).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from core.runtime import Runtime
from core.venue.event import SaleStatus
from tests.conftest import MakeEvent
from tests.contract.api_client import Api
from tests.waits import PATIENCE

NONCE = "000102030405060708090a0b0c0d0e0f"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_a_draw_recomputed(runtime: Runtime, make_event: MakeEvent, nobody: Api, visitor: Api) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=600)
    slug = (await make_event(status=SaleStatus.SCHEDULED, opens_at=opens, active_limit=1)).slug
    path = f"/api/events/{slug}"
    before = (await visitor.call("GET", f"{path}/draw", expect=200)).json()
    assert (before["algorithm"], before["state"], before["beacon"]) == ("onsale-draw-1", "announced", None)
    assert not {"count", "root", "seed"} & set(before)
    await visitor.call("GET", f"{path}/draw/entries", expect=404)

    callers = [visitor, *[await nobody.as_visitor() for _ in range(6)]]
    own: dict[str, str] = {}
    for caller in callers:
        entered = (await caller.call("POST", f"{path}/queue", json={"nonce": NONCE}, expect=200)).json()
        assert set(entered) == {"state", "receipt", "salt", "entered", "draw_at", "ticket"}
        assert entered["state"] == "entered"
        assert len(entered["salt"]) == 32
        assert entered["receipt"] == sha256(bytes.fromhex(NONCE) + bytes.fromhex(entered["salt"]))
        own[caller.visitor] = entered["receipt"]
    without = await nobody.as_visitor()
    assert len((await without.call("POST", f"{path}/queue", json={}, expect=200)).json()["receipt"]) == 64
    await without.call("DELETE", f"{path}/queue", expect=204)

    await runtime.events.update(slug, opens_at=datetime.now(UTC))
    async with asyncio.timeout(PATIENCE):
        while True:
            await runtime.drawing.run()
            draw = (await visitor.call("GET", f"{path}/draw", expect=200)).json()
            if draw["state"] == "drawn":
                break
    listed = await visitor.call("GET", f"{path}/draw/entries", expect=200)
    assert listed.headers["content-type"].startswith("text/plain")
    lines = listed.text.split("\n")
    assert lines.pop() == "", "each line ends"
    assert (draw["commitment"], draw["count"]) == (before["commitment"], len(callers))
    assert sorted(lines) == sorted(own.values()), "who was there, and nobody else"
    seed = bytes.fromhex(draw["seed"])
    assert (len(seed), sha256(seed)) == (32, draw["commitment"])
    assert draw["root"] == sha256("".join(f"{line}\n" for line in sorted(lines)).encode("ascii"))

    def key(receipt: str) -> bytes:
        return hmac.new(seed, f"{draw['root']}\n\n{receipt}".encode("ascii"), hashlib.sha256).digest()

    assert lines == sorted(lines, key=key)
    for caller in callers:
        place = (await caller.call("GET", f"{path}/queue", expect=200)).json()
        assert place["number"] == lines.index(own[caller.visitor]) + 1
        assert (place["state"] == "active") == (place["number"] == 1)
    same = (await visitor.call("GET", f"{path}/draw?phase={draw['phase']}", expect=200)).json()
    assert same == draw
