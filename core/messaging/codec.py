"""The reservation event as bytes on a topic.

Written: Avro's single-object encoding (two marker bytes, the schema's CRC-64-AVRO fingerprint, the data:
https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding), or, with a schema registry, Confluent's
framing (a zero byte, the schema's id in the registry as 4 bytes, the data).
Read: both, in every schema version that is kept, and the JSON form that came before Avro.
"""

from __future__ import annotations

import functools
import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from operator import attrgetter
from typing import Any, Protocol
from uuid import UUID

import fastavro
import orjson
from fastavro.schema import fingerprint, to_parsing_canonical_form

from core.messaging.reservation_message import EventInvalid, ReservationMessage, SeatChange, parse

_SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = b"\x00"
_FILE = re.compile(r"reservation_event\.v(\d+)\.avsc")

#: What the unreadable bytes of a broken message can make the Avro reader raise.
_UNREADABLE = (EOFError, ValueError, TypeError, IndexError, KeyError, StopIteration, struct.error, OverflowError)


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """`text` is the file as it is, `mark` the fingerprint in the byte order of the wire. `plain` has the same bytes as
    `parsed`, without logical types: UUIDs as texts and times as milliseconds, which takes half the time."""

    number: int
    text: str
    parsed: dict[str, Any]
    plain: dict[str, Any]
    mark: bytes


@functools.cache
def versions() -> tuple[SchemaVersion, ...]:
    """Every schema ever written with, the oldest first; the last one is written with now."""
    found = []
    for file in resources.files("core.messaging").joinpath("schemas").iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            found.append(schema_version(int(match[1]), file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda version: version.number))


def schema_version(number: int, text: str) -> SchemaVersion:
    raw = orjson.loads(text)
    parsed = parsed_schema(text)
    # fastavro gives the 8 bytes as hex digits in the order in which the wire has them: little-endian.
    mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))
    return SchemaVersion(number, text, parsed, parsed_schema(orjson.dumps(_without_logical_types(raw))), mark)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_logical_types(each) for each in schema]
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def parsed_schema(text: str | bytes) -> dict[str, Any]:
    """Raises EventInvalid for a schema that is not a record's."""
    parsed = fastavro.parse_schema(orjson.loads(text))
    if not isinstance(parsed, dict):
        raise EventInvalid("not the schema of a record")
    return parsed


class Registry(Protocol):
    """A schema registry."""

    async def register(self, text: str) -> int:
        """The schema's id, new or known. Raises RegistryAway or RegistryRefused."""
        ...

    async def schema(self, id_: int) -> dict[str, Any]:
        """The parsed schema of an id. Raises RegistryAway, or EventInvalid when there is none."""
        ...


