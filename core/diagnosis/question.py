"""What a diagnosis is asked, what it answers, and what it has learnt on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from core.diagnosis.finding import Cause, Finding
from core.diagnosis.processes_redis import Processes
from core.seats.hoarding import HoardingBudget
from core.venue.event import Event


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What this process is set to. `data`: the data folder; `cap_seconds`: how often the load's cap on admission is
    renewed (0: it never is); `provider_seconds`: how long a provider may take; `played`: by the simulator;
    `extensions`: how often a basket gets more time.
    """

    data: Path
    smtp_url: str
    mail_from: str
    channels_per_process: int
    cap_seconds: float
    provider_seconds: float
    played: bool
    hoarding: HoardingBudget
    extensions: int


@dataclass(frozen=True, slots=True)
class Question:
    """Whom or what it is about; whatever is missing is found from the reservation, or left out."""

    visitor: str | None = None
    reservation: UUID | None = None
    event: str | None = None
    seat: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every step's finding, the likeliest cause, what to do, and the reply to the customer by language."""

    findings: tuple[Finding, ...]
    cause: Cause
    action: str
    reply: dict[str, str]


@dataclass(slots=True)
class Walk:
    """What one walk has learnt so far. `postgres`, `redis`: they can be asked."""

    question: Question
    postgres: bool = True
    redis: bool = True
    processes: Processes = field(default_factory=lambda: Processes((), ()))
    event: Event | None = None
    visitor: str | None = None
    row: Any | None = None
    payers: frozenset[str] | None = None
    code: bytes | None = None
    network: str | None = None

    @property
    def slug(self) -> str | None:
        return self.event.slug if self.event else self.row["slug"] if self.row else self.question.event

    @property
    def paid(self) -> bool:
        """Whether who asks has bought what is asked about."""
        row, seat = self.row, self.question.seat
        if row is None or row["status"] != "CONFIRMED":
            return False
        return self.question.reservation is not None or (seat is None or seat in row["seats"])
