"""What a diagnosis finds: steps that pass, warn or fail, causes by name, and the likeliest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.languages import DEFAULT, LANGUAGES, text, translations
from core.sentences import Sentence


class Level(StrEnum):
    PASS = "pass"  # noqa: S105 - the word of the report
    WARN = "warn"
    FAIL = "fail"


class Cause(StrEnum):
    """Every cause that can be named, the one that explains most first: the likeliest is the first one found.

    The values are stable; the reply to the customer is `support.reply.<value>` in the catalogues.
    """

    DISK_FULL = "disk_full"
    POSTGRES_AWAY = "postgres_away"
    POSTGRES_READ_ONLY = "postgres_read_only"
    POSTGRES_EXHAUSTED = "postgres_out_of_connections"
    POSTGRES_BLOCKED = "postgres_blocked"
    SCHEMA_OLDER = "schema_older"
    SCHEMA_TOO_NEW = "schema_too_new"
    REDIS_AWAY = "redis_away"
    REDIS_READ_ONLY = "redis_read_only"
    REDIS_FULL = "redis_full"
    NO_PROCESS = "no_process"
    EVENT_NOT_FOUND = "event_not_found"
    KEY_DAMAGED = "redis_key_damaged"
    SALE_NOT_OPEN = "sale_not_open"
    SALE_CLOSED = "sale_closed"
    SALE_CLOSED_BY_CLOCK = "sale_closed_by_clock"
    CURRENCY_NOT_TAKEN = "currency_not_taken"
    BOARD_LOST = "board_lost"
    BOARD_DAMAGED = "board_damaged"
    LEASE_LEFT_BEHIND = "lease_left_behind"
    SWEEP_STOPPED = "sweep_stopped"
    PAYMENTS_STOPPED = "payments_stopped"
    VISITOR_REMOVED = "visitor_removed"
    RESERVATION_NOT_FOUND = "reservation_not_found"
    PAYMENT_WITHOUT_ORDER = "payment_without_order"
    PAYMENT_STUCK = "payment_stuck"
    PAYMENT_CLAIM_LEFT_BEHIND = "payment_claim_left_behind"
    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_PARKED = "payment_parked"
    PAYMENT_UNDER_WAY = "payment_under_way"
    PAYMENT_AWAITED = "payment_awaited"
    SHOPS_FAULT = "shop_payment_fault"
    REFUND_REFUSED = "refund_refused"
    REFUND_PENDING = "refund_pending"
    PAYMENT_PAUSED = "payment_paused"
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_FAILED = "payment_failed"
    RESERVATION_CANCELLED = "reservation_cancelled"
    BASKET_STUCK = "basket_stuck"
    MISMATCH = "mismatch"
    LOCK_WITHOUT_TTL = "lock_without_ttl"
    NO_SUCH_SEAT = "no_such_seat"
    SEAT_SOLD = "seat_sold"
    SEAT_RETURNED = "seat_returned"
    SEAT_BLOCKED = "seat_blocked"
    SEAT_HELD = "seat_held"
    PAYMENTS_MISCONFIGURED = "payments_misconfigured"
    PROVIDER_AWAY = "provider_away"
    CIRCUIT_OPEN = "circuit_open"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    SALE_PAUSED = "sale_paused"
    CAP_LEFT_BEHIND = "cap_left_behind"
    QUEUE_GHOSTS = "queue_ghosts"
    SILENCE_FORGIVEN = "silence_forgiven"
    PLACES_KEPT = "places_kept"
    ADMISSION_CAPPED = "admission_capped"
    ADMISSION_STALLED = "admission_stalled"
    NOTHING_LEFT = "nothing_left"
    ONE_NETWORK = "one_network"
    QUEUE_FULL = "queue_full"
    CHANNELS_FULL = "channels_full"
    SIGNING_KEYS_DIFFER = "signing_keys_differ"
    CLOCK_DIFFERS = "clock_differs"
    PROCESS_SILENT = "process_silent"
    DRAW_WAITS = "draw_waits"
    SEAT_LIMIT = "seat_limit_reached"
    COOL_DOWN = "cool_down"
    CODE_USED = "code_used"
    CODE_WANTED = "code_required"
    QUOTA_REACHED = "quota_reached"
    NETWORKS_REMOVED = "networks_removed"
    VISITOR_OUT = "visitor_out"
    HEARTBEAT_LATE = "heartbeat_late"
    VISITOR_WAITING = "visitor_waiting"
    BASKET_LAPSED = "basket_lapsed"
    KAFKA_AWAY = "kafka_away"
    RELAY_STUCK = "relay_stuck"
    JOB_STOPPED = "job_stopped"
    MAIL_AWAY = "mail_away"
    EMAIL_DEAD = "email_dead"
    CONSUMER_LAG = "consumer_lag"
    EMAIL_PENDING = "email_pending"
    DEAD_LETTERS = "dead_letters"
    PROVIDER_DIFFERS = "provider_differs"
    COMPARISON_LATE = "comparison_late"
    REFUNDS_REFUSED = "refunds_refused"
    POSTGRES_FULL = "postgres_full"
    REDIS_MEMORY = "redis_memory"
    REDIS_EVICTS = "redis_evicts"
    PURCHASE_CONFIRMED = "purchase_confirmed"
    NOTHING_FOUND = "nothing_found"


def advice(cause: Cause) -> str:
    """What the engineer does about it, in English: `ops.advice.CAUSE`, which the console says in its own language."""
    return text(DEFAULT, f"ops.advice.{cause}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One step's result. `fix` names a safe mend that `--fix` may make; `about` says for what: a key, a reservation.

    `said`: what was seen; `detail`: the same in English. `subject`: whose alert it is, where that is neither an event
    nor everybody.
    """

    step: str
    level: Level
    detail: str
    cause: Cause | None = None
    fix: str | None = None
    fixed: bool = False
    about: str | None = None
    subject: str | None = None
    said: Sentence = field(kw_only=True)

    def seen_as(self, said: Sentence) -> Finding:
        return replace(self, said=said, detail=said.in_words())


