"""Pre-built frames are what any WebSocket client reads (D5)."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol

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
