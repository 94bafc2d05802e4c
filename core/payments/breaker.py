"""The circuit breaker as a pure state machine: Resilience4j's states, names and meaning; time is passed in.

    CLOSED      every call goes through; the last `sliding_window_size` outcomes are kept. Opens when at least
                `minimum_number_of_calls` are known and the share of failed, or of slow, calls reaches its threshold;
                or when `timeout_limit` calls timed out within `timeout_period`, and those that did are `timeout_rate`
                of all calls in that time (P10): three slow answers of a thousand are not an outage.
    OPEN        no call goes through for `wait_duration_in_open_state`; the next one after that finds it half open.
    HALF_OPEN   `permitted_number_of_calls_in_half_open_state` calls go through as probes. When all are answered, the
                same thresholds decide between CLOSED and OPEN. Probes not all answered in time count as failed.
    FORCED_OPEN an operator keeps every call back.
    DISABLED    an operator lets every call through and nothing is counted ("forced closed").

Beyond Resilience4j: every permit carries the circuit's generation, which grows with each change of state, so that the
late answer of a call from before the change cannot decide about the provider of after it.

`BreakerState` is immutable and can be written as JSON: `breaker_redis.py` shares it among processes. All functions
are total and deterministic; `_to` is the one that changes the mode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from core.payments.gateway import CallHealth


class Mode(StrEnum):
    """Where a circuit is."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
    FORCED_OPEN = "FORCED_OPEN"
    DISABLED = "DISABLED"


#: What an operator may put a circuit into; CLOSED ends a forced state and starts counting afresh.
FORCEABLE = frozenset({Mode.CLOSED, Mode.FORCED_OPEN, Mode.DISABLED})


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """Resilience4j's settings, durations in seconds, rates in per cent (both thresholds are reached with `>=`)."""

    sliding_window_size: int = 10
    minimum_number_of_calls: int = 10
    failure_rate_threshold: float = 50
    slow_call_duration_threshold: float = 8
    slow_call_rate_threshold: float = 100
    wait_duration_in_open_state: float = 30
    permitted_number_of_calls_in_half_open_state: int = 3
    max_wait_duration_in_half_open_state: float = 30
    timeout_limit: int = 3
    timeout_period: float = 300
    timeout_rate: float = 5


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One answered call, as the window keeps it."""

    failed: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls and timeouts of one stretch of time that began at `since` (a tenth of `timeout_period`)."""

    since: float
    calls: Annotated[int, Field(ge=0)] = 0
    timeouts: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """All that is known of a circuit. `since` and `timeouts` are seconds of the clock that is passed in.

    `window` holds the outcomes of this generation, oldest first; `permits` is how many probes were let through (only
    grows in HALF_OPEN, falls when one is given back). `timeouts` are the moments of the latest, `tallies` count all
    calls of the last `timeout_period`.
    """

    mode: Mode = Mode.CLOSED
    generation: Annotated[int, Field(ge=0)] = 0
    since: float = 0.0
    window: tuple[CallRecord, ...] = ()
    timeouts: tuple[float, ...] = ()
    tallies: tuple[Tally, ...] = ()
    permits: Annotated[int, Field(ge=0)] = 0


_JSON = TypeAdapter(BreakerState)


def to_json(state: BreakerState) -> bytes:
    return _JSON.dump_json(state)


def from_json(text: bytes | str) -> BreakerState | None:
    """None when it is not one of ours (another version, or nonsense)."""
    try:
        return _JSON.validate_json(text)
    except ValidationError:
        return None


def admit(state: BreakerState, now: float, config: BreakerConfig) -> tuple[BreakerState, int | None]:
    """Asks to make a call. The permit is the generation to `record` it under; None means: do not call."""
    state = _on_time(state, now, config)
    match state.mode:
        case Mode.CLOSED | Mode.DISABLED:
            return state, state.generation
        case Mode.HALF_OPEN if state.permits < config.permitted_number_of_calls_in_half_open_state:
            return replace(state, permits=state.permits + 1), state.generation
        case _:
            return state, None