class Encoder:
    """Writes the newest version. Without a registry `start` does nothing."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._newest = versions()[-1]
        self._head = b"" if registry else _SINGLE_OBJECT + self._newest.mark

    async def start(self) -> None:
        """Makes every version known to the registry. Raises RegistryAway or RegistryRefused."""
        if self._registry is None or self._head:
            return
        id_ = 0
        for version in versions():
            id_ = await self._registry.register(version.text)
        self._head = _CONFLUENT + struct.pack(">I", id_)

    def encode(self, event: ReservationMessage) -> bytes:
        """Raises EventInvalid for values that the schema has no room for."""
        return self._head + encode_body(event, self._newest)

    def encode_row(self, uid: UUID, type_: str, reservation_id: UUID, payload: Mapping[str, Any]) -> bytes:
        """The same for an outbox row. Raises EventInvalid.

        A payload as checkout writes it goes straight to the Avro writer, which checks every type but one: it would cut
        a fraction off a number. All others take the way round by `parse`, which mends them or knows what is wrong.
        """
        try:
            if _whole_numbers(payload):
                at = (datetime.fromisoformat(payload["at"]) - _EPOCH) // _MILLISECOND
                record = {**payload, "uid": str(uid), "type": type_, "reservation_id": str(reservation_id), "at": at}
                return self._head + _write(record, self._newest.plain)
        except _UNREADABLE:
            pass
        return self.encode(parse(uid, type_, payload))


_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def _whole_numbers(payload: Mapping[str, Any]) -> bool:
    if type(payload["event_id"]) is not int or type(payload["amount"]) is not int:
        return False
    for seat in payload["seats"]:
        if type(seat["ordinal"]) is not int or type(seat["version"]) is not int or type(seat["price"]) is not int:
            return False
    return True


def encode_body(event: ReservationMessage, version: SchemaVersion) -> bytes:
    """The Avro data alone."""
    try:
        return _write(record_of(event), version.parsed)
    except _UNREADABLE as error:
        raise EventInvalid(f"cannot be encoded: {error}") from error


def _write(record: Mapping[str, Any], schema: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, record)
    return buffer.getvalue()


class Decoder:
    """Reads all forms."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._newest = versions()[-1]
        self._by_mark = {version.mark: version for version in versions()}

    async def decode(self, value: bytes | None, *, only_for: str = "") -> ReservationMessage:
        """Raises EventInvalid for a message that can never be read, RegistryAway when the registry must be asked."""
        if not value:
            raise EventInvalid("an empty message")
        if value.startswith(_SINGLE_OBJECT):
            writer = self._by_mark.get(value[2:10])
            if writer is None:
                raise EventInvalid(f"a schema that this release does not know: {value[2:10].hex()}")
            if writer is self._newest:
                return _read_newest(value[10:], writer, only_for)
            return self._read(value[10:], writer.parsed, only_for)
        if value.startswith(_CONFLUENT):
            if self._registry is None:
                raise EventInvalid("a registry's schema, and no SCHEMA_REGISTRY_URL is set")
            if len(value) < 5:
                raise EventInvalid("a frame that ends before its schema's id")
            (id_,) = struct.unpack(">I", value[1:5])
            return self._read(value[5:], await self._registry.schema(id_), only_for)
        if value.startswith(b"{"):
            return _read_json(value, only_for)
        raise EventInvalid(f"neither Avro nor JSON: it begins with {value[:4].hex()}")

    def _read(self, body: bytes, writer: dict[str, Any], only_for: str) -> ReservationMessage:
        record = resolve(body, writer, self._newest.parsed)
        # Avro has checked every type, and the reader's schema has every field: no need to validate once more.
        record["seats"] = tuple(SeatChange(**seat) for seat in record["seats"])
        return ReservationMessage(**record, only_for=only_for)


def _read_newest(body: bytes, version: SchemaVersion, only_for: str) -> ReservationMessage:
    """What `_read` does, in half the time: nearly every message is of the version that this release writes."""
    record = resolve(body, version.plain, None)
    try:
        record["uid"], record["reservation_id"] = UUID(record["uid"]), UUID(record["reservation_id"])
        record["at"] = _EPOCH + timedelta(milliseconds=record["at"])
        record["seats"] = tuple([SeatChange(**seat) for seat in record["seats"]])
        return ReservationMessage(**record, only_for=only_for)
    except _UNREADABLE as error:
        raise EventInvalid(f"not readable as Avro: {type(error).__name__}: {error}") from error


def resolve(body: bytes, writer: dict[str, Any], reader: dict[str, Any] | None) -> dict[str, Any]:
    """A record written with one schema as the other one (None: the same) sees it. Raises EventInvalid."""
    buffer = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(buffer, writer, reader)
    except (*_UNREADABLE, fastavro.read.SchemaResolutionError) as error:
        raise EventInvalid(f"not readable as Avro: {type(error).__name__}: {error}") from error
    if not isinstance(record, dict) or buffer.read(1):
        raise EventInvalid("not readable as Avro: the data does not end where the schema does")
    return record


def record_of(event: ReservationMessage) -> dict[str, Any]:
    """The event as the Avro writer takes it."""
    record = dict(zip(_FIELDS, _values(event), strict=True))
    record["seats"] = [dict(zip(_SEAT_FIELDS, _seat_values(seat), strict=True)) for seat in event.seats]
    return record


# In C, for every row that is relayed.
_FIELDS = tuple(name for name in ReservationMessage.__slots__ if name not in ("seats", "only_for"))
_SEAT_FIELDS = tuple(SeatChange.__slots__)
_values, _seat_values = attrgetter(*_FIELDS), attrgetter(*_SEAT_FIELDS)


def _read_json(value: bytes, only_for: str) -> ReservationMessage:
    """Version 1, the only one: `{"version": 1, "uid", "type", ...}` with the members of the outbox's payload."""
    try:
        body = orjson.loads(value)
        if body.get("version") != 1:
            raise EventInvalid(f"JSON of a version that nobody wrote: {body.get('version')!r}")
        return parse(UUID(body["uid"]), body["type"], body, only_for=only_for)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, EventInvalid):
            raise
        raise EventInvalid(f"not readable as JSON: {type(error).__name__}: {error}") from error
