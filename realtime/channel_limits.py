"""What one process takes of live channels, and how it paces them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """`per_visitor` and `messages_per_minute` are None where rate limits are off; `buffer` in bytes that may wait for
    one slow browser. Changes of a map are told each `coalesce_ms`. A page that is silent for `pong_seconds` is not kept
    alive by its browser's pongs. Goodbyes of a stopping process are spread over `goodbye_seconds`.
    """

    per_process: int
    per_visitor: int | None
    messages_per_minute: int | None
    buffer: int
    coalesce_ms: float
    pong_seconds: float
    goodbye_seconds: float
