"""The one gate of operators: every check of the operator token, and of a console session, goes through it (R9)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import databases
import structlog
from starlette.requests import Request
from starlette.responses import Response

from core import audit_postgres as audit
from core.clock import Clock
from core.errors import Forbidden, SignInRequired, StoreUnavailable
from core.operator_sessions_postgres import OperatorSessions
from web.rate_limits import RateLimits, network
from web.security import OPERATOR_SESSION_SECONDS, Operator, Operators, address_of, bearer_of

log = structlog.get_logger(__name__)

# Refusals of one network are one line of the audit trail in so many seconds: guessing must not fill it.
_REFUSALS_SECONDS = 60.0


class OperatorGate:
    """Tokens are counted when they are wrong, and refused unseen after too many; a session cannot be guessed, so who is
    signed in is never locked out by others of the same address.
    """

    def __init__(self, database: databases.Database, clock: Clock, operators: Operators, limits: RateLimits) -> None:
        self._database = database
        self._clock = clock
        self._operators = operators
        self._limits = limits
        self.sessions = OperatorSessions(database, clock)

    async def require(self, request: Request) -> Operator:
        """Raises SignInRequired where neither token nor session was sent, Forbidden, TooManyRequests."""
        token = bearer_of(request.headers)
        if token is None:
            operator = await self.signed_in(request)
            if operator is None:
                raise SignInRequired()
            return operator
        if not await self.is_token(request, token):
            raise Forbidden()
        return Operator("token", "bearer")

    async def require_token(self, request: Request) -> Operator:
        """Like `require`, but a session does not count."""
        if bearer_of(request.headers) is None:
            raise SignInRequired()
        return await self.require(request)

    async def allowed(self, request: Request) -> Operator | None:
        """For what everybody may call, and operators learn more from. Raises what `require` does of a wrong token."""
        try:
            return await self.require(request)
        except SignInRequired:
            return None

    async def signed_in(self, request: Request) -> Operator | None:
        """Who has a session of the console."""
        operator = self._operators.of_session(request.headers)
        if operator is None or await self.sessions.is_ended(UUID(operator.session)):
            return None
        return operator

    async def is_token(self, request: Request, token: str) -> bool:
        """Raises TooManyRequests after too many wrong ones."""
        address = address_of(request)
        self._limits.operator_call(address)
        if self._operators.is_token(token):
            return True
        self._limits.wrong_token(address)
        await self._note_refusal(address)
        return False

    async def sign_in(self, request: Request, response: Response, name: str) -> Operator:
        """Opens a session for who has shown the token."""
        id = uuid4()
        operator = self._operators.set_cookie(response, request, name, str(id))
        ends_at = self._clock.now() + timedelta(seconds=OPERATOR_SESSION_SECONDS)
        try:
            await self.sessions.open(id, operator.name, address_of(request)[:64], ends_at)
        except StoreUnavailable:
            log.warning("console session not listed: PostgreSQL is away", name=operator.name)
        return operator

    async def sign_out(self, operator: Operator) -> None:
        """A copy of the cookie is worth nothing either."""
        try:
            await self.sessions.end(UUID(operator.session))
        except StoreUnavailable:
            log.warning("console session not ended for its copies: PostgreSQL is away", name=operator.name)

    async def _note_refusal(self, address: str) -> None:
        try:
            await audit.record_once(
                self._database,
                actor=f"unknown@{address[:64]}",
                action="session.refused",
                subject=network(address),
                seconds=_REFUSALS_SECONDS,
            )
        except StoreUnavailable:
            log.error("audit entry lost: PostgreSQL is away", action="session.refused", address=address[:64])
