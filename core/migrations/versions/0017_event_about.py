"""What an event tells of itself: venue, address, description and picture (T9)."""

from core.migrations.script import run

revision = "0017"
down_revision = "0016"
min_program = "0014"

_ABOUT = """
ALTER TABLE events
    ADD COLUMN venue       text NOT NULL DEFAULT '',
    ADD COLUMN address     text NOT NULL DEFAULT '',
    -- Markdown, as it was written.
    ADD COLUMN description text NOT NULL DEFAULT '';

-- The event's picture, a row for each width (core/venue/picture.py).
CREATE TABLE event_pictures (
    event_id bigint NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    -- Of the content, hexadecimal: what it is served by.
    digest   text NOT NULL,
    width    integer NOT NULL CHECK (width > 0),
    height   integer NOT NULL CHECK (height > 0),
    content  bytea NOT NULL,
    PRIMARY KEY (event_id, width)
);
-- JPEG is compressed already.
ALTER TABLE event_pictures ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX event_pictures_digest ON event_pictures (digest);
"""


def upgrade() -> None:
    run(_ABOUT)
