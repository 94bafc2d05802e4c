"""One HTTP client for the calls of tests that wait for a server: each of its own would read the machine's certificates
anew, which costs 30 ms of a core."""

from __future__ import annotations

import httpx

from tests.waits import PATIENCE

#: Nothing is kept open, because a server closes what was quiet for a while in the moment that it is used again.
NOTHING_KEPT = httpx.Limits(max_keepalive_connections=0)

HTTP = httpx.Client(timeout=PATIENCE, verify=False, limits=NOTHING_KEPT)
