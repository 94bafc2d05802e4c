"""A runtime, for commands that look at a running installation, or mend it, and then end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from cli.say import log_to_stderr
from core.embedded import engines, find_engines
from core.secrets import known_secrets, resolve_secrets
from core.settings import Settings

if TYPE_CHECKING:
    from core.runtime import Runtime

T = TypeVar("T")


def with_runtime(work: Callable[[Runtime], Awaitable[T]], *, writes: bool = True) -> T:
    """Runs `work` on a runtime whose jobs do not run, over the stores that the settings name or the embedded ones.

    A command that `writes` sets an empty database up. Raises StartupError, also for an older schema.
    """
    from core.runtime import open_runtime
    from core.schema_postgres import require_schema

    settings = resolve_secrets(Settings.load())
    log_to_stderr(settings)

    with engines(settings) as started:

        async def connected() -> T:
            await require_schema(started.database_url, writes=writes)
            async with open_runtime(settings, started) as runtime:
                return await work(runtime)

        return asyncio.run(connected())


def look_at_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """`with_runtime` for who looks at what is wrong: nothing is started, made or migrated, and no store need answer.

    Raises StartupError for settings that are wrong in themselves.
    """
    from core.runtime import open_runtime

    settings = known_secrets(Settings.load())
    log_to_stderr(settings)
    if "active_limit_mode" not in settings.model_fields_set:
        # The processes may follow the load although this shell was not told so: a cap is judged by its end alone.
        settings = settings.model_copy(update={"active_limit_mode": "load"})

    async def looked() -> T:
        async with open_runtime(settings, find_engines(settings), must_answer=False) as runtime:
            return await work(runtime)

    return asyncio.run(looked())
