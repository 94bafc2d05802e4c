"""A runtime, for commands that look at a running installation, or mend it, and then end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from core.embedded import engines
from core.secrets import resolve_secrets
from core.settings import Settings

if TYPE_CHECKING:
    from core.runtime import Runtime

T = TypeVar("T")


def with_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Runs `work` on a runtime whose jobs do not run, over the stores that the settings name or the embedded ones.

    Raises StartupError.
    """
    from core.database import migrate
    from core.runtime import open_runtime

    settings = resolve_secrets(Settings.load())

    with engines(settings) as started:

        async def connected() -> T:
            await migrate(started.database_url)
            async with open_runtime(settings, started) as runtime:
                return await work(runtime)

        return asyncio.run(connected())
