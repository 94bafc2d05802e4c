"""The keys of one sale in Redis, and those of all: is each what the scripts take it for? One that is not makes each of
them fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final

from redis.asyncio import Redis

from core import keys
from core.diagnosis.finding import Cause, Finding, fail, passed
from core.process.source_files import SourceFiles
from core.sentences import Sentence, said

OF_A_SALE: Final[Mapping[Callable[[str], str], str]] = {
    keys.waiting_queue: "zset",
    keys.waiting_beats: "zset",
    keys.waiting_number: "string",
    keys.waiting_spent: "zset",
    keys.queue_version: "string",
    keys.active_users: "zset",
    keys.active_until: "zset",
    keys.active_paying: "zset",
    keys.active_cap: "string",
    keys.seat_table: "string",
    keys.holds: "zset",
    keys.baskets: "hash",
    keys.basket_deadlines: "zset",
    keys.pace: "hash",
    keys.board: "string",
    keys.board_version: "hash",
    keys.fence: "string",
    keys.history: "list",
    keys.draw: "hash",
    keys.entries: "hash",
    keys.entry_beats: "zset",
    keys.told_entries: "hash",
    keys.told_entry_beats: "zset",
    keys.networks: "zset",
    keys.places: "hash",
    keys.absent_places: "zset",
    keys.shares: "hash",
    keys.waits: "list",
    keys.silent: "zset",
    keys.code_claims: "hash",
    keys.visitor_codes: "hash",
    keys.spent_codes: "hash",
    keys.visitor_phases: "hash",
    keys.stop: "hash",
    keys.owed: "zset",
    keys.turns: "list",
}
OF_ALL: Final[Mapping[str, str]] = {
    keys.VITALS: "hash",
    keys.JOBS: "hash",
    keys.LOAD: "hash",
    keys.ALERTS: "string",
    keys.mail_turn(): "string",
}
_NUMBERS: Final = (keys.waiting_number, keys.queue_version, keys.active_cap, keys.fence)

_SET_ASIDE: Final = SourceFiles(__file__, "lua")["set_aside"]


async def sale_keys(client: Redis, slug: str) -> AsyncIterator[Finding]:
    """Of those that are there. Raises StoreUnavailable, or what Redis raises."""
    numbers = [name(slug) for name in _NUMBERS]
    async for finding in _judged(
        client,
        {name(slug): kind for name, kind in OF_A_SALE.items()},
        numbers,
        lambda number: said("keys.fine", number=number, slug=slug),
    ):
        yield finding


async def common_keys(client: Redis, providers: Iterable[str]) -> AsyncIterator[Finding]:
    """Those that are no sale's own. `providers`: whose circuits are kept. Raises what `sale_keys` does."""
    circuits = dict.fromkeys(map(keys.breaker, providers), "hash")
    async for finding in _judged(
        client, {**OF_ALL, **circuits}, [keys.mail_turn()], lambda number: said("keys.fine_common", number=number)
    ):
        yield finding


async def _judged(
    client: Redis, kinds: Mapping[str, str], numbers: Iterable[str], fine: Callable[[int], Sentence]
) -> AsyncIterator[Finding]:
    async with client.pipeline(transaction=False) as pipe:
        for key in kinds:
            pipe.type(key)
        found = [_text(kind) for kind in await pipe.execute()]
    wrong = {
        key: said("keys.kind", key=key, kind=kind, wanted=wanted)
        for (key, wanted), kind in zip(kinds.items(), found, strict=True)
        if kind not in ("none", wanted)
    }
    for key in numbers:
        value = None if key in wrong else await client.get(key)
        if value is not None and not _is_number(_text(value)):
            wrong[key] = said("keys.number", key=key, value=repr(_text(value)[:40]))
    for key, why in wrong.items():
        yield fail("keys", Cause.KEY_DAMAGED, why, "key", key)
    if not wrong:
        yield passed("keys", fine(sum(kind != "none" for kind in found)))


async def set_aside(client: Redis, key: str) -> bool:
    """Renames a key to KEY:damaged for a day; False when there is none any more. Raises what Redis raises."""
    kind = _text(await client.type(key))
    if kind == "none":
        return False
    # In the same slot of a Cluster: the key's own tag, or all of it as one.
    aside = f"{key}:damaged" if "{" in key else f"{{{key}}}:damaged"
    return bool(await client.eval(_SET_ASIDE, 2, key, aside, kind))


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "nan" not in text.lower()
