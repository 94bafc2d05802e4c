"""Visitors: a random 128-bit id, signed with the moment of signing, in a cookie (browsers) or in `Authorization:
Bearer` (API clients). Nothing in a request's body or address ever names a visitor.

A token is good for `TOKEN_DAYS` and renewed by use: a page replaces a cookie that is an hour old, `POST /api/visitors`
a bearer token. A new place wants one that was signed within a day (`Visitor.fresh`), or a place that the visitor has or
had: tokens made in store for an opening are no head start. Whoever has bought stays who they are, and finds it.

A process of before tokens were dated reads the same visitor from them, in a rolling update and after a way back:
everything up to `=` is the token that it would make, and its base64 decoder stops there.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from itsdangerous import BadSignature, Signer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from core.clock import Clock
from core.errors import NoVisitor
from core.visitor_id import VISITOR_ID
from web import cookies
from web.security import bearer_of, is_https

COOKIE: Final = "onsale_visitor"

#: Browsers keep a cookie for 400 days at most (RFC 6265bis section 5.5).
TOKEN_DAYS: Final = 400
#: For so long after its signing a token may take a new place.
FRESH_HOURS: Final = 24
_RENEWED_AFTER: Final = 3600.0  # seconds
#: How far ahead of this process the one that signed may have been, in seconds.
_AHEAD: Final = 60.0
#: Tokens were not dated before: browsers have forgotten the last of those by then.
_UNDATED_UNTIL: Final = datetime(2027, 12, 31, tzinfo=UTC)

_MOMENT: Final = re.compile(r"[0-9a-f]{8}")
#: Of the moment's signature: 132 bits.
_PROOF_CHARACTERS: Final = 22
#: Checked tokens kept by a process: some 10 MB when full.
_TOKENS_REMEMBERED: Final = 32_768
#: Ours have 99 characters: 24 of the visitor, a dot, 43 of its signature, `=`, 8 of the moment, 22 of its signature.
#: Processes of before take no longer ones than this either.
_LONGEST_TOKEN: Final = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """A caller that we gave the id to; `by` says how the proof came, `age` how long ago it was signed, in seconds
    (infinite where that is not known).
    """

    id: str
    by: Literal["cookie", "bearer"]
    age: float = 0.0

    @property
    def fresh(self) -> bool:
        """Whether the token alone is enough for a new place (F4)."""
        return self.age <= FRESH_HOURS * 3600


class Visitors:
    """Makes and checks visitor tokens: `v_<22 characters>.<signature>=<seconds since 1970, hexadecimal><signature>`, by
    the installation's clock (R3). Those of before end before the `=`: they are taken until 2027-12-31, and renewed.
    """

    def __init__(self, secret: str, clock: Clock, *, secure: Literal["auto", "always"] = "auto") -> None:
        self._signer = Signer(secret, salt="onsale.visitor", key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock
        self._secure = secure
        # A visitor's every call proves the same token: the signatures of those seen last are remembered. What raises
        # is not: wrong tokens, which anybody can make any number of, at any length.
        self._good = functools.lru_cache(_TOKENS_REMEMBERED)(self._check)

    def new(self) -> str:
        """A visitor id that nobody has: 128 random bits."""
        return f"v_{secrets.token_urlsafe(16)}"

    def token(self, visitor: str) -> str:
        at = f"{round(self._clock.now().timestamp()):08x}"
        return f"{self._signer.sign(visitor).decode()}={at}{self._proof(visitor, at).decode()}"

    def check(self, token: str) -> tuple[str, float] | None:
        """The visitor of a token and its age in seconds; None when we did not sign it, or its time is over."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            visitor, signed_at = self._good(token)
        except BadSignature:
            return None
        now = self._clock.now()
        if signed_at is None:
            return (visitor, math.inf) if now < _UNDATED_UNTIL else None
        age = now.timestamp() - signed_at
        if age > TOKEN_DAYS * 24 * 3600:
            return None
        # A clock that was wrong takes nobody's purchases away.
        return visitor, max(age, 0.0) if age >= -_AHEAD else math.inf

    def _check(self, token: str) -> tuple[str, int | None]:
        """The visitor, and when it was signed. Raises BadSignature."""
        undated, dated, moment = token.partition("=")
        try:
            visitor = self._signer.unsign(undated).decode()
        except UnicodeError:
            raise BadSignature("no text of ours") from None
        if not VISITOR_ID.fullmatch(visitor):
            raise BadSignature("no visitor")
        if not dated:
            return visitor, None
        at, proof = moment[:8], moment[8:].encode()
        if not _MOMENT.fullmatch(at) or not hmac.compare_digest(proof, self._proof(visitor, at)):
            raise BadSignature("no moment of ours")
        return visitor, int(at, 16)

    def _proof(self, visitor: str, at: str) -> bytes:
        return self._signer.get_signature(f"{visitor}.{at}")[:_PROOF_CHARACTERS]

    def of(self, headers: Mapping[str, str]) -> Visitor | None:
        """The caller that these headers prove (names in lower case), for HTTP and for the live channel.

        Who sends a bearer token means it: a wrong one is not made good by a cookie.
        """
        bearer = bearer_of(headers)
        if bearer is not None:
            proven = self.check(bearer)
            return Visitor(proven[0], "bearer", proven[1]) if proven else None
        cookie = cookies.read(headers, COOKIE)
        proven = self.check(cookie) if cookie else None
        return Visitor(proven[0], "cookie", proven[1]) if proven else None

    def require(self, headers: Mapping[str, str]) -> Visitor:
        """Raises NoVisitor."""
        visitor = self.of(headers)
        if visitor is None:
            raise NoVisitor()
        return visitor

    def set_cookie(self, response: Response, connection: HTTPConnection, visitor: str) -> None:
        token, secure = self.token(visitor), self._is_secure(connection)
        seconds = TOKEN_DAYS * 24 * 3600
        cookies.write(response, connection, COOKIE, token, seconds=seconds, same_site="lax", secure=secure)

    def is_outdated(self, connection: HTTPConnection, visitor: Visitor) -> bool:
        """Whether `set_cookie` is due: an hour old, or set before the site was reached by https."""
        if visitor.by != "cookie":
            return False
        old_name = self._is_secure(connection) and cookies.is_old(connection.headers, COOKIE)
        return old_name or visitor.age > _RENEWED_AFTER

    def _is_secure(self, connection: HTTPConnection) -> bool:
        return self._secure == "always" or is_https(connection)
