"""Proof of work in ALTCHA's format (https://altcha.org/docs/v2/): made here, solved in the browser, checked here (F4).

A challenge is signed with what it is for: event, visitor, network, step and end. The signed counter is drawn between 0
and a bound, so the work has a bound as well: on average half of it. The key that the counter leads to is signed too,
which makes the check two HMACs: below 0.1 ms. Making one takes a single try of the work, 0.5 ms.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Any, Final

import altcha
import orjson

from core.clock import Clock
from core.waiting_room.price import Paid, Price

#: Rounds of one try: long beside what a browser's WebCrypto adds to each call, short for who makes challenges.
ROUNDS: Final = 2_000
ALGORITHM: Final = "PBKDF2/SHA-256"
_MOST_BYTES: Final = 4_096


class ProofOfWork:
    """`tries` is the bound of the first portion."""

    def __init__(self, secret: str, *, price: Price, tries: int, seconds: float, clock: Clock) -> None:
        self._key = _derived(secret, b"onsale.proof.challenge")
        self._solution_key = _derived(secret, b"onsale.proof.solution")
        self._price = price
        self._tries = tries
        self._seconds = seconds
        self._clock = clock

    def challenge(self, slug: str, visitor: str, network: str, step: int) -> dict[str, Any]:
        """A new one, as ALTCHA's solvers take it; `parameters.data` says what it is good for."""
        bound = self._tries * self._price.portions(step)
        expires = int(self._clock.now().timestamp() + self._seconds)
        return altcha.create_challenge(
            ALGORITHM,
            ROUNDS,
            counter=secrets.randbelow(bound),
            data={
                "event": slug,
                "visitor": visitor,
                "network": network,
                "step": step,
                "tries": bound,
                "until": expires,
            },
            hmac_secret=self._key,
            hmac_key_secret=self._solution_key,
        ).to_dict()

    def paid(self, proof: str, slug: str, visitor: str, network: str) -> Paid | None:
        """What a handed-in solution is worth; None when it is none of ours, unsolved, over, or for somebody or
        something else. That it was not shown before, the join script judges.
        """
        payload = read(proof)
        if payload is None:
            return None
        result = altcha.verify_solution(payload, self._key, hmac_key_secret=self._solution_key)
        if not result.verified:
            return None
        parameters = payload.challenge.parameters
        made_for = parameters.data or {}
        left = float(made_for["until"]) - self._clock.now().timestamp()
        if left <= 0 or (made_for["event"], made_for["visitor"], made_for["network"]) != (slug, visitor, network):
            return None
        return Paid(int(made_for["step"]), str(parameters.nonce), int(left * 1000) + 1)


def read(proof: str) -> altcha.Payload | None:
    """A solved challenge as it is handed in: base64 of its JSON. None when it is something else."""
    if len(proof) > _MOST_BYTES:
        return None
    try:
        said = orjson.loads(base64.b64decode(proof, validate=True))
        payload = altcha.Payload.from_dict(said)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None
    return payload if isinstance(payload.challenge.signature, str) else None


def _derived(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), purpose, hashlib.sha256).digest()
