"""What a diagnosis finds: steps that pass, warn or fail, causes by name, and the likeliest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.languages import LANGUAGES, translations


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


#: What the engineer does about it.
ADVICE: dict[Cause, str] = {
    Cause.POSTGRES_AWAY: (
        "Bring PostgreSQL back (DATABASE_URL; an embedded one: `onsale serve`). Checkout is refused meanwhile, "
        "nothing is charged."
    ),
    Cause.POSTGRES_READ_ONLY: (
        "PostgreSQL takes no writes: point DATABASE_URL at the primary, or end `default_transaction_read_only`."
    ),
    Cause.POSTGRES_EXHAUSTED: (
        "PostgreSQL has no connection left for us: end what holds them, lower ONSALE_DATABASE_POOL, or add a pooler."
    ),
    Cause.SCHEMA_OLDER: (
        "The database is set up for an older release: run `onsale migrate`, or start `onsale serve`, which does it."
    ),
    Cause.SCHEMA_TOO_NEW: "The database belongs to a newer release: install that one here as well.",
    Cause.REDIS_AWAY: (
        "Bring Redis back (REDIS_URL; an embedded one: `onsale serve`). Boards are rebuilt, browsers come back by "
        "themselves."
    ),
    Cause.DISK_FULL: (
        "Make room on the disk, or raise the volume: bookings are refused until then. Nothing that was confirmed "
        "is lost."
    ),
    Cause.REDIS_READ_ONLY: "REDIS_URL points at a replica, or the master lacks replicas: point it at the master.",
    Cause.REDIS_FULL: "Redis refuses writes, out of memory: raise maxmemory now, then look for what grew.",
    Cause.NO_PROCESS: "No web process and no worker tells of itself: start `onsale serve`.",
    Cause.EVENT_NOT_FOUND: "Check the event's slug: `onsale event list`.",
    Cause.KEY_DAMAGED: (
        "A key of the sale is not ours: `--fix` sets it aside for a day as KEY:damaged, and the sale makes it anew."
    ),
    Cause.SALE_NOT_OPEN: "Open the sale with `onsale event open SLUG`, or tell the customer when it opens.",
    Cause.SALE_CLOSED: "An operator closed the sale. If that is wrong: `onsale event open SLUG`.",
    Cause.SALE_CLOSED_BY_CLOCK: (
        "The sale's end has passed: `onsale event update SLUG --closes-at TIME` (or `none`) opens it again."
    ),
    Cause.CURRENCY_NOT_TAKEN: "No provider that is configured takes the event's currency: add one to ONSALE_PAYMENT.",
    Cause.BOARD_LOST: "Redis lost the board: `--fix` rebuilds it from PostgreSQL, as does the next buyer's call.",
    Cause.BOARD_DAMAGED: "The board in Redis is not this hall's: `--fix` builds it anew from PostgreSQL.",
    Cause.LEASE_LEFT_BEHIND: (
        "A dead process has a job's lease: `--fix` takes it away, and another process does the job."
    ),
    Cause.SWEEP_STOPPED: "No sweep succeeds: nobody is let in or put out. Read the log (`job failed`), restart.",
    Cause.PAYMENTS_STOPPED: "No process finishes what other processes left: read the log (`job failed`), restart one.",
    Cause.VISITOR_REMOVED: "An operator keeps this visitor out until the time shown: the console ends it.",
    Cause.RESERVATION_NOT_FOUND: "Ask for the reservation number in the e-mail or in the page's address.",
    Cause.PAYMENT_WITHOUT_ORDER: (
        "Seats are kept for an order that was never made: `--fix` ends it. Nothing was charged for it."
    ),
    Cause.PAYMENT_STUCK: "No process works on a payment that is due: `--fix` takes it over; check the web processes.",
    Cause.PAYMENT_CLAIM_LEFT_BEHIND: (
        "Whoever worked on the payment is gone: `--fix` takes it over at once, else another process does."
    ),
    Cause.PAYMENT_UNKNOWN: "The provider has not told the outcome; it is being asked until the deadline. Wait.",
    Cause.PAYMENT_PARKED: "Payment waits for the provider. It goes on by itself when the circuit closes.",
    Cause.PAYMENT_UNDER_WAY: "The payment is at work. Wait for its result, a minute at most.",
    Cause.PAYMENT_AWAITED: "The order waits for the customer in the payment window: `continue` is on the sale page.",
    Cause.SHOPS_FAULT: "Payments fail for a reason of ours: mend keys or account, see the code and docs/going-live.md.",
    Cause.REFUND_REFUSED: "The provider refuses the refund: mend what its code says, then `--fix` tries again at once.",
    Cause.REFUND_PENDING: "The refund is repeated until the provider confirms it. If it lasts, look at the provider.",
    Cause.PAYMENT_DECLINED: "The card was declined and nothing was charged. The customer may try another card.",
    Cause.PAYMENT_FAILED: "The payment failed and whatever was charged was given back. The customer may try again.",
    Cause.RESERVATION_CANCELLED: "The reservation was cancelled. Nothing to do.",
    Cause.BASKET_STUCK: (
        "Redis keeps seats for a payment that was never begun: `--fix` gives the basket back to its visitor."
    ),
    Cause.MISMATCH: "Redis and PostgreSQL disagree about seats: `--fix`, or `onsale reconcile`, mends Redis.",
    Cause.LOCK_WITHOUT_TTL: "A lock that nobody will release: `--fix` deletes it. Find out who wrote it.",
    Cause.NO_SUCH_SEAT: "Check the seat's ordinal: `GET /api/events/SLUG/plan` lists them.",
    Cause.SEAT_SOLD: "Somebody else has bought the seat. The customer picks another.",
    Cause.SEAT_RETURNED: (
        "The seat was given back: it is kept for who waits for it, else"
        " it is on the map within seconds. See the waiting list."
    ),
    Cause.SEAT_BLOCKED: "The organiser blocked the seat. Unblock it on the operator's page if that is wrong.",
    Cause.SEAT_HELD: "Somebody else holds the seat until the time shown. It may come free.",
    Cause.PAYMENTS_MISCONFIGURED: "Payments fail for a reason of ours: check keys, account and clock by the code.",
    Cause.PROVIDER_AWAY: (
        "The payment provider does not answer from here: look at its status page and at this machine's network."
    ),
    Cause.CIRCUIT_OPEN: "The provider's circuit is open: check the provider. It is probed by itself, unless forced.",
    Cause.OVERLOADED: (
        "A store has more to do than it can, and buyers are asked to come back: look at its CPU and disk, lower the "
        "active limit (`onsale event update SLUG --active-limit`), or give it a larger machine."
    ),
    Cause.RATE_LIMITED: (
        "Calls are refused as too many: wait a minute; if it is many buyers, see ONSALE_CALLS_PER_MINUTE and the "
        "proxy's address."
    ),
    Cause.SALE_PAUSED: "Admission is paused by an operator: resume it on the operator's page.",
    Cause.CAP_LEFT_BEHIND: (
        "A cap on admission that nobody renews: `--fix` takes it away, and the event's own limit holds."
    ),
    Cause.QUEUE_GHOSTS: (
        "Places without a browser stand at the queue's head: `--fix` has the sweep put out who is not heard in time."
    ),
    Cause.SILENCE_FORGIVEN: "Silent visitors are not put out until the time shown: `--fix` ends that.",
    Cause.PLACES_KEPT: (
        "Visitors who pay for nothing keep active places: `--fix` ends that, and the sweep judges them like others."
    ),
    Cause.ADMISSION_CAPPED: "The load, or payment being away, holds admission back: look at CPU, pool and provider.",
    Cause.ADMISSION_STALLED: "There is room and the queue does not move: `--fix` sweeps once; check the sweep job.",
    Cause.NOTHING_LEFT: (
        "Every seat is sold or blocked, so nobody is let in: whoever waits comes in when a seat comes back."
    ),
    Cause.ONE_NETWORK: (
        "Nearly all visitors come from one network: if it is a proxy or balancer of yours, name it in "
        "ONSALE_FORWARDED_ALLOW_IPS. Until then they share one address's limits, and places are dear."
    ),
    Cause.QUEUE_FULL: "All places are taken: normal at the peak. Raise the active limit if the machines bear it.",
    Cause.DRAW_WAITS: (
        "Everybody who gathered waits: look whether the beacon that the draw names answers, and at the draw job's log."
    ),
    Cause.CHANNELS_FULL: (
        "A process takes no further browsers: start more (WORKERS), or raise ONSALE_CHANNELS_PER_PROCESS."
    ),
    Cause.SIGNING_KEYS_DIFFER: (
        "Processes sign with different keys and refuse each other's visitors: restart those named, with the "
        "installation's key."
    ),
    Cause.CLOCK_DIFFERS: "A machine's clock is wrong, and Redis' decides: set it right (NTP) on the one that is named.",
    Cause.PROCESS_SILENT: "A process hangs, or its machine is gone: its visitors drop out. Kill it; look at its log.",
    Cause.SEAT_LIMIT: "The buyer has as many seats as one may have. `onsale event update --max-seats` allows more.",
    Cause.COOL_DOWN: (
        "Seats were held for long and not bought, by this visitor or its network: the pause ends by itself. If honest "
        "buyers meet it, raise ONSALE_HOARDING_BASKETS or ONSALE_HOARDING_VISITORS."
    ),
    Cause.PAYMENT_PAUSED: "Five payments of this visitor failed in a row: the next may begin at the time shown.",
    Cause.CODE_USED: "The access code is spent, or was revoked: make another one with `onsale code create`.",
    Cause.CODE_WANTED: "What is open wants an access code: the customer needs one, or waits for the next phase.",
    Cause.QUOTA_REACHED: "The phase has sold what it may: raise its quota, or the customer waits for the next phase.",
    Cause.NETWORKS_REMOVED: (
        "Networks are kept out by an operator: if the customer's address is in one of those shown, that is why; the "
        "console ends it."
    ),
    Cause.VISITOR_OUT: "Neither waiting nor in: the browser was silent, the session ended, or it never joined.",
    Cause.HEARTBEAT_LATE: "The browser has gone silent and will be put out: the network or a sleeping phone.",
    Cause.VISITOR_WAITING: "The visitor is in the queue. Nothing is wrong.",
    Cause.BASKET_LAPSED: "The hold ran out before payment. The customer picks seats again.",
    Cause.KAFKA_AWAY: "Bring Kafka back (KAFKA_BOOTSTRAP_SERVERS). Sales go on; e-mails wait in the outbox.",
    Cause.RELAY_STUCK: (
        "Events do not leave the outbox: see that a process runs, and its log (`relay waiting`); `--fix` frees claims "
        "of dead ones."
    ),
    Cause.JOB_STOPPED: "A periodic job does not succeed: read the log (`job failed`, `job made anew`).",
    Cause.MAIL_AWAY: (
        "The mail server refuses or is silent: mend it, or SMTP_URL. E-mails wait and go by themselves; tickets "
        "are on the page."
    ),
    Cause.EMAIL_DEAD: "The e-mail was given up: read the error, mend it, `onsale messages dead retry` (or `discard`).",
    Cause.CONSUMER_LAG: "The consumers are behind, or none runs: start another `onsale worker`, look at its log.",
    Cause.EMAIL_PENDING: "The e-mail has not been sent yet. The ticket is on the reservation's page already.",
    Cause.DEAD_LETTERS: (
        "Messages were given up: `onsale messages dead list`, then `retry`, or `discard` what can never be sent."
    ),
    Cause.PROVIDER_DIFFERS: "The provider's list differs from our books: `onsale payments compare` lists and mends it.",
    Cause.COMPARISON_LATE: "The provider's list of charges cannot be read: see its code; the provider, then our keys.",
    Cause.REFUNDS_REFUSED: "Refunds are refused: `onsale diagnose --reservation ID` says by whom and why.",
    Cause.POSTGRES_BLOCKED: (
        "A session keeps locks that sales wait for: `SELECT pg_terminate_backend(PID)`, and find out whose it is."
    ),
    Cause.POSTGRES_FULL: (
        "PostgreSQL is (nearly) out of connections: end what holds them, lower ONSALE_DATABASE_POOL, or add a pooler."
    ),
    Cause.REDIS_MEMORY: "Redis is above 80% of maxmemory: raise it before writes are refused.",
    Cause.REDIS_EVICTS: "Set `maxmemory-policy noeviction`: an evicted hold or board is a lie (docs/memory.md).",
    Cause.PURCHASE_CONFIRMED: (
        "The seats are bought and confirmed. Nothing to do; the ticket is on the reservation's page."
    ),
    Cause.NOTHING_FOUND: "Nothing is wrong that can be seen from here. Ask for a screenshot and the time.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One step's result. `fix` names a safe mend that `--fix` may make; `about` says for what: a key, a reservation.

    `subject`: whose alert it is, where that is neither an event nor everybody.
    """

    step: str
    level: Level
    detail: str
    cause: Cause | None = None
    fix: str | None = None
    fixed: bool = False
    about: str | None = None
    subject: str | None = None


def passed(step: str, detail: str) -> Finding:
    return Finding(step, Level.PASS, detail)


def warn(step: str, cause: Cause, detail: str, fix: str | None = None, about: str | None = None) -> Finding:
    return Finding(step, Level.WARN, detail, cause, fix, about=about)


def fail(step: str, cause: Cause, detail: str, fix: str | None = None, about: str | None = None) -> Finding:
    return Finding(step, Level.FAIL, detail, cause, fix, about=about)


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
