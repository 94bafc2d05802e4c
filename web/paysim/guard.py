"""Who may look into the simulator's books and change how it behaves: operators, by the token alone."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request

from web.app_state import app_state_of
from web.ops.audit import note
from web.security import address_of


class Guard(Protocol):
    async def require(self, request: Request) -> None:
        """Raises SignInRequired, Forbidden, TooManyRequests."""
        ...

    async def changed(self, request: Request) -> None:
        """Called after a change was made."""
        ...


class OperatorGuard:
    """By the application's gate. A session does not count: a PUT that a browser's cookie could make would need proof of
    our own page. Changes are in the audit trail: whoever makes payments succeed decides who has paid.
    """

    async def require(self, request: Request) -> None:
        await app_state_of(request).gate.require_token(request)

    async def changed(self, request: Request) -> None:
        actor = f"token@{address_of(request)}"
        await note(
            app_state_of(request).database,
            actor,
            "simulator.change",
            "-",
            call=f"{request.method} {request.url.path}"[:200],
        )
