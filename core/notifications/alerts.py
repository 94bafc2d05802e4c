"""When something is an alert, when it is over, and when that is told: pure, times passed in, in seconds (S31).

A look is one round of checks. An alert fires after so many bad looks in a row and is resolved after so many good ones;
a check that could not be made says neither. What is to be told follows from the book alone, and is crossed out only
when the message has been taken: a process that dies in between leaves it to the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Severity = Literal["warn", "fail"]
#: fired and resolved are told as they come; brief: fired and over before it could be told.
News = Literal["fired", "resolved", "brief"]

#: Between two messages: what happens within a minute is one message.
GROUP_SECONDS = 60.0
#: Messages in any hour, at most. An installation on fire is known to be on fire.
MOST_AN_HOUR = 20
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Looks in a row before an alert fires, and before it is resolved."""

    bad: int = 2
    good: int = 2

    def __post_init__(self) -> None:
        if self.bad < 1 or self.good < 1:
            raise ValueError("a rule needs one look at least")


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something bad, seen in a look. `subject` is an event's slug, or `-`.

    `detail` is in English; `said`: its key and arguments, for other languages (core/sentences.py).
    """

    name: str
    subject: str
    severity: Severity
    detail: str
    action: str
    said: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return f"{self.name} {self.subject}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One line of the book; `since` is when the first of the bad looks was (wall time)."""

    name: str
    subject: str
    severity: Severity
    detail: str
    action: str
    since: float
    firing: bool = False
    bad: int = 0
    good: int = 0
    news: News | None = None
    ended: float | None = None
    said: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that is or may become an alert, by `Sighting.key`; `sent`: when messages left in the last hour;
    `not_before`: the messenger asked for patience; `healed`: the last audit entry that was told.
    """

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    sent: tuple[float, ...] = ()
    not_before: float = 0.0
    healed: int | None = None


def look(
    book: Book, seen: Collection[Sighting], unknown: Collection[str], rules: Mapping[str, Rule], now: float
) -> Book:
    """The book after one look. `unknown` names alerts that could not be checked; the others not `seen` are well."""
    alerts: dict[str, Alert] = {}
    bad = {sighting.key: sighting for sighting in seen}
    for key, alert in book.alerts.items():
        if key in bad or alert.name in unknown:
            alerts[key] = alert
            continue
        better = _well(alert, rules.get(alert.name, Rule()), now)
        if better is not None:
            alerts[key] = better
    for key, sighting in bad.items():
        alerts[key] = _ill(alerts.get(key), sighting, rules.get(sighting.name, Rule()), now)
    return replace(book, alerts=alerts)


def _ill(before: Alert | None, sighting: Sighting, rule: Rule, now: float) -> Alert:
    if before is None or (not before.firing and before.bad == 0):
        kept: News | None = before.news if before else None
        before = Alert(
            sighting.name, sighting.subject, sighting.severity, sighting.detail, sighting.action, now, news=kept
        )
    alert = replace(
        before,
        severity=sighting.severity,
        detail=sighting.detail,
        action=sighting.action,
        said=sighting.said,
        bad=before.bad + 1,
        good=0,
    )
    if alert.firing or alert.bad < rule.bad:
        return alert
    # Whoever was told that it fires, and not yet that it was over, need not be told anything.
    return replace(alert, firing=True, ended=None, news=None if alert.news == "resolved" else "fired")


def _well(alert: Alert, rule: Rule, now: float) -> Alert | None:
    """None: nothing is left to remember."""
    alert = replace(alert, bad=0, good=alert.good + 1)
    if not alert.firing:
        return alert if alert.news else None
    if alert.good < rule.good:
        return alert
    return replace(alert, firing=False, ended=now, news="brief" if alert.news == "fired" else "resolved")


def firing(book: Book) -> list[Alert]:
    """The gravest first, then the oldest."""
    alerts = [alert for alert in book.alerts.values() if alert.firing]
    return sorted(alerts, key=lambda alert: (alert.severity != "fail", alert.since))


def news(book: Book) -> list[Alert]:
    """What has not been told yet: what fires first."""
    alerts = [alert for alert in book.alerts.values() if alert.news]
    return sorted(alerts, key=lambda alert: (alert.news != "fired", alert.severity != "fail", alert.since))


def may_send(book: Book, now: float) -> bool:
    """The first message after a quiet minute leaves at once; what happens within the minute after it waits."""
    if now < book.not_before:
        return False
    recent = [at for at in book.sent if now - at < _HOUR]
    return (not recent or now - recent[-1] >= GROUP_SECONDS) and len(recent) < MOST_AN_HOUR


def told(book: Book, alerts: Sequence[Alert], now: float, *, healed: int | None = None) -> Book:
    """The book after a message with the news of these alerts was taken."""
    left = dict(book.alerts)
    for alert in alerts:
        key = f"{alert.name} {alert.subject}"
        current = left.get(key)
        if current is None or current.news != alert.news:
            continue
        if current.firing or current.bad:
            left[key] = replace(current, news=None)
        else:
            del left[key]
    sent = (*(at for at in book.sent if now - at < _HOUR), now)
    return replace(book, alerts=left, sent=sent, healed=book.healed if healed is None else healed)
