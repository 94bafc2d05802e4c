"""The audit trail as operators' calls leave it."""

from __future__ import annotations

from typing import Any

from core.runtime import Runtime
from tests.booking import rows


async def trail(runtime: Runtime, subject: str) -> list[Any]:
    """Its entries of one sale, the oldest first."""
    return list(await rows(runtime, "SELECT actor, action, detail FROM audit WHERE subject = $1 ORDER BY id", subject))