def record(
    state: BreakerState, permit: int, health: CallHealth, seconds: float, now: float, config: BreakerConfig
) -> BreakerState:
    """Tells what a permitted call taught. IGNORED gives the permit back and teaches nothing."""
    if permit != state.generation or state.mode not in (Mode.CLOSED, Mode.HALF_OPEN):
        return state
    if health is CallHealth.IGNORED:
        return replace(state, permits=max(0, state.permits - 1))
    timeouts = tuple(moment for moment in state.timeouts if moment > now - config.timeout_period)
    if health is CallHealth.TIMEOUT:
        timeouts = (*timeouts, now)[-config.timeout_limit :]
    call = CallRecord(failed=health is not CallHealth.SUCCESS, slow=seconds > config.slow_call_duration_threshold)
    tallies = _counted(state.tallies, health is CallHealth.TIMEOUT, now, config)
    state = replace(
        state, window=(*state.window, call)[-_window_size(state, config) :], timeouts=timeouts, tallies=tallies
    )
    if state.mode is Mode.CLOSED and len(timeouts) >= config.timeout_limit and _often(tallies, config):
        return _to(state, Mode.OPEN, now)
    return _by_rates(state, now, config)


def force(state: BreakerState, mode: Mode, now: float) -> BreakerState:
    """An operator's word: FORCED_OPEN, DISABLED, or CLOSED (also: "count afresh"). ValueError for any other."""
    if mode not in FORCEABLE:
        raise ValueError(f"a circuit cannot be forced to {mode}")
    return _to(state, mode, now)


def permits_calls(state: BreakerState, now: float, config: BreakerConfig) -> bool:
    """Whether `admit` would let a call through now; changes nothing."""
    return admit(state, now, config)[1] is not None


def seconds_until_probe(state: BreakerState, now: float, config: BreakerConfig) -> float | None:
    """How long until a call may be tried again; 0 when now, None when only an operator knows."""
    if permits_calls(state, now, config):
        return 0.0
    if state.mode is Mode.FORCED_OPEN:
        return None
    wait = (
        config.wait_duration_in_open_state if state.mode is Mode.OPEN else config.max_wait_duration_in_half_open_state
    )
    return max(0.0, state.since + wait - now)


def failure_rate(state: BreakerState) -> float | None:
    """Per cent of the known calls; None when none is known."""
    return 100 * sum(call.failed for call in state.window) / len(state.window) if state.window else None


def slow_call_rate(state: BreakerState) -> float | None:
    return 100 * sum(call.slow for call in state.window) / len(state.window) if state.window else None


def _on_time(state: BreakerState, now: float, config: BreakerConfig) -> BreakerState:
    """What the passing of time alone does."""
    if state.mode is Mode.OPEN and now >= state.since + config.wait_duration_in_open_state:
        return _to(state, Mode.HALF_OPEN, now)
    if state.mode is Mode.HALF_OPEN and now >= state.since + config.max_wait_duration_in_half_open_state:
        # A process died with its probe, or the probes hang: either way nobody has shown that the provider is well.
        # Without any probe taken there is nothing to conclude, and the circuit stays half open.
        return _to(state, Mode.OPEN, now) if state.permits else state
    return state


def _by_rates(state: BreakerState, now: float, config: BreakerConfig) -> BreakerState:
    size = _window_size(state, config)
    if len(state.window) < (size if state.mode is Mode.HALF_OPEN else min(config.minimum_number_of_calls, size)):
        return state
    bad = (failure_rate(state) or 0) >= config.failure_rate_threshold or (
        slow_call_rate(state) or 0
    ) >= config.slow_call_rate_threshold
    if bad:
        return _to(state, Mode.OPEN, now)
    return _to(state, Mode.CLOSED, now) if state.mode is Mode.HALF_OPEN else state


def _counted(tallies: tuple[Tally, ...], timed_out: bool, now: float, config: BreakerConfig) -> tuple[Tally, ...]:
    """The tallies with one more call; those that began before the period are dropped."""
    length = config.timeout_period / 10
    recent = tuple(one for one in tallies if one.since > now - config.timeout_period)
    if not recent or now >= recent[-1].since + length:
        recent = (*recent, Tally(now))
    last = recent[-1]
    return (*recent[:-1], Tally(last.since, last.calls + 1, last.timeouts + timed_out))


def _often(tallies: tuple[Tally, ...], config: BreakerConfig) -> bool:
    calls = sum(one.calls for one in tallies)
    return 100 * sum(one.timeouts for one in tallies) >= config.timeout_rate * calls


def _window_size(state: BreakerState, config: BreakerConfig) -> int:
    if state.mode is Mode.HALF_OPEN:
        return config.permitted_number_of_calls_in_half_open_state
    return config.sliding_window_size


def _to(state: BreakerState, mode: Mode, now: float) -> BreakerState:
    """The one transition: a new generation that starts with an empty window."""
    return BreakerState(mode=mode, generation=state.generation + 1, since=now)