def passed(step: str, seen: Sentence) -> Finding:
    return Finding(step, Level.PASS, seen.in_words(), said=seen)


def warn(step: str, cause: Cause, seen: Sentence, fix: str | None = None, about: str | None = None) -> Finding:
    return Finding(step, Level.WARN, seen.in_words(), cause, fix, about=about, said=seen)


def fail(step: str, cause: Cause, seen: Sentence, fix: str | None = None, about: str | None = None) -> Finding:
    return Finding(step, Level.FAIL, seen.in_words(), cause, fix, about=about, said=seen)


#: What can still keep a buyer whose seats are confirmed from the ticket, or from money that is owed.
OF_THE_PAID = frozenset(
    {
        Cause.REFUND_REFUSED,
        Cause.REFUND_PENDING,
        Cause.KAFKA_AWAY,
        Cause.RELAY_STUCK,
        Cause.MAIL_AWAY,
        Cause.EMAIL_DEAD,
        Cause.EMAIL_PENDING,
        Cause.CONSUMER_LAG,
        Cause.POSTGRES_AWAY,
        Cause.REDIS_AWAY,
    }
)


def likeliest(findings: Sequence[Finding], *, paid: bool = False) -> Cause:
    """A failure explains more than a warning; among equals the earlier cause of `Cause` does. For who has `paid` only
    what keeps the ticket back counts.
    """
    order = {cause: index for index, cause in enumerate(Cause)}
    for level in (Level.FAIL, Level.WARN):
        causes = [finding.cause for finding in findings if finding.level is level and finding.cause]
        if paid:
            causes = [cause for cause in causes if cause in OF_THE_PAID]
        if causes:
            return min(causes, key=lambda cause: order[cause])
    return Cause.PURCHASE_CONFIRMED if paid else Cause.NOTHING_FOUND


def reply(cause: Cause, *, paid: bool) -> dict[str, str]:
    """By language. Who has paid reads first that the seats are theirs, whatever else is wrong."""
    replies = {}
    for language in LANGUAGES:
        text = translations(language).gettext
        told = text(f"support.reply.{cause}")
        replies[language] = (
            f"{text('support.confirmed')} {told}" if paid and cause is not Cause.PURCHASE_CONFIRMED else told
        )
    return replies
