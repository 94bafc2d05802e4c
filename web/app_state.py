"""What one web process works with: made once by `web/app.py`, reached by handlers through `Call.parts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from core.payments.links import PaymentLinks
from core.process.once import Once
from core.runtime import Runtime
from realtime.live import Live
from web.assets import Assets
from web.boards import Boards
from web.operator_gate import OperatorGate
from web.ops.response_cache import ResponseCache
from web.plans import Plans
from web.rate_limits import RateLimits
from web.security import Operators, Origins, Visitors


@dataclass(frozen=True, slots=True)
class AppState:
    runtime: Runtime
    live: Live | None
    visitors: Visitors
    operators: Operators
    gate: OperatorGate
    origins: Origins
    limits: RateLimits
    boards: Boards
    plans: Plans
    assets: Assets
    probes: Once[Any]
    kept: ResponseCache
    links: PaymentLinks


def app_state_of(connection: HTTPConnection) -> AppState:
    """The parts of the application that this request or channel came to."""
    parts: AppState = connection.app.state.parts
    return parts
