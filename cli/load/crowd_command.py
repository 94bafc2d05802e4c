"""A crowd from the command line: until Ctrl-C, or until the server is gone for good."""

from __future__ import annotations

import asyncio
import signal

from cli.load.client import Client, Failed, RateLimited, Refused, require_server
from cli.load.crowd import Crowd, ServerGone
from cli.load.measures import Calls
from cli.load.neighbours import benches
from cli.load.observer import observer
from cli.load.rush import sale_of
from cli.say import say
from core.errors import EventNotFound, StartupError
from core.process.tasks import first_of
from core.settings import Settings

#: HTTP calls of the whole crowd under way at once: a demonstration, not a load run.
_CONNECTIONS = 50


def run_crowd(slug: str, visitors: int, url: str) -> None:
    """Raises StartupError with what to change, EventNotFound. Empty `url`: this machine's PORT."""
    address = url or f"http://127.0.0.1:{Settings.load().port}"
    try:
        asyncio.run(_run(slug, visitors, address))
    except RateLimited:
        raise StartupError(
            "the server limits how often one address may call: start it with ONSALE_RATE_LIMITS=off for a crowd"
        ) from None
    except ServerGone:
        raise StartupError(f"the server at {address} has not answered for a minute: the crowd goes home") from None
    except Failed as failed:
        raise StartupError(f"the server at {address} does not work: {failed}") from None


async def _run(slug: str, visitors: int, address: str) -> None:
    """Until SIGINT or SIGTERM; everybody leaves the queue first."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    async with Client(address, connections=_CONNECTIONS, calls=Calls()) as client:
        await require_server(client)
        try:
            sale = await sale_of(client, slug)
            plan = await client.call("GET", "/api/events/{slug}/plan", f"/api/events/{slug}/plan")
        except Refused:
            raise EventNotFound(f"the server at {address} has no event {slug!r}") from None
        async with observer(client, sale) as watcher:
            if watcher is None:
                raise StartupError(f"the live channel of {address} cannot be opened")
            crowd = Crowd(client, sale, benches(plan["seats"]), watcher, visitors)
            queue = "" if visitors > sale.active_limit else f" (no queue: {sale.active_limit} are let in at once)"
            say(f"{visitors} simulated visitors come to {client.base}events/{slug}{queue}")
            first = await first_of(crowd.run(), stopping.wait())
            if first is not None and not stopping.is_set():
                first.result()
