"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
# The newest migration that a program must know in order to work with the schema after this one.
min_program = ${repr(up_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
