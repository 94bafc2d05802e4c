"""Opening Redis or Valkey by URL alone (S12).

    redis://host:6379/0, rediss://..., unix:///path/valkey.sock    one server
    redis+sentinel://[user:password@]host:26379,host:26379/master  behind Sentinel: follows the master
    redis+cluster://[user:password@]host:7000,host:7001            a Cluster; the nodes named are where to begin

All keys of one event share a hash tag, so on a Cluster an event lives on one node and events spread over the nodes.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote, urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core import keys
from core.errors import StartupError
from core.process.exchange_redis import exchanging
from core.process.source_files import SourceFiles
from core.process.waits import answered_at_start

log = structlog.get_logger(__name__)

#: What a lost, hanging or refusing Redis looks like. RedisClusterException is no RedisError.
REDIS_LOST = (RedisError, RedisClusterException, OSError, TimeoutError)

# A call that has not been answered after this long is lost: the caller is told, and never waits more than 3 s (S16).
ANSWER_SECONDS = 2.0
_CONNECT_SECONDS = 1.0
# So long a call waits for one of our own connections, when all are in use.
_POOL_SECONDS = 1.0
_SENTINEL_PORT = 26379
_TRY_SHARDED = SourceFiles(__file__, "lua")["try_sharded"]
_CLUSTER_PORT = 6379


def redis_client(url: str, connections: int) -> Redis:
    """A client with a bounded number of connections; no hidden retries: a script may have happened.

    Raises ValueError for a URL that is none of the above.
    """
    scheme = url.partition("://")[0]
    if scheme == "redis+sentinel":
        return _behind_sentinel(url, connections)
    if scheme == "redis+cluster":
        return _cluster(url, connections)
    pool = BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=_POOL_SECONDS, client_name="onsale", **_limits()
    )
    pool.connection_class = exchanging(pool.connection_class)
    return Redis(connection_pool=pool)


def _limits() -> dict[str, Any]:
    return {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
    }


def _behind_sentinel(url: str, connections: int) -> Redis:
    parts = urlsplit(url)
    name = parts.path.strip("/").split("/")[0]
    if not name:
        raise ValueError("a Sentinel URL ends with the name of the master: redis+sentinel://host:26379/mymaster")
    sentinel = Sentinel(
        _addresses(parts.netloc, _SENTINEL_PORT),
        sentinel_kwargs={"socket_timeout": _CONNECT_SECONDS, "socket_connect_timeout": _CONNECT_SECONDS},
    )
    master: Redis = sentinel.master_for(
        name, max_connections=connections, client_name="onsale", **_credentials(parts.netloc), **_limits()
    )
    return master


def _cluster(url: str, connections: int) -> Redis:
    netloc = urlsplit(url).netloc
    limits = _limits()
    # A Cluster client must be allowed to follow a slot that has moved and a master that has died.
    del limits["retry"]
    cluster = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _addresses(netloc, _CLUSTER_PORT)],
        max_connections=connections,
        client_name="onsale",
        **_credentials(netloc),
        **limits,
    )
    # The two clients share the calls that we make; the library gives them no common type.
    return cast(Redis, cluster)


def cluster_of(redis: Redis) -> RedisCluster | None:
    """The same client, where it is one of a Cluster."""
    client: object = redis
    return client if isinstance(client, RedisCluster) else None


def node_client(cluster: RedisCluster, host: str, port: int) -> Redis:
    """One node of the Cluster by itself, with the Cluster's credentials: for a subscription, which is of one node."""
    known = cluster.get_connection_kwargs()
    credentials: dict[str, Any] = {name: known[name] for name in ("username", "password") if known.get(name)}
    return Redis(host=host, port=port, client_name="onsale", **credentials, **_limits())


def _addresses(netloc: str, default_port: int) -> list[tuple[str, int]]:
    addresses = []
    for part in netloc.rpartition("@")[2].split(","):
        address = urlsplit(f"//{part.strip()}")
        if not address.hostname:
            raise ValueError(f"{part!r} is no address")
        addresses.append((address.hostname, address.port or default_port))
    return addresses


def _credentials(netloc: str) -> dict[str, Any]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}


async def open_redis(url: str, connections: int, *, must_answer: bool = True) -> Redis:
    """A client that has answered once, if it must: it is asked `START_TRIES` times. Raises StartupError."""
    redis = None
    try:
        redis = redis_client(url, connections)
        if must_answer:
            await answered_at_start(redis.ping, RedisTimeoutError, TimeoutError)
    except (*REDIS_LOST, ValueError) as error:
        if redis is not None:
            await redis.aclose()
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StartupError(f"Redis at {_without_password(url)} cannot be reached: {reason}: check REDIS_URL") from None
    return redis


async def require_sharded_channels(redis: Redis) -> None:
    """Raises StartupError where a server that answers knows no `SPUBLISH` (before Redis 7): each script would fail."""
    try:
        # To no sale, and as scripts do: the client would not send a command that the server does not list.
        await cast(Any, redis).eval(_TRY_SHARDED, 1, keys.seats_channel(""))
    except ResponseError as error:
        if "unknown" in str(error).lower():
            raise StartupError(
                "This Redis has no sharded channels (Redis 7 and Valkey have them): set ONSALE_REDIS_PUBSUB to plain"
            ) from None
        log.warning("sharded channels could not be tried", error=str(error))
    except REDIS_LOST as error:
        log.warning("sharded channels could not be tried", error=repr(error))


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
