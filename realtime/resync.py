"""How a feed gets into step with Redis, and back into step after a loss: register, fetch, apply.

Pub/sub gives each change once and forgets it. So a feed subscribes first, fetches the state after that, and applies
the messages that came meanwhile on top of it. A message that does not follow on from what is known (a gap), a
subscription that was made anew, or a comparison that finds the feed behind, begins that again.

What runs here may fail at any moment (row R1): it is started anew by the supervisor, and goes on where a state is
still wanted, with the messages that are still held back.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import Final, Generic, Protocol, TypeVar

import structlog

from core.errors import OnsaleError
from core.process.backoff import Backoff
from core.process.supervisor import Service, Supervisor
from core.process.tasks import cancelled
from realtime import metrics

log = structlog.get_logger(__name__)

State = TypeVar("State")
Message = TypeVar("Message")
Fetched = TypeVar("Fetched", contravariant=True)

#: Pauses of a feed whose store does not answer, and of one that failed: browsers wait for it.
PAUSES: Final = Backoff(first=0.1, longest=2.0, jitter=0.3)
#: A fetch that takes longer has lost its answer: each call of it ends within three seconds.
_FETCH_SECONDS: Final = 15.0
#: What was published before a comparison has arrived by then.
_AUDIT_PATIENCE_SECONDS: Final = 2.0


class Mirror(Protocol[Fetched, Message]):
    """What is kept in step, as far as nothing waits."""

    def load(self, state: Fetched, /) -> None:
        """Takes a fetched state in place of what was known."""
        ...

    def take(self, message: Message, /) -> bool:
        """Takes one message in its turn. False, and nothing is changed: messages before it are missing."""
        ...

    def withdraw(self) -> list[Message]:
        """Messages that were taken and may be newer than the state that is fetched next; they are held back again."""
        ...


class Replica(Mirror[State, Message], Protocol[State, Message]):
    """And how it asks Redis."""

    async def fetch(self) -> State:
        """The state as Redis has it at some moment after this call."""
        ...

    async def current(self) -> tuple[int, ...]:
        """The version as Redis has it now."""
        ...

    @property
    def head(self) -> tuple[int, ...]:
        """The version of the last message that was taken; versions grow."""
        ...


class CatchUp(Generic[State, Message]):
    """Fetch, catch up, apply, without the waiting: what is held back, and when it is taken.

    `most_held` messages are held back at most, the newest: to a state that comes later than that there is a gap, and
    another one is fetched.
    """

    def __init__(self, mirror: Mirror[State, Message], *, most_held: int) -> None:
        self._mirror = mirror
        self._held: deque[Message] = deque(maxlen=most_held)
        self.behind = True
        """A state is needed: at the start, and after a loss until one is in."""

    @property
    def held(self) -> int:
        """Messages that wait for a state."""
        return len(self._held)

    def begin(self) -> None:
        """Whatever comes from here on waits for a state that is fetched after this moment."""
        if not self.behind:
            self.behind = True
            self._held.extendleft(reversed(self._mirror.withdraw()))

    def hear(self, message: Message) -> bool:
        """False: there is a gap before this message, which is held back now. Raises what taking it raises."""
        if not self.behind and self._mirror.take(message):
            return True
        known_to_be_behind = self.behind
        self.begin()
        self._held.append(message)
        return known_to_be_behind

    def apply(self, state: State) -> bool:
        """The state, and on top of it what was held back. False: there is a gap between the two."""
        self._mirror.load(state)
        held = self._held
        while held:
            # Out before it is taken: a message that cannot be taken must not stop those after it each time.
            message = held.popleft()
            if not self._mirror.take(message):
                held.appendleft(message)
                return False
        self.behind = False
        return True


class Resync(Generic[State, Message]):
    """`begin` and `hear` come from the subscription; `start`, then wait for `ready`."""

    def __init__(
        self, feed: str, slug: str, replica: Replica[State, Message], *, most_held: int, audit_seconds: float
    ) -> None:
        self._feed = feed
        self._slug = slug
        self._replica = replica
        self._catch_up = CatchUp(replica, most_held=most_held)
        self._audit_seconds = audit_seconds
        self._in_step_at = time.monotonic()
        self._wanted = asyncio.Event()
        self.ready = asyncio.Event()

    def start(self, supervisor: Supervisor) -> list[Service]:
        return [
            supervisor.run_forever(f"realtime.resync.{self._feed} {self._slug}", self._run, backoff=PAUSES),
            supervisor.run_forever(f"realtime.audit.{self._feed} {self._slug}", self._audit, backoff=PAUSES),
        ]

    def behind_for(self) -> float:
        """Seconds since it fell behind (or was made, before the first state is in); 0 while it is in step."""
        return time.monotonic() - self._in_step_at if self._catch_up.behind else 0.0

    def begin(self, cause: str) -> None:
        """A state that is fetched after this moment is wanted."""
        metrics.RESYNCS.labels(self._feed, cause).inc()
        self._note_the_time()
        self._catch_up.begin()
        self._wanted.set()

    def hear(self, message: Message) -> None:
        """One message of the channel. Raises what taking it raises: `begin` is to follow then."""
        self._note_the_time()
        if not self._catch_up.hear(message):
            self.begin("gap")

    def _note_the_time(self) -> None:
        if not self._catch_up.behind:
            self._in_step_at = time.monotonic()

    async def _run(self) -> None:
        failures = 0
        while not cancelled():
            await self._wanted.wait()
            try:
                whole = await self._fetch_and_apply()
            except OnsaleError as error:
                log.warning("state not fetched", feed=self._feed, slug=self._slug, code=error.code)
                whole = False
            failures = 0 if whole else failures + 1
            if failures:
                await asyncio.sleep(PAUSES.seconds(failures))

    async def _fetch_and_apply(self) -> bool:
        """False: there is a gap between the state and what was held back."""
        self._wanted.clear()
        whole = False
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                state = await self._replica.fetch()
            if self._wanted.is_set():
                return True  # asked again meanwhile: this state may be of before that moment
            whole = self._catch_up.apply(state)
        finally:
            if not whole:
                self._wanted.set()
        if whole:
            self.ready.set()
        return whole

    async def _audit(self) -> None:
        """A message that never came leaves the feed behind, and nothing else would ever tell."""
        while not cancelled():
            await asyncio.sleep(self._audit_seconds * random.uniform(0.8, 1.2))
            if self._catch_up.behind:
                continue
            try:
                async with asyncio.timeout(_FETCH_SECONDS):
                    wanted = await self._replica.current()
            except (OnsaleError, TimeoutError):
                continue  # the store's own trouble, which health tells
            await self._compare(wanted)

    async def _compare(self, wanted: tuple[int, ...]) -> None:
        until = time.monotonic() + _AUDIT_PATIENCE_SECONDS
        while self._replica.head < wanted and not self._catch_up.behind:
            if time.monotonic() > until:
                log.warning("feed fell behind", feed=self._feed, slug=self._slug, has=self._replica.head, wanted=wanted)
                self.begin("audit")
                return
            await asyncio.sleep(0.05)
