"""A call to Redis that finds it lost, hanging or refusing is `StoreUnavailable`, everywhere in the same words."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from core.errors import StoreUnavailable
from core.process.store_redis import REDIS_LOST

#: What a caller is told to wait, in seconds, before it asks again.
RETRY_AFTER_SECONDS: Final = 2.0


class _RedisCall:
    """`with redis_call: await redis.get(...)`. Keeps nothing, so one serves all; costs no generator a call."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, REDIS_LOST):
            raise StoreUnavailable(retry_after=RETRY_AFTER_SECONDS) from error


redis_call: Final = _RedisCall()
