"""How one consumer's group stands on Kafka."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupLag:
    """`lag`: messages that the group has not committed; `members`: consumers that are in it at this moment."""

    lag: int
    members: int
