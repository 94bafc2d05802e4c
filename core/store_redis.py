"""Opening Redis or Valkey by URL."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.errors import StartupError

# A call that has not been answered after this long is lost: the caller is told, and never waits more than 3 s (S16).
_ANSWER_SECONDS = 2.0
_CONNECT_SECONDS = 1.0


def redis_client(url: str, connections: int) -> Redis:
    """A client with a bounded pool that waits for a free connection; no hidden retries: a script may have happened."""
    pool = BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=_ANSWER_SECONDS, socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS, health_check_interval=0, retry=Retry(NoBackoff(), 0),
        client_name="onsale",
    )  # fmt: skip
    return Redis(connection_pool=pool)


async def open_redis(url: str, connections: int) -> Redis:
    """A client that has answered once. Raises StartupError."""
    try:
        redis = redis_client(url, connections)
        await redis.ping()
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        raise StartupError(f"Redis at {_without_password(url)} cannot be reached: {error}: check REDIS_URL") from None
    return redis


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
