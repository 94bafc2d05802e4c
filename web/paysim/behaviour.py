"""How a simulated provider behaves, and what that means for one order.

The draws are independent for each order. With a `seed` they depend on nothing but the seed, the order's number and how
often it was tried, so that a run can be repeated; without one they are random. A test card that the buyer chose in the
window decides by itself.
"""

from __future__ import annotations

import hashlib
import random
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=7200, allow_inf_nan=False)]


class Behaviour(BaseModel):
    """Rates are shares of all confirmations; `latency_seconds` passes before one is answered.

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


class Rules(BaseModel):
    """The provider's own times, and its webhooks.

    `window_seconds`: from opening a window to its end without an authorisation. `session_seconds`: from the buyer's
    authorisation to the last confirmation. Webhooks go to `/webhooks/{provider}` of the shop whose window it was,
    `webhook_delay_seconds` late and `webhook_copies` times (0: none); with `webhook_disorder` every second one
    overtakes the one before.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    window_seconds: Seconds = 1800.0
    session_seconds: Seconds = 600.0
    webhook_copies: Annotated[int, Field(ge=0, le=5)] = 0
    webhook_delay_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 0.0
    webhook_disorder: bool = False


class Fate(StrEnum):
    """What becomes of one try to charge."""

    APPROVED = "approved"
    DECLINED = "declined"
    HANG = "hang"
    ERROR = "error"


#: Test cards, as the window offers them; any other card's fate is drawn.
CARDS: Final = {"good": Fate.APPROVED, "declined": Fate.DECLINED, "hang": Fate.HANG, "error": Fate.ERROR}


def draw(behaviour: Behaviour, order_id: str, tries: int, card: str) -> tuple[Fate, float]:
    """The fate, and a number in [0, 1) to choose a refusal's code by. `tries` counts from 1."""
    source = random.Random() if behaviour.seed is None else random.Random(_digest(behaviour.seed, order_id, tries))
    trouble, success, choice = source.random(), source.random(), source.random()
    if card in CARDS:
        return CARDS[card], choice
    if trouble < behaviour.error_rate:
        return Fate.ERROR, choice
    if trouble < behaviour.error_rate + behaviour.hang_rate:
        return Fate.HANG, choice
    return (Fate.APPROVED if success < behaviour.success_rate else Fate.DECLINED), choice


def _digest(seed: int, order_id: str, tries: int) -> int:
    # Not `hash()`: that differs from process to process.
    return int.from_bytes(hashlib.sha256(f"{seed}:{order_id}:{tries}".encode()).digest()[:8])
