"""R2: ticks through a pipe, and how long silence has lasted while the listener itself ran on time."""

from __future__ import annotations

import asyncio
import os

from cli.web_ticks import LOOK_SECONDS, TICK_SECONDS, Listener, Silence, Ticker
from tests.waits import PATIENCE


def looks(silence: Silence, start: float, seconds: float, *, heard: bool = False) -> float:
    """Looks on time for so long; returns when the last one was."""
    now = start
    while now < start + seconds:
        now += LOOK_SECONDS
        silence.look(now, heard=heard)
    return now


def test_silence_adds_up_and_a_tick_ends_it() -> None:
    silence = Silence()
    silence.look(100.0, heard=True)
    now = looks(silence, 100.0, 9)
    assert silence.seconds == 9
    silence.look(now + LOOK_SECONDS, heard=True)
    assert silence.seconds == 0


def test_a_machine_that_stood_still_proves_nothing() -> None:
    """Suspended, or too busy to run the listener: the count begins anew, and a hang is still found afterwards."""
    silence = Silence()
    silence.look(100.0, heard=True)
    now = looks(silence, 100.0, 9)
    silence.look(now + 3600, heard=False)
    assert silence.seconds == 0
    looks(silence, now + 3600, 12)
    assert silence.seconds == 12


def test_the_listener_hears_ticks_until_the_other_end_is_closed() -> None:
    async def ticking() -> None:
        read, write = os.pipe()
        ticker, listener = Ticker(write), Listener(read)
        assert not listener.heard()
        ticker.start()
        assert listener.heard()
        assert not listener.heard()
        async with asyncio.timeout(PATIENCE):
            while not listener.heard():
                await asyncio.sleep(TICK_SECONDS / 10)
        ticker.stop()
        ticker.stop()
        while not listener.over:
            listener.heard()
        assert not listener.heard()

    asyncio.run(ticking())


def test_a_listener_that_does_not_read_holds_up_nobody() -> None:
    async def ticking() -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        try:
            while os.write(write, b"." * 4096):
                pass
        except BlockingIOError:
            pass
        ticker, listener = Ticker(write), Listener(read)
        ticker.start()
        ticker.stop()
        listener.close()

    asyncio.run(ticking())
