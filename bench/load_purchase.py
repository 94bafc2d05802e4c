"""A work of the load generator: one purchase. Apart from `bought.py`: the generator loads nothing of the product."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from bench.load import Steps, request


@dataclass(frozen=True, slots=True)
class Purchase:
    """A work of the load generator; 200 when the window's return was taken."""

    slug: str
    token: str
    email: str

    def steps(self) -> Steps:
        path, named = f"/api/events/{self.slug}/reservations", {"Idempotency_Key": "k" * 32}
        status, body = yield request("POST", path, self.token, {"email": self.email}, **named)
        if status != 202:
            return status
        page = orjson.loads(body)["payment"]["page"]
        status, body = yield request("GET", page, self.token, Accept="application/json")
        if status != 200:
            return status
        fields = orjson.loads(body)["fields"]
        back, order = urlsplit(fields["successUrl"]), fields["orderId"]
        told = f"paymentType=NORMAL&orderId={order}&paymentKey=key_{order}&amount={fields['amount']['value']}"
        status, _ = yield request("GET", f"{back.path}?{back.query}&{told}", Accept="text/html")
        return 200 if status == 303 else status
