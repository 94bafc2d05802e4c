"""One provider's circuit, shared by every process of an installation.

The state lives in Redis as one small JSON value with a version. A process computes the next state with the pure
functions of `breaker.py` and swaps it in with one script (`lua/circuit_swap.lua`), which refuses when somebody else was
faster and then hands back the newest state to compute from again. Outcomes that arrive together are swapped in
together. So there is one state machine, in one language, and N processes need 10 failures between them, not each.

Redis away: the process goes on with its own copy and keeps what it learns; when Redis is back, this is added to what
is there. Nothing here is needed for correctness of money - the worst that a wrong circuit does is to be slow to
refuse, or refuse a call that would have worked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from redis.asyncio import Redis

from core import keys
from core.clock import Clock
from core.errors import StoreUnavailable
from core.payments import breaker, metrics
from core.payments.breaker import BreakerConfig, BreakerState, Mode
from core.payments.gateway import CallHealth
from core.process.lua_redis import Script, ScriptRunner
from core.process.once import Once
from core.process.source_files import SourceFiles
from core.process.tasks import cancelled, end

log = structlog.get_logger(__name__)

_SWAP: Final = Script(SourceFiles(__file__, "lua"), "circuit_swap")
#: A circuit that nobody looked at for a week is forgotten.
_TTL_SECONDS: Final = 7 * 24 * 3600
#: A payment never waits longer than this for Redis; and while Redis is away it is tried this often.
_PATIENCE_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 1.0
#: How old the copy may be that `available` answers from.
_FRESH_SECONDS: Final = 1.0
#: Swaps lost in a row before this process goes on with its own copy; each was lost to another that went through.
_ATTEMPTS: Final = 30
#: Outcomes kept while Redis is away: more than any window needs.
_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class _Outcome:
    permit: int
    health: CallHealth
    seconds: float


@dataclass(frozen=True, slots=True)
class CircuitView:
    """What operators and health pages see. Rates in per cent; `seconds_until_probe` is None when a person must act."""

    provider: str
    mode: Mode
    failure_rate: float | None
    slow_call_rate: float | None
    calls: int
    seconds_until_probe: float | None
    shared: bool


_Change = Callable[[BreakerState, float], BreakerState]


class _Asked:
    """A change that waits for its turn; `made` by whoever had one. `gone`: who asked was cancelled meanwhile."""

    __slots__ = ("change", "gone", "made", "permit", "read")

    def __init__(self, change: _Change, read: bool) -> None:
        self.change = change
        self.read = read
        self.made = False
        self.gone = False
        #: What `change` was granted, if it asks for a permit.
        self.permit: int | None = None


class SharedBreaker:
    """Asked before each charge (`admit`), told after it (`record`). `redis` None: the process has its own circuit."""

    def __init__(self, *, provider: str, config: BreakerConfig, redis: Redis | None, clock: Clock) -> None:
        self.provider = provider
        self._config = config
        self._run = ScriptRunner(redis) if redis is not None else None
        self._clock = clock
        self._state = BreakerState()
        self._version = "0"
        # Redis' time minus our monotonic time, learnt with each answer; until then our wall clock.
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._there = False
        self._outcomes: list[_Outcome] = []
        self._untold: list[_Outcome] = []
        self._turns = Once[None](f"circuit turn {provider}")
        self._asked: list[_Asked] = []
        self._read_at = float("-inf")
        self._away_until = float("-inf")
        self._shared = self._run is not None
        self._refreshing = Once[None](f"circuit {provider}")
        metrics.SHARED.labels(provider).set(int(self._shared))
        self._show(None)

    def available(self) -> bool:
        """Whether a call would be let through, from this process's copy; a stale one is refreshed behind the caller."""
        self._refresh_behind()
        return breaker.permits_calls(self._state, self._now(), self._config)

    def view(self) -> CircuitView:
        self._refresh_behind()
        state, now = self._state, self._now()
        return CircuitView(
            self.provider,
            state.mode,
            breaker.failure_rate(state),
            breaker.slow_call_rate(state),
            len(state.window),
            breaker.seconds_until_probe(state, now, self._config),
            self._shared,
        )

    async def refresh(self) -> None:
        """Reads what the others learnt, and tells what could not be told before."""
        await self._change(_Asked(lambda state, now: state, read=True))

    async def admit(self) -> int | None:
        """A permit for one call, to be given to `record`; None: the circuit keeps the call back."""

        def ask(state: BreakerState, now: float) -> BreakerState:
            state, asked.permit = breaker.admit(state, now, self._config)
            return state

        asked = _Asked(ask, read=True)
        await self._change(asked)
        if asked.permit is None:
            metrics.NOT_PERMITTED.labels(self.provider).inc()
        return asked.permit

    async def record(self, permit: int, health: CallHealth, seconds: float) -> None:
        """What the call taught; `seconds` is how long it took."""
        self._outcomes.append(_Outcome(permit, health, seconds))
        # Whoever has the turn next tells all that have come together by then.
        await self._change(_Asked(lambda state, now: state, read=False))

    async def force(self, mode: Mode) -> None:
        """For operators: FORCED_OPEN, DISABLED (let everything through), or CLOSED (back to work, counting afresh).

        Raises ValueError for another mode, StoreUnavailable when the other processes could not be told (this one then
        does as it was told).
        """
        breaker.force(self._state, mode, self._now())  # another mode is this caller's fault, and nobody else's
        await self._change(_Asked(lambda state, now: breaker.force(state, mode, now), read=True))
        log.warning("circuit forced", provider=self.provider, mode=mode)
        if self._run is not None and not self._shared:
            raise StoreUnavailable("The other processes could not be told: Redis is away", retry_after=2)

    async def aclose(self) -> None:
        # Permits that are on their way back get there; nothing of it takes longer than Redis is waited for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (under_way := [*self._refreshing.open, *self._turns.open]) and not cancelled():
                    await asyncio.wait(under_way)
        await end(*self._refreshing.open, *self._turns.open)

    # The copy and the swap

    async def _change(self, asked: _Asked) -> None:
        """Applies what was learnt, then the change, to the newest state; `read` insists on seeing Redis' newest first.

        One turn makes all changes that were asked for by then: one round trip to Redis for all of them. It is no
        caller's own: the cancel of one must not leave the others without an answer that Redis has given.
        """
        self._asked.append(asked)
        try:
            while not asked.made:
                await self._turns("turn", self._take_turn)
        except asyncio.CancelledError:
            asked.gone = True
            if asked.made:
                self._give_back(asked)
            raise
        finally:
            self._asked = [one for one in self._asked if one is not asked]

    async def _take_turn(self) -> None:
        taken, self._asked = self._asked, []
        try:
            for one in await self._make(taken):
                one.made = True
                if one.gone:
                    self._give_back(one)
        finally:
            # Who asks from here on begins another turn, and does not wait for one that is over.
            self._turns.forget("turn")

    def _give_back(self, asked: _Asked) -> None:
        """Nobody makes the call that it was granted: a probe's permit must not be lost with its task."""
        if asked.permit is not None:
            self._outcomes.append(_Outcome(asked.permit, CallHealth.IGNORED, 0.0))
            self._refreshing.begin(asked, self.refresh)

    async def _make(self, taken: Sequence[_Asked]) -> Sequence[_Asked]:
        """Those whose change was made: all but who had gone before."""
        made: list[_Asked] = []

        def change(state: BreakerState, now: float) -> BreakerState:
            made[:] = [one for one in taken if not one.gone]
            for one in made:
                state = one.change(state, now)
            return state

        if self._run is None or self._clock.monotonic() < self._away_until:
            self._alone(change)
            return made
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                read = not self._shared or any(one.read for one in taken)
                told = await self._together(self._run, change, read=read)
        except (StoreUnavailable, TimeoutError) as error:
            self._away_until = self._clock.monotonic() + _AWAY_SECONDS
            self._set_shared(False, error)
            told = False
        if not told:
            self._alone(change)
        return made

    async def _together(self, run: ScriptRunner, change: _Change, *, read: bool) -> bool:
        """False when others were faster every time."""
        if read:
            await self._swap(run, None)
        for _ in range(_ATTEMPTS):
            untold, outcomes = len(self._untold), len(self._outcomes)
            before = self._state
            wanted = change(self._learn(before, [*self._untold, *self._outcomes]), self._now())
            # A state that Redis has lost is written again, even when nothing is new.
            if (wanted == before and (self._there or wanted == BreakerState())) or await self._swap(run, wanted):
                del self._untold[:untold], self._outcomes[:outcomes]
                self._changed(before, wanted)
                return True
        return False

    async def _swap(self, run: ScriptRunner, wanted: BreakerState | None) -> bool:
        """Puts `wanted` in the place of the state we know (None: only reads). False: our copy is now the newest one."""
        arguments = ("", "") if wanted is None else (self._version, breaker.to_json(wanted))
        swapped, version, text, seconds, micros = await run(
            _SWAP, [keys.breaker(self.provider)], [*arguments, _TTL_SECONDS]
        )
        self._offset = int(seconds) + int(micros) / 1_000_000 - self._clock.monotonic()
        self._read_at = self._clock.monotonic()
        self._version = version.decode() if isinstance(version, bytes) else str(version)
        before, self._there = self._state, bool(text)
        if swapped and wanted is not None:
            self._state = wanted
        elif text:
            self._state = breaker.from_json(text) or BreakerState()
        else:
            # Redis has nothing: our copy counts. When we were alone, it knows what is untold.
            if not self._shared:
                self._untold.clear()
        self._set_shared(True)
        if not swapped:
            self._show(before)
        return bool(swapped)

    def _alone(self, change: _Change) -> None:
        """The own copy moves on; what it learns is kept to be told later."""
        before = self._state
        self._state = change(self._learn(before, self._outcomes), self._now())
        if self._run is not None:
            self._untold = [*self._untold, *self._outcomes][-_KEPT:]
        self._outcomes.clear()
        self._changed(before, self._state)

    def _learn(self, state: BreakerState, outcomes: Sequence[_Outcome]) -> BreakerState:
        now = self._now()
        for one in outcomes:
            state = breaker.record(state, one.permit, one.health, one.seconds, now, self._config)
        return state

    def _now(self) -> float:
        return self._clock.monotonic() + self._offset

    # What people see

    def _changed(self, before: BreakerState, after: BreakerState) -> None:
        """This process moved the circuit."""
        self._show(before)
        if before.mode is not after.mode:
            metrics.CHANGES.labels(self.provider, before.mode, after.mode).inc()
            level = log.warning if after.mode in (Mode.OPEN, Mode.FORCED_OPEN) else log.info
            level(
                "circuit changed",
                provider=self.provider,
                was=before.mode,
                now=after.mode,
                failure_rate=breaker.failure_rate(before),
                shared=self._shared,
            )

    def _show(self, before: BreakerState | None) -> None:
        if before is None or before.mode is not self._state.mode:
            for mode in Mode:
                metrics.CIRCUIT.labels(self.provider, mode).set(int(mode is self._state.mode))

    def _set_shared(self, shared: bool, error: Exception | None = None) -> None:
        if shared is not self._shared:
            self._shared = shared
            metrics.SHARED.labels(self.provider).set(int(shared))
            if shared:
                log.info("circuit shared again", provider=self.provider)
            else:
                log.warning("circuit not shared", provider=self.provider, error=repr(error))

    def _refresh_behind(self) -> None:
        now = self._clock.monotonic()
        if self._run is None or now - self._read_at < _FRESH_SECONDS or now < self._away_until:
            return
        self._refreshing.begin("refresh", self.refresh)
