"""Cookies that say who calls: over https with the `__Host-` prefix, which no other host and no plain page can set.

Two cookies of one name cannot both be ours: another host of the domain has planted one, and nothing tells which. Then
neither counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

#: Browsers take such a cookie only over https, without a domain, for all paths (RFC 6265bis section 4.1.3.2).
HOST_PREFIX: Final = "__Host-"


def read(headers: Mapping[str, str], name: str) -> str | None:
    """The cookie's value, under either of its names; None when there is none, or two of one name.

    The plain name counts where there is no prefixed one: over http, and once over https (`is_old`).
    """
    for known_as in (HOST_PREFIX + name, name):
        values = _values(headers, known_as)
        if values:
            return values[0] if len(values) == 1 else None
    return None


def is_old(headers: Mapping[str, str], name: str) -> bool:
    """Whether only the plain name was sent: over https it is to be replaced by the other one."""
    return not _values(headers, HOST_PREFIX + name) and bool(_values(headers, name))


def write(
    response: Response,
    connection: HTTPConnection,
    name: str,
    value: str,
    *,
    seconds: int,
    same_site: Literal["lax", "strict"],
    secure: bool,
) -> None:
    """`secure`: with the prefix; a plain one that was sent is taken away.

    `value` goes out as it is: Starlette would put quotes around one with a `=`, and `read` takes none away.
    """
    known_as = HOST_PREFIX + name if secure else name
    said = f"{known_as}={value}; HttpOnly; Max-Age={seconds}; Path=/; SameSite={same_site}" + "; Secure" * secure
    response.headers.append("set-cookie", said)
    if secure and _values(connection.headers, name):
        response.delete_cookie(name, path="/", httponly=True, samesite=same_site)


def delete(response: Response, name: str, *, same_site: Literal["lax", "strict"]) -> None:
    """Under both names."""
    response.delete_cookie(name, path="/", httponly=True, samesite=same_site)
    response.delete_cookie(HOST_PREFIX + name, path="/", httponly=True, samesite=same_site, secure=True)


def _values(headers: Mapping[str, str], name: str) -> list[str]:
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]
