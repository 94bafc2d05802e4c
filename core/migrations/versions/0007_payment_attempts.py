"""The order before the payment window: attempts and refunds take the place of `payments` (P1, P7).

Each payment that there is becomes attempt 1 of its reservation, with the order id that was sent to the provider. Whether
those orders were played by the simulator or charged by a live provider is for the operator to say
(`onsale migrate --payments-were simulator|live`): it cannot be read from the rows, and decides where refunds go.
"""

from alembic import context, op

from core.errors import StartupError
from core.migrations.script import run

revision = "0007"
down_revision = "0006"
min_program = "0007"

_SCHEMA = """
-- The end of the time to pay: it never moves.
ALTER TABLE reservations ADD COLUMN until timestamptz;
UPDATE reservations SET until = created_at + interval '420 seconds';
ALTER TABLE reservations ALTER COLUMN until SET NOT NULL;

CREATE TABLE payment_attempts (
    order_no        text PRIMARY KEY,
    reservation_id  uuid NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
    number          integer NOT NULL CHECK (number > 0),
    provider        text NOT NULL,
    -- Hash of merchant account and kind of key: look-ups and refunds go there and nowhere else.
    environment     text NOT NULL,
    amount          bigint NOT NULL CHECK (amount >= 0),
    currency        text NOT NULL,
    state           text NOT NULL CHECK (
        state IN ('OPEN', 'AUTHORISED', 'CALLED', 'APPROVED', 'DECLINED', 'CLOSED', 'EXPIRED', 'VOIDED')),
    -- What the buyer's return brought. `refused_keys`: those that turned out not to be this order's, five at most.
    provider_key    text,
    authorisation   jsonb,
    authorised_at   timestamptz,
    refused_keys    text[] NOT NULL DEFAULT '{}',
    idempotency_key text,
    called_at       timestamptz,
    deadline        timestamptz,
    method          text,
    approval_number text,
    receipt_url     text,
    approved_at     timestamptz,
    -- What was, or is being, given back of the amount: judged where it grows, on the row that is locked.
    refunded        bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    -- The provider's code of its last answer, and since when it says that the shop has something to mend.
    code            text,
    shops_fault     boolean NOT NULL DEFAULT false,
    faulted_at      timestamptz,
    retry_until     timestamptz,
    -- Another attempt has taken this one's place.
    superseded      boolean NOT NULL DEFAULT false,
    -- The reservation has ended in PostgreSQL; Redis and the buyer's browser have not been told of it yet.
    untold          boolean NOT NULL DEFAULT false,
    -- The durable job: `infinity` when there is nothing left to do.
    tries           integer NOT NULL DEFAULT 0,
    claimed_by      text,
    claimed_until   timestamptz,
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (reservation_id, number)
) WITH (fillfactor = 60);
-- Rule 2: one order at a time that money can move for, whatever the code above does.
CREATE UNIQUE INDEX one_live_attempt_a_reservation ON payment_attempts (reservation_id)
    WHERE state IN ('OPEN', 'AUTHORISED', 'CALLED', 'APPROVED');
CREATE INDEX payment_attempts_to_do ON payment_attempts (next_attempt_at) WHERE next_attempt_at < 'infinity';
CREATE INDEX payment_attempts_called ON payment_attempts (called_at) WHERE called_at IS NOT NULL;
CREATE INDEX payment_attempts_faulted ON payment_attempts (faulted_at) WHERE faulted_at IS NOT NULL;

CREATE TABLE refunds (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The order in which an attempt's refunds are made.
    number          bigint GENERATED ALWAYS AS IDENTITY,
    order_no        text NOT NULL REFERENCES payment_attempts (order_no) ON DELETE CASCADE,
    reservation_id  uuid NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
    -- refund: a charge goes back, all that is left of it where `amount` is NULL. void: an authorisation is let go of.
    kind            text NOT NULL CHECK (kind IN ('refund', 'void')),
    -- What it is for, so that it is written once: 'owed', 'void:KEY', 'asked:IDEMPOTENCY KEY'.
    cause           text NOT NULL,
    provider_key    text,
    amount          bigint CHECK (amount >= 0),
    fee             bigint NOT NULL DEFAULT 0 CHECK (fee >= 0),
    seats           integer[] NOT NULL DEFAULT '{}',
    reason          text NOT NULL,
    asked_by        text NOT NULL,
    request_digest  text,
    -- The job of a whole event, where it is one of those.
    event_refund_id uuid,
    state           text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DONE')),
    refund_key      text,
    code            text,
    round           integer NOT NULL DEFAULT 0,
    tries           integer NOT NULL DEFAULT 0,
    needs_person_at timestamptz,
    claimed_by      text,
    claimed_until   timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    done_at         timestamptz,
    UNIQUE (order_no, cause)
);
CREATE INDEX refunds_to_do ON refunds (next_attempt_at) WHERE state = 'PENDING';
CREATE INDEX refunds_of_reservation ON refunds (reservation_id);
CREATE INDEX refunds_for_people ON refunds (needs_person_at) WHERE needs_person_at IS NOT NULL;

INSERT INTO payment_attempts (order_no, reservation_id, number, provider, environment, amount, currency, state,
                              provider_key, code, deadline, called_at, approved_at, untold, tries, next_attempt_at,
                              refunded, created_at, updated_at)
SELECT p.reservation_id::text, p.reservation_id, 1, coalesce(p.provider, 'none'), 'ENVIRONMENT:' || coalesce(p.provider, 'none'),
       r.amount, r.currency,
       CASE WHEN p.status = 'NEW' THEN 'OPEN'
            WHEN p.status IN ('CALLED', 'DECLINED') THEN p.status
            WHEN p.status = 'APPROVED' OR r.status = 'CANCELLED' AND r.reason = 'cancelled_by_buyer'
                 AND r.ticket_code IS NOT NULL THEN 'APPROVED'
            ELSE 'VOIDED' END,
       p.provider_key, p.error_code, p.deadline, CASE WHEN p.provider IS NOT NULL THEN p.created_at END,
       CASE WHEN p.status = 'APPROVED' THEN p.updated_at END, p.untold, p.attempts,
       CASE WHEN p.status = 'NEW' THEN r.until + interval '60 seconds'
            WHEN p.status = 'CALLED' OR p.untold THEN p.next_attempt_at ELSE 'infinity' END,
       CASE WHEN p.status IN ('REFUNDING', 'REFUNDED') THEN r.amount ELSE 0 END,
       p.created_at, p.updated_at
FROM payments p JOIN reservations r ON r.id = p.reservation_id;

INSERT INTO refunds (order_no, reservation_id, kind, cause, provider_key, reason, asked_by, state, code, tries,
                     needs_person_at, next_attempt_at, created_at, done_at)
SELECT p.reservation_id::text, p.reservation_id, 'refund', 'owed', p.provider_key, coalesce(r.reason, 'payment_cancelled'),
       'system', CASE WHEN p.status = 'REFUNDED' THEN 'DONE' ELSE 'PENDING' END, p.error_code, p.attempts,
       p.needs_person_at, p.next_attempt_at, p.updated_at, CASE WHEN p.status = 'REFUNDED' THEN p.updated_at END
FROM payments p JOIN reservations r ON r.id = p.reservation_id WHERE p.status IN ('REFUNDING', 'REFUNDED');

DROP TABLE payments;
ALTER TABLE reservations DROP COLUMN payment_key;

-- When an address was last told that it did not work: once an hour and event at most, whoever types it in.
CREATE TABLE failure_mails (
    event_id bigint NOT NULL,
    address  text NOT NULL,
    sent_at  timestamptz NOT NULL,
    PRIMARY KEY (event_id, address)
);
CREATE INDEX failure_mails_age ON failure_mails (sent_at);

-- A whole event's money goes back: one job, in pages, with a report (P7).
CREATE TABLE event_refunds (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id        bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    idempotency_key text NOT NULL,
    reason          text NOT NULL,
    asked_by        text NOT NULL,
    state           text NOT NULL DEFAULT 'RUNNING' CHECK (state IN ('RUNNING', 'STOPPED', 'DONE')),
    claimed_by      text,
    claimed_until   timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    done_at         timestamptz,
    UNIQUE (event_id, idempotency_key)
);
-- What giving tickets back costs: [{"hours": 24, "percent": 0}, ...]: so many per cent until so many hours before the start;
-- later than all of them it is not possible. NULL: free until a day before the start.
ALTER TABLE events ADD COLUMN fee_table jsonb;
ALTER TABLE events ADD COLUMN cancelled_at timestamptz;
"""


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.exec_driver_sql("SELECT count(*) FROM payments WHERE provider IS NOT NULL").scalar()
    were = context.config.attributes.get("payments_were")
    if rows and were is None:
        raise StartupError(
            f"the database has {rows} payments of the old kind: say whom they were made with, by "
            "`onsale migrate --payments-were simulator` or `onsale migrate --payments-were live` (it decides where their "
            "refunds go)"
        )
    # `live:before-0007` is any real account of that provider: refunds of these go to the keys that are configured now.
    schema = _SCHEMA.replace("ENVIRONMENT:", "played:before-0007:" if were == "simulator" else "live:before-0007:")
    run(schema)
