"""Every message between browser and server on `/ws/events/{slug}`, and the close codes.

JSON text frames with a `type`. Times are ISO 8601 in UTC; seats are ordinals; money is in minor units. The same is
described for other implementers in `docs/asyncapi.yaml`; a test keeps the two in step.

Browser -> server
    join {ticket?, nonce?, proof?, code?}
                             take a place, or the same place again; before the opening: an entry for the draw; proof:
                             the solution of the challenge that `problem proof_required` carried
    beat                     a sign of life; answered `beat`
    hold {id, seats}         hold these seats as well, all or nothing; answered `held` or `refused` with the same id
    best {id, count, groups?, category?, zone?, accessible?}
                             hold the best seats together as well; answered like `hold`, `held` with `together`
    release {id, seats}      let these go; answered `held` with what is left
    extend {id}              more time for the basket, once; answered `held` or `refused`
    sync {epoch, version}    "this is what I have": answered with `board` if it is not current; subscribes to `seats`
    leave                    give up the place and the seats

Server -> browser
    welcome {event, visitor, state, now, beat_seconds, grace_seconds, ended?, asked?}
                                                                             ended: why who is in nothing was put out, a
                                                                             reason of `expired`; state: none, entered,
                                                                             waiting, active; asked: a place, by the
                                                                             opening, and a problem says why not
    beat {now}                                                               the answer to each `beat`
    sale {status, paused, cancelled, opens_at, closes_at, gathers_at, entered}
                                                                             status: before, open, closed; comes
                                                                             after welcome and at each change, those
                                                                             of the clock too; entered: how many
    outage {away, since, until}                                              away: of database, redis, payment; the
                                                                             sale's clock stands at since, until then
                                                                             at most; null: it goes (again)
    entered {receipt, salt, entered, draw_at, ticket}                        who gathers; after the draw: `queue`
    queue {number, ahead, waiting, wait, eta, ticket?}                       wait: {low, high} in seconds, or null; eta:
                                                                             the middle of it
    admitted {until, number, ticket, warning_seconds}                        ticket: brings the rest of the turn back
    board {epoch, version, states}                                           states: base64, one byte a seat; to who
                                                                             asked for it packed, binary
    seats {epoch, version, changes}                                          changes: [[ordinal, state], ...]
    held {id, seats, until, fence, extensions_left, together?}               the whole basket; until null when empty
    refused {id, code, detail, seats, largest?, alternatives?, max?, retry_after?}
                                                                             largest, alternatives: not_together; max:
                                                                             too_many_seats; retry_after: cool_down
    reservation {id, status, reason?, seats, amount, currency}
    returns {}                             the visitor's place in the waiting list has changed, or has an offer: ask for
                                           it by HTTP
    expired {reason}                       reason: session, heartbeat, left, removed (by an operator), closed,
                                          hold (the basket only)
    problem {code, detail, id?, challenge?, captcha?}
                                           id: of the command that it answers; the last two with proof_required, as
                                           over HTTP

The counter (`version`) grows by one with each change of one seat, so a `seats` message with `n` changes follows on
from a board of version `version - n`; anything else is a gap and the browser asks with `sync`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.clock import iso
from core.seats.basket import Basket
from core.seats.best_seats import MOST_GROUPS
from core.seats.board import BoardSnapshot

#: A browser's message is at most this long, in bytes.
MAX_MESSAGE = 4096
#: A command's `id`: characters of a text, and a number that every program keeps as it is (RFC 8259 section 6).
MAX_NAME = 64
MOST_NUMBER = 2**53 - 1


class CloseCode(IntEnum):
    """4000-4099: come back, with a pause of your own unless the reason names one (`realtime/arrivals.py`); 4100-4199:
    do not.
    """

    RECONNECT = 4000
    SLOW = 4001
    GOING_AWAY = 4002
    STORE_LOST = 4003
    FULL = 4004
    TOO_MANY_CHANNELS = 4100
    NO_SUCH_EVENT = 4102
    TOO_MANY_MESSAGES = 4103
    BAD_MESSAGE = 4104


class ExpiredReason(StrEnum):
    SESSION = "session"
    HEARTBEAT = "heartbeat"
    LEFT = "left"
    REMOVED = "removed"
    CLOSED = "closed"
    HOLD = "hold"


def _name(value: Any) -> str | int:
    if isinstance(value, str) and len(value) <= MAX_NAME:
        return value
    if type(value) is int and abs(value) <= MOST_NUMBER:
        return value
    raise ValueError(f"must be a text of at most {MAX_NAME} characters or a whole number")


#: What a page calls a command by, to know its answer, which has the same: a text, or a number as JSON-RPC has them.
CommandId = Annotated[str | int, BeforeValidator(_name)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Join(_Message):
    type: Literal["join"]
    ticket: str | None = Field(default=None, max_length=1024)
    nonce: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    proof: str | None = Field(default=None, max_length=2560)
    code: str | None = Field(default=None, min_length=1, max_length=100)


class Beat(_Message):
    type: Literal["beat"]


class HoldSeats(_Message):
    type: Literal["hold"]
    id: CommandId = ""
    seats: list[int] = Field(min_length=1, max_length=100)


class BestSeats(_Message):
    type: Literal["best"]
    id: CommandId = ""
    count: int = Field(ge=1, le=100)
    groups: int = Field(default=1, ge=1, le=MOST_GROUPS)
    category: str | None = Field(default=None, max_length=200)
    zone: str | None = Field(default=None, max_length=200)
    accessible: bool = False


class ReleaseSeats(_Message):
    type: Literal["release"]
    id: CommandId = ""
    seats: list[int] = Field(min_length=1, max_length=100)


class Extend(_Message):
    type: Literal["extend"]
    id: CommandId = ""


class Sync(_Message):
    type: Literal["sync"]
    epoch: int = -1
    version: int = -1


class Leave(_Message):
    type: Literal["leave"]


Command = Join | Beat | HoldSeats | BestSeats | ReleaseSeats | Extend | Sync | Leave


class BadMessage(ValueError):
    """A message that is not of the protocol; the text says what is wrong with it."""


def parse(text: str | bytes) -> Command:
    """Raises BadMessage."""
    try:
        raw = orjson.loads(text)
    except ValueError:
        raise BadMessage("the message is not JSON") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise BadMessage("the message has no `type`")
    model = _BY_TYPE.get(raw["type"])
    if model is None:
        raise BadMessage(f"there is no message of type {raw['type'][:40]!r}")
    try:
        return model.model_validate(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadMessage(f"{raw['type']}: {where}: {first['msg'].removeprefix('Value error, ')}") from None


_BY_TYPE: dict[str, type[Command]] = {
    "join": Join,
    "beat": Beat,
    "hold": HoldSeats,
    "best": BestSeats,
    "release": ReleaseSeats,
    "extend": Extend,
    "sync": Sync,
    "leave": Leave,
}


def encode(kind: str, **fields: Any) -> bytes:
    """One message as the bytes of a text frame; datetimes become ISO 8601."""
    return orjson.dumps({"type": kind, **fields}, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(type(value).__name__)


def held(basket: Basket | None, **more: Any) -> bytes:
    """The `held` message of a basket; None: it is empty. `more`: the command's `id`, `together`."""
    if basket is None:
        return encode("held", **more, seats=[], until=None, fence=None, extensions_left=0)
    return encode(
        "held",
        **more,
        seats=basket.seats,
        until=basket.until,
        fence=basket.fence,
        extensions_left=basket.extensions_left,
    )


def seats(epoch: int, version: int, changes: Sequence[tuple[int, int]]) -> bytes:
    return encode("seats", epoch=epoch, version=version, changes=changes)


#: What a packed board begins with: the kind of message, epoch, version, seats.
_PACKED_HEADER: Final = struct.Struct("!BIQI")
_PACKED_BOARD: Final = 1
#: States, each moved to its place of four in a byte.
_MOVED: Final = [bytes((state << 2 * place) & 0xFF for state in range(256)) for place in range(4)]


def packed_board(snapshot: BoardSnapshot) -> bytes:
    """The `board` message as bytes, two bits a seat (docs/asyncapi.yaml): a quarter of what JSON takes."""
    epoch, version, states = snapshot.epoch, snapshot.version, snapshot.states
    padded = states + bytes(-len(states) % 4)
    quarters = [int.from_bytes(padded[place::4].translate(_MOVED[place])) for place in range(4)]
    seats = (quarters[0] | quarters[1] | quarters[2] | quarters[3]).to_bytes(len(padded) // 4)
    return _PACKED_HEADER.pack(_PACKED_BOARD, epoch, version, len(states)) + seats
