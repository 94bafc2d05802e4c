"""What leaves for the people on call, whatever carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.notifications.alerts import Alert


@dataclass(frozen=True, slots=True)
class Healed:
    """What the system mended by itself: `count` times `what`, on `subject` (S32)."""

    what: str
    subject: str
    count: int


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message with everything that happened since the last one."""

    alerts: Sequence[Alert]
    healed: Sequence[Healed]
    at: float
    console_url: str


class MessengerAway(Exception):
    """The message was not taken; the same again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Messenger(Protocol):
    async def send(self, message: AlertMessage) -> None:
        """Returns once the message was taken. Raises MessengerAway."""
        ...

    async def aclose(self) -> None: ...


class NoMessenger:
    """No webhook is configured: alerts are in the log, in the metrics and on the console only."""

    async def send(self, message: AlertMessage) -> None:
        return

    async def aclose(self) -> None:
        return
