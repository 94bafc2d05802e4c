"""Pre-built frames are what any WebSocket client reads (D5)."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol

from core.seats.board import BoardSnapshot
from realtime import wire
from realtime.frames import text_frame

#: Each form of the length field, at its edges (RFC 6455 section 5.2).
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 100_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_byte_for_byte_what_the_websockets_library_writes(size: int) -> None:
    payload = b"x" * size
    built = text_frame(payload)
    assert built.payload == payload
    assert built.wire == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_frames_one_after_the_other_are_read_one_by_one() -> None:
    client = Protocol(CLIENT)
    client.receive_data(b"".join(text_frame(str(size).encode() * 50).wire for size in SIZES))
    read = [event.data for event in client.events_received() if isinstance(event, Frame)]
    assert read == [str(size).encode() * 50 for size in SIZES]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4001])
def test_a_packed_board_says_what_the_board_says(size: int) -> None:
    """Read by docs/asyncapi.yaml alone: a quarter of the bytes (V1)."""
    states = bytes(seat * seat % 7 % 4 for seat in range(size))
    packed = wire.packed_board(BoardSnapshot(4_000_000_000, 2**40 + 7, states))
    assert packed[0] == 1
    assert int.from_bytes(packed[1:5]) == 4_000_000_000
    assert int.from_bytes(packed[5:13]) == 2**40 + 7
    assert int.from_bytes(packed[13:17]) == size
    assert bytes(packed[17 + seat // 4] >> 2 * (seat % 4) & 3 for seat in range(size)) == states
    assert len(packed) == 17 + (size + 3) // 4
    built = text_frame(b"{}", packed)
    assert built.packed == (packed, Frame(Opcode.BINARY, packed).serialize(mask=False))
