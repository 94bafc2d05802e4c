"""A broadcast waits for nobody, and who falls too far behind is closed with "reconnect" (D5)."""

from __future__ import annotations

from collections.abc import Callable

from realtime.frames import Frame, text_frame
from realtime.hub import Hub
from realtime.wire import CloseCode

LIMIT = 1000


class Browser:
    """A connection whose operating system takes bytes only while it reads."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.got: list[Frame] = []
        self.waiting_bytes = 0
        self.closed: int | None = None

    def send(self, frame: Frame) -> None:
        if self.closed is None:
            self.got.append(frame)
            self.waiting_bytes += 0 if self.reads else len(frame.wire)

    def send_within(self, frame: Frame, most: int) -> bool:
        if self.waiting_bytes > most:
            return False
        self.send(frame)
        return True

    def buffered(self) -> int:
        return self.waiting_bytes

    async def receive(self) -> str | bytes | None:
        return None

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    def on_pong(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError


async def test_a_browser_that_does_not_read_is_closed_and_the_others_get_everything() -> None:
    hub = Hub("hub-test", LIMIT)
    prompt, slow = Browser(), Browser(reads=False)
    hub.add(prompt)
    hub.add(slow)
    frames = [text_frame(f"{turn}".encode() * 100) for turn in range(10, 40)]
    for frame in frames:
        await hub.broadcast(frame)
    assert prompt.got == frames
    assert slow.closed == CloseCode.SLOW
    assert slow not in hub
    assert slow.waiting_bytes <= LIMIT + len(frames[0].wire), "what a slow browser costs is bounded"


async def test_one_large_frame_does_not_make_a_browser_slow() -> None:
    hub = Hub("hub-test", LIMIT)
    browser = Browser(reads=False)
    hub.add(browser)
    await hub.broadcast(text_frame(b"x" * 5 * LIMIT))
    assert browser.closed is None


async def test_a_single_message_is_under_the_same_bound() -> None:
    hub = Hub("hub-test", LIMIT)
    browser = Browser(reads=False)
    hub.add(browser)
    for _ in range(20):
        hub.send(browser, text_frame(b"x" * 100))
    assert browser.closed == CloseCode.SLOW


async def test_every_browser_gets_the_same_frame_object() -> None:
    """Encoded once: nothing of a message is built again for each browser."""
    hub = Hub("hub-test", LIMIT)
    browsers = [Browser() for _ in range(1200)]
    for browser in browsers:
        hub.add(browser)
    frame = text_frame(b"{}")
    await hub.broadcast(frame)
    assert all(browser.got[0] is frame for browser in browsers)
    assert len(hub) == 1200
