"""A work of the load generator: one purchase. Apart from `bought.py`: the generator loads nothing of the product."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson

from bench.load import Answer, Steps, request

_TRIES: Final = 50


@dataclass(frozen=True, slots=True)
class Purchase:
    """A work of the load generator; 200 when the window's return was taken."""

    slug: str
    token: str
    email: str

    def steps(self) -> Steps:
        path, named = f"/api/events/{self.slug}/reservations", {"Idempotency_Key": "k" * 32}
        status, body = yield from _asked(request("POST", path, self.token, {"email": self.email}, **named))
        if status != 202:
            return status
        page = orjson.loads(body)["payment"]["page"]
        status, body = yield from _asked(request("GET", page, self.token, Accept="application/json"))
        if status != 200:
            return status
        fields = orjson.loads(body)["fields"]
        back, order = urlsplit(fields["successUrl"]), fields["orderId"]
        told = f"paymentType=NORMAL&orderId={order}&paymentKey=key_{order}&amount={fields['amount']['value']}"
        status, _ = yield from _asked(request("GET", f"{back.path}?{back.query}&{told}", Accept="text/html"))
        return 200 if status == 303 else status


def _asked(call: bytes) -> Generator[bytes, Answer, Answer]:
    """Whoever would wait for too long is asked to come again (503), and does."""
    for _ in range(_TRIES):
        status, body = yield call
        if status != 503:
            break
    return status, body
