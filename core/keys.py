"""Every Redis key, channel and Kafka topic name is built here and nowhere else.

`slug` is the event's slug. All keys of one event share the hash tag `{slug}`, so that one script may touch them
all on a Redis Cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
"""

from __future__ import annotations


def waiting_queue(slug: str) -> str:
    """zset visitor -> ticket number: the queue."""
    return f"ticket:waiting:queue:{{{slug}}}"


def waiting_beats(slug: str) -> str:
    """zset visitor -> last beat, milliseconds."""
    return f"ticket:waiting:beats:{{{slug}}}"


def waiting_number(slug: str) -> str:
    """string: the last ticket number given."""
    return f"ticket:waiting:number:{{{slug}}}"


def waiting_spent(slug: str) -> str:
    """zset visitor -> the ticket number that was used up by being admitted or by leaving."""
    return f"ticket:waiting:spent:{{{slug}}}"


def draw(slug: str) -> str:
    """hash: opening, draw_at (milliseconds), state (gathering, frozen, drawn), base, reserved: the draw under way;
    `over`: the opening that was drawn last."""
    return f"ticket:draw:{{{slug}}}"


def entries(slug: str) -> str:
    """hash visitor -> `receipt|salt`: who gathers before the opening."""
    return f"ticket:entries:{{{slug}}}"


def entry_beats(slug: str) -> str:
    """zset visitor -> last beat, milliseconds, of who gathers."""
    return f"ticket:entries:beats:{{{slug}}}"


def told_entries(slug: str) -> str:
    """`entries` with TTL, from when each has its number until the draw job has taken them away, a page at a time."""
    return f"ticket:entries:told:{{{slug}}}"


def told_entry_beats(slug: str) -> str:
    """`entry_beats` with TTL, as `told_entries`."""
    return f"ticket:entries:told:beats:{{{slug}}}"


def networks(slug: str) -> str:
    """zset network -> how many places its visitors have: entered, waiting, active, or silent and still welcome back."""
    return f"ticket:networks:{{{slug}}}"


def places(slug: str) -> str:
    """hash visitor -> network, of everybody who counts in `networks`."""
    return f"ticket:places:{{{slug}}}"


def absent_places(slug: str) -> str:
    """zset visitor -> since when silent, milliseconds: whose ticket still brings the place back for nothing."""
    return f"ticket:places:absent:{{{slug}}}"


def proof_prefix(slug: str) -> str:
    """of strings with TTL: a proof of work that was shown. The proof's id follows."""
    return f"ticket:proof:{{{slug}}}:"


def queue_version(slug: str) -> str:
    """string: grows by one with each departure from, or return into, the middle of the queue."""
    return f"ticket:waiting:version:{{{slug}}}"


def active_users(slug: str) -> str:
    """zset visitor -> last beat, milliseconds."""
    return f"ticket:active:users:{{{slug}}}"


def active_until(slug: str) -> str:
    """zset visitor -> end of session, milliseconds."""
    return f"ticket:active:until:{{{slug}}}"


def active_cap(slug: str) -> str:
    """string with TTL: the active limit that the load allows now; absent: the event's own."""
    return f"ticket:active:cap:{{{slug}}}"


def active_paying(slug: str) -> str:
    """zset visitor -> until when a payment under way keeps the visitor in, milliseconds."""
    return f"ticket:active:paying:{{{slug}}}"


def seat_state(slug: str, ordinal: int) -> str:
    """string with TTL `visitor|fence|held` or `visitor|fence|paying`: who holds the seat."""
    return f"state:seat:{{{slug}}}:{ordinal}"


def seat_state_prefix(slug: str) -> str:
    return f"state:seat:{{{slug}}}:"


def seat_table(slug: str) -> str:
    """string with TTL: which seats are side by side and how far they are, for the best seats."""
    return f"ticket:seats:table:{{{slug}}}"


def holds(slug: str) -> str:
    """zset ordinal -> deadline, milliseconds: what the sweep frees."""
    return f"ticket:holds:{{{slug}}}"


def baskets(slug: str) -> str:
    """hash visitor -> `fence|until|extensions left|held, paying or lapsed|ordinal,...|since|used|most|network|call`."""
    return f"ticket:baskets:{{{slug}}}"


def basket_deadlines(slug: str) -> str:
    """zset visitor -> deadline of the visitor's basket, milliseconds."""
    return f"ticket:baskets:until:{{{slug}}}"


