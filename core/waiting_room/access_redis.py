"""Who may come in by which phase: codes are checked and claimed before the queue, the hold fixes the phase (F7).

The check costs PostgreSQL nothing: a process keeps the digests of an event's codes (`core.venue.codes.CodeBook`), and
Redis the uses that live places have claimed. PostgreSQL judges once more, in the statement that makes the reservation,
where the code is spent: what Redis has lost lets somebody wait in vain at worst, and never buy.
"""

from __future__ import annotations

from typing import Final, Protocol
from uuid import UUID

from redis.asyncio import Redis

from core import keys
from core.clock import Clock
from core.errors import CodeNotValid, CodeRequired, CodeUsed, HoldExpired, SaleNotOpen
from core.process.calls import redis_call
from core.process.lua_redis import Script, ScriptRunner
from core.process.rate_limit import RateLimit, network
from core.process.source_files import SourceFiles
from core.venue.codes import CodeBook
from core.venue.event import Event
from core.waiting_room.phases import Doors, doors, must_wait
from core.waiting_room.scripts_redis import QueueScripts

_LUA = SourceFiles(__file__, "lua")
_PHASE = Script(_LUA, "phase")
_SPEND = Script(_LUA, "spend")

#: Wrong codes a minute of one visitor, and of one network, behind which there may be many.
_WRONG_OF_VISITOR: Final = 10
_WRONG_OF_NETWORK: Final = 60

#: A claim counts for so long before its place is there: a join follows at once.
_FRESH_MS: Final = 10_000
#: Kept no longer than people buy; each use of a key begins it anew.
_KEPT_MS: Final = 24 * 3600 * 1000


class Codes(Protocol):
    """What is needed of `core.venue.codes_postgres.Codes`."""

    def digest(self, event: Event, code: str) -> bytes: ...

    async def book(self, event: Event) -> CodeBook: ...


class Access:
    """All calls raise StoreUnavailable when Redis is away."""

    def __init__(
        self, *, redis: Redis, run: ScriptRunner, scripts: QueueScripts, codes: Codes, clock: Clock, limits: bool
    ) -> None:
        """`limits`: whether who gives wrong codes is slowed."""
        self._limits = limits
        self._wrong = RateLimit(_WRONG_OF_VISITOR, clock)
        self._wrong_of_network = RateLimit(_WRONG_OF_NETWORK, clock)
        self._redis = redis
        self._run = run
        self._scripts = scripts
        self._codes = codes
        self._clock = clock

    async def claim(self, event: Event, visitor: str, code: str | None, address: str) -> str | None:
        """Before a place is taken; returns the group whose code is the visitor's now. A code that is not needed is
        claimed where it opens a phase, so that the seats count there; who gives none claims the own one anew, which
        another may have taken since the place was left. Raises CodeRequired, CodeNotValid, CodeUsed; TooManyRequests
        after wrong ones.
        """
        open_now = doors(event, self._clock.now(), joining=True)
        if open_now is None or not open_now.coded:
            return None
        if code is None:
            return await self._claim_own(event, visitor, open_now)
        guesses = ((self._wrong, visitor), (self._wrong_of_network, network(address))) if self._limits else ()
        for limit, who in guesses:
            limit.require(who)
        digest = self._codes.digest(event, code)
        found = (await self._codes.book(event)).find(digest, open_now.coded)
        if found is None:
            for limit, who in guesses:
                limit.take(who)
            raise CodeNotValid()
        if not await self._claimed(event, visitor, digest, *found):
            raise CodeUsed()
        return found[0]

    async def _claim_own(self, event: Event, visitor: str, open_now: Doors) -> str | None:
        """Raises CodeRequired, CodeUsed; where none is needed what is another's is the visitor's no more."""
        with redis_call:
            own = await self._redis.hget(keys.visitor_codes(event.slug), visitor)
        digest = bytes.fromhex(_text(own).partition("|")[0]) if own else b""
        found = (await self._codes.book(event)).find(digest, open_now.coded) if own else None
        if found is not None and await self._claimed(event, visitor, digest, *found):
            return found[0]
        if open_now.want_a_code:
            raise CodeRequired() if found is None else CodeUsed()
        if found is not None:
            with redis_call:
                await self._redis.hdel(keys.visitor_codes(event.slug), visitor)
        return None

    async def _claimed(self, event: Event, visitor: str, digest: bytes, group: str, uses: int) -> bool:
        arguments: list[str | int] = [visitor, digest.hex(), group, uses, _FRESH_MS, _KEPT_MS]
        return bool(await self._scripts("claim", event, arguments, _keys(event.slug)))

    async def fix_phase(self, event: Event, visitor: str) -> int | None:
        """Before seats are held; returns the seats of one buyer in this phase, where it says that. Raises CodeRequired
        (also when the code was spent on seats already), SaleNotOpen.
        """
        now = self._clock.now()
        open_now = doors(event, now, joining=False)
        if open_now is None:
            if must_wait(event, now):
                raise SaleNotOpen()
            return None
        pairs = [text for group, phase in open_now.coded.items() for text in (group, phase.name)]
        phase = await self._run(
            _PHASE,
            [keys.visitor_codes(event.slug), keys.visitor_phases(event.slug), keys.baskets(event.slug)],
            [visitor, open_now.free.name if open_now.free else "", _KEPT_MS, *pairs],
        )
        if not phase:
            raise CodeRequired()
        name = bytes(phase).decode()
        return next((one.max_seats for one in event.phases if one.name == name), None)

    async def phase_of(self, event: Event, visitor: str) -> tuple[str | None, bytes | None]:
        """The phase that the visitor's basket was made in, and the code that is spent with it; both None for a sale
        without phases, or one that is open outside of its phases. Raises HoldExpired: a phase is open, and Redis has
        lost which one the seats were held in.
        """
        if not event.phases:
            return None, None
        with redis_call:
            name = await self._redis.hget(keys.visitor_phases(event.slug), visitor)
            own = await self._redis.hget(keys.visitor_codes(event.slug), visitor)
        if name is None:
            if doors(event, self._clock.now(), joining=False) is not None:
                raise HoldExpired()
            return None, None
        phase = next((one for one in event.phases if one.name == _text(name)), None)
        if phase is None or phase.code_group is None:
            return _text(name), None
        code, _, group = _text(own or b"").partition("|")
        return phase.name, bytes.fromhex(code) if group == phase.code_group else b""

    async def spent(self, event: Event, visitor: str, code: bytes, purchase: UUID) -> None:
        """A reservation was made with it."""
        await self._spend(event, visitor, code, purchase, "1")

    async def free_again(self, event: Event, visitor: str, code: bytes, purchase: UUID) -> None:
        """The reservation came to nothing: nothing was paid."""
        await self._spend(event, visitor, code, purchase, "0")

    async def _spend(self, event: Event, visitor: str, code: bytes, purchase: UUID, spent: str) -> None:
        names = [keys.visitor_codes(event.slug), keys.spent_codes(event.slug)]
        await self._run(_SPEND, names, [visitor, code.hex(), str(purchase), spent, _KEPT_MS])


def _keys(slug: str) -> list[str]:
    return [keys.code_claims(slug), keys.visitor_codes(slug), keys.spent_codes(slug)]


def _text(value: bytes | str) -> str:
    """As redis-py types what a hash holds."""
    return value if isinstance(value, str) else value.decode()
