"""How a simulated provider behaves, and what that means for one order.

The draws are independent for each order. With a `seed` they depend on nothing but the seed, the order's id and how
often it was tried, so that a run can be repeated; without one they are random.

A payment key that begins `pk_ok`, `pk_declined`, `pk_hang` or `pk_error` decides by itself, as test cards do: only the
simulator knows these, and only it is asked with them.
"""

from __future__ import annotations

import hashlib
import random
import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Behaviour(BaseModel):
    """Rates are shares of all charges; `latency_seconds` passes before a charge is answered.

    `hang_rate`: charges, then never answers. `error_rate`: a temporary provider error, without a charge. What is left
    is approved with `success_rate`, else declined.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    success_rate: Rate = 0.7
    latency_seconds: Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)] = 2.0
    hang_rate: Rate = 0.0
    error_rate: Rate = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None

    @model_validator(mode="after")
    def _one_whole(self) -> Behaviour:
        if self.hang_rate + self.error_rate > 1:
            raise ValueError("hang_rate and error_rate together are more than 1")
        return self


class Fate(StrEnum):
    """What becomes of one try to charge."""

    APPROVED = "approved"
    DECLINED = "declined"
    HANG = "hang"
    ERROR = "error"


_TEST_KEYS: Final = {
    "pk_ok": Fate.APPROVED,
    "pk_declined": Fate.DECLINED,
    "pk_hang": Fate.HANG,
    "pk_error": Fate.ERROR,
}


_OF_PROVIDER: Final = re.compile(r"pk_(?:[a-z]+_)??(toss|kcp)_")


def is_foreign(payment_key: str, provider: str) -> bool:
    """Whether the key says that it comes from another provider's payment window, as `pk_kcp_1` and `pk_ok_kcp_1` do."""
    named = _OF_PROVIDER.match(payment_key)
    return named is not None and named[1] != provider


def draw(behaviour: Behaviour, order_id: str, tries: int, payment_key: str) -> tuple[Fate, float]:
    """The fate, and a number in [0, 1) to choose a refusal's code by. `tries` counts from 1."""
    source = random.Random() if behaviour.seed is None else random.Random(_digest(behaviour.seed, order_id, tries))
    trouble, success, choice = source.random(), source.random(), source.random()
    for prefix, fate in _TEST_KEYS.items():
        if payment_key.startswith(prefix):
            return fate, choice
    if trouble < behaviour.error_rate:
        return Fate.ERROR, choice
    if trouble < behaviour.error_rate + behaviour.hang_rate:
        return Fate.HANG, choice
    return (Fate.APPROVED if success < behaviour.success_rate else Fate.DECLINED), choice


def _digest(seed: int, order_id: str, tries: int) -> int:
    # Not `hash()`: that differs from process to process.
    return int.from_bytes(hashlib.sha256(f"{seed}:{order_id}:{tries}".encode()).digest()[:8])