def shares(slug: str) -> str:
    """hash: what visitors have bought, and what they and networks held without buying (core/seats/lua/share.lua)."""
    return f"ticket:shares:{{{slug}}}"


def waits(slug: str) -> str:
    """list, bounded: promised and actual waits of those who came in last (core/waiting_room/lua/queue.lua)."""
    return f"ticket:waiting:waits:{{{slug}}}"


def silent(slug: str) -> str:
    """zset visitor -> since when silent, in ms in which the service answered: whose ticket keeps the place."""
    return f"ticket:waiting:silent:{{{slug}}}"


def code_claims(slug: str) -> str:
    """hash with TTL: access code (its digest) -> `visitor,milliseconds;...`: who has claimed a use of it."""
    return f"ticket:codes:claims:{{{slug}}}"


def visitor_codes(slug: str) -> str:
    """hash with TTL: visitor -> `code|group` of the access code that the place was taken with."""
    return f"ticket:codes:of:{{{slug}}}"


def spent_codes(slug: str) -> str:
    """hash with TTL: access code -> uses that were spent, and `code:reservation` of each."""
    return f"ticket:codes:spent:{{{slug}}}"


def visitor_phases(slug: str) -> str:
    """hash with TTL: visitor -> the phase that the basket was made in."""
    return f"ticket:phases:of:{{{slug}}}"


def stop(slug: str) -> str:
    """hash: since when the sale's clock stands, and what it is behind (core/seats/lua/stop.lua)."""
    return f"ticket:stop:{{{slug}}}"


def owed(slug: str) -> str:
    """zset: visitors who have not got back the time for which the sale's clock stood."""
    return f"ticket:stop:owed:{{{slug}}}"


def turns(slug: str) -> str:
    """list, bounded: `visitor|number|until, milliseconds` of each turn, 0 when it is over, until PostgreSQL has it."""
    return f"ticket:turns:{{{slug}}}"


def pace(slug: str) -> str:
    """hash: at (milliseconds), departures (a minute): how fast active visitors make room; places: how far the sweep has
    looked through `places`; hopeless: the version of the board in which it found no seat that anybody may get."""
    return f"ticket:waiting:pace:{{{slug}}}"


def board(slug: str) -> str:
    """string: one byte a seat."""
    return f"board:{{{slug}}}"


def board_version(slug: str) -> str:
    """hash: epoch, counter."""
    return f"board:version:{{{slug}}}"


def fence(slug: str) -> str:
    """string: the last fence given."""
    return f"fence:{{{slug}}}"


def seat_lock(slug: str, ordinal: int) -> str:
    """string with TTL: the seat lock's owner token."""
    return f"lock:seat:{{{slug}}}:{ordinal}"


def board_lock(slug: str) -> str:
    """string with TTL: who rebuilds the board."""
    return f"lock:board:{{{slug}}}"


def seats_channel(slug: str) -> str:
    """pub/sub: seat changes with their board version."""
    return f"seats:{{{slug}}}"


def queue_channel(slug: str) -> str:
    """pub/sub: admissions, departures, notices."""
    return f"queue:{{{slug}}}"


def reservations_channel(slug: str) -> str:
    """pub/sub: reservation results, and that a place in the waiting list has changed, for the one visitor's browser."""
    return f"reservations:{{{slug}}}"


LOAD = "ticket:load"
"""hash process -> JSON of its last reading of the load."""

VITALS = "ticket:vitals"
"""hash with TTL: process -> JSON of what it measured of itself."""


def mail_turn() -> str:
    """string with TTL: when the next e-mail may leave, milliseconds."""
    return "ticket:mail:turn"


HINTS = "ticket:hints"
"""zset with TTL: order that a webhook was about -> its latest look-up, made or planned, milliseconds; `order-`: the one
before.
"""

ALERTS = "ticket:alerts"
"""string with TTL: JSON of the health watch's book of alerts."""


def history(slug: str) -> str:
    """list with TTL: JSON samples of a sale, the newest first; bounded."""
    return f"ticket:history:{{{slug}}}"


def job_lease(job: str) -> str:
    """string with TTL: which process runs the periodic job."""
    return f"lock:job:{job}"


JOBS = "ticket:jobs"
"""hash with TTL: periodic job -> `when it last succeeded, seconds|seconds after which it is late`."""


def breaker(provider: str) -> str:
    """hash with TTL: what the processes learnt of a payment provider."""
    return f"breaker:{{{provider}}}"


RESERVATIONS_TOPIC = "ticket.reservations"
DEAD_LETTER_TOPIC = "ticket.reservations.dlq"
