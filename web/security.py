"""Who calls, and whether to believe it: operators, cross-site calls, security headers. Visitors: `web/visitors.py`.

Nothing in a request's body or address ever names a caller. A cookie travels with requests that other sites make
a browser send, so a call that changes something and is authenticated by cookie must also prove that one of our own
pages made it (`require_same_site`); a bearer token is not sent by itself and needs no such proof.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from core.errors import CrossSite
from web import cookies

OPERATOR_COOKIE: Final = "onsale_operator"

#: A shift: who is on call signs in once.
OPERATOR_SESSION_SECONDS: Final = 12 * 3600

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: Everything comes from our own origin; nothing inline; nobody may frame us. `data:` images are the ticket's QR code
#: and icons in style sheets. `connect-src 'self'` covers the live channel: CSP 3 matches ws and wss to the page's host.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "media-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Only sent over https: a browser that has seen it will not speak http to this host again.
STRICT_TRANSPORT: Final = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody with the operator token. `name` is what they called themselves at sign-in, `session` that session's id;
    a call with the token itself has neither.
    """

    name: str
    by: Literal["cookie", "bearer"]
    session: str = ""

    @property
    def actor(self) -> str:
        """For the audit trail: nobody has checked a name that goes with a token which several people have."""
        return f"unverified:{self.name}" if self.by == "cookie" else self.name


class Operators:
    """What the operator token is, and the sessions of the console, which are opened with it: the signatures of both.
    Whether to look at all is for `web/operator_gate.py`.

    A session is a signed cookie with the operator's name, good for `OPERATOR_SESSION_SECONDS`. Its signature is made
    with the token as well: a new token ends every session. The cookie never holds the token.
    """

    def __init__(self, token: str, secret: str = "", *, secure: Literal["auto", "always"] = "auto") -> None:
        """Without `secret` there are no sessions: only the bearer token is taken."""
        self._token = token.encode()
        self._secure = secure
        self._sessions = (
            URLSafeTimedSerializer(
                f"{secret}\0{token}",
                salt="onsale.operator",
                signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
            )
            if secret and token
            else None
        )

    def of_session(self, headers: Mapping[str, str]) -> Operator | None:
        """Whose session the cookie is, unless its time is over."""
        cookie = cookies.read(headers, OPERATOR_COOKIE)
        return self._check(cookie) if cookie else None

    def is_token(self, token: str) -> bool:
        """False for every token where the installation has none."""
        # Constant time: how long it takes says nothing about how much of the token was right.
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)

    def session(self, name: str, id: str) -> str:
        """A new session's cookie value; `id` is a UUID."""
        assert self._sessions is not None, "sessions need a secret"  # noqa: S101
        value = self._sessions.dumps([_operator_name(name), id])
        return value if isinstance(value, str) else value.decode()

    def set_cookie(self, response: Response, connection: HTTPConnection, name: str, id: str) -> Operator:
        """Opens a session."""
        cookies.write(
            response,
            connection,
            OPERATOR_COOKIE,
            self.session(name, id),
            seconds=OPERATOR_SESSION_SECONDS,
            same_site="strict",
            secure=self._secure == "always" or is_https(connection),
        )
        return Operator(_operator_name(name), "cookie", id)

    def delete_cookie(self, response: Response) -> None:
        cookies.delete(response, OPERATOR_COOKIE, same_site="strict")

    def _check(self, cookie: str) -> Operator | None:
        if self._sessions is None:
            return None
        try:
            match self._sessions.loads(cookie, max_age=OPERATOR_SESSION_SECONDS):
                case [str(name), str(id)]:
                    return Operator(name, "cookie", id)
        except BadData:
            pass
        return None  # of an earlier version, without an id: its operator signs in again


def _operator_name(given: str) -> str:
    """What may stand in the audit trail: letters, figures and a few signs; `operator` when nothing is left."""
    return "".join(char for char in given if char.isalnum() or char in " ._-")[:40].strip() or "operator"


def bearer_of(headers: Mapping[str, str]) -> str | None:
    """The token of `Authorization: Bearer <token>`; None when the header is missing or of another scheme."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def address_of(connection: HTTPConnection) -> str:
    """The caller's address; uvicorn has applied X-Forwarded-For of the proxies that the settings name."""
    # As `connection.client.host`, without a tuple with names for each time that it is asked.
    client = connection.scope.get("client")
    return client[0] if client else "unknown"


def is_https(connection: HTTPConnection) -> bool:
    # As `connection.url.scheme`, without making the whole address for it.
    return connection.scope.get("scheme") in ("https", "wss")


def own_origin(connection: HTTPConnection) -> str:
    """`https://host[:port]` as the browser sees it: uvicorn has applied X-Forwarded-* of the proxies we believe."""
    scheme = "https" if is_https(connection) else "http"
    return f"{scheme}://{connection.headers.get('host', '')}"


class Origins:
    """The origins whose pages may call us: the served address, and `further` ones; what is no origin is ignored."""

    def __init__(self, further: Iterable[str] = ()) -> None:
        self._further = {normal for one in further if (normal := normal_origin(one))}

    def is_ours(self, origin: str, connection: HTTPConnection) -> bool:
        normal = normal_origin(origin)
        return bool(normal) and (normal == normal_origin(own_origin(connection)) or normal in self._further)


def normal_origin(origin: str) -> str:
    """`HTTPS://Host:443/` -> `https://host`; empty when it is none (`null`, nonsense)."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    default = 443 if parts.scheme == "https" else 80
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" if port in (None, default) else f"{parts.scheme}://{host}:{port}"


def require_same_site(connection: HTTPConnection, method: str, origins: Origins, *, programs: bool = False) -> None:
    """For calls authenticated by cookie that change something. Raises CrossSite.

    Every browser since 2023 says in `Sec-Fetch-Site` where a request comes from, and no script can forge it; older
    ones send `Origin` with every such request. With `programs` one that has neither, nor a `Referer`, is let through:
    it comes from a program with a cookie jar, which nobody tricks; besides, a visitor's cookie is SameSite and the
    bodies are JSON, which no form can send. An operator's session is not worth that risk.
    """
    if method in _SAFE_METHODS:
        return
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise CrossSite()
        return
    origin = connection.headers.get("origin")
    if origin is None and programs and "referer" not in connection.headers:
        return
    if origin is None or not origins.is_ours(origin, connection):
        raise CrossSite()
