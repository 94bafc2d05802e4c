"""One browser that only watches: whatever the crowd does, its board must end as the truth is (rule 6)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from cli.load.channel import LiveChannel
from cli.load.client import Client, Failed
from cli.load.measures import Durations
from cli.load.visitor import HttpVisitor, Sale


@contextlib.asynccontextmanager
async def observer(client: Client, sale: Sale) -> AsyncIterator[LiveChannel | None]:
    """An open channel that never joined; None where the server lets nobody open one."""
    watcher = HttpVisitor(client, sale, Durations())
    await watcher.arrive()
    channel = LiveChannel(client, sale, watcher.token)
    try:
        await channel.open()
    except Failed:
        await channel.close()
        yield None
        return
    try:
        yield channel
    finally:
        await channel.close()
