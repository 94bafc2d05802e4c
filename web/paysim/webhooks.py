"""A played provider's webhooks: late, twice, out of order, as the rules say; to the shop whose window it was.

They carry no signature and prove nothing: a shop that believes one, instead of looking the order up, is wrong.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from core.process.tls_http import trusted
from core.process.watched_tasks import watched
from web.paysim.behaviour import Rules
from web.paysim.payment import Payment
from web.paysim.store_sqlite import SimulatorStore

log = structlog.get_logger(__name__)

#: Seconds that a webhook which is to be overtaken stays behind.
_OVERTAKEN_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
#: Webhooks on their way at once in a process; a further one is dropped, as a real provider's may be.
_MOST: Final = 1000

Body = Callable[[Payment], Mapping[str, Any]]


class Webhooks:
    """`bodies`: how each provider writes one."""

    def __init__(self, store: SimulatorStore, bodies: Mapping[str, Body]) -> None:
        self._store = store
        self._bodies = bodies
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = itertools.count()

    async def changed(self, payment: Payment) -> None:
        """Sends what the rules ask for, in the background. A payment without a window of the shop's has none."""
        rules = await self._store.work(payment.provider, lambda books: books.rules())
        parts = urlsplit(payment.returned)
        if not rules.webhook_copies or not parts.netloc or len(self._tasks) >= _MOST:
            return
        url = f"{parts.scheme}://{parts.netloc}/webhooks/{payment.provider}"
        late = rules.webhook_delay_seconds
        if rules.webhook_disorder and next(self._count) % 2 == 0:
            late += _OVERTAKEN_SECONDS
        body = self._bodies[payment.provider](payment)
        task = watched("played webhook", self._send(url, body, rules, late))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, url: str, body: Mapping[str, Any], rules: Rules, late: float) -> None:
        await asyncio.sleep(late)
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False, verify=trusted()) as client:
            for _ in range(rules.webhook_copies):
                try:
                    answer = await client.post(url, json=body)
                    log.debug("webhook", url=url, status=answer.status_code)
                except (httpx.HTTPError, OSError) as error:
                    log.warning("webhook failed", url=url, error=repr(error))
