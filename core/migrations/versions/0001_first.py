"""The first schema: events, seats, reservations, payments, outbox, processed events, audit."""

from core.migrations.script import run

revision = "0001"
down_revision = None
min_program = "0001"

_SCHEMA = """
CREATE TABLE events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug          text NOT NULL UNIQUE,
    name          text NOT NULL,
    status        text NOT NULL DEFAULT 'SCHEDULED' CHECK (status IN ('SCHEDULED', 'OPEN', 'CLOSED')),
    paused        boolean NOT NULL DEFAULT false,
    opens_at      timestamptz,
    closes_at     timestamptz,
    starts_at     timestamptz,
    currency      text NOT NULL,
    prices        jsonb NOT NULL,
    active_limit  integer NOT NULL CHECK (active_limit > 0),
    hold_seconds  integer NOT NULL CHECK (hold_seconds > 0),
    max_seats     integer NOT NULL CHECK (max_seats > 0),
    plan          jsonb NOT NULL,
    plan_digest   text NOT NULL,
    seat_count    integer NOT NULL,
    -- Grows when the board in Redis is rebuilt: the board's epoch, and the generation of queue numbers.
    epoch         integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE seats (
    event_id    bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    ordinal     integer NOT NULL,
    seat_guid   text NOT NULL,
    zone        text NOT NULL,
    row_label   text NOT NULL,
    seat_number text NOT NULL,
    category    text NOT NULL,
    price       bigint NOT NULL CHECK (price >= 0),
    status      text NOT NULL DEFAULT 'AVAILABLE' CHECK (status IN ('AVAILABLE', 'PAYING', 'SOLD', 'BLOCKED')),
    fence       bigint NOT NULL DEFAULT 0,
    version     bigint NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, ordinal),
    UNIQUE (event_id, seat_guid)
) WITH (fillfactor = 70);
CREATE INDEX seats_changed ON seats (event_id, updated_at);

CREATE TABLE reservations (
    id              uuid PRIMARY KEY,
    event_id        bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    visitor         text NOT NULL,
    idempotency_key text NOT NULL,
    request_digest  text NOT NULL,
    email           text NOT NULL,
    language        text NOT NULL DEFAULT 'en',
    payment_key     text NOT NULL,
    status          text NOT NULL CHECK (status IN ('PAYING', 'CONFIRMED', 'FAILED', 'CANCELLED')),
    reason          text,
    amount          bigint NOT NULL CHECK (amount >= 0),
    currency        text NOT NULL,
    fence           bigint NOT NULL,
    ticket_code     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (visitor, event_id, idempotency_key)
);
CREATE INDEX reservations_of_event ON reservations (event_id, status);

CREATE TABLE reservation_seats (
    reservation_id uuid NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
    event_id       bigint NOT NULL,
    ordinal        integer NOT NULL,
    price          bigint NOT NULL,
    live           boolean NOT NULL DEFAULT true,
    PRIMARY KEY (reservation_id, ordinal),
    FOREIGN KEY (event_id, ordinal) REFERENCES seats (event_id, ordinal) ON DELETE CASCADE
);
-- Rule 1: a seat is in one live (paying or paid) reservation at most, whatever the code above does.
CREATE UNIQUE INDEX one_live_reservation_a_seat ON reservation_seats (event_id, ordinal) WHERE live;

CREATE TABLE payments (
    reservation_id  uuid PRIMARY KEY REFERENCES reservations (id) ON DELETE CASCADE,
    provider        text,
    -- NEW: not called yet. CALLED: a call went out, its outcome is not known. REFUNDING: to be cancelled at the provider.
    status          text NOT NULL CHECK (status IN ('NEW', 'CALLED', 'APPROVED', 'DECLINED', 'REFUNDING', 'REFUNDED')),
    provider_key    text,
    error_code      text,
    attempts        integer NOT NULL DEFAULT 0,
    claimed_by      text,
    claimed_until   timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    deadline        timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payments_to_do ON payments (next_attempt_at) WHERE status IN ('NEW', 'CALLED', 'REFUNDING');

CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_uid      uuid NOT NULL DEFAULT gen_random_uuid(),
    reservation_id uuid NOT NULL,
    type           text NOT NULL,
    payload        jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    claimed_by     text,
    claimed_until  timestamptz,
    attempts       integer NOT NULL DEFAULT 0,
    sent_at        timestamptz
);
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE processed_events (
    consumer     text NOT NULL,
    event_uid    uuid NOT NULL,
    processed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_uid)
);
CREATE INDEX processed_events_age ON processed_events (processed_at);

CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);
"""


def upgrade() -> None:
    run(_SCHEMA)
