"""The waiting list: wishes, offers, and seats that were given back (F5, F10)."""

from core.migrations.script import run

revision = "0024"
down_revision = "0027"
min_program = "0024"

_LIST = """
-- RETURNED: given back, and kept for the waiting list or until a random moment. No screen shows it as free.
ALTER TABLE seats DROP CONSTRAINT seats_status_check;
ALTER TABLE seats ADD CONSTRAINT seats_status_check
    CHECK (status IN ('AVAILABLE', 'PAYING', 'SOLD', 'BLOCKED', 'RETURNED')) NOT VALID;

CREATE TABLE wishes (
    id          uuid PRIMARY KEY,
    event_id    bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    -- The order of joining.
    number      bigint GENERATED ALWAYS AS IDENTITY,
    visitor     text NOT NULL,
    email       text NOT NULL,
    address_key text NOT NULL,
    language    text NOT NULL,
    network     text NOT NULL,
    seats       integer NOT NULL CHECK (seats > 0),
    category    text,
    state       text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'OFFERED', 'TAKEN', 'LAPSED', 'LEFT')),
    -- Returns that were offered to it and that it did not want.
    passed      bigint[] NOT NULL DEFAULT '{}',
    joined_at   timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
CREATE UNIQUE INDEX one_wish_a_visitor ON wishes (event_id, visitor) WHERE state IN ('WAITING', 'OFFERED');
CREATE INDEX wishes_in_order ON wishes (event_id, number) WHERE state IN ('WAITING', 'OFFERED');
CREATE INDEX wishes_wanting ON wishes (event_id, category) WHERE state = 'WAITING';
CREATE INDEX wishes_of_address ON wishes (event_id, address_key);
CREATE INDEX wishes_of_visitor ON wishes (event_id, visitor, number);
CREATE INDEX wishes_of_network ON wishes (event_id, network) WHERE state IN ('WAITING', 'OFFERED');
CREATE INDEX wishes_ended ON wishes (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE offers (
    id         uuid PRIMARY KEY,
    event_id   bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    wish_id    uuid NOT NULL REFERENCES wishes (id) ON DELETE CASCADE,
    ordinals   integer[] NOT NULL,
    state      text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'TAKEN', 'PASSED', 'LAPSED')),
    until      timestamptz NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    -- The e-mail about it: when it left, and which process is at it until when.
    mailed_at  timestamptz,
    mailing_until timestamptz
);
CREATE UNIQUE INDEX one_open_offer_a_wish ON offers (wish_id) WHERE state = 'OPEN';
CREATE INDEX offers_of_wish ON offers (wish_id, made_at);
CREATE INDEX offers_open ON offers (event_id, until) WHERE state = 'OPEN';
CREATE INDEX offers_to_mail ON offers (made_at) WHERE state = 'OPEN' AND mailed_at IS NULL;

CREATE TABLE returned_seats (
    id          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    event_id    bigint NOT NULL,
    ordinal     integer NOT NULL,
    returned_at timestamptz NOT NULL DEFAULT now(),
    -- Of the offer that it is in, or is being paid for by.
    offer_id    uuid REFERENCES offers (id) ON DELETE SET NULL,
    -- When it is on the map again, unless somebody wishes for it until then; NULL: not drawn yet.
    free_at     timestamptz,
    -- AVAILABLE in `seats`, and not on the board yet.
    freed       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (event_id, ordinal),
    FOREIGN KEY (event_id, ordinal) REFERENCES seats (event_id, ordinal) ON DELETE CASCADE
);
CREATE INDEX returned_seats_of_offer ON returned_seats (offer_id) WHERE offer_id IS NOT NULL;

-- As a board shows them, where nobody holds them. What is paid for from the waiting list was never free, nor held: it
-- looks as before until it is sold or on the map again.
CREATE VIEW shown_seats AS
SELECT s.event_id, s.ordinal, s.fence, s.updated_at, CASE WHEN k.ordinal IS NULL THEN s.status ELSE 'RETURNED' END AS status
FROM seats s
LEFT JOIN returned_seats k
    ON k.event_id = s.event_id AND k.ordinal = s.ordinal AND NOT k.freed AND s.status IN ('RETURNED', 'PAYING');

ALTER TABLE reservations ADD COLUMN offer_id uuid;
CREATE INDEX reservations_of_offer ON reservations (offer_id) WHERE offer_id IS NOT NULL;
"""


def upgrade() -> None:
    run(_LIST)
