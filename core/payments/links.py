"""The addresses of a payment that need no cookie: each carries `s`, a signature of its purpose and its order (P3).

A buyer may come back from the provider's window in another browser, where nothing of ours is known. Each purpose has a
signature of its own, so that the address of the return, which the provider learns, opens nothing else. `s` is never
written to a log.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from enum import StrEnum
from typing import Final

from itsdangerous import Signer

#: An attempt's order number: the reservation's id without hyphens, and which attempt it is.
ORDER: Final = re.compile(r"[0-9a-f]{32}a[1-9][0-9]{0,2}")
#: Signatures kept: a purchase asks for most of its own twice within a minute.
_REMEMBERED: Final = 4096


class Purpose(StrEnum):
    PAGE = "page"
    RETURN = "return"
    CLOSED = "closed"
    RESULT = "result"


class PaymentLinks:
    """Signs and checks; paths are relative to the shop's own address."""

    def __init__(self, secret: str) -> None:
        self._signers = {purpose: _signer(secret, f"onsale.payment.{purpose}") for purpose in Purpose}
        self._signed = functools.lru_cache(_REMEMBERED)(self._sign)

    def sign(self, purpose: Purpose, order: str) -> str:
        """`s` of this purpose and order, base64url."""
        return self._signed(purpose, order)

    def _sign(self, purpose: Purpose, order: str) -> str:
        return self._signers[purpose].get_signature(order).decode()

    def check(self, purpose: Purpose, order: str, s: str) -> bool:
        """Whether we signed it; what is no order number was never signed."""
        if not ORDER.fullmatch(order) or not s.isascii():
            return False
        return hmac.compare_digest(self.sign(purpose, order), s)

    def page(self, order: str) -> str:
        return f"/pay/{order}?s={self.sign(Purpose.PAGE, order)}"

    def result(self, order: str) -> str:
        return f"/pay/{order}/result?s={self.sign(Purpose.RESULT, order)}"

    def returned(self, provider: str, order: str) -> str:
        return f"/pay/{provider}/return/{order}?s={self.sign(Purpose.RETURN, order)}"

    def closed(self, provider: str, order: str) -> str:
        return f"/pay/{provider}/closed/{order}?s={self.sign(Purpose.CLOSED, order)}"


def _signer(secret: str, salt: str) -> Signer:
    """A signer derives its key from the secret and the salt with each signature: here that is done once."""
    key = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256).derive_key()
    return Signer(key, salt=salt, key_derivation="none", digest_method=hashlib.sha256)
