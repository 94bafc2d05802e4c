"""The `Idempotency-Key` header: what names a call, so that it is done once however often it is sent."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from core.errors import Malformed
from web.endpoint import Parameter

_KEY: Final = r"^[!-~]{1,255}$"


def idempotency_key(request: Request) -> str:
    """Raises Malformed. A repeated header would let two servers read two different keys."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) != 1 or not re.fullmatch(_KEY, keys[0]):
        raise Malformed(
            "send one Idempotency-Key: 1 to 255 visible ASCII characters, the same when you repeat the call"
        )
    return keys[0]


def idempotency_parameter(about: str, *, required: bool = True) -> Parameter:
    return Parameter("Idempotency-Key", "header", about, {"type": "string", "pattern": _KEY}, required=required)


IDEMPOTENCY_PARAMETER: Final = idempotency_parameter("the same key does it once, however often it is sent")
