"""The event's schemas (S21): every version ever written is read by every version, old JSON too; releases are pinned.

`assert_compatible` is the gate for a new version. The tests below it prove that it closes.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import fastavro
import orjson
import pytest
from fastavro.utils import generate_many

from core.messaging import codec
from core.messaging.codec import Decoder, Encoder, SchemaVersion, encode_body, resolve, schema_version, versions
from core.messaging.reservation_message import EventInvalid, ReservationMessage, parse, payload_of
from tests.outbox_rows import payload

#: Version -> fingerprint of the wire. A released line is never changed: messages with it are in topics for ever.
RELEASED = {1: "b5313ad37794ceab", 2: "812526ac1f66a77b"}

VERSIONS = versions()
PAIRS = [(writer, reader) for writer in VERSIONS for reader in VERSIONS]


def assert_compatible(writer: SchemaVersion, reader: SchemaVersion) -> None:
    """Whatever the writer can write, the reader reads, and what both know is the same. Raises EventInvalid or
    AssertionError."""
    common = {field["name"] for field in writer.parsed["fields"]} & {field["name"] for field in reader.parsed["fields"]}
    for record in itertools.chain(generate_many(writer.parsed, 60), _branches(writer)):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, writer.parsed, record)
        wrote = resolve(buffer.getvalue(), writer.parsed, writer.parsed)
        read = resolve(buffer.getvalue(), writer.parsed, reader.parsed)
        assert set(read) == {field["name"] for field in reader.parsed["fields"]}
        for name in common - {"seats"}:
            assert read[name] == wrote[name], name
        for seat_read, seat_wrote in zip(read["seats"], wrote["seats"], strict=True):
            for name in seat_read.keys() & seat_wrote.keys():
                assert seat_read[name] == seat_wrote[name], name


def assert_compatible_both_ways(new: SchemaVersion) -> None:
    for old in VERSIONS:
        assert_compatible(old, new)
        assert_compatible(new, old)


def _branches(version: SchemaVersion) -> list[dict[str, Any]]:
    """A record with each optional field there, and one with none: random ones may never take a branch."""
    (base,) = generate_many(version.parsed, 1)
    optional = [field["name"] for field in version.parsed["fields"] if isinstance(field["type"], list)]
    seat = {"ordinal": 1, "version": 2, "status": "SOLD", "price": 3, "category": "R"}
    seat |= {"zone": "Z", "row": "1", "number": "2"}
    return [
        {**base, **dict.fromkeys(optional, value), "seats": seats}
        for value in (None, "there")
        for seats in ([], [seat], [seat] * 3)
    ]


def event(**fields: Any) -> ReservationMessage:
    return parse(uuid.uuid4(), "reservation.confirmed", payload(uuid.uuid4(), **fields))


@pytest.mark.parametrize(("writer", "reader"), PAIRS, ids=lambda version: f"v{version.number}")
def test_every_version_reads_every_version(writer: SchemaVersion, reader: SchemaVersion) -> None:
    assert_compatible(writer, reader)


def changed(change: Callable[[dict[str, Any]], None]) -> SchemaVersion:
    """The newest schema with a change that somebody may think of."""
    newest = VERSIONS[-1]
    raw = copy.deepcopy(json.loads(newest.text))
    change(raw)
    return schema_version(newest.number + 1, json.dumps(raw))


def field_of(raw: dict[str, Any], name: str) -> dict[str, Any]:
    return next(field for field in raw["fields"] if field["name"] == name)


INCOMPATIBLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a new field without a default": lambda raw: raw["fields"].append({"name": "channel", "type": "string"}),
    "a required field removed": lambda raw: raw["fields"].remove(field_of(raw, "visitor")),
    "a field renamed": lambda raw: field_of(raw, "email").update(name="mail"),
    "a number that became a text": lambda raw: field_of(raw, "amount").update(type="string"),
    "a long that became an int": lambda raw: field_of(raw, "event_id").update(type="int"),
    "an optional field made required": lambda raw: field_of(raw, "reason").update(type="string", default=""),
    "the record renamed": lambda raw: raw.update(name="BookingEvent"),
    "a seat's field without a default": lambda raw: field_of(raw, "seats")["type"]["items"]["fields"].append(
        {"name": "side", "type": "string"}
    ),
}


@pytest.mark.parametrize("what", INCOMPATIBLE)
def test_an_incompatible_change_is_caught(what: str) -> None:
    new = changed(INCOMPATIBLE[what])
    with pytest.raises((EventInvalid, AssertionError)):
        assert_compatible_both_ways(new)


def test_a_new_field_with_a_default_is_a_compatible_change() -> None:
    new = changed(lambda raw: raw["fields"].append({"name": "channel", "type": "string", "default": "web"}))
    assert_compatible_both_ways(new)


def test_released_versions_are_all_there_and_as_they_were() -> None:
    """A new version is added to RELEASED when it is released."""
    assert {version.number: version.mark.hex() for version in VERSIONS} == RELEASED
    assert [version.number for version in VERSIONS] == list(range(1, len(VERSIONS) + 1))


def test_the_fingerprint_is_that_of_the_specification() -> None:
    """CRC-64-AVRO of `"int"`, from the test data of the Avro project, little-endian on the wire."""
    assert fastavro.schema.fingerprint('"int"', "CRC-64-AVRO") == "8f5c393f1ad57572"


async def test_single_object_encoding_there_and_back() -> None:
    sent = event(language="ko", reason=None)
    value = Encoder().encode(sent)
    assert value[:2] == b"\xc3\x01"
    assert value[2:10].hex() == RELEASED[max(RELEASED)]
    assert await Decoder().decode(value) == sent


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.number}")
async def test_messages_of_every_version_are_read(version: SchemaVersion) -> None:
    sent = event()
    read = await Decoder().decode(b"\xc3\x01" + version.mark + encode_body(sent, version), only_for="email")
    assert (read.uid, read.type, read.amount, read.at, read.only_for) == (
        sent.uid,
        sent.type,
        sent.amount,
        sent.at,
        "email",
    )
    assert [(seat.ordinal, seat.version, seat.status) for seat in read.seats] == [(4, 2, "SOLD"), (5, 2, "SOLD")]
    assert read.language == "en"
    assert read.seats[0].row == ("" if version.number == 1 else "3")


async def test_json_of_the_old_format_is_read() -> None:
    uid, reservation = uuid.uuid4(), uuid.uuid4()
    body = {"version": 1, "uid": str(uid), "type": "reservation.confirmed", **payload(reservation)}
    for absent in ("language", "reason"):
        del body[absent]
    for seat in body["seats"]:
        for absent in ("zone", "row", "number"):
            del seat[absent]
    read = await Decoder().decode(orjson.dumps(body))
    assert (read.uid, read.reservation_id, read.amount, read.language) == (uid, reservation, 30000, "en")
    assert read.at == datetime(2026, 3, 1, 9, 0, 0, 123000, UTC)


def _broken() -> dict[str, bytes | None]:
    good = Encoder().encode(event())
    return {
        "no value": None,
        "empty": b"",
        "cut off": good[:-3],
        "something behind it": good + b"\x00",
        "only a mark": good[:10],
        "half a mark": good[:6],
        "an unknown schema": b"\xc3\x01" + b"\x00" * 8 + good[10:],
        "noise": b"\xc3\x01" + VERSIONS[-1].mark + b"\xff" * 50,
        "another encoding": b"hello",
        "a registry's frame without a registry": b"\x00\x00\x00\x00\x01" + good[10:],
        "json of the future": b'{"version": 9}',
        "json of something else": b'{"version": 1, "uid": 7}',
        "half json": b'{"version": 1',
        "json with a missing member": orjson.dumps({"version": 1, "uid": str(uuid.uuid4()), "type": "x"}),
    }


@pytest.mark.parametrize("what", list(_broken()))
async def test_a_broken_message_is_one_clear_error(what: str) -> None:
    with pytest.raises(EventInvalid):
        await Decoder().decode(_broken()[what])


async def test_no_cut_of_a_message_is_read_as_another_or_breaks_the_reader() -> None:
    good = Encoder().encode(event())
    for length in range(1, len(good)):
        with pytest.raises(EventInvalid):
            await Decoder().decode(good[:length])


def test_a_payload_survives_the_event() -> None:
    reservation = uuid.uuid4()
    assert payload_of(parse(uuid.uuid4(), "reservation.confirmed", payload(reservation))) == {
        **payload(reservation),
        "at": payload_of(event())["at"],
    }


class FakeIds:
    """Ids as a registry gives them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def register(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return 100 + self.texts.index(text)

    async def schema(self, id_: int) -> dict[str, Any]:
        return codec.parsed_schema(self.texts[id_ - 100])


async def test_confluent_framing_there_and_back() -> None:
    registry = FakeIds()
    encoder = Encoder(registry)
    await encoder.start()
    assert registry.texts == [version.text for version in VERSIONS]
    sent = event()
    value = encoder.encode(sent)
    assert value[:5] == b"\x00" + (100 + len(VERSIONS) - 1).to_bytes(4, "big")
    assert await Decoder(registry).decode(value) == sent
    # And what was written before the registry came is still read.
    assert await Decoder(registry).decode(Encoder().encode(sent)) == sent
