"""What one web process works with: made once by `web/app.py`, reached by handlers through `Call.parts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import databases
from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from core.booking.checkout import Checkout
from core.booking.comparing import Comparing
from core.booking.event_refunds_postgres import EventRefunds
from core.booking.findings_postgres import FindingRows
from core.booking.mails_again_postgres import MailsAgain
from core.booking.mending import Mending
from core.clock import Clock
from core.diagnosis.diagnose import Diagnose
from core.diagnosis.health_watch import HealthWatch
from core.figures.history_redis import History
from core.figures.vitals_redis import VitalsBoard
from core.messaging.dead_letters_postgres import DeadLetters
from core.payments.links import PaymentLinks
from core.payments.payments import Payments
from core.process.once import Once
from core.process.supervisor import Supervisor
from core.seats.seats import Seats
from core.upkeep.load_redis import LoadReadings
from core.upkeep.reconcile import Reconcile
from core.venue.codes_postgres import Codes
from core.venue.event_store_postgres import EventStore
from core.waiting_list.waiting_list import WaitingList
from core.waiting_room.drawing import Announcer
from core.waiting_room.draws_postgres import Draws
from core.waiting_room.queue_redis import WaitingRoom
from core.waiting_room.removals_postgres import Removals
from realtime.live import Live
from realtime.sale_clock import SaleClock
from web.assets import Assets
from web.availability import Availability
from web.boards import Boards
from web.health_checks import Check
from web.metrics import StoreFigures
from web.networks import Networks
from web.operator_gate import OperatorGate
from web.ops.look_ups import LookUps
from web.ops.response_cache import ResponseCache
from web.pictures import Pictures
from web.plans import Plans
from web.rate_limits import RateLimits
from web.security import Operators, Origins
from web.terms import Terms
from web.visitors import Visitors


@dataclass(frozen=True, slots=True)
class AppState:
    terms: Terms
    clock: Clock
    database: databases.Database
    redis: Redis
    events: EventStore
    codes: Codes
    waiting_room: WaitingRoom
    removals: Removals
    draws: Draws
    announcer: Announcer
    seats: Seats
    payments: Payments
    checkout: Checkout
    mails: MailsAgain
    waiting_list: WaitingList
    event_refunds: EventRefunds
    findings: FindingRows
    comparing: Comparing
    mending: Mending
    dead_letters: DeadLetters
    wake_relay: Callable[[], None]
    reconcile: Reconcile
    diagnose: Diagnose
    load: LoadReadings
    vitals: VitalsBoard
    history: History
    watch: HealthWatch
    supervisor: Supervisor
    live: Live | None
    visitors: Visitors
    operators: Operators
    gate: OperatorGate
    origins: Origins
    limits: RateLimits
    networks: Networks
    boards: Boards
    availability: Availability
    plans: Plans
    pictures: Pictures
    assets: Assets
    probes: Once[Any]
    checks: Mapping[str, Check]
    store_figures: StoreFigures
    kept: ResponseCache
    look_ups: LookUps
    links: PaymentLinks
    sale_clock: SaleClock


def app_state_of(connection: HTTPConnection) -> AppState:
    """The parts of the application that this request or channel came to."""
    parts: AppState = connection.app.state.parts
    return parts
