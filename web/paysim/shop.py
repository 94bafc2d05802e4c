"""Which addresses are the shop's own: a window returns its buyer to no other, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from web.security import Origins, normal_origin, own_origin

#: Whether an origin (`https://host:port`) is the shop's, for this request.
IsOurs = Callable[[str, HTTPConnection], bool]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def own_addresses(origins: Origins) -> IsOurs:
    """Those `origins`; and this machine under its other names, on the same port."""

    def is_ours(origin: str, connection: HTTPConnection) -> bool:
        return any(origins.is_ours(alias, connection) for alias in _aliases(origin))

    return is_ours


def _aliases(origin: str) -> tuple[str, ...]:
    normal = normal_origin(origin)
    host = next((one for one in _LOOPBACK if normal.startswith(f"http://{one}")), None)
    if host is None:
        return (normal,)
    return tuple(normal.replace(host, other, 1) for other in _LOOPBACK)


def is_own_url(url: str, path: str, is_ours: IsOurs, connection: HTTPConnection) -> bool:
    """An absolute address of the shop's whose path ends with `path`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and not parts.fragment
    return plain and parts.path.endswith(path) and is_ours(f"{parts.scheme}://{parts.netloc}", connection)


def is_return(url: str, path: str) -> bool:
    """An absolute address whose path ends with `path`, whosever it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and parts.path.endswith(path) and not parts.fragment


def beside(returned: str) -> str:
    """The simulator as the shop's buyers find it where nothing else is said: at the shop's own address."""
    parts = urlsplit(returned)
    return f"{parts.scheme}://{parts.netloc}/paysim"


def page_base(connection: HTTPConnection) -> str:
    """Where this request's browser found the simulator."""
    return f"{own_origin(connection)}{connection.scope.get('root_path', '')}"
