"""What the comparison with the providers' own lists of charges found, and how far each list was compared (P6)."""

from core.migrations.script import run

revision = "0015"
down_revision = "0019"
min_program = "0014"

_SCHEMA = """
CREATE TABLE provider_lists (
    provider        text NOT NULL,
    environment     text NOT NULL,
    -- Charges that were approved before this are compared; the next comparison begins a little earlier.
    compared_until  timestamptz,
    -- When the last long comparison ended: a refund in the provider's dashboard may be of an old charge.
    whole_at        timestamptz,
    charges         bigint NOT NULL DEFAULT 0,
    -- Of the last try: NULL when it came to its end, else why not (`no_list`: the provider has none).
    tried_at        timestamptz,
    code            text,
    PRIMARY KEY (provider, environment)
);

CREATE TABLE payment_findings (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    provider        text NOT NULL,
    environment     text NOT NULL,
    order_no        text NOT NULL,
    provider_key    text NOT NULL,
    kind            text NOT NULL CHECK (kind IN (
        'no_attempt', 'attempt_over', 'second_charge', 'refunded_there', 'not_given_back', 'amount_differs')),
    reservation_id  uuid,
    currency        text NOT NULL,
    -- In minor units: the charge and what is left of it, there and in our books.
    amount_there    bigint NOT NULL,
    left_there      bigint NOT NULL,
    amount_here     bigint NOT NULL,
    left_here       bigint NOT NULL,
    charged_at      timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'MENDED', 'GONE')),
    found_at        timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    ended_by        text,
    -- One difference of one charge is one finding, and told once.
    UNIQUE (provider, order_no, provider_key, kind)
);
CREATE INDEX payment_findings_open ON payment_findings (found_at) WHERE state = 'OPEN';
"""


def upgrade() -> None:
    run(_SCHEMA)
