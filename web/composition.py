"""What the HTTP side of a process works with, put together from its runtime and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette

from core.messaging.outbox_postgres import Outbox
from core.payments.links import PaymentLinks
from core.process.once import Once
from core.runtime import Runtime
from core.settings import Settings
from core.venue.new_event import SaleDefaults
from core.waiting_room.composition import visit_times
from realtime.live import Live
from realtime.sale_clock import SaleClock
from web.app_state import AppState
from web.assets import Assets
from web.availability import Availability
from web.boards import Boards
from web.health_checks import Check, checks_of
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
from web.worker_endpoint import worker_app

#: After an outage the next sweep gives the time back; a lease may have to end before it.
_SWEPT_WITHIN_SECONDS: Final = 6.0


def open_app_state(runtime: Runtime, live: Live | None, assets: Assets, links: PaymentLinks) -> AppState:
    settings, database, clock = runtime.settings, runtime.database, runtime.clock
    operators = Operators(settings.operator_token.get_secret_value(), runtime.secret, secure=settings.secure_cookies)
    limits = RateLimits(
        on=settings.rate_limits == "on",
        calls_per_minute=settings.calls_per_minute,
        clock=clock,
    )
    runtime.vitals.limited = limits.refused
    probes = Once[Any]("probe")
    return AppState(
        terms=terms_of(settings),
        clock=clock,
        database=database,
        redis=runtime.redis,
        events=runtime.events,
        codes=runtime.codes,
        waiting_room=runtime.waiting_room,
        removals=runtime.removals,
        draws=runtime.draws,
        announcer=runtime.announcer,
        seats=runtime.seats,
        payments=runtime.payments,
        checkout=runtime.checkout,
        mails=runtime.mails,
        waiting_list=runtime.waiting_list.waiting_list,
        event_refunds=runtime.event_refunds,
        findings=runtime.findings,
        comparing=runtime.comparing,
        mending=runtime.mending,
        dead_letters=runtime.pipeline.dead_letters,
        wake_relay=runtime.pipeline.wake,
        reconcile=runtime.reconcile,
        diagnose=runtime.diagnose,
        load=runtime.load,
        vitals=runtime.vitals,
        history=runtime.history,
        watch=runtime.watch,
        supervisor=runtime.supervisor,
        live=live,
        visitors=Visitors(runtime.secret, clock, secure=settings.secure_cookies),
        operators=operators,
        gate=OperatorGate(database, clock, operators, limits),
        origins=origins_of(settings),
        limits=limits,
        networks=Networks(settings.network_ipv4_bits, settings.network_ipv6_bits),
        boards=Boards(runtime.seats.board, clock, pause_seconds=settings.board_coalesce_ms / 1000),
        plans=Plans(runtime.events, clock),
        availability=Availability(runtime.seats.board, clock),
        pictures=Pictures(runtime.events),
        assets=assets,
        probes=probes,
        checks=health_checks(runtime, live),
        store_figures=store_figures(runtime, probes),
        kept=ResponseCache(clock),
        look_ups=LookUps(clock),
        links=links,
        sale_clock=_sale_clock(runtime),
    )


def _sale_clock(runtime: Runtime) -> SaleClock:
    """For pages without a channel, whom no sweep tells anything."""
    clock = SaleClock(
        runtime.stores, runtime.clock, stop_seconds=runtime.settings.stop_seconds, patience=_SWEPT_WITHIN_SECONDS
    )
    runtime.stores.follow(clock.changed)
    return clock


def terms_of(settings: Settings) -> Terms:
    return Terms(
        times=visit_times(settings),
        hold_extensions=settings.hold_extensions,
        seat_guard=settings.seat_guard,
        base_url=settings.base_url.rstrip("/"),
        defaults=SaleDefaults(
            time_zone=settings.time_zone,
            active_limit=settings.active_limit,
            hold_seconds=round(settings.hold_seconds),
            max_seats=settings.max_seats,
        ),
    )


def origins_of(settings: Settings) -> Origins:
    """The served address, `base_url` and those of `allowed_origins`."""
    return Origins([settings.base_url, *settings.allowed_origins.split(",")])


def health_checks(runtime: Runtime, live: Live | None = None) -> Mapping[str, Check]:
    return checks_of(
        database=runtime.database,
        redis=runtime.redis,
        events=runtime.events,
        clock=runtime.clock,
        ahead=runtime.time.drift,
        outbox=Outbox(runtime.database, process=runtime.process),
        kafka_servers=runtime.settings.kafka_bootstrap_servers,
        payments=runtime.payments,
        late=runtime.job_watch.late,
        supervisor=runtime.supervisor,
        live=live,
    )


def store_figures(runtime: Runtime, probes: Once[Any]) -> StoreFigures:
    return StoreFigures(
        database=runtime.database,
        redis=runtime.redis,
        events=runtime.events,
        seats=runtime.seats,
        waiting_room=runtime.waiting_room,
        clock=runtime.clock,
        probes=probes,
    )


def open_worker_app(runtime: Runtime) -> Starlette:
    probes = Once[Any]("probe")
    return worker_app(probes, health_checks(runtime), store_figures(runtime, probes))
