"""A sale in which something may be wrong, and who asks what it is (R7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from core import keys
from core.booking.reservation import Reservation
from core.diagnosis.question import Diagnosis, Question
from core.figures.vitals_redis import Vitals
from core.runtime import Runtime
from core.venue.event import Event, SaleStatus
from tests.booking import Bank, Desk


@dataclass
class Scene:
    """A sale that is served: a process tells how it is, and the jobs have just succeeded."""

    runtime: Runtime
    event: Event
    bank: Bank
    shop: Desk

    @property
    def redis(self) -> Any:
        return self.runtime.redis

    async def sql(self, statement: str, **values: object) -> None:
        await self.runtime.database.execute(statement, values)

    async def ask(self, *, fix: bool = False, **question: Any) -> Diagnosis:
        return await self.runtime.diagnose.run(Question(**{"event": self.event.slug, **question}), fix=fix)

    async def now_ms(self) -> int:
        seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def waits(self, *visitors: str) -> None:
        """Active limit 2: these stand in the queue, behind two who are in."""
        for visitor in ("in-1", "in-2", *visitors):
            await self.runtime.waiting_room.join(self.event, visitor)

    async def paying(self, visitor: str = "a", seat: int = 1) -> Reservation:
        return await self.shop.order(self.event, visitor, seat)

    async def tell_of(self, **changes: Any) -> None:
        """Another process's vitals."""
        told: Vitals = replace(
            self.runtime.vitals.read(), **{"process": "elsewhere:1:x", "host": "elsewhere", **changes}
        )
        await self.redis.hset(keys.VITALS, told.process, orjson.dumps(told))


async def close_by_hand(scene: Scene) -> None:
    await scene.runtime.events.set_status(scene.event.slug, SaleStatus.CLOSED)
